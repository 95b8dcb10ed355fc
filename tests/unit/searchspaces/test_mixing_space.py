"""What is done with a batch as a space: which methods at which point, and with which other families it goes."""

from typing import Any

import pytest

from searchspaces import spaces
from searchspaces.errors import BadInput
from searchspaces.families import find_family
from searchspaces.framing import Batch
from searchspaces.policy import Policy
from searchspaces.spaces import PHOTO_BASE, build_space


@pytest.mark.parametrize(
    ("params", "batch"),
    [
        ({"mixing.method": "none"}, Batch()),
        ({"mixing.method": "mixup", "mixing.mixup_alpha": 0.2}, Batch(mixup_alpha=0.2)),
        ({"mixing.method": "cutmix", "mixing.cutmix_alpha": 1}, Batch(cutmix_alpha=1.0)),
        ({"mixing.method": "either", "mixing.mixup_alpha": 1, "mixing.cutmix_alpha": 0.5}, Batch(1.0, 0.5)),
    ],
)
def test_a_point_is_a_batch_part_on_the_base(params: dict[str, Any], batch: Batch) -> None:
    for percent in (0, 50):
        policy = spaces.mixing().decode({**params, "mixing.cutout_percent": percent})
        assert policy == Policy(PHOTO_BASE, batch=Batch(batch.mixup_alpha, batch.cutmix_alpha, percent / 100))


@pytest.mark.parametrize(
    "wish", ["randaugment+mixing", "randaugment+geometry+mixing", "randaugment+mixing+geometry", "geometry+mixing"]
)
def test_it_goes_with_any_other_and_leaves_the_rest_alone(wish: str) -> None:
    space, alone = build_space(wish), spaces.mixing()
    without = build_space(wish.replace("+mixing", ""))
    params = {parameter.name: parameter.ends[1] for parameter in space.parameters}
    policy, mixed = space.decode(params), alone.decode({p.name: params[p.name] for p in alone.parameters})
    plain = without.decode({p.name: params[p.name] for p in without.parameters})
    assert policy.batch == mixed.batch != plain.batch
    assert (policy.base, policy.branches) == (plain.base, plain.branches)
    assert space.dimensions == without.dimensions + alone.dimensions


def test_a_forbidden_erase_is_no_cutout() -> None:
    space = find_family("randaugment+mixing").forbidding(("erase",)).build(3, PHOTO_BASE)
    assert "mixing.cutout_percent" not in {parameter.name for parameter in space.parameters}
    assert space.notes[-1] == "left out, because erase is forbidden: cutout"
    params = {"ops": 1, "level": 9, "mixing.method": "none"}
    assert space.decode(params).batch == Batch()


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ("randaugment,mixing", "mixing searches the batch part; write it last, behind all: +mixing"),
        ("randaugment+mixing+mixing", "randaugment+mixing searches the batch part already; give it once"),
        ("mixing+randaugment", "randaugment does not search the base"),
    ],
)
def test_where_it_can_not_stand_it_is_refused(wish: str, message: str) -> None:
    with pytest.raises(BadInput, match=r"^space") as refused:
        find_family(wish)
    assert message in str(refused.value)
