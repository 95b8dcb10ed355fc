"""What is done with a batch as a space: mixup, CutMix or either, image by image, and a square cut out of each image.

It searches the policy's batch part alone, so it goes with any other family: `randaugment+mixing`. Each method's alpha exists
where the method is chosen. What the loss of mixed images is: `searchspaces.mixing`.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from searchspaces.families.family import Family, without_moves
from searchspaces.framing import Batch
from searchspaces.levels import rounded
from searchspaces.policy import Base, Policy
from searchspaces.space import Categorical, Parameter, Real, SearchSpace, When, Whole

METHODS = ("none", "mixup", "cutmix", "either")
CUTOUT_OP = "erase"
_NOTE = "left out, because erase is forbidden: cutout"


def build(channels: int, base: Base, forbid: tuple[str, ...] = ()) -> SearchSpace:
    """The space on top of `base`, for images with any number of channels.

    `mixing.method` is none, mixup, cutmix, or either, one or the other for each image. `mixing.mixup_alpha` (0.1 to 1, on a
    logarithmic scale: the paper's are 0.2 for ImageNet and 1 for CIFAR) and `mixing.cutmix_alpha` (0.2 to 1: the paper's is 1)
    exist where that method is on. `mixing.cutout_percent` (0 to 50 in tens) is the square's side in percent of the image's: the
    paper's are 50 for CIFAR-10 and 25 for CIFAR-100.
    """
    mixups, cutmixes = (When("mixing.method", (name, "either")) for name in ("mixup", "cutmix"))
    parameters: list[Parameter] = [
        Categorical("mixing.method", METHODS),
        Real("mixing.mixup_alpha", 0.1, 1.0, log=True, when=mixups),
        Real("mixing.cutmix_alpha", 0.2, 1.0, when=cutmixes),
    ]
    if CUTOUT_OP not in forbid:
        parameters.append(Whole("mixing.cutout_percent", 0, 50, step=10))
    notes = (_NOTE,) if CUTOUT_OP in forbid else ()
    return SearchSpace("mixing", tuple(parameters), partial(_decode, without_moves(base, forbid)), notes)


def _decode(base: Base, params: Mapping[str, Any]) -> Policy:
    mixup, cutmix = (rounded(params.get(f"mixing.{name}_alpha", 0.0)) for name in ("mixup", "cutmix"))
    return Policy(base, batch=Batch(mixup, cutmix, params.get("mixing.cutout_percent", 0) / 100))


FAMILY = Family(
    name="mixing",
    summary="what is done with a batch: mixup, CutMix, either or none, their alphas, and cutout; goes with any other family",
    source="Zhang et al. 2017, arXiv 1710.09412 (mixup); Yun et al. 2019, arXiv 1905.04899 (CutMix); DeVries and Taylor 2017,"
    " arXiv 1708.04552 (cutout)",
    build=build,
    leaves_out=True,
    searches_batch=True,
)
