"""Makes searchspaces/zoo/*.json: published policies, resolved to physical values.

python benchmarks/make_zoo.py [ARCHIVE]

AutoAugment's three come from torchvision's private tables, RandAugment's from its paper's tables and the maps of its
published code. Fast AutoAugment's three come from ARCHIVE, FastAutoAugment/archive.py of kakaobrain/fast-autoaugment, which
is read and never run; without it they are left as they are.
"""

import ast
import sys
from pathlib import Path
from typing import Any

from torchvision.transforms import v2

from searchspaces import paper_scale
from searchspaces.families.fixed import trivialaugment_wide
from searchspaces.families.randaugment import randaugment
from searchspaces.families.ranges import BESIDE, CUTOUT_GREY
from searchspaces.levels import level_value, rounded, scale_ops
from searchspaces.phrases import counted
from searchspaces.policy import Base, Branch, Choice, Constant, Distribution, Levels, Policy, Step
from searchspaces.policy_json import PolicyFile, write_policy_file
from searchspaces.spaces import build_space
from searchspaces.zoo import ZOO_DIRECTORY

OPS = {
    "AutoContrast": "autocontrast",
    "Brightness": "brightness",
    "Color": "saturation",
    "Contrast": "contrast",
    "Cutout": "erase",
    "Equalize": "equalize",
    "Invert": "invert",
    "Posterize": "posterize",
    "Rotate": "rotate",
    "Sharpness": "sharpness",
    "ShearX": "shear_x",
    "ShearY": "shear_y",
    "Solarize": "solarize",
    "TranslateX": "translate_x",
    "TranslateY": "translate_y",
}
DATA_SETS = {"cifar10": "CIFAR-10", "imagenet": "ImageNet", "svhn": "SVHN"}
NOTE = "The policy alone: put a crop and a flip of your own after it."

# Section 4.2 and appendix A.2 of the RandAugment paper: data set and model, N, M, and the side of the images in pixels where the
# published code says by how much they move.
RANDAUGMENT = {
    "cifar10-wrn-28-2": ("CIFAR-10, Wide-ResNet-28-2", 3, 4, None),
    "cifar10-wrn-28-10": ("CIFAR-10, Wide-ResNet-28-10", 3, 5, None),
    "cifar10-shake-shake": ("CIFAR-10, Shake-Shake 26 2x96d", 3, 9, None),
    "cifar10-pyramidnet": ("CIFAR-10, PyramidNet", 3, 7, None),
    "cifar100-wrn-28-2": ("CIFAR-100, Wide-ResNet-28-2", 1, 2, None),
    "cifar100-wrn-28-10": ("CIFAR-100, Wide-ResNet-28-10", 2, 14, None),
    "svhn-core": ("SVHN's core set, Wide-ResNet-28-2 and 28-10, with cutout after it", 3, 9, None),
    "svhn-wrn-28-2": ("SVHN with its extra images, Wide-ResNet-28-2", 3, 5, None),
    "svhn-wrn-28-10": ("SVHN with its extra images, Wide-ResNet-28-10", 3, 7, None),
    "imagenet-resnet-50": ("ImageNet, ResNet-50", 2, 9, 224),
    "imagenet-efficientnet-b5": ("ImageNet, EfficientNet-B5", 2, 17, 456),
    "imagenet-efficientnet-b7": ("ImageNet, EfficientNet-B7", 2, 28, 600),
    "coco-retinanet-r101": ("COCO, RetinaNet with ResNet-101", 1, 5, None),
    "coco-retinanet-r200": ("COCO, RetinaNet with ResNet-200", 1, 6, None),
}
GREY = 128  # what the published code puts where an image has moved away

FAST_AUTOAUGMENT = {
    "cifar10": ("fa_reduced_cifar10", "on 4,000 images of CIFAR-10"),
    "imagenet": ("fa_resnet50_rimagenet", "with ResNet-50 on a part of ImageNet"),
    "svhn": ("fa_reduced_svhn", "on 1,000 images of SVHN"),
}
CUTOUT_DEVIATION = (
    f"cutout is a square of one grey, {CUTOUT_GREY}, cut at the image's edges; theirs is of colour (125, 123, 114), may be a"
    " pixel larger, and is pushed inwards at the upper and the left edge"
)


def published() -> dict[str, PolicyFile]:
    """Every file of the zoo by name, but for Fast AutoAugment's."""
    files = {"trivialaugment-wide": trivialaugment(), "uniformaugment": uniformaugment()}
    files["trivialaugment-standard"] = trivialaugment_standard()
    files |= {f"autoaugment-{name}": autoaugment(name) for name in DATA_SETS}
    return files | {f"randaugment-{name}": randaugment_of(*row) for name, row in RANDAUGMENT.items()}


