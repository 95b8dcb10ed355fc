"""Thirty traps that libraries and papers have set, each of which changes results without a word: here each is a test.

The list, with who has which, was drawn up from code and papers before policysearch was written. Most are tested in depth where
they belong; here is the short form of each. Faults of other libraries' own (within 4, 5, 17 and 18) are tested for as faults that
we could have; "the best result stays 0" (within 28) has no counterpart, because a trial has one score.
"""

import inspect
import math
from collections.abc import Callable
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from telling import noise

from searchspaces import spaces
from searchspaces.arrays import ImageBatch
from searchspaces.draw import draw
from searchspaces.engines import apply
from searchspaces.errors import BadInput
from searchspaces.export.torchvision import PolicyTransform
from searchspaces.families.fixed import trivialaugment_wide
from searchspaces.levels import Scale, level_value, scale_ops, top_level
from searchspaces.ops import find_op, op_table
from searchspaces.plan import Plan
from searchspaces.policy import Base, Branch, Choice, Constant, Levels, PadCrop, Policy, Step
from searchspaces.policy_json import PolicyFile, digest, policy_to_dict
from searchspaces.zoo import read_zoo, zoo_names

SCALES: tuple[Scale, ...] = ("torchvision", "trivialaugment-wide", "torchvision-autoaugment", "paper")
RISING: tuple[Scale, ...] = SCALES[:3]
"""Scales on which a higher level is never weaker; on the paper's three maps run another way."""
PAPERS_14 = {
    *("identity", "autocontrast", "equalize", "rotate", "solarize", "saturation", "posterize", "contrast", "brightness"),
    *("sharpness", "shear_x", "shear_y", "translate_x", "translate_y"),
}
MANY = 4000
WHITE = torch.full((1, 3, 33, 33), 255, dtype=torch.uint8)
RANDAUGMENT = spaces.randaugment().decode({"ops": 2, "level": 9})
ROOT = Path(__file__).parents[2]


def carried_out(images: ImageBatch, *steps: tuple[str, tuple[float, ...]], fill: int = 0, bilinear: bool = False) -> ImageBatch:
    """The same steps on every image."""
    book, longest = ("identity", *(name for name, _ in steps)), max(len(values) for _, values in steps)
    codes = np.tile(np.arange(1, len(book), dtype=np.int16), (len(images), 1))
    values = np.array([[*values, *[0.0] * (longest - len(values))] for _, values in steps], dtype=np.float64)
    tiled = np.tile(values, (len(images), 1, 1))
    return apply(images, Plan(book, codes, tiled, fill, "bilinear" if bilinear else "nearest"))


def drawn(policy: Policy, images: int = MANY, seed: int = 0, side: int = 32) -> Plan:
    return draw(policy, (images, 3, side, side), np.random.default_rng(seed))


def one(name: str, *values: float, signed: bool = False, base: Base | None = None) -> Policy:
    constants = tuple(Constant(value, signed and not index) for index, value in enumerate(values))
    return Policy(base or Base(), (Branch((Step((Choice(name, constants),)),)),))


def values_of(plan: Plan, name: str) -> np.ndarray:
    """The strengths that a plan gives an op."""
    if name not in plan.code_book:
        return np.empty(0)
    found: np.ndarray = plan.values[..., 0][plan.codes == plan.code_book.index(name)]
    return found


def is_share(count: int, of: int, share: float) -> bool:
    """Whether a count is within 4.5 standard deviations: by chance it isn't once in 150,000 times, and the seeds are fixed."""
    return abs(count - of * share) < 4.5 * math.sqrt(of * share * (1 - share))


def distance(name: str, scale: Scale, level: int) -> float:
    """How far from nothing a level is."""
    return abs(level_value(name, level, scale).value - find_op(name).strength.identity)


def test_01_a_level_has_a_meaning_only_on_a_named_scale() -> None:
    """M = 9 is 9 degrees in torchvision and 27 in the paper."""
    assert (level_value("rotate", 9, "torchvision").value, level_value("shear_x", 9, "torchvision").value) == (9, 0.09)
    assert (level_value("rotate", 9, "paper").value, level_value("shear_x", 9, "paper").value) == (27, 0.27)
    assert level_value("rotate", 28, "paper").value == 84
    with pytest.raises(BadInput, match="allowed is a whole number from 0 to 30"):
        level_value("rotate", 31, "torchvision")


@pytest.mark.parametrize("bits", range(1, 9))
def test_02_posterize_is_told_in_bits_kept(bits: int) -> None:
    """It has four meanings as a magnitude; bits kept can't be read the wrong way round."""
    ramp = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    assert [parameter.name for parameter in find_op("posterize").parameters] == ["bits_kept"]
    assert len(set(carried_out(ramp, ("posterize", (bits,))).flatten().tolist())) == 2**bits


