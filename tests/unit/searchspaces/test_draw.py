"""What `draw` promises: who depends on which random number, how often each thing happens, and what is never planned."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import policies

from searchspaces.draw import draw
from searchspaces.errors import BadInput
from searchspaces.ops import find_op
from searchspaces.plan import NO_OP, Plan
from searchspaces.policy import Base, Branch, Choice, Constant, Distribution, Levels, PadCrop, Policy, Step, Uniform

MANY = 40_000


def choice(op: str, distribution: Distribution, weight: float = 1.0) -> Choice:
    return Choice(op, (distribution,), weight)


def chain(*steps: Step, base: Base | None = None) -> Policy:
    return Policy(base or Base(), (Branch(steps),))


def drawn(policy: Policy, images: int = MANY, seed: int = 0, channels: int = 3, height: int = 32, width: int = 32) -> Plan:
    return draw(policy, (images, channels, height, width), np.random.default_rng(seed))


def planned(plan: Plan, op: str, step: int = 0) -> np.ndarray:
    """Which images meet this op at this step."""
    met: np.ndarray = plan.codes[:, step] == plan.code_book.index(op)
    return met


def assert_share(happened: np.ndarray, share: float) -> None:
    """Within five standard deviations of what is due; the seed is fixed, so this passes or fails for good."""
    margin = 5 * math.sqrt(share * (1 - share) / len(happened))
    assert abs(happened.mean() - share) <= margin, f"{happened.mean():.4f} of {len(happened)} instead of {share:.4f}"


ROTATE = choice("rotate", Uniform(1.0, 30.0, signed=True))
SHEAR = choice("shear_x", Uniform(0.01, 0.3))
BUSY = chain(Step((ROTATE, SHEAR), 0.7), Step((SHEAR, ROTATE)), base=Base(PadCrop(0.125), 0.5))


@given(policies(), st.integers(0, 40), st.integers(0, 2**32))
def test_a_row_depends_on_the_seed_and_its_place_only(policy: Policy, images: int, seed: int) -> None:
    few, many = drawn(policy, images, seed), drawn(policy, 64, seed).rows(slice(images))
    assert np.array_equal(few.codes, many.codes)
    assert np.array_equal(few.values, many.values)


@given(policies(), st.integers(1, 30))
def test_a_plan_is_well_formed_and_inside_every_limit(policy: Policy, images: int) -> None:
    plan = drawn(policy, images, height=20, width=40)
    assert len(plan) == images
    assert plan.codes.dtype == np.int16
    assert plan.values.shape[:2] == plan.codes.shape
    assert plan.code_book[NO_OP] == "identity"
    assert plan.fill == policy.base.fill
    for row, step in np.ndindex(plan.codes.shape):
        op, values = find_op(plan.code_book[plan.codes[row, step]]), plan.values[row, step]
        assert not values[len(op.parameters) :].any()
        if plan.codes[row, step] == NO_OP:
            assert not values.any()
            continue
        assert tuple(values[: len(op.parameters)]) != op.identity
        for parameter, value in zip(op.parameters, values, strict=False):
            assert parameter.low <= value <= parameter.high
            assert not parameter.whole or value == int(value)


def test_another_seed_and_a_second_draw_are_other_draws() -> None:
    generator = np.random.default_rng(0)
    first, second = (draw(BUSY, (50, 3, 32, 32), generator) for _ in range(2))
    assert not np.array_equal(first.values, second.values)
    assert not np.array_equal(first.values, drawn(BUSY, 50, seed=1).values)
    assert np.array_equal(first.values, drawn(BUSY, 50, seed=0).values)


def test_every_image_has_draws_of_its_own() -> None:
    plan = drawn(BUSY, 400)
    second = plan.values[:, 3, 0]
    assert len(np.unique(second)) == 400
    assert len(np.unique(plan.codes, axis=0)) > 10


def test_the_steps_of_an_image_are_drawn_apart() -> None:
    plan = drawn(chain(Step((ROTATE, SHEAR)), Step((ROTATE, SHEAR))))
    for first in ("rotate", "shear_x"):
        for second in ("rotate", "shear_x"):
            assert_share(planned(plan, first, 0) & planned(plan, second, 1), 0.25)
    both = planned(plan, "rotate", 0) & planned(plan, "rotate", 1)
    assert abs(np.corrcoef(plan.values[both, 0, 0], plan.values[both, 1, 0])[0, 1]) < 0.06


def test_choices_come_by_weight() -> None:
    weights = {"rotate": 1.0, "shear_x": 2.0, "gamma": 5.0}
    step = Step(tuple(choice(op, Constant(0.2), weight) for op, weight in weights.items()))
    plan = drawn(chain(step))
    for op, weight in weights.items():
        assert_share(planned(plan, op), weight / 8)


def test_branches_come_by_weight_and_shorter_ones_end_with_nothing() -> None:
    long, short = Branch((Step((ROTATE,)), Step((SHEAR,))), 3.0), Branch((Step((SHEAR,)),), 1.0)
    plan = drawn(Policy(branches=(long, short)))
    assert_share(planned(plan, "rotate", 0), 0.75)
    assert np.array_equal(planned(plan, "shear_x", 0), ~planned(plan, "rotate", 0))
    assert np.array_equal(planned(plan, "shear_x", 1), planned(plan, "rotate", 0))
    assert np.array_equal(plan.codes[:, 1] == NO_OP, planned(plan, "shear_x", 0))


@pytest.mark.parametrize("probability", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_a_step_happens_with_its_probability(probability: float) -> None:
    plan = drawn(chain(Step((ROTATE,), probability)))
    assert_share(planned(plan, "rotate"), probability)


def test_a_signed_value_is_mirrored_about_the_identity_for_half_the_images() -> None:
    plan = drawn(
        chain(Step((choice("brightness", Constant(1.3, signed=True)),)), Step((choice("rotate", Constant(9.0, signed=True)),)))
    )
    brighter, turned = plan.values[:, 0, 0], plan.values[:, 1, 0]
    assert set(np.unique(turned)) == {-9.0, 9.0}
    assert np.unique(brighter) == pytest.approx([0.7, 1.3])
    assert_share(turned > 0, 0.5)
    assert_share(brighter > 1, 0.5)
    assert_share((brighter > 1) & (turned > 0), 0.25)


def test_an_unsigned_value_keeps_its_sign() -> None:
    plan = drawn(chain(Step((choice("rotate", Constant(-9.0)),))), 500)
    assert set(plan.values[:, 0, 0]) == {-9.0}


def test_levels_are_equally_likely() -> None:
    levels = (1.0, 4.0, 7.0, 7.0)
    plan = drawn(chain(Step((choice("posterize", Levels(levels)),))))
    assert_share(plan.values[:, 0, 0] == 1, 0.25)
    assert_share(plan.values[:, 0, 0] == 4, 0.25)
    assert_share(plan.values[:, 0, 0] == 7, 0.5)


def test_a_uniform_value_fills_its_range_evenly() -> None:
    values = drawn(chain(Step((choice("gamma", Uniform(0.5, 2.5)),)))).values[:, 0, 0]
    assert 0.5 <= values.min() < 0.51
    assert 2.49 < values.max() <= 2.5
    for tenth in range(10):
        assert_share((values >= 0.5 + 0.2 * tenth) & (values < 0.7 + 0.2 * tenth), 0.1)


def test_a_signed_uniform_value_fills_both_sides() -> None:
    values = drawn(chain(Step((choice("saturation", Uniform(1.1, 1.9, signed=True)),)))).values[:, 0, 0]
    assert_share((values >= 0.1) & (values <= 0.9), 0.5)
    assert_share((values >= 0.1) & (values <= 0.5), 0.25)
    assert ((np.abs(values - 1) >= 0.1 - 1e-9) & (np.abs(values - 1) <= 0.9 + 1e-9)).all()


def test_crops_are_uniform_over_the_padding_of_each_side() -> None:
    plan = drawn(Policy(Base(PadCrop(0.125))), height=16, width=40)
    x_px, y_px = plan.values[:, 0, 0], plan.values[:, 0, 1]
    assert set(np.unique(x_px)) == set(range(-5, 6))
    assert set(np.unique(y_px)) == set(range(-2, 3))
    for x, y in [(-5, -2), (5, 2), (3, -1)]:
        assert_share((x_px == x) & (y_px == y), 1 / 55)


def test_flips_come_with_their_probability_whatever_the_crop() -> None:
    plan = drawn(Policy(Base(PadCrop(0.125), hflip=0.3)))
    flipped = planned(plan, "hflip", 1)
    assert_share(flipped, 0.3)
    assert set(np.unique(plan.values[flipped, 1, 0])) == {1.0}
    assert_share(flipped[plan.values[:, 0, 0] > 0], 0.3)


def test_policies_with_one_base_meet_the_same_crops_and_flips() -> None:
    base = Base(PadCrop(0.125), 0.5)
    plain, busy = drawn(Policy(base), 300), drawn(replace(BUSY, base=base), 300)
    first = drawn(replace(BUSY, base=base, placement="before-crop"), 300)
    assert np.array_equal(plain.values[:, :2, :2], busy.values[:, :2, :2])
    assert np.array_equal(plain.values[:, :2, :2], first.values[:, 2:, :2])
    assert np.array_equal(busy.values[:, 2:], first.values[:, :2])
    unflipped = drawn(Policy(replace(base, hflip=0.0)), 300)
    assert np.array_equal(plain.values[:, 0, :2], unflipped.values[:, 0, :2])


def test_the_crop_and_the_flip_do_not_move_the_branches_draws() -> None:
    bare = drawn(replace(BUSY, base=Base()), 300)
    assert np.array_equal(drawn(BUSY, 300).values[:, 2:, :1], bare.values[..., :1])


@pytest.mark.parametrize(
    ("placement", "order"),
    [("after-crop", ["crop", "hflip", "rotate", "shear_x"]), ("before-crop", ["rotate", "shear_x", "crop", "hflip"])],
)
def test_steps_stand_before_or_after_the_crop(placement: str, order: list[str]) -> None:
    steps = (Step((ROTATE,)), Step((SHEAR,)))
    policy = Policy(Base(PadCrop(0.5), 1.0), (Branch(steps),), "before-crop" if placement == "before-crop" else "after-crop")
    plan = drawn(policy, 200)
    met = [{plan.code_book[code] for code in column if code != NO_OP} for column in plan.codes.T]
    assert met == [{op} for op in order]


@pytest.mark.parametrize(("op", "amount"), [("identity", 0.0), ("identity", 1.0), ("autocontrast", 0.0), ("hflip", 0.0)])
def test_what_does_nothing_is_not_planned(op: str, amount: float) -> None:
    still = chain(Step((choice(op, Constant(amount)),)), base=Base(PadCrop(0.01), 0.0))
    assert (drawn(still, 100).codes == NO_OP).all()
    assert drawn(Policy(), 7).codes.shape == (7, 0)


def test_no_images_are_a_plan_of_no_rows() -> None:
    assert len(drawn(BUSY, 0)) == 0


@pytest.mark.parametrize("op", ["saturation", "contrast", "hue"])
def test_an_op_that_cannot_take_the_channels_is_refused(op: str) -> None:
    value = find_op(op).strength.high
    with pytest.raises(BadInput, match=rf"^op {op}: the images have 2 channels; it takes 1 or 3; [^\n]*$"):
        drawn(chain(Step((choice(op, Constant(value)),), 0.0)), 5, channels=2)
