"""RandAugment(2, 9) on torchvision's scale by other libraries, as their users would call it; for ops_speed.py.

What a library has of its own scale or ops is as near as it comes: timm's ops are PIL's with its own maps, Albumentations has no
RandAugment and its list here is made of its likest transforms at the values of level 9.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
import torch
from PIL import Image
from torchvision.transforms import v2

EACH_IMAGE, WHOLE_BATCH = "each image", "**the batch: one draw for all**"
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Contender:
    """`run()` augments `images` images once; `draws` says who gets draws of its own."""

    name: str
    draws: str
    images: int
    run: Callable[[], Any]


def torchvision_pil(levels: np.ndarray) -> Contender:
    """The yardstick: v2.RandAugment on PIL images, one after the other."""
    pictures, augment = pil_images(levels), v2.RandAugment(2, 9)
    return Contender("torchvision v2, PIL images", EACH_IMAGE, len(levels), lambda: [augment(picture) for picture in pictures])


def others(levels: np.ndarray) -> Iterator[Contender]:
    """All that can be imported here; `levels` is uint8 (images, channels, height, width)."""
    tensors, augment = torch.from_numpy(levels), v2.RandAugment(2, 9)
    count = len(levels)
    yield Contender("torchvision v2, uint8 tensors", EACH_IMAGE, count, lambda: [augment(image) for image in tensors])
    yield Contender("torchvision v2, a uint8 batch", WHOLE_BATCH, count, lambda: augment(tensors))
    for build in (_timm, _albumentations, _kornia):
        try:
            yield from build(levels)
        except ImportError as missing:
            print(f"left out: {missing}")


def pil_images(levels: np.ndarray) -> list[Image.Image]:
    """The same images as PIL has them."""
    return [Image.fromarray(image) for image in np.ascontiguousarray(levels.transpose(0, 2, 3, 1))]


def _timm(levels: np.ndarray) -> Iterator[Contender]:
    augment = import_module("timm.data.auto_augment").rand_augment_transform("rand-m9-n2-p1", {})
    pictures = pil_images(levels)
    yield Contender(
        "timm, rand-m9-n2-p1, PIL images", EACH_IMAGE, len(levels), lambda: [augment(picture) for picture in pictures]
    )


def _albumentations(levels: np.ndarray) -> Iterator[Contender]:
    library = import_module("albumentations")
    import_module("cv2").setNumThreads(0)
    augment = library.Compose([library.OneOf(_likest(library), p=1.0)] * 2)
    arrays = list(np.ascontiguousarray(levels.transpose(0, 2, 3, 1)))
    name = f"Albumentations {library.__version__}, two of its likest 14"
    yield Contender(name, EACH_IMAGE, len(levels), lambda: [augment(image=array) for array in arrays])


def _likest(library: Any) -> list[Any]:
    near, fraction = {"interpolation": 0, "p": 1.0}, 9 / 30 * 150 / 331
    still = {"brightness": (1, 1), "contrast": (1, 1), "saturation": (1, 1), "hue": (0, 0)}
    return [
        library.NoOp(p=1.0),
        library.Affine(shear={"x": (-5.1, 5.1), "y": (0, 0)}, **near),
        library.Affine(shear={"x": (0, 0), "y": (-5.1, 5.1)}, **near),
        library.Affine(translate_percent={"x": (-fraction, fraction), "y": (0, 0)}, **near),
        library.Affine(translate_percent={"x": (0, 0), "y": (-fraction, fraction)}, **near),
        library.Rotate(limit=(-9, 9), **near),
        *(library.ColorJitter(**{**still, part: (0.73, 1.27)}, p=1.0) for part in ("brightness", "contrast", "saturation")),
        library.Sharpen(alpha=(0.2, 0.3), p=1.0),
        library.Posterize(num_bits=7, p=1.0),
        library.Solarize(threshold_range=(0.7, 0.7), p=1.0),
        library.AutoContrast(p=1.0),
        library.Equalize(p=1.0),
    ]


def _kornia(levels: np.ndarray) -> Iterator[Contender]:
    library = import_module("kornia")
    augment = import_module("kornia.augmentation.auto").RandAugment(n=2, m=9)
    batch = torch.from_numpy(levels).float() / 255
    few = batch[: max(4, len(batch) // 8)]
    yield Contender(f"kornia {library.__version__}, a float batch", WHOLE_BATCH, len(batch), lambda: augment(batch))
    name = f"kornia {library.__version__}, image by image"
    yield Contender(name, EACH_IMAGE, len(few), lambda: [augment(image) for image in torch.split(few, 1)])


def whole_paths(levels: np.ndarray) -> Iterator[Contender]:
    """From uint8 data to a normalised float batch with torchvision: padded crop, flip, policy, cutout, normalise, stack."""
    side = levels.shape[2]
    framing = [v2.RandomCrop(side, padding=side // 8), v2.RandomHorizontalFlip(), v2.RandAugment(2, 9)]
    to_floats = [v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)]
    cutout = v2.RandomErasing(p=1.0, scale=(0.25, 0.25), ratio=(1.0, 1.0))
    from_pil = v2.Compose([*framing, v2.PILToTensor(), *to_floats, cutout])
    from_tensor = v2.Compose([*framing, cutout, *to_floats])
    arrays, tensors = np.ascontiguousarray(levels.transpose(0, 2, 3, 1)), torch.from_numpy(levels)
    count = len(levels)

    def by_pil() -> torch.Tensor:
        return torch.stack([from_pil(Image.fromarray(array)) for array in arrays])

    yield Contender("torchvision v2, PIL images", EACH_IMAGE, count, by_pil)
    yield Contender(
        "torchvision v2, uint8 tensors", EACH_IMAGE, count, lambda: torch.stack([from_tensor(image) for image in tensors])
    )