def test_03_posterize_never_keeps_0_bits() -> None:
    """0 bits is a black image, and an error in Pillow 13."""
    with pytest.raises(BadInput, match="allowed is 1 to 8"):
        one("posterize", 0)
    assert all(level_value("posterize", level, scale).value >= 1 for scale in SCALES for level in range(top_level(scale) + 1))
    assert carried_out(WHITE, ("posterize", (1,))).min() == 128


def test_04_a_signed_strength_comes_with_both_signs_as_often() -> None:
    """A mask of booleans once made it 0 or +m."""
    plan = drawn(RANDAUGMENT)
    for name in ("rotate", "shear_x", "translate_y"):
        found, size = values_of(plan, name), level_value(name, 9).value
        assert set(found) == {size, -size}
        assert is_share(int((found < 0).sum()), len(found), 0.5)
    factors = set(values_of(plan, "contrast"))
    assert factors == {1.27, 2 - 1.27}


@pytest.mark.parametrize("scale", RISING)
def test_05_levels_run_from_nothing_to_the_most(scale: Scale) -> None:
    """Level 0 of a signed bin was -30 degrees; and shear 0.3 is 0.3 pixels a row, not 54 degrees."""
    for name in scale_ops(scale):
        op = find_op(name)
        if op.spans and not (op.strength.whole and op.strength.high == 1):
            sizes = [distance(name, scale, level) for level in range(top_level(scale) + 1)]
            assert sizes[0] == 0 and sizes == sorted(sizes) and sizes[-1] > 0
    row = torch.zeros(1, 1, 101, 101, dtype=torch.uint8)
    row[..., 100, 50] = 255
    assert carried_out(row, ("shear_x", (0.3,)))[0, 0, 100].nonzero().tolist() == [[20]]  # 50 - 0.3 * 100.5, rounded


def test_06_every_image_of_a_batch_has_draws_of_its_own() -> None:
    """One draw a batch is what several libraries do with a batch."""
    images = noise(1, (3, 32, 32)).expand(64, -1, -1, -1)
    strong = spaces.randaugment().decode({"ops": 2, "level": 27})
    for out in (apply(images, drawn(strong, 64)), PolicyTransform(strong)(images)):
        assert len({bytes(image.numpy()) for image in out}) > 55


def test_07_solarize_inverts_from_the_threshold_up() -> None:
    """As a magnitude, m was the threshold in half of the libraries: weaker with m."""
    ramp = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    for threshold in (0, 1, 100, 255, 256):
        wanted = ImageOps.solarize(Image.fromarray(ramp[0, 0].numpy()), threshold)
        assert np.array_equal(carried_out(ramp, ("solarize", (threshold,)))[0, 0], np.array(wanted))
    thresholds = [level_value("solarize", level).value for level in range(31)]
    assert thresholds == sorted(thresholds, reverse=True)


@pytest.mark.parametrize("scale", RISING)
def test_08_level_0_leaves_white_white(scale: Scale) -> None:
    """Torchvision's level 0 solarizes at 255, and a white page turns black."""
    for name in scale_ops(scale):
        if name != "invert":  # it has no strength, and is what its name says
            strength = 0.0 if find_op(name).strength.high == 1 else level_value(name, 0, scale).value
            assert torch.equal(carried_out(WHITE, (name, (strength,))), WHITE), name


def test_09_a_factor_of_level_0_is_1_but_on_the_papers_scale() -> None:
    """One-sided factors are nearly black at level 0 and nothing in the middle: never to be mixed up with 1 +- 0.9."""
    for name in ("brightness", "saturation", "contrast", "sharpness"):
        assert level_value(name, 0) == Constant(1.0, signed=True)
        assert level_value(name, 30) == Constant(1.9, signed=True)
        assert [level_value(name, level, "paper") for level in (0, 5, 10)] == [Constant(0.1), Constant(1.0), Constant(1.9)]


def test_10_randaugment_applies_its_ops_always() -> None:
    """Timm's default applies each with probability 0.5."""
    assert all(step.probability == 1 for step in RANDAUGMENT.branches[0].steps)
    assert all(step.probability == 1 for step in trivialaugment_wide(3, Base()).branches[0].steps)


