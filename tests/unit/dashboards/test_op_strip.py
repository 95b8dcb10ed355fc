"""The picture of the op table: every op, over the range it says, each tile what the op does at the value below it."""

import dataclasses

import numpy as np
import pytest
import torch

from dashboards.gallery import picture_grid, value_in_short
from dashboards.op_strip import FILL, op_label, op_strip, op_tiles, strengths
from dashboards.scene import scene
from searchspaces.ops import built_in_ops, find_op, op_table
from searchspaces.ops.op import Op, Setting
from searchspaces.policy import Base, Branch, Choice, Constant, Policy, Step

SCENE = scene(32)


@pytest.mark.parametrize("op", built_in_ops(), ids=lambda op: op.name)
def test_the_strengths_reach_from_the_identity_to_the_ends(op: Op) -> None:
    values, strength = strengths(op, 1024), op.strength
    assert all(strength.low <= value <= strength.high for value in values)
    assert strength.identity in values
    assert 2 <= len(values) == len(set(values)) <= 7
    assert list(values) in (sorted(values), sorted(values, reverse=True))
    for span in op.spans.values():
        assert span.strong in values or abs(span.strong - strength.identity) < max(
            abs(value - strength.identity) for value in values
        )
    if op.signed:
        assert np.allclose(sorted(2 * strength.identity - value for value in values), sorted(values))


def test_the_strengths_are_these() -> None:
    thirds = pytest.approx((0.01, 0.34, 0.67, 1, 1.33, 1.66, 1.99))
    assert strengths(find_op("brightness"), 32) == thirds
    assert strengths(find_op("posterize"), 32) == (8, 7, 6, 5, 4, 3, 2)
    assert strengths(find_op("rotate"), 32) == (-135, -90, -45, 0, 45, 90, 135)
    assert strengths(find_op("hflip"), 32) == (0, 1)
    assert strengths(find_op("crop"), 32) == (-16, -11, -5, 0, 5, 11, 16)
    assert strengths(find_op("gamma"), 32) == pytest.approx(
        (0.1, 0.1 ** (2 / 3), 0.1 ** (1 / 3), 1, 10 ** (1 / 3), 10 ** (2 / 3), 10)
    )
    assert strengths(find_op("brightness_shift"), 32) == (-255, -170, -85, 0, 85, 170, 255)


@pytest.mark.parametrize("op", [op for op in built_in_ops() if not op.per_image], ids=lambda op: op.name)
def test_each_tile_is_what_the_op_does_at_its_value(op: Op) -> None:
    values = strengths(op, 32)
    tiles = op_tiles(op, SCENE)
    assert [tile.caption for tile in tiles] == [(value_in_short(op.strength, value),) for value in values]
    seeds = torch.zeros(1, dtype=torch.int64) if op.seeded else None
    for tile, value in zip(tiles, values, strict=True):
        row = torch.tensor([(value, *op.identity[1:])], dtype=torch.float64)
        wanted = op.kernel(torch.from_numpy(SCENE), row, Setting(FILL, seeds=seeds))[0].numpy()
        off = np.abs(tile.pixels.astype(int) - wanted)
        assert off.max() <= op.tolerance.levels
    changed = [
        (tile.pixels != SCENE[0]).any() for tile, value in zip(tiles, values, strict=True) if value != op.strength.identity
    ]
    assert all(changed) or op.kind == "none"


def test_a_label_says_what_the_pictures_cannot() -> None:
    assert op_label(find_op("rotate"), 3) == ("rotate", "degrees", "signed")
    assert op_label(find_op("crop"), 3) == ("crop", "x_px, pixels", "also: y_px")
    assert op_label(find_op("hue"), 1) == ("hue", "turn, of a full circle", "nothing on grey images")
    assert op_label(find_op("invert"), 3) == ("invert",)


def test_ops_that_do_not_take_the_image_are_left_out_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    from dashboards import op_strip as module

    said = []
    monkeypatch.setattr(module, "contact_sheet", lambda rows, heading, words, label_px: said.append((rows, words)))
    op_strip(op_table(), np.zeros((1, 5, 8, 8), np.uint8))
    ((rows, words),) = said
    left_out = [op.name for op in op_table() if not op.accepts(5)]
    assert words.endswith(f"Left out, because they don't take 5 channels: {', '.join(left_out)}.")
    assert len(rows) == len(op_table()) - len(left_out)


def test_all_of_the_table_is_drawn() -> None:
    ops = op_table()[:3]
    one, three = op_strip(ops[:1], SCENE), op_strip(ops, SCENE)
    assert one.width <= three.width
    assert three.height > 2.5 * (one.height - 60)


def test_an_op_whose_only_range_is_on_is_shown_over_its_limits() -> None:
    odd = dataclasses.replace(find_op("quarter_turns"), spans=find_op("hflip").spans)
    assert strengths(odd, 32) == (0, 1, 2, 3)


def test_pictures_wait_for_no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    def compiled() -> bool:
        raise AssertionError("a picture went to the fused engine")

    monkeypatch.setattr("searchspaces.engines.choosing.fused_here", compiled)
    policy = Policy(Base(), (Branch((Step((Choice("invert", (Constant(1.0),)),)),)),))
    assert picture_grid(policy, SCENE, 0, ("a scene",)).width > 0
    assert op_strip([find_op("invert")], SCENE).width > 0
