"""The op that does nothing. It has a place in the RandAugment and TrivialAugment choices, so it has a name."""

from typing import Any

from searchspaces.arrays import ImageBatch, PerImageValues
from searchspaces.ops.levels import copy_levels
from searchspaces.ops.numpy_tones import keep_in_numpy
from searchspaces.ops.op import Op, Parameter, Setting, Span


def keep(images: ImageBatch, values: PerImageValues, setting: Setting) -> ImageBatch:
    """The images as they are, copied; any `amount` is the same nothing."""
    return images.clone()


def keep_fused(image: Any, out: Any, values: Any, fill: int, bilinear: bool, seed: int, scratch: Any) -> None:
    """`keep` for one image."""
    copy_levels(image, out)


def keep_reference(image: Any, values: tuple[float, ...], setting: Setting) -> Any:
    """What torchvision's automatic augmentations do for "Identity"."""
    return image


_SPAN = Span(1.0, 1.0, "it has no strength")

OPS = (
    Op(
        name="identity",
        elsewhere={"papers": "Identity", "Albumentations": "`NoOp`"},
        meaning="v, whatever the amount",
        parameters=(Parameter("amount", "0 or 1", identity=0.0, low=0.0, high=1.0, whole=True),),
        kind="none",
        kernel=keep,
        in_numpy=keep_in_numpy,
        fused=keep_fused,
        source="torchvision 0.29 transforms/v2/_auto_augment.py, Identity",
        reference=keep_reference,
        spans={"standard": _SPAN, "wide": _SPAN},
    ),
)