def test_11_ops_are_drawn_with_replacement() -> None:
    """So the same op twice comes up once in 14 times."""
    step = Step((Choice("rotate", (Constant(2.0),)), Choice("invert", (Constant(1.0),))))
    codes = drawn(Policy(Base(), (Branch((step, step)),))).codes
    assert is_share(int((codes[:, 0] == codes[:, 1]).sum()), MANY, 1 / 2)
    assert [len(step.choices) for step in RANDAUGMENT.branches[0].steps] == [14, 14]


def test_12_the_op_set_is_the_papers() -> None:
    """14 with identity and without invert; of 16 with invert, solarize-add and cutout there is another file."""
    assert set(RANDAUGMENT.ops) == PAPERS_14 == set(scale_ops("paper"))
    weights = {choice.weight for step in RANDAUGMENT.branches[0].steps for choice in step.choices}
    assert weights == {1.0}


def test_13_autoaugments_grid_is_torchvisions_and_says_so() -> None:
    """Level 9 is the maximum there, and 0.9 of it in AutoAugment's own code."""
    assert level_value("rotate", 9, "torchvision-autoaugment").value == 30
    assert level_value("rotate", 5, "torchvision-autoaugment").value == pytest.approx(30 * 5 / 9, rel=1e-5)
    assert "torchvision" in read_zoo("autoaugment-cifar10").provenance["scale"]


def test_14_the_published_entries_are_the_published_ones() -> None:
    """Sub-policy 13 for CIFAR-10 ends in Color 0.2 at level 8; some copies have 6. There are 25, not 95."""
    branches = read_zoo("autoaugment-cifar10").policy.branches
    assert len(branches) == 25
    last = branches[13].steps[1]
    assert (last.probability, last.choices[0].op) == (0.2, "saturation")
    assert last.choices[0].values == (level_value("saturation", 8, "torchvision-autoaugment"),)


def test_15_fill_and_interpolation_are_in_the_policy_and_are_obeyed() -> None:
    """Every library has others, and says so nowhere."""
    assert {"fill", "interpolation"} <= set(policy_to_dict(RANDAUGMENT)["base"])
    assert carried_out(WHITE, ("rotate", (45.0,)), fill=7)[0, :, 0, 0].tolist() == [7, 7, 7]
    image = noise(1, (3, 33, 33))
    both = [carried_out(image, ("rotate", (30.0,)), bilinear=bilinear) for bilinear in (False, True)]
    assert torch.equal(*both) != find_op("rotate").resamples


@pytest.mark.parametrize(("x", "y"), [(0.1, 0.5), (0.5, 0.1), (0.7, 0.9), (0.0, 1.0)])
def test_16_erase_knows_its_axes(x: float, y: float) -> None:
    """A published cutout looped over one axis' bounds on both."""
    image = WHITE[:, :, :24]
    turned = carried_out(image.transpose(2, 3).contiguous(), ("erase", (0.5, y, x, 0))).transpose(2, 3)
    found = carried_out(image, ("erase", (0.5, x, y, 0)))
    assert torch.equal(found, turned)
    inside = carried_out(image, ("erase", (0.5, 0.5, 0.5, 0)))[0, 0] == 0
    assert (int(inside.any(0).sum()), int(inside.any(1).sum())) == (12, 12)


def test_17_translate_moves_by_a_share_of_the_side() -> None:
    """Fractions that were taken for pixels moved nothing."""
    image = noise(1, (3, 20, 40))
    assert torch.equal(carried_out(image, ("translate_x", (0.3,)))[..., 12:], image[..., :-12])
    assert torch.equal(carried_out(image, ("translate_y", (-0.3,)))[..., :-6, :], image[..., 6:, :])


def test_18_x_is_x_and_y_is_y_and_grey_has_the_usual_weights() -> None:
    """A list had TranslateY twice, and a grey a typing error."""
    image = noise(1, (3, 24, 24))
    for kind, value in (("translate", 0.3), ("shear", 0.4), ("translate", -0.2)):
        turned = carried_out(image.transpose(2, 3).contiguous(), (f"{kind}_y", (value,))).transpose(2, 3)
        assert torch.equal(carried_out(image, (f"{kind}_x", (value,))), turned)
    for policy in (
        RANDAUGMENT,
        trivialaugment_wide(3, Base()),
        spaces.uniformaugment().decode({"ops": 2, "range_fraction": 1.0}),
    ):
        names = [choice.op for choice in policy.branches[0].steps[0].choices]
        assert len(set(names)) == len(names)
        assert any(name.startswith("translate_x") for name in names)
    pure = torch.eye(3, dtype=torch.uint8).mul(200).view(1, 3, 1, 3)
    assert carried_out(pure, ("saturation", (0.0,)))[0, 0, 0].tolist() == [59, 117, 22]


