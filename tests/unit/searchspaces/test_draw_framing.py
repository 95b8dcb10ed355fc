"""What is drawn for the base and for the cutout: windows as torchvision draws them, flips and turns as often as they should."""

import math
from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import resized_crops

from searchspaces.draw import draw
from searchspaces.ops import find_op
from searchspaces.plan import NO_OP, Plan
from searchspaces.policy import Base, Batch, Branch, Choice, Constant, PadCrop, Policy, ResizedCrop, Step

MANY = 40_000
Placement = Literal["before-crop", "after-crop"]
ALL = Base(ResizedCrop(0.2, 0.9), 0.5, vflip=0.3, quarter_turns=0.6)
SOLARIZE = (Branch((Step((Choice("solarize", (Constant(100.0),)),)),)),)


def drawn(policy: Policy, images: int = MANY, seed: int = 0, height: int = 32, width: int = 32) -> Plan:
    return draw(policy, (images, 3, height, width), np.random.default_rng(seed))


def windows(crop: ResizedCrop, height: int, width: int, images: int = MANY) -> np.ndarray:
    """Each image's window in pixels: x, y, width, height."""
    plan = drawn(Policy(Base(crop)), images, height=height, width=width)
    names = [parameter.name for parameter in find_op("resized_crop").parameters]
    still = plan.codes[:, 0] == NO_OP  # the whole image, which is not planned
    shares = {name: np.where(still, name in ("width", "height"), plan.values[:, 0, names.index(name)]) for name in names}
    scaled = np.stack(
        [shares[name] * side for name, side in zip(("x", "y", "width", "height"), (width, height) * 2, strict=True)]
    )
    assert np.abs(scaled - scaled.round()).max() < 1e-9
    return scaled.round().astype(int).T


def assert_share(happened: np.ndarray, share: float) -> None:
    """Within five standard deviations of what is due; the seed is fixed, so this passes or fails for good."""
    margin = 5 * math.sqrt(share * (1 - share) / len(happened))
    assert abs(happened.mean() - share) <= margin, f"{happened.mean():.4f} of {len(happened)} instead of {share:.4f}"


@given(resized_crops(), st.integers(1, 300), st.integers(1, 300))
def test_windows_lie_in_the_image_whatever_its_shape(crop: ResizedCrop, height: int, width: int) -> None:
    x, y, wide, tall = windows(crop, height, width, 30).T
    assert (x >= 0).all() and (y >= 0).all() and (wide >= 1).all() and (tall >= 1).all()
    assert (x + wide <= width).all() and (y + tall <= height).all()


def by_torchvision(crop: ResizedCrop, height: int, width: int, images: int) -> np.ndarray:
    from torchvision.transforms.v2 import RandomResizedCrop

    theirs = RandomResizedCrop(8, (crop.scale_low, crop.scale_high), (crop.aspect_low, crop.aspect_high))
    blank = torch.empty(1, height, width)
    with torch.random.fork_rng():
        torch.manual_seed(11)
        found = [theirs.make_params([blank]) for _ in range(images)]
    return np.array([[window[side] for side in ("left", "top", "width", "height")] for window in found])


@pytest.mark.parametrize(
    ("crop", "height", "width"),
    [
        (ResizedCrop(), 64, 64),
        (ResizedCrop(0.3, 1.0, 0.5, 2.0), 40, 100),
        (ResizedCrop(0.9, 1.0, 0.5, 1.0), 64, 64),  # most tries don't fit
        (ResizedCrop(0.05, 0.4, 1.0, 1.0), 33, 47),
    ],
)
def test_windows_are_distributed_as_torchvisions(crop: ResizedCrop, height: int, width: int) -> None:
    """Two-sample Kolmogorov-Smirnov on each of four figures; the seeds are fixed. By chance: once in 1e6 for each of the 16."""
    ours, theirs = windows(crop, height, width, 6000), by_torchvision(crop, height, width, 6000)
    for column in range(4):
        ticks = np.unique([ours[:, column], theirs[:, column]])
        ends = [np.searchsorted(np.sort(sample[:, column]), ticks, side="right") / 6000 for sample in (ours, theirs)]
        assert np.abs(ends[0] - ends[1]).max() < math.sqrt(-math.log(1e-6 / 2) / 6000)


