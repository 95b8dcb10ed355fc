"""The zoo's files hold what their sources say, and say which source that is."""

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torchvision.transforms import v2
from torchvision_names import OURS

from searchspaces.draw import draw
from searchspaces.engines import apply, grouped
from searchspaces.errors import BadInput
from searchspaces.families.fixed import trivialaugment_wide
from searchspaces.ops import find_op
from searchspaces.policy import Base, Choice, Constant, Levels
from searchspaces.policy_json import write_policy_file
from searchspaces.spaces import build_space
from searchspaces.words import policy_in_words
from searchspaces.zoo import ZOO_DIRECTORY, read_zoo, zoo_names

SIDE = 32
IMAGES = 400
EACH_POLICY = pytest.mark.parametrize("name", zoo_names())


def in_our_unit(their_op: str, level: int | None) -> float:
    """What torchvision's AutoAugment makes of a level, from its own table."""
    table, _ = v2.AutoAugment._AUGMENTATION_SPACE[their_op]
    magnitudes = table(10, SIDE, SIDE)
    if magnitudes is None:
        return 1.0
    assert level is not None
    magnitude = float(magnitudes[level])
    if their_op in ("Brightness", "Color", "Contrast", "Sharpness"):
        return 1 + magnitude
    if their_op == "Solarize":
        return 255 * magnitude
    return magnitude / SIDE if their_op.startswith("Translate") else magnitude


def assert_is_their_op(choice: Choice, their_op: str, level: int | None) -> None:
    assert choice.op == OURS[their_op]
    (value,) = choice.values
    assert isinstance(value, Constant)
    assert value.signed == v2.AutoAugment._AUGMENTATION_SPACE[their_op][1]
    assert value.value == pytest.approx(in_our_unit(their_op, level), rel=5e-6, abs=1e-6)


@pytest.mark.parametrize("data_set", ["cifar10", "imagenet", "svhn"])
def test_autoaugment_is_torchvisions_table(data_set: str) -> None:
    theirs = v2.AutoAugment()._get_policies(v2.AutoAugmentPolicy(data_set))
    ours = read_zoo(f"autoaugment-{data_set}").policy
    assert len(ours.branches) == len(theirs) == 25
    assert {branch.weight for branch in ours.branches} == {1.0}
    for branch, sub_policy in zip(ours.branches, theirs, strict=True):
        for step, (their_op, probability, level) in zip(branch.steps, sub_policy, strict=True):
            assert step.probability == probability
            (choice,) = step.choices
            assert_is_their_op(choice, their_op, level)


def test_uniformaugment_and_trivialaugment_wide_are_points_of_their_families() -> None:
    uniform = build_space("uniformaugment", base=Base()).decode({"ops": 2, "range_fraction": 1.0})
    assert read_zoo("uniformaugment").policy == uniform
    wide = build_space("trivialaugment", base=Base()).decode({"scale": "wide", "highest_level": 30})
    assert read_zoo("trivialaugment-wide").policy == wide == trivialaugment_wide(3, Base())


# Worked out by hand from the published maps: N, then the values at M, before a sign.
RANDAUGMENT = {
    "imagenet-resnet-50": (2, {"rotate": 27.0, "shear_x": 0.27, "brightness": 1.72, "posterize": 3.0, "solarize": 230.0}),
    "imagenet-efficientnet-b5": (2, {"rotate": 51.0, "translate_x": 0.372807, "contrast": 3.16, "posterize": 6.0}),
    "imagenet-efficientnet-b7": (2, {"rotate": 84.0, "translate_y": 0.466667, "sharpness": 5.14, "solarize": 256.0}),
    "cifar10-wrn-28-2": (3, {"rotate": 12.0, "saturation": 0.82, "posterize": 1.0, "solarize": 102.0}),
    "cifar100-wrn-28-10": (2, {"rotate": 42.0, "posterize": 5.0, "translate_x": 0.625}),
    "svhn-core": (3, {"rotate": 27.0}),
    "coco-retinanet-r200": (1, {"rotate": 18.0, "brightness": 1.18, "solarize": 153.0}),
}


@pytest.mark.parametrize("name", RANDAUGMENT)
def test_randaugments_are_the_papers_n_and_m(name: str) -> None:
    policy = read_zoo(f"randaugment-{name}").policy
    steps, values = RANDAUGMENT[name]
    (branch,) = policy.branches
    assert len(branch.steps) == steps and len(set(branch.steps)) == 1
    assert branch.steps[0].probability == 1
    found = {choice.op: choice.values[0] for choice in branch.steps[0].choices}
    assert len(found) == 14 and len({choice.weight for choice in branch.steps[0].choices}) == 1
    for op, value in values.items():
        assert found[op] == Constant(value, signed=op.startswith(("rotate", "shear", "translate")))
    assert policy.base == Base(fill=128)


