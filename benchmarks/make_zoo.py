"""Makes searchspaces/zoo/*.json: published policies, resolved to physical values.

    python benchmarks/make_zoo.py

AutoAugment's three come from torchvision's private tables, RandAugment's from the (N, M) that its paper names per data set and
model. What the paper says of detection (COCO) is left out: those policies move boxes, and ours know none.
"""

from typing import Any

from torchvision.transforms import v2

from searchspaces.families.fixed import trivialaugment_wide
from searchspaces.levels import level_value, paper_value, scale_ops
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

# name -> what it was found on, N, M: RandAugment, arXiv 1909.13719v2, section 4.2 and appendix A.2
RANDAUGMENT = {
    "cifar10-wrn-28-2": ("CIFAR-10, Wide-ResNet-28-2", 3, 4),
    "cifar10-wrn-28-10": ("CIFAR-10, Wide-ResNet-28-10", 3, 5),
    "cifar10-shake-shake": ("CIFAR-10, Shake-Shake 26 2x96d", 3, 9),
    "cifar10-pyramidnet": ("CIFAR-10, PyramidNet", 3, 7),
    "cifar100-wrn-28-2": ("CIFAR-100, Wide-ResNet-28-2", 1, 2),
    "cifar100-wrn-28-10": ("CIFAR-100, Wide-ResNet-28-10", 2, 14),
    "svhn-core": ("SVHN core set, Wide-ResNet-28-2 and 28-10", 3, 9),
    "svhn-wrn-28-2": ("SVHN, Wide-ResNet-28-2", 3, 5),
    "svhn-wrn-28-10": ("SVHN, Wide-ResNet-28-10", 3, 7),
    "imagenet-resnet-50": ("ImageNet, ResNet-50", 2, 9),
    "imagenet-efficientnet-b5": ("ImageNet, EfficientNet-B5", 2, 17),
    "imagenet-efficientnet-b7": ("ImageNet, EfficientNet-B7", 2, 28),
}

NOTE = "The policy alone: put a crop and a flip of your own after it."
PAPER_SCALE = (
    "paper: M / 10 of AutoAugment's ranges, from no change at 0 to their maximum at 10; above 10 it goes on, and each end stops"
    " at the op's hard limits"
)


def published() -> dict[str, PolicyFile]:
    """Every file of the zoo by name."""
    files = {"trivialaugment-wide": trivialaugment(), "uniformaugment": uniformaugment()}
    files |= {f"autoaugment-{name}": autoaugment(name) for name in DATA_SETS}
    return files | {f"randaugment-{name}": randaugment(name) for name in RANDAUGMENT}


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


def randaugment(name: str) -> PolicyFile:
    """RandAugment at the (N, M) that its paper found."""
    found_on, ops, level = RANDAUGMENT[name]
    choices = tuple(Choice(op, (paper_value(op, level),)) for op in scale_ops("torchvision"))
    deviations = [
        "brightness, contrast, saturation and sharpness go both ways from 1, as in torchvision; the paper states no map, and"
        " Google's code runs one way, from 0.1 to 1.9",
        "posterize and solarize grow with M, as in torchvision; in Google's code they weaken",
    ]
    if level > 11:
        deviations.append("so far above 10 the lower of brightness's two factors has stopped at 0, which is a black image")
    provenance = {
        "name": f"RandAugment, {found_on}",
        "summary": f"{ops} random {'op' if ops == 1 else 'ops'} of 14 on every image, M = {level} on the paper's scale;"
        f" found on {found_on}",
        "source": "Cubuk et al. 2019, RandAugment: Practical automated data augmentation with a reduced search space,"
        f" arXiv 1909.13719v2, section 4.2 and appendix A.2: N = {ops}, M = {level} for {found_on}",
        "scale": PAPER_SCALE,
        "deviations": deviations,
        "note": f"{NOTE} The paper's own crop, flip and cutout are not in it.",
    }
    return PolicyFile(Policy(branches=(Branch((Step(choices),) * ops),)), provenance)


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