@pytest.mark.parametrize(
    ("height", "width", "expected"), [(20, 200, (80, 0, 40, 20)), (200, 20, (0, 70, 20, 60)), (50, 50, (0, 0, 50, 50))]
)
def test_where_no_try_fits_the_middle_is_taken(height: int, width: int, expected: tuple[int, ...]) -> None:
    """Twice as wide as high at most, and 3 times as high as wide; the whole area is asked for."""
    crop = ResizedCrop(1.0, 1.0, 1 / 3, 2.0) if (height, width) != (50, 50) else ResizedCrop(1.0, 1.0, 0.4, 2.0)
    found = windows(crop, height, width, 200)
    assert (found[: len(found)] == expected).all(axis=1).mean() > 0.9


def test_flips_and_turns_come_with_their_probabilities_whatever_else_comes() -> None:
    plan = drawn(Policy(ALL))
    assert plan.code_book == ("identity", "resized_crop", "hflip", "vflip", "quarter_turns")
    flipped, upside_down, turned = ((plan.codes[:, step] != NO_OP) for step in (1, 2, 3))
    for happened, share in (
        (flipped, 0.5),
        (upside_down, 0.3),
        (turned, 0.6),
        (upside_down & turned, 0.18),
        (flipped & turned, 0.3),
    ):
        assert_share(happened, share)
    for turns in (1, 2, 3):
        assert_share(plan.values[:, 3, 0] == turns, 0.2)
    assert set(plan.values[upside_down, 2, 0]) == {1.0}


def test_the_middle_of_the_cutout_is_anywhere_and_its_level_is_the_fill() -> None:
    plan = drawn(Policy(Base(fill=70), SOLARIZE, batch=Batch(cutout=0.25)))
    assert plan.code_book == ("identity", "solarize", "erase")
    names = [parameter.name for parameter in find_op("erase").parameters]
    columns = {name: plan.values[:, 1, names.index(name)] for name in names}
    assert set(columns["side"]) == {0.25}
    assert set(columns["level"]) == {70}
    for axis in ("x", "y"):
        for tenth in range(10):
            assert_share((columns[axis] >= tenth / 10) & (columns[axis] < (tenth + 1) / 10), 0.1)
    assert abs(np.corrcoef(columns["x"], columns["y"])[0, 1]) < 5 / math.sqrt(MANY)


@pytest.mark.parametrize(
    ("placement", "order"),
    [
        ("after-crop", ["resized_crop", "hflip", "vflip", "quarter_turns", "solarize", "erase"]),
        ("before-crop", ["solarize", "resized_crop", "hflip", "vflip", "quarter_turns", "erase"]),
    ],
)
def test_the_cutout_is_last_and_the_base_in_its_order(placement: Placement, order: list[str]) -> None:
    base = Base(ResizedCrop(0.5, 0.6), 1.0, vflip=1.0, quarter_turns=1.0)
    plan = drawn(Policy(base, SOLARIZE, placement, Batch(cutout=0.5)), 50)
    assert [{plan.code_book[code] for code in column} for column in plan.codes.T] == [{op} for op in order]


def test_the_same_numbers_mean_the_same_in_every_policy() -> None:
    """Adding a part of the base moves no other part's draws, nor the branches'."""
    whole = drawn(Policy(ALL, SOLARIZE, batch=Batch(cutout=0.5)), 300)
    for step, part in enumerate((Base(ALL.crop), Base(hflip=0.5), Base(vflip=0.3), Base(quarter_turns=0.6))):
        alone = drawn(Policy(part), 300)
        width = alone.values.shape[2]
        assert np.array_equal(alone.values[:, 0], whole.values[:, step, :width])
    assert np.array_equal(drawn(Policy(batch=Batch(cutout=0.5)), 300).values[:, 0], whole.values[:, 5])
    old = Base(PadCrop(0.125), 0.5)
    more = drawn(Policy(replace(old, vflip=0.5, quarter_turns=0.5), batch=Batch(cutout=0.3)), 300)
    assert np.array_equal(drawn(Policy(old), 300).values[:, :2, :2], more.values[:, :2, :2])


def test_mixing_and_resolution_move_no_draw() -> None:
    plain = drawn(Policy(ALL, SOLARIZE), 100)
    mixed = drawn(Policy(replace(ALL, resolution=0.5), SOLARIZE, batch=Batch(mixup_alpha=1.0, cutmix_alpha=1.0)), 100)
    assert np.array_equal(plain.values, mixed.values)
    assert (plain.resolution, mixed.resolution) == (1.0, 0.5)
    assert mixed.rows(slice(3)).resolution == 0.5
