"""What an image looks like, in 128 numbers, and how well the details of two images agree. Nothing in it is learned.

A descriptor is a perceptual hash that is not cut to bits: which way edges run, and roughly where (eight directions in overlapping
windows of a 32 x 32 thumbnail, the lowest 4 x 4 cosine terms of each direction's map). Brightness, contrast, small shifts and
compression hardly change it. Images without edges have the descriptor 0 and are like nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from searchspaces.arrays import Images

SIDE = 32
_DIRECTIONS, _WINDOW, _STEP, _TERMS = 8, 8, 4, 4
_BLUR = 9
_SHIFT = 4
_OTHER_SCALES = (0.9, 1.11)
_HOPELESS, _CERTAIN = 0.3, 0.9  # other scales are tried between these
_CROP = 24
_PAIRS_AT_ONCE = 512
_LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class Described:
    """A set of images: thumbnails (uint8, images x channels x 32 x 32), descriptors of them and of their mirror images."""

    thumbnails: Tensor
    plain: Tensor
    mirrored: Tensor

    def __len__(self) -> int:
        return len(self.thumbnails)


def together(sets: Sequence[Images]) -> Described:
    """Some sets of images of one shape, one after the other."""
    every = [described(images) for images in sets]
    return Described(*(torch.cat([getattr(some, part) for some in every]) for part in ("thumbnails", "plain", "mirrored")))


def described(images: Images) -> Described:
    """Descriptors of images of any size."""
    thumbnails, plain = [torch.empty(0, images.shape[1], SIDE, SIDE, dtype=torch.uint8)], list[Tensor]()
    for start in range(0, len(images), 1024):
        small = _thumbnails(torch.from_numpy(np.array(images[start : start + 1024])))
        thumbnails.append(small)
        plain.append(_descriptors(small.float()))
    together = torch.cat([torch.empty(0, _DIRECTIONS * _TERMS**2), *plain])
    return Described(torch.cat(thumbnails), together, _of_mirror_images(together))


def _of_mirror_images(descriptors: Tensor) -> Tensor:
    """The descriptors that the mirror images have: directions change places, and every other cosine term across its sign."""
    terms = descriptors.view(-1, _DIRECTIONS, _TERMS, _TERMS)
    places = (_DIRECTIONS // 2 - torch.arange(_DIRECTIONS)) % _DIRECTIONS
    return (terms[:, places] * (-1.0) ** torch.arange(_TERMS)).flatten(1)


def _thumbnails(images: Tensor) -> Tensor:
    if images.shape[2:] == (SIDE, SIDE):
        return images
    small = functional.interpolate(images.float(), size=(SIDE, SIDE), mode="bilinear", antialias=True, align_corners=False)
    return small.round_().clamp_(0, 255).to(torch.uint8)


def _descriptors(images: Tensor) -> Tensor:
    """Unit vectors (or 0) of float images."""
    luma = torch.tensor(_LUMA).view(1, 3, 1, 1)
    grey = (images * luma).sum(1, keepdim=True) if images.shape[1] == 3 else images.mean(1, keepdim=True)
    windows = functional.avg_pool2d(_edges(grey), _WINDOW, _STEP).sqrt_()
    windows -= windows.mean(dim=(1, 2, 3), keepdim=True)
    cosines = _cosines(windows.shape[2])
    terms = torch.einsum("nbhw,kh,lw->nbkl", windows, cosines, cosines).flatten(1)
    lengths: Tensor = terms.norm(dim=1, keepdim=True).clamp_min(1e-3)
    return terms / lengths


def _edges(grey: Tensor) -> Tensor:
    """How strong the edges of each direction are at each pixel, (images, directions, height, width)."""
    padded = functional.pad(grey, (1, 1, 1, 1), mode="replicate")
    across = padded[:, :, 1:-1, 2:] - padded[:, :, 1:-1, :-2]
    down = padded[:, :, 2:, 1:-1] - padded[:, :, :-2, 1:-1]
    strength = torch.hypot(across, down)
    place = torch.atan2(down, across).remainder_(2 * torch.pi).mul_(_DIRECTIONS / (2 * torch.pi))
    low = place.floor()
    share = place - low
    maps = torch.zeros(len(grey), _DIRECTIONS, *grey.shape[2:])
    maps.scatter_add_(1, low.long() % _DIRECTIONS, strength * (1 - share))
    maps.scatter_add_(1, (low.long() + 1) % _DIRECTIONS, strength * share)
    return maps


def _cosines(length: int) -> Tensor:
    places, terms = torch.arange(length) + 0.5, torch.arange(_TERMS)
    rows = torch.cos(torch.pi * terms[:, None] * places[None, :] / length)
    rows[0] *= 0.5**0.5
    return rows


def detail_likeness(images: Described, one: Tensor, other: Tensor, mirrored: Tensor) -> Tensor:
    """For each pair (rows `one` and `other`, the one mirrored or not) the best correlation of their details,
    -1 to 1, over shifts of up to 4 pixels of 32 and over scales.
    """
    found = [torch.empty(0)]
    for start in range(0, len(one), _PAIRS_AT_ONCE):
        now = slice(start, start + _PAIRS_AT_ONCE)
        left = images.thumbnails[one[now]].float()
        right = images.thumbnails[other[now]].float()
        right = torch.where(mirrored[now].view(-1, 1, 1, 1), right.flip(3), right)
        found.append(_best_correlation(_details(right), _details(left)))
    return torch.cat(found)


def _details(images: Tensor) -> Tensor:
    edge = _BLUR // 2
    padded = functional.pad(images, (edge,) * 4, mode="reflect")
    return images - functional.avg_pool2d(functional.avg_pool2d(padded, (_BLUR, 1), 1), (1, _BLUR), 1)


def _best_correlation(moved: Tensor, still: Tensor) -> Tensor:
    sums = functional.pad(torch.stack([still.sum(1), (still**2).sum(1)]), (1, 0, 1, 0)).cumsum(2).cumsum(3)
    best = _correlations(moved, still, sums)
    doubtful = ((best > _HOPELESS) & (best < _CERTAIN)).nonzero()[:, 0]
    for scale in _OTHER_SCALES if len(doubtful) else ():
        side = round(SIDE * scale)
        scaled = functional.interpolate(moved[doubtful], size=(side, side), mode="bilinear", antialias=True, align_corners=False)
        best[doubtful] = torch.maximum(best[doubtful], _correlations(scaled, still[doubtful], sums[:, doubtful]))
    return best


def _correlations(moved: Tensor, still: Tensor, sums: Tensor) -> Tensor:
    """The best correlation of the middle of each moved image with its still one, wherever it lies within `_SHIFT` of the middle.

    sums: of the still images and of their squares, over all pixels above and left (2, images, 33, 33).
    """
    side = moved.shape[2]
    crop = min(_CROP, side - 2 * _SHIFT)
    corner = (side - crop) // 2
    template = moved[:, :, corner : corner + crop, corner : corner + crop]
    template = template - template.mean(dim=(1, 2, 3), keepdim=True)
    middle = (SIDE - crop) // 2
    low = max(0, middle - _SHIFT)
    count = middle + _SHIFT + 1 - low
    part = still[:, :, low : low + crop + count - 1, low : low + crop + count - 1]
    products = functional.conv2d(part.reshape(1, -1, *part.shape[2:]), template, groups=len(template))[0]
    near, far = slice(low, low + count), slice(low + crop, low + crop + count)
    total, squares = sums[:, :, far, far] - sums[:, :, near, far] - sums[:, :, far, near] + sums[:, :, near, near]
    deviation = (squares - total**2 / template[0].numel()).clamp_min(0).sqrt()
    lengths: Tensor = template.flatten(1).norm(dim=1).view(-1, 1, 1)
    best: Tensor = (products / (lengths * deviation).clamp_min(1.0)).flatten(1).amax(1)
    return best
