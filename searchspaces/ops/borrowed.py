"""Transforms of Albumentations as ops: `borrowed` runs one, `one_by_one` makes a kernel of it, `entry` its place in the table.

The ops themselves are in `borrowed_light`, `borrowed_blur` and `borrowed_noise`, and nowhere else: that list is all of
Albumentations that a policy can name. On it are transforms of one uint8 image that keep its shape and take numbers only: none
that takes a callable, a file or other images. They run per image on the CPU, whatever the device and the engine; Albumentations
is imported when the first image needs it.
"""

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from searchspaces.arrays import ImageBatch, PerImageValues
from searchspaces.errors import BadInput
from searchspaces.ops.op import Kernel, Kind, NumpyKernel, Op, Parameter, Setting, Span

PREFIX = "albumentations:"
VERSION = "Albumentations 2.0.8"
INSTALL = '"policysearch[search]"'


def borrowed(image: Any, seed: int, transform: str, **arguments: Any) -> Any:
    """The image (channels, height, width) as that transform leaves it, a new array; all its randomness comes from `seed`.

    Albumentations asks the network for a newer version when it is imported, unless told not to: here it is told. BadInput where
    it is not installed.
    """
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
    try:
        import albumentations
    except ModuleNotFoundError as missing:
        if missing.name != "albumentations":
            raise
        raise BadInput(f"albumentations: it is not installed; install it with: pip install {INSTALL}") from None
    made = getattr(albumentations, transform)(**arguments, p=1.0)
    made.set_random_seed(seed)
    changed = made(image=np.ascontiguousarray(image.transpose(1, 2, 0)))["image"]
    return np.ascontiguousarray(changed.reshape(*image.shape[1:], image.shape[0]).transpose(2, 0, 1))


def one_by_one(one: NumpyKernel) -> Kernel:
    """The kernel that carries `one` out on each image of a batch, on the CPU."""

    def kernel(images: ImageBatch, values: PerImageValues, setting: Setting) -> ImageBatch:
        seeds = [0] * len(images) if setting.seeds is None else setting.seeds.tolist()
        rows = zip(images.cpu().numpy(), values.tolist(), seeds, strict=True)
        bilinear = setting.interpolation == "bilinear"
        done = [torch.from_numpy(one(image, tuple(row), setting.fill, bilinear, seed)) for image, row, seed in rows]
        return torch.stack(done).to(images.device) if done else images.clone()

    return kernel


def reference_of(transform: Callable[..., Any]) -> Callable[[Any, tuple[float, ...], Setting], Any]:
    """The op for one image by an Albumentations pipeline, as its users write one."""

    def reference(image: Any, values: tuple[float, ...], setting: Setting) -> Any:
        """The same transform in a pipeline of Albumentations."""
        import albumentations

        made = transform(albumentations, *values)
        if made is None:
            return image
        # Without an axis of length 1 for the channel of a grey image, which is the other way to give one.
        pixels = image.permute(1, 2, 0).contiguous().numpy()
        pipeline = albumentations.Compose([made])
        made.set_random_seed(0 if setting.seeds is None else int(setting.seeds[0]))
        changed = pipeline(image=pixels[..., 0] if len(image) == 1 else pixels)["image"]
        return torch.from_numpy(np.ascontiguousarray(changed)).view(*image.shape[1:], len(image)).permute(2, 0, 1)

    return reference


def entry(
    transform: str,
    one: NumpyKernel,
    reference: Callable[..., Any],
    parameters: tuple[Parameter, ...],
    kind: Kind,
    meaning: str,
    usual: tuple[float, str] | None = None,
    seeded: bool = False,
    channels: frozenset[int] | None = None,
) -> Op:
    """The table's entry for that transform; `usual` is the strongest value of its own default range, and where that stands."""
    source = f"{VERSION}, {transform}"
    spans = {} if usual is None else {"albumentations": Span(parameters[0].identity, usual[0], f"{VERSION}, {usual[1]}")}
    return Op(
        name=PREFIX + transform,
        parameters=parameters,
        kind=kind,
        kernel=one_by_one(one),
        source=source,
        meaning=f"{meaning} (Albumentations' {transform}, run per image on the CPU)",
        reference=reference_of(reference),
        in_numpy=one,
        seeded=seeded,
        per_image=True,
        channels=channels,
        spans=spans,
        package="albumentations",
        install=INSTALL,
    )
