"""Makes searchspaces/zoo/*.json: published policies, resolved to physical values.

    python benchmarks/make_zoo.py

AutoAugment's three come from torchvision's private tables. RandAugment's published (N, M) are not among them yet: they are on its
paper's scale, whose maps have no name here so far.
"""

from typing import Any

from torchvision.transforms import v2

from searchspaces.families.fixed import trivialaugment_wide
from searchspaces.levels import level_value
from searchspaces.policy import Base, Branch, Choice, Policy, Step
from searchspaces.policy_json import PolicyFile, write_policy_file
from searchspaces.spaces import build_space
from searchspaces.zoo import ZOO_DIRECTORY

OPS = {
    "AutoContrast": "autocontrast",
    "Brightness": "brightness",
    "Color": "saturation",
    "Contrast": "contrast",
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


def published() -> dict[str, PolicyFile]:
    """Every file of the zoo by name."""
    files = {"trivialaugment-wide": trivialaugment(), "uniformaugment": uniformaugment()}
    return files | {f"autoaugment-{name}": autoaugment(name) for name in DATA_SETS}


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


def uniformaugment() -> PolicyFile:
    """The published point of our family."""
    policy = build_space("uniformaugment", base=Base()).decode({"ops": 2, "range_fraction": 1.0})
    provenance: dict[str, Any] = {
        "name": "UniformAugment",
        "summary": "2 random ops of 14, each on half of the images, at a strength uniform over its whole range",
        "source": "LingChen et al. 2020, UniformAugment: A Search-free Probabilistic Data Augmentation Approach,"
        " arXiv 2003.14348; ranges as in torchvision 0.29 v2.AutoAugment",
        "deviations": [
            "without cutout, the fifteenth op of the authors' list",
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


def main() -> None:
    """Write the files into the package."""
    for name, file in published().items():
        write_policy_file(ZOO_DIRECTORY / f"{name}.json", file.policy, file.provenance)
        print(name)


if __name__ == "__main__":
    main()