def test_trivialaugments_standard_space_is_its_codes() -> None:
    (branch,) = read_zoo("trivialaugment-standard").policy.branches
    values = {choice.op: choice.values[0] for choice in branch.steps[0].choices}
    assert len(values) == 14
    assert values["rotate"] == Levels(tuple(map(float, range(31))), signed=True)
    for op, first, last in [("brightness", 0.1, 1.9), ("posterize", 8.0, 4.0), ("solarize", 256.0, 0.0), ("shear_y", 0.0, 0.3)]:
        assert len(values[op].ends) == 31
        assert (values[op].ends[0], values[op].ends[-1]) == (first, last)
    assert values["posterize"].ends.count(4.0) == 1, "only the last of the 31 keeps 4 bits"
    assert values["translate_x_px"].ends[:7] == (0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 2.0)
    assert not values["brightness"].signed and values["translate_x_px"].signed


# The archive is not here; its first two chains were worked out by hand, its length counted.
FAST_AUTOAUGMENT = {
    "cifar10": (493, [("contrast", 0.832066, 0.997918), ("translate_x", 0.418499, 0.0953792)]),
    "imagenet": (498, [("shear_y", 0.141438, 0.00787487), ("sharpness", 0.929032, 1.86191)]),
    "svhn": (497, [("translate_x", 0.00157697, 0.0613756), ("invert", 0.739531, 1.0)]),
}


@pytest.mark.parametrize("name", FAST_AUTOAUGMENT)
def test_fast_autoaugments_values_lie_on_its_ranges(name: str) -> None:
    policy = read_zoo(f"fast-autoaugment-{name}").policy
    chains, first = FAST_AUTOAUGMENT[name]
    assert len(policy.branches) == chains and {len(branch.steps) for branch in policy.branches} == {2}
    assert policy.placement == "before-crop" and len(policy.ops) == 15
    found = [(s.choices[0].op, s.probability, s.choices[0].values[0].ends[0]) for s in policy.branches[0].steps]
    assert found == first
    for choice in [choice for branch in policy.branches for step in branch.steps for choice in step.choices]:
        span, value = find_op(choice.op).spans["uniform"], choice.values[0]
        assert isinstance(value, Constant)
        assert value.signed == (find_op(choice.op).kind == "geometry"), "factors lie between 0.1 and 1.9, without a sign"
        low, high = sorted((span.weak, span.strong))
        assert (0.1 if (low, high) == (1.0, 1.9) else low) <= value.value <= high


@EACH_POLICY
def test_every_policy_says_what_it_is_and_where_it_comes_from(name: str) -> None:
    provenance = read_zoo(name).provenance
    assert provenance["name"]
    assert provenance["summary"]
    assert "arXiv" in provenance["source"]


@EACH_POLICY
def test_every_file_is_as_we_write_it(name: str, tmp_path: Path) -> None:
    file = read_zoo(name)
    write_policy_file(tmp_path / "again.json", file.policy, file.provenance)
    assert (tmp_path / "again.json").read_bytes() == (ZOO_DIRECTORY / f"{name}.json").read_bytes()


def test_the_files_are_what_the_script_makes() -> None:
    path = Path(__file__).parents[3] / "benchmarks" / "make_zoo.py"
    spec = importlib.util.spec_from_file_location("make_zoo", path)
    assert spec is not None and spec.loader is not None
    script: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert script.published() == {name: read_zoo(name) for name in zoo_names() if not name.startswith("fast-")}
    assert {f"fast-autoaugment-{name}" for name in script.FAST_AUTOAUGMENT} == {n for n in zoo_names() if n.startswith("fast-")}


@pytest.mark.parametrize("channels", [1, 3])
@EACH_POLICY
def test_every_policy_changes_colour_and_grey_images(name: str, channels: int) -> None:
    """Every op of it comes up, and on grey images only those of colour do nothing."""
    policy = read_zoo(name).policy
    images = torch.from_numpy(np.random.default_rng(1).integers(40, 200, (IMAGES, channels, 12, 12), dtype=np.uint8))
    plan = draw(policy, (IMAGES, channels, 12, 12), np.random.default_rng(0))
    drawn = {plan.code_book[code] for code in np.unique(plan.codes)} - {"identity"}
    likely = [step for branch in policy.branches for step in branch.steps if step.probability > 0]
    # At level 5 of the paper's scale a factor is 1, from 20 on all bits are kept: such a step is drawn as nothing.
    possible = {c.op for step in likely for c in step.choices if c.values[0] != Constant(find_op(c.op).strength.identity)}
    assert drawn == possible - {"identity"}
    applied = apply(images, plan)
    assert torch.equal(applied, grouped.apply(images, plan)), "both engines, to the bit"
    changed = (applied != images).flatten(1).any(dim=1).numpy()
    acts = np.isin(plan.codes, [code for code, op in enumerate(plan.code_book) if find_op(op).changes(channels)])
    assert changed.mean() > 0.3
    assert not changed[~(acts & (plan.codes != 0)).any(axis=1)].any()
    assert policy_in_words(policy)


@pytest.mark.parametrize("name", ["trivialaugment", "../../../etc/passwd", ""])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(BadInput, match=r"known are autoaugment-cifar10, .*, trivialaugment-wide, uniformaugment"):
        read_zoo(name)