@pytest.mark.parametrize("policy", [one("contrast", 1.5), one("resized_crop", 0.6, 0.6, 0.2, 0.2), one("brightness", 0.4)])
def test_19_what_is_exported_is_what_was_searched(policy: Policy) -> None:
    """A search used contrast as a factor v, and its export as 1 + v."""
    pytest.importorskip("albumentations")
    export = import_module("searchspaces.export.albumentations")
    image = noise(1, (3, 32, 32))
    name, values = policy.ops[0], tuple(value.ends[0] for value in policy.branches[0].steps[0].choices[0].values)
    wanted = carried_out(image, (name, values))[0]
    assert torch.equal(PolicyTransform(policy)(image[0]), wanted)
    found = export.to_albumentations(PolicyFile(policy, {}))(image=image[0].permute(1, 2, 0).numpy())["image"]
    assert np.array_equal(found, wanted.permute(1, 2, 0))


def test_20_uniformaugment_searches_no_probability() -> None:
    """p drawn from U(0, 1) and then tossed is a fair coin: a parameter that changes nothing."""
    space = spaces.uniformaugment()
    assert not [parameter.name for parameter in space.parameters if "prob" in parameter.name]
    policy = space.decode({"ops": 2, "range_fraction": 1.0})
    assert {step.probability for branch in policy.branches for step in branch.steps} == {0.5}


def test_21_moves_are_shares_of_the_side_unless_their_name_says_pixels() -> None:
    """32 pixels are all of a small image, and a seventh of a large one."""
    for op in op_table():
        pixels = [parameter for parameter in op.parameters if parameter.unit == "pixels" and op.kind == "geometry"]
        assert not pixels or op.name.endswith("_px") or all(parameter.name.endswith("_px") for parameter in pixels)
    for side in (32, 224):
        moved = carried_out(torch.full((1, 1, side, side), 255, dtype=torch.uint8), ("translate_x", (0.25,)))
        assert int((moved == 0).sum()) == side * side // 4


def test_22_signed_are_what_moves_and_the_factors_and_shear_is_pils() -> None:
    """Torchvision negates what moves and 1 +- m, not posterize and solarize; its shear keeps the upper left corner."""
    signed = {op.name for op in op_table() if op.signed}
    factors = {"brightness", "saturation", "contrast", "sharpness"}
    moves = {"rotate", "shear_x", "shear_y", "translate_x", "translate_y", "translate_x_px", "translate_y_px"}
    assert signed == factors | moves
    image = noise(1, (1, 40, 40))
    for factor in (0.3, -0.3):
        wanted = Image.fromarray(image[0, 0].numpy()).transform((40, 40), Image.Transform.AFFINE, (1, factor, 0, 0, 1, 0))
        assert np.array_equal(carried_out(image, ("shear_x", (factor,)))[0, 0], np.array(wanted))


@pytest.mark.parametrize(("name", "theirs"), [("equalize", "Equalize"), ("autocontrast", "AutoContrast")])
def test_23_ops_of_the_same_name_elsewhere_are_not_taken_for_ours(name: str, theirs: str) -> None:
    """Albumentations' Equalize is up to 64 levels off: its pipelines get our op."""
    albumentations = pytest.importorskip("albumentations")
    export = import_module("searchspaces.export.albumentations")
    image = noise(1, (3, 32, 32)) // 2 + 20
    pixels = image[0].permute(1, 2, 0).numpy()
    found = export.to_albumentations(PolicyFile(one(name, 1), {}))(image=pixels)["image"]
    assert np.array_equal(found, carried_out(image, (name, (1,)))[0].permute(1, 2, 0))
    assert not np.array_equal(found, getattr(albumentations, theirs)(p=1)(image=pixels)["image"])


@pytest.mark.parametrize("given", [noise(1, (3, 8, 8)).float(), noise(1, (3, 8, 8)).float().sub(128).div(60)])
def test_24_floats_that_are_no_levels_are_refused(given: torch.Tensor) -> None:
    """In 0 to 255, or normalised, they were silently wrong."""
    with pytest.raises(BadInput, match="allowed"):
        apply(given, drawn(RANDAUGMENT, 1, side=8))
    with pytest.raises(BadInput, match="allowed"):
        PolicyTransform(RANDAUGMENT)(given)


@pytest.mark.parametrize("channels", [1, 2, 4, 5])
def test_25_channels_that_an_op_does_not_know_are_refused_before_anything_runs(channels: int) -> None:
    """Others fail in the middle of an epoch, on the first image that meets the op."""
    for op in op_table():
        policy = one(op.name, *(parameter.high for parameter in op.parameters))
        if op.accepts(channels):
            draw(policy, (1, channels, 8, 8), np.random.default_rng(0))
            continue
        with pytest.raises(BadInput, match=f"op {op.name}: the images have {channels} channels"):
            draw(policy, (1, channels, 8, 8), np.random.default_rng(0))


