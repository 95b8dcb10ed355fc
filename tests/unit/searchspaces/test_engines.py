"""What `apply` promises: the plan, nothing but the plan, on each image, whoever its neighbours are."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import policies

from searchspaces.arrays import ImageBatch
from searchspaces.draw import draw
from searchspaces.engines import FUSED, GROUPED, apply, engine_name, grouped
from searchspaces.engines.resizing import resized
from searchspaces.errors import BadInput
from searchspaces.ops import find_op
from searchspaces.plan import NO_OP, Plan
from searchspaces.policy import Policy


def noise(images: int, channels: int = 3, height: int = 12, width: int = 16) -> ImageBatch:
    return torch.from_numpy(np.random.default_rng(5).integers(0, 256, (images, channels, height, width), dtype=np.uint8))


def plan_of(*steps: tuple[str, float], images: int = 1, fill: int = 0) -> Plan:
    """The same steps for every image."""
    book = ("identity", *(op for op, _ in steps))
    codes = np.tile(np.arange(1, len(book), dtype=np.int16), (images, 1))
    values = np.tile(np.array([value for _, value in steps]).reshape(-1, 1), (images, 1, 1))
    return Plan(book, codes, values, fill)


def drawn(policy: Policy, images: ImageBatch, seed: int) -> Plan:
    count, channels, height, width = images.shape
    return draw(policy, (count, channels, height, width), np.random.default_rng(seed))


def one_by_one(images: ImageBatch, plan: Plan) -> ImageBatch:
    """The plan carried out the slow way: one image and one step at a time."""
    done = images.clone()
    for row, step in np.ndindex(plan.codes.shape):
        if plan.codes[row, step] != NO_OP:
            op = find_op(plan.code_book[plan.codes[row, step]])
            values = torch.from_numpy(plan.values[row : row + 1, step, : len(op.parameters)])
            seeds = None if plan.seeds is None else torch.from_numpy(plan.seeds[row : row + 1, step])
            done[row] = op.kernel(done[row : row + 1].clone(), values, replace(plan.setting, seeds=seeds))[0]
    return resized(done, plan.resolution)


MIXED = plan_of(("rotate", 30.0), ("solarize", 100.0), ("translate_x_px", 3.0), images=6, fill=9)


@given(policies(), st.integers(0, 12))
def test_any_policy_gives_what_its_steps_give_one_by_one(policy: Policy, images: int) -> None:
    batch = noise(images)
    plan = drawn(policy, batch, seed=images)
    assert torch.equal(apply(batch, plan), one_by_one(batch, plan))
    assert torch.equal(resized(grouped.rearranged(batch.clone(), plan), plan.resolution), one_by_one(batch, plan))  # as on a GPU


@given(policies(channels=1), st.permutations(range(8)))
def test_an_images_neighbours_do_not_matter(policy: Policy, order: list[int]) -> None:
    batch = noise(8, channels=1)
    plan = drawn(policy, batch, seed=3)
    assert torch.equal(apply(batch[order], plan.rows(np.array(order))), apply(batch, plan)[order])


def test_the_size_of_the_groups_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    together = apply(noise(6), MIXED)
    for group_bytes in (1, 3 * 12 * 16 * 4):
        monkeypatch.setattr(grouped, "GROUP_BYTES", group_bytes)
        assert torch.equal(apply(noise(6), MIXED), together)


def test_steps_happen_in_order() -> None:
    level = torch.full((1, 1, 2, 2), 100, dtype=torch.uint8)
    shift, stretch = ("brightness_shift", 50.0), ("contrast_about_128", 2.0)
    assert apply(level, plan_of(shift, stretch)).flatten().tolist() == [172] * 4
    assert apply(level, plan_of(stretch, shift)).flatten().tolist() == [122] * 4
    assert apply(level, plan_of(shift, shift)).flatten().tolist() == [200] * 4


def test_the_fill_of_the_plan_is_what_moves_in() -> None:
    moved = apply(noise(1), plan_of(("translate_x_px", 16.0), fill=77))
    assert (moved == 77).all()


def test_the_given_images_stay_as_they_are_and_new_ones_come_back() -> None:
    images = noise(6)
    for plan in (MIXED, plan_of(images=6), Plan(("identity",), np.zeros((6, 2), np.int16), np.zeros((6, 2, 1)))):
        out = apply(images, plan)
        out.fill_(1)
        assert torch.equal(images, noise(6))


def test_reversed_and_read_only_plans_and_any_memory_layout_are_taken() -> None:
    images = noise(6)
    expected = apply(images, MIXED)
    assert torch.equal(apply(images.flip(0), MIXED.rows(slice(None, None, -1))), expected.flip(0))
    sealed = MIXED.rows(slice(None, None, 1))
    sealed.values.flags.writeable = False
    assert torch.equal(apply(images.to(memory_format=torch.channels_last), sealed), expected)
    assert torch.equal(apply(images.transpose(2, 3).contiguous().transpose(2, 3), MIXED), expected)


@pytest.mark.parametrize(
    ("images", "plan", "message"),
    [
        (noise(6).float(), MIXED, r"^images: torch.float32 of shape \(6, 3, 12, 16\); allowed is torch.uint8, .*$"),
        (noise(6)[0], MIXED, r"^images: torch.uint8 of shape \(3, 12, 16\); allowed is torch.uint8, .*$"),
        (noise(5), MIXED, r"^plan: 6 rows for 5 images; draw it for this batch$"),
        (
            noise(1, channels=2),
            plan_of(("hue", 0.1)),
            r"^op hue: the images have 2 channels; it takes 1 or 3; leave it out of the policy$",
        ),
        (
            noise(1),
            plan_of(("rotatee", 1.0)),
            r"^op 'rotatee': there is none of this name; did you mean 'rotate'\? known are .*$",
        ),
    ],
    ids=["float", "one image", "rows", "channels", "unknown op"],
)
def test_what_cannot_be_applied_is_named(images: torch.Tensor, plan: Plan, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        apply(images, plan)


def test_the_engines_that_ran_have_names_for_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: set[str] = set()
    apply(noise(1), plan_of(("solarize", 100.0)), ran=ran)
    assert ran == {FUSED}
    monkeypatch.setenv("POLICYSEARCH_ENGINE", "grouped")
    apply(noise(1), plan_of(("solarize", 100.0)), ran=ran)
    assert ran == {FUSED, GROUPED}
    assert engine_name(ran) == "numba-fused+torch-grouped"