def autoaugment(name: str) -> PolicyFile:
    """One of AutoAugment's three, as torchvision transcribes it: 25 sub-policies of two ops."""
    table = v2.AutoAugment()._get_policies(v2.AutoAugmentPolicy(name))
    branches = tuple(Branch(tuple(_step(*row) for row in sub_policy)) for sub_policy in table)
    data_set = DATA_SETS[name]
    provenance = {
        "name": f"AutoAugment, {data_set}",
        "summary": f"25 chains of two ops, found on reduced {data_set}",
        "source": "Cubuk et al. 2019, AutoAugment: Learning Augmentation Strategies from Data, arXiv 1805.09501, appendix:"
        f" the policy found on reduced {data_set}, as torchvision 0.29 v2.AutoAugment transcribes it",
        "scale": "torchvision-autoaugment: levels 0 to 9, where 9 is the maximum; AutoAugment's own code divides by 10 instead",
        "note": NOTE,
    }
    return PolicyFile(Policy(branches=branches), provenance)


def _step(their_op: str, probability: float, level: int | None) -> Step:
    name = OPS[their_op]
    return Step((Choice(name, (level_value(name, level or 0, "torchvision-autoaugment"),)),), probability)


def randaugment_of(where: str, ops: int, level: int, side: int | None) -> PolicyFile:
    """RandAugment at one of the (N, M) that its paper found."""
    policy = randaugment(ops, level, "paper", scale_ops("paper"), Base(fill=GREY))
    deviations = [
        "an op stops at its hard limits: 1 to 8 bits kept, thresholds to 256 (which inverts nothing), the whole side",
        "the paper's 14 ops, where the published code has 16: it lacks identity, and has invert, cutout and solarize_add",
    ]
    if side is None:
        deviations.append(
            "the code for these data was not published: images move as on ImageNet, by the same share of 224 pixels,"
            f" and what they move away from is grey {GREY}"
        )
    else:
        pixels = paper_scale.TRANSLATE_PX * level / paper_scale.MAXIMUM
        policy = _moving_by(policy, rounded(pixels / side))
        deviations.append(f"images move by the published code's {pixels:g} pixels as a share of {side}, this model's input")
    provenance = {
        "name": f"RandAugment({ops}, {level}), {where}",
        "summary": f"{counted(ops, 'random op')} of 14 on every image at level {level} of the paper's scale; found for {where}",
        "source": "Cubuk et al. 2019, RandAugment: Practical automated data augmentation with a reduced search space,"
        f" arXiv 1909.13719v2, section 4.2 and appendix A.2; maps of {paper_scale.SOURCE}",
        "scale": "paper: 10 is AutoAugment's maximum, and levels go on beyond",
        "deviations": deviations,
        "note": NOTE,
    }
    return PolicyFile(policy, provenance)


def _moving_by(policy: Policy, share: float) -> Policy:
    """The policy with that share of the side in translate_x and translate_y."""
    moved = (Constant(share, signed=True),)
    (branch,) = policy.branches
    choices = tuple(Choice(c.op, moved if c.op.startswith("translate") else c.values) for c in branch.steps[0].choices)
    return Policy(policy.base, (Branch((Step(choices),) * len(branch.steps)),))


def uniformaugment() -> PolicyFile:
    """The published point of our family."""
    policy = build_space("uniformaugment", base=Base()).decode({"ops": 2, "range_fraction": 1.0})
    provenance: dict[str, Any] = {
        "name": "UniformAugment",
        "summary": "2 random ops of 15, each on half of the images, at a strength uniform over its whole range",
        "source": "LingChen et al. 2020, UniformAugment: A Search-free Probabilistic Data Augmentation Approach,"
        " arXiv 2003.14348; ranges of tgilewicz/uniformaugment, UniformAugment/augmentations.py (97f20cb)",
        "deviations": [
            CUTOUT_DEVIATION,
            "each op has probability 1/2, which is what a probability drawn from U(0, 1) for each op and image comes to",
        ],
        "note": NOTE,
    }
    return PolicyFile(policy, provenance)


def trivialaugment() -> PolicyFile:
    """TrivialAugment wide, which is also one of the free baselines."""
    provenance: dict[str, Any] = {
        "name": "TrivialAugment, wide space",
        "summary": "1 random op of 14 on every image, at one of 31 strengths, the wide ranges",
        "source": "Müller and Hutter 2021, TrivialAugment: Tuning-free Yet State-of-the-Art Data Augmentation,"
        " arXiv 2103.10158; ranges as in torchvision 0.29 v2.TrivialAugmentWide with 31 bins",
        "deviations": [
            "at level 0 solarize is the identity (threshold 256), where torchvision's 255 turns white black",
            "exact levels: the rounding of torchvision's float32 table, up to one grey level or pixel, is not copied",
        ],
        "note": NOTE,
    }
    return PolicyFile(trivialaugment_wide(3, Base()), provenance)


