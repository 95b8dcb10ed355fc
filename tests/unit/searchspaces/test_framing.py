"""Base and batch part: what is refused, and what they say of themselves."""

from typing import Any

import pytest

from searchspaces.errors import BadInput
from searchspaces.policy import Base, Batch, Branch, Choice, Constant, PadCrop, Policy, ResizedCrop, Step

CUBIC: Any = "cubic"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ResizedCrop(0.005), "crop scale: 0.005 to 1.0; allowed is 0.01 to 1 of the area"),
        (lambda: ResizedCrop(0.5, 1.1), "crop scale: 0.5 to 1.1"),
        (lambda: ResizedCrop(0.5, 0.4), "crop scale: 0.5 to 0.4"),
        (lambda: ResizedCrop(aspect_low=2.0), "crop aspect: 2.0 to 1.3333333333333333; allowed is 0.1 to 10"),
        (lambda: ResizedCrop(aspect_high=float("nan")), "crop aspect_high: nan; allowed is a finite number"),
        (lambda: Base(vflip=1.5), "base vflip probability: 1.5; allowed is 0 to 1"),
        (lambda: Base(quarter_turns=-0.1), "base quarter_turns probability: -0.1"),
        (lambda: Base(resolution=0.05), "base resolution: 0.05; allowed is 0.1 to 1 of the side"),
        (lambda: Base(resolution=2), "base resolution: 2"),
        (lambda: Base(interpolation=CUBIC), "base interpolation: 'cubic'; allowed are 'nearest', 'bilinear'"),
        (lambda: Batch(mixup_alpha=-1), "batch mixup_alpha: -1; allowed is 0 (off), or 0.01 to 10"),
        (lambda: Batch(cutmix_alpha=10.5), "batch cutmix_alpha: 10.5"),
        (lambda: Batch(cutout=True), "batch cutout: True; allowed is a finite number"),
        (lambda: Batch(cutout=1.01), "batch cutout: 1.01; allowed is 0 (off) to 1 of the shorter side"),
    ],
)
def test_what_makes_no_sense_is_refused(make: Any, message: str) -> None:
    with pytest.raises(BadInput) as refused:
        make()
    assert str(refused.value).startswith(message)


def test_the_limits_are_allowed() -> None:
    ResizedCrop(0.01, 1.0, 0.1, 10.0)
    Base(vflip=1, quarter_turns=1, resolution=0.1)
    Batch(0.01, 10.0, 1.0)


def test_mixing_is_of_images_with_one_another_only() -> None:
    assert [Batch(*alphas).mixes for alphas in ((0, 0, 0.5), (0.2, 0), (0, 0.2))] == [False, True, True]


@pytest.mark.parametrize(
    ("policy", "moves"),
    [
        (Policy(), False),
        (Policy(Base(PadCrop(0.1))), True),
        (Policy(Base(ResizedCrop())), True),
        (Policy(Base(hflip=0.5)), True),
        (Policy(Base(vflip=0.5)), True),
        (Policy(Base(quarter_turns=0.5)), True),
        (Policy(Base(resolution=0.5)), True),
        (Policy(batch=Batch(cutout=0.5)), False),
        (Policy(branches=(Branch((Step((Choice("gamma", (Constant(2.0),)),)),)),)), False),
        (Policy(branches=(Branch((Step((Choice("rotate", (Constant(2.0),)),)),)),)), True),
    ],
)
def test_a_policy_knows_whether_it_moves_pixels(policy: Policy, moves: bool) -> None:
    assert policy.moves_pixels is moves
