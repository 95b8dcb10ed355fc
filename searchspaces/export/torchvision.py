"""A policy as a transform for torchvision pipelines: draws, then applies, with the engine that the search used.

Takes one image or a batch, and refuses what the search has not seen: floats outside [0, 1], other PIL modes than L and RGB.
Here and in `collating` alone torch's default generator is read, as torchvision's own transforms do: so `torch.manual_seed`
reproduces a run, and a DataLoader's workers, which torch seeds one by one and anew for each epoch, draw differently.
"""

import warnings
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from searchspaces.arrays import ImageBatch
from searchspaces.draw import draw
from searchspaces.engines import apply
from searchspaces.errors import BadInput
from searchspaces.export.searched import other_than_searched, searched_at
from searchspaces.policy import Policy
from searchspaces.policy_json import PolicyFile
from searchspaces.words import policy_in_words

_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


class PolicyTransform(nn.Module):
    """A policy, callable on images; gives back what it was given, augmented: PIL image for PIL image, tensor for tensor.

    `searched_at` is (channels, height, width) of the images the policy was searched on; None where the file doesn't say.
    """

    def __init__(self, policy: Policy, searched_at: tuple[int, int, int] | None = None) -> None:
        super().__init__()
        self.policy = policy
        self.searched_at = searched_at
        self._told = False

    def forward(self, image: Any) -> Any:
        """Augment a PIL image (L or RGB), a tensor (channels, height, width), or a batch of them with a draw for each image.

        Tensors are uint8, or floats in [0, 1], which are rounded to 256 levels on the way. Each call takes one number from
        torch's default generator. The input is not changed. BadInput for anything else.
        """
        if isinstance(image, Image.Image):
            return self._on_pil(image)
        if isinstance(image, Tensor):
            return self._on_tensor(image)
        raise BadInput(f"transform: {type(image).__name__} given; allowed are PIL images and tensors (one image or a batch)")

    def extra_repr(self) -> str:
        """The policy in words, for `print`."""
        return policy_in_words(self.policy)

    def _on_pil(self, image: Image.Image) -> Image.Image:
        if image.mode not in ("L", "RGB"):
            raise BadInput(f"transform: PIL image of mode {image.mode}; allowed are L and RGB: use image.convert('RGB')")
        pixels = torch.from_numpy(np.array(image))
        channels_first = pixels.view(image.height, image.width, -1).permute(2, 0, 1).contiguous()
        augmented = self._on_batch(channels_first[None])[0].permute(1, 2, 0)
        return Image.fromarray(augmented.squeeze(2).numpy() if image.mode == "L" else augmented.contiguous().numpy())

    def _on_tensor(self, image: Tensor) -> Tensor:
        if image.ndim not in (3, 4):
            raise BadInput(f"transform: tensor of {image.ndim} dimensions; allowed are 3 (one image) and 4 (a batch)")
        plain = image.as_subclass(Tensor)
        batch = plain if image.ndim == 4 else plain[None]
        augmented = self._on_floats(batch) if image.dtype in _FLOATS else self._on_batch(batch)
        result = augmented if image.ndim == 4 else augmented[0]
        return result if type(image) is Tensor else _rewrapped(result, image)

    def _on_floats(self, batch: Tensor) -> Tensor:
        if not bool(((batch >= 0) & (batch <= 1)).all()):  # NaN fails both
            ends = f"{batch.min().item():g} to {batch.max().item():g}"
            raise BadInput(f"transform: floats from {ends}; allowed are 0 to 1: put it before Normalize, or give uint8")
        levels = (batch.to(torch.float32) * 255).round().to(torch.uint8)
        return (self._on_batch(levels).to(torch.float32) / 255).to(batch.dtype)

    def _on_batch(self, batch: ImageBatch) -> ImageBatch:
        if batch.dtype != torch.uint8:
            raise BadInput(f"transform: tensor of {batch.dtype}; allowed are torch.uint8, and floats in [0, 1]")
        images, channels, height, width = batch.shape
        self._tell_once((channels, height, width))
        seed = int(torch.randint(2**63 - 1, ()))
        plan = draw(self.policy, (images, channels, height, width), np.random.default_rng(seed))
        return apply(batch, plan)

    def _tell_once(self, shape: tuple[int, int, int]) -> None:
        if self.searched_at is None or shape == self.searched_at or self._told:
            return
        self._told = True
        warnings.warn(other_than_searched(self.searched_at, shape), stacklevel=2)


def to_torchvision(file: PolicyFile) -> PolicyTransform:
    """The transform of a policy file. Its provenance (`channels`, `size`: height and width) only says when to warn."""
    return PolicyTransform(file.policy, searched_at(file))


def _rewrapped(result: Tensor, like: Tensor) -> Tensor:
    """A tv_tensors.Image stays one, so that v2 transforms after this one treat it as an image."""
    from torchvision import tv_tensors

    return tv_tensors.wrap(result, like=like) if isinstance(like, tv_tensors.TVTensor) else result
