"""Mixing the images of a training batch with one another, and their labels likewise: the policy's mixup and CutMix.

As everywhere, drawing and applying are apart: `draw_mixing` holds the randomness, the rest carries it out. Every image has a
partner, a share and a method of its own. Refuses levels: a mix of whole levels is none, so images come as floats, normalised or
not.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from jaxtyping import Float32, Float64, Int64
from torch import Tensor

from searchspaces.errors import BadInput
from searchspaces.framing import Batch
from searchspaces.sending import sent

Shares: TypeAlias = Float64[np.ndarray, "images"]
Whole: TypeAlias = Int64[np.ndarray, "images"]
Windows: TypeAlias = Int64[np.ndarray, "images 4"]
Pixels: TypeAlias = Float32[Tensor, "images channels height width"]


@dataclass(frozen=True)
class Mixing:
    """What was drawn for a batch.

    Image i becomes `opacity[i]` times itself plus the rest of `partner[i]`, but for the pixels of `window[i]` (left, upper, right
    and lower end in pixels, the latter two not included), which are its partner's. `share[i]` is its own label's share.
    """

    partner: Whole
    opacity: Shares
    window: Windows
    share: Shares

    def __len__(self) -> int:
        return len(self.partner)


def draw_mixing(batch: Batch, images: int, sides: tuple[int, int], generator: np.random.Generator) -> Mixing:
    """How to mix a batch of so many images with these sides (height, width), by the batch part of a policy.

    A single image is its own partner, and so stays as it is.
    """
    order = generator.permutation(images)
    partner = np.empty(images, dtype=np.int64)
    partner[order] = np.roll(order, -1)
    cuts = generator.random(images) < _cutmix_chance(batch)
    alphas = (batch.mixup_alpha, batch.cutmix_alpha)
    shares = [generator.beta(alpha, alpha, images) if alpha > 0 else np.ones(images) for alpha in alphas]
    window = _windows(shares[1], sides, generator.random((images, 2)))
    window[~cuts] = 0
    outside = 1 - (window[:, 2] - window[:, 0]) * (window[:, 3] - window[:, 1]) / max(1, sides[0] * sides[1])
    return Mixing(partner, np.where(cuts, 1.0, shares[0]), window, np.where(cuts, outside, shares[0]))


def mix_images(images: Pixels, mixing: Mixing) -> Pixels:
    """New images, mixed as drawn; the given ones stay. BadInput unless they are floats, one for each that was drawn."""
    if not images.is_floating_point() or images.ndim != 4 or len(images) != len(mixing):
        raise BadInput(
            f"images: {images.dtype} of shape {tuple(images.shape)}; allowed are floats, {len(mixing)} images x channels x height"
            " x width: mix them after they are normalised"
        )
    opacity = sent(mixing.opacity, images.device).to(images.dtype).view(-1, 1, 1, 1)
    own = torch.where(_inside(mixing.window, images), torch.zeros_like(opacity), opacity)
    partners = images[sent(mixing.partner, images.device)]
    return images * own + partners * (1 - own)


def mix_labels(labels: Tensor, classes: int, mixing: Mixing) -> Tensor:
    """The share of every class in every image's label, float32 (images, classes); `labels` are whole, 0 to `classes` - 1.

    BadInput for other labels (on a CPU; elsewhere torch's own error).
    """
    if labels.dtype != torch.int64 or labels.shape != (len(mixing),):
        raise BadInput(f"labels: {labels.dtype} of shape {tuple(labels.shape)}; allowed are {len(mixing)} of torch.int64")
    # On a GPU to look at the labels is to wait for all that goes before.
    if len(labels) and labels.device.type == "cpu" and not (int(labels.min()) >= 0 and int(labels.max()) < classes):
        raise BadInput(f"labels: {int(labels.min())} to {int(labels.max())}; allowed are 0 to {classes - 1}")
    own = torch.nn.functional.one_hot(labels, classes).to(torch.float32)
    share = sent(mixing.share, labels.device).to(own.dtype).view(-1, 1)
    mixed: Tensor = own * share + own[sent(mixing.partner, labels.device)] * (1 - share)
    return mixed


def _cutmix_chance(batch: Batch) -> float:
    return 0.5 if batch.mixup_alpha > 0 and batch.cutmix_alpha > 0 else float(batch.cutmix_alpha > 0)


def _windows(shares: Shares, sides: tuple[int, int], middles: np.ndarray) -> Windows:
    """CutMix's windows: of 1 - share of the area before they are cut at the edges, their middle on any pixel."""
    side = np.array([sides[1], sides[0]])
    pixels = np.floor(side * np.sqrt(1 - shares)[:, None]).astype(np.int64)
    first = np.floor(middles * side).astype(np.int64) - pixels // 2
    ends: Windows = np.concatenate([np.clip(first, 0, side), np.clip(first + pixels, 0, side)], axis=1)
    return ends


def _inside(window: Windows, images: Pixels) -> Tensor:
    """Which pixels lie in each image's window, bool (images, 1, height, width)."""
    left, upper, right, lower = sent(window, images.device).T.reshape(4, -1, 1, 1)
    rows = torch.arange(images.shape[2], device=images.device).view(1, -1, 1)
    columns = torch.arange(images.shape[3], device=images.device).view(1, 1, -1)
    inside: Tensor = ((columns >= left) & (columns < right) & (rows >= upper) & (rows < lower)).unsqueeze(1)
    return inside