def test_26_placement_is_part_of_the_policy_and_scoring_knows_no_policy() -> None:
    """Policies run before the crop in some papers and after it in others; validation images are never augmented."""
    base, branches = Base(crop=PadCrop(0.5), fill=9), one("invert", 1).branches
    before, after = (Policy(base, branches, placement) for placement in ("before-crop", "after-crop"))
    assert digest(before) != digest(after)
    black = torch.zeros(16, 3, 8, 8, dtype=torch.uint8)
    found = [apply(black, draw(policy, (16, 3, 8, 8), np.random.default_rng(0))) for policy in (before, after)]
    assert set(found[0].flatten().tolist()) == {9, 255}
    assert set(found[1].flatten().tolist()) == {255 - 9, 255}
    from trials.evaluate import score

    assert not {"policy", "plan", "transform"} & set(inspect.signature(score).parameters)


def test_27_no_global_generator_is_read_or_moved() -> None:
    """Workers once all had numpy's same stream."""
    first = drawn(RANDAUGMENT, 50)
    np.random.seed(1)
    torch.manual_seed(1)
    state = torch.get_rng_state(), np.random.get_state()[1].copy()  # type: ignore[index]
    again = drawn(RANDAUGMENT, 50)
    assert np.array_equal(first.values, again.values) and np.array_equal(first.codes, again.codes)
    assert torch.equal(state[0], torch.get_rng_state())
    assert np.array_equal(state[1], np.random.get_state()[1])  # type: ignore[index]


def test_28_nothing_that_selects_can_see_the_test_set() -> None:
    """Published searches chose by test error. A trial's spec names two arrays, and one module opens a third."""
    from trials.values import DataRef, TrialSpec

    assert {field.name for field in fields(DataRef)} == {"directory", "fingerprint"}
    assert not [field.name for field in fields(TrialSpec) if "test" in field.name]
    sources = [path for room in ("trials", "policysearch") for path in (ROOT / room).rglob("*.py")]
    assert [path.name for path in sources if 'open_split(directory, "test")' in path.read_text()] == ["heldout.py"]
    selection = (ROOT / "policysearch/selection.py").read_text()
    assert "figure" not in selection and "heldout" not in selection


def test_29_seed_0_is_a_seed() -> None:
    """`seed or 42` ignored it."""
    from trials.seeds import derive_seed

    assert len({derive_seed("augmentation", seed) for seed in (0, 1, 42)}) == 3
    plans = [drawn(RANDAUGMENT, 30, seed).codes for seed in (0, 1, 42)]
    assert not np.array_equal(plans[0], plans[2]) and not np.array_equal(plans[0], plans[1])


def test_30_there_is_no_noise_on_a_strength_that_the_policy_does_not_state() -> None:
    """A magnitude's noise was 0 or 1 whatever one set. Here a distribution is written in the file, and drawn as written."""
    plan = drawn(RANDAUGMENT)
    for name in set(scale_ops()) - {"identity"}:
        constant = level_value(name, 9)
        mirrored = 2 * find_op(name).strength.identity - constant.value
        assert set(values_of(plan, name)) <= {constant.value, mirrored if constant.signed else constant.value}
    wide = values_of(drawn(Policy(Base(), (Branch((Step((Choice("rotate", (Levels((1.0, 5.0)),)),)),)),))), "rotate")
    assert set(wide) == {1.0, 5.0} and is_share(int((wide == 1).sum()), MANY, 0.5)


@pytest.mark.parametrize("name", zoo_names())
def test_what_is_published_is_held_to_the_same(name: str) -> None:
    """Traps 3, 12 and 14 over the zoo: no image goes black by 0 bits, no entry is empty, its scale is told."""
    file = read_zoo(name)
    choices = [choice for branch in file.policy.branches for step in branch.steps for choice in step.choices]
    assert choices and file.provenance["source"]
    assert all(min(choice.values[0].ends) >= 1 for choice in choices if choice.op == "posterize")


def test_every_trap_has_its_number() -> None:
    """So that none is dropped when this file is changed."""
    tests: dict[str, Callable[..., Any]] = {name: found for name, found in globals().items() if name.startswith("test_")}
    assert sorted(name[5:7] for name in tests if name[5:7].isdigit()) == [f"{number:02d}" for number in range(1, 31)]
    assert all(found.__doc__ for found in tests.values())