def trivialaugment_standard() -> PolicyFile:
    """TrivialAugment in RandAugment's ranges, as its published code has them ("fixed_standard", 31 strengths)."""
    names = [*scale_ops("trivialaugment-wide")]
    choices = tuple(Choice(name, (_standard_levels(name),)) for name in names)
    provenance: dict[str, Any] = {
        "name": "TrivialAugment, standard space",
        "summary": "1 random op of 14 on every image, at one of 31 strengths, RandAugment's ranges",
        "source": "Müller and Hutter 2021, TrivialAugment: Tuning-free Yet State-of-the-Art Data Augmentation,"
        " arXiv 2103.10158; ranges of automl/trivialaugment, aug_lib.py (e6545d8), fixed_standard",
        "note": f"{NOTE} Images move by up to 10 pixels whatever their size: it was made for those of 32 pixels.",
    }
    return PolicyFile(Policy(branches=(Branch((Step(choices),)),)), provenance)


def _standard_levels(name: str) -> Distribution:
    """The 31 strengths of an op in that space, cut off where that code cuts them off."""
    steps = range(31)
    if name in ("brightness", "contrast", "saturation", "sharpness"):
        return Levels(tuple(rounded(0.1 + 1.8 * step / 30) for step in steps))
    match name:
        case "rotate":
            return Levels(tuple(float(step) for step in steps), signed=True)
        case "shear_x" | "shear_y":
            return Levels(tuple(rounded(0.3 * step / 30) for step in steps), signed=True)
        case "translate_x_px" | "translate_y_px":
            return Levels(tuple(float(int(10 * step / 30)) for step in steps), signed=True)
        case "posterize":
            return Levels(tuple(float(8 - int(4 * step / 30)) for step in steps))
        case "solarize":
            return Levels(tuple(float(256 - int(256 * step / 30)) for step in steps))
    return Constant(1.0)


def fast_autoaugment(name: str, archive: str) -> PolicyFile:
    """One of Fast AutoAugment's three from the text of its archive.py: some 500 chains of two ops."""
    function, where = FAST_AUTOAUGMENT[name]
    table = _list_of(archive, function)
    branches = tuple(Branch(tuple(_fast_step(*row) for row in sub_policy)) for sub_policy in table)
    provenance: dict[str, Any] = {
        "name": f"Fast AutoAugment, {DATA_SETS[name]}",
        "summary": f"{len(branches)} chains of two ops, found {where}",
        "source": "Lim et al. 2019, Fast AutoAugment, arXiv 1905.00397; the policy as published in kakaobrain/fast-autoaugment,"
        f" FastAutoAugment/archive.py (2424224), {function}, with the ranges of its augmentations.py",
        "licence": "MIT, Copyright (c) 2019 Ildoo Kim; in searchspaces/zoo/fast-autoaugment.LICENSE",
        "deviations": [
            CUTOUT_DEVIATION,
            "levels and probabilities have 6 significant digits",
        ],
        "note": "The policy alone: put a crop and a flip of your own after it, as its authors do.",
    }
    return PolicyFile(Policy(branches=branches, placement="before-crop"), provenance)


def _list_of(archive: str, function: str) -> Any:
    """The list that a function of the archive begins with, read as a value."""
    for node in ast.parse(archive).body:
        if isinstance(node, ast.FunctionDef) and node.name == function and isinstance(node.body[0], ast.Assign):
            return ast.literal_eval(node.body[0].value)
    raise SystemExit(f"make_zoo: the archive has no list in {function}()")


def _fast_step(their_op: str, probability: float, level: float) -> Step:
    return Step((Choice(OPS[their_op], _fast_values(their_op, level)),), rounded(probability))


def _fast_values(their_op: str, level: float) -> tuple[Distribution, ...]:
    """Their level, 0 to 1, in the op's unit: along the range of augmentations.py, which a sign mirrors where the op moves."""
    match their_op:
        case "ShearX" | "ShearY" | "TranslateX" | "TranslateY" | "Rotate":
            most = {"S": 0.3, "T": 0.45, "R": 30.0}[their_op[0]]
            return (Constant(rounded(abs(2 * level - 1) * most), signed=True),)
        case "Color" | "Contrast" | "Brightness" | "Sharpness":
            return (Constant(rounded(0.1 + 1.8 * level)),)
        case "Solarize":
            return (Constant(rounded(256 * level)),)
        case "Posterize":
            return (Constant(float(int(4 + 4 * level))),)
        case "Cutout":
            return (Constant(rounded(0.2 * level)), *BESIDE["erase"])
    return (Constant(1.0),)


def main() -> None:
    """Write the files into the package."""
    files = published()
    if len(sys.argv) > 1:
        archive = Path(sys.argv[1]).read_text(encoding="utf-8")
        files |= {f"fast-autoaugment-{name}": fast_autoaugment(name, archive) for name in FAST_AUTOAUGMENT}
    for name, file in files.items():
        write_policy_file(ZOO_DIRECTORY / f"{name}.json", file.policy, file.provenance)
        print(name)


if __name__ == "__main__":
    main()
