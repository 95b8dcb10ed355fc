"""The traces of strong compression: jpeg, an image written as JPEG and read back, in memory.

Pillow does it, image by image on the CPU, wherever the images lie. Refuses images with other than 1 or 3 channels.
"""

from io import BytesIO
from typing import Any

import numpy as np
import torch

from searchspaces.arrays import ImageBatch, PerImageValues
from searchspaces.ops.op import Op, Parameter, Setting

UNTOUCHED = 100
"""The quality that means: not compressed at all. JPEG's own 100 still rounds."""


def jpeg(images: ImageBatch, values: PerImageValues, setting: Setting) -> ImageBatch:
    """Each image compressed at its `quality` and decompressed; at 100 it is left as it is."""
    done = torch.empty_like(images, memory_format=torch.contiguous_format)
    for row, quality in enumerate(values[:, 0].tolist()):
        found = jpeg_in_numpy(images[row].cpu().numpy(), (quality,), setting.fill, False, 0)
        done[row] = torch.from_numpy(found).to(images.device)
    return done


def jpeg_in_numpy(image: Any, values: tuple[float, ...], fill: int, bilinear: bool, seed: int) -> Any:
    """`jpeg` of one image (numpy and Pillow)."""
    if values[0] == UNTOUCHED:
        return image.copy()
    from PIL import Image

    pixels = image[0] if len(image) == 1 else np.ascontiguousarray(image.transpose(1, 2, 0))
    file = BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=int(values[0]))
    with Image.open(file) as compressed:
        levels = np.asarray(compressed).reshape(*image.shape[1:], len(image))
    return np.array(levels.transpose(2, 0, 1), order="C")


def jpeg_reference(image: Any, values: tuple[float, ...], setting: Setting) -> Any:
    """Torchvision's jpeg, which has an encoder and a decoder of its own."""
    from torchvision.transforms.v2 import functional

    return image if values[0] == UNTOUCHED else functional.jpeg(image, int(values[0]))


OPS = (
    Op(
        name="jpeg",
        elsewhere={"torchvision": "`JPEG`", "Albumentations": "`ImageCompression`"},
        meaning=(
            "written as a baseline JPEG of this quality by libjpeg's scale (colours at half the resolution) and read back; at "
            "100, v: the image is not touched, though JPEG's own 100 would still round"
        ),
        parameters=(Parameter("quality", "percent", identity=100.0, low=1.0, high=100.0, whole=True),),
        kind="texture",
        kernel=jpeg,
        in_numpy=jpeg_in_numpy,
        source="torchvision 0.29 transforms/v2/functional, jpeg; written and read by Pillow",
        reference=jpeg_reference,
        per_image=True,
        channels=frozenset({1, 3}),
    ),
)
