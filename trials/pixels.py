"""The way from a split's uint8 images to what a net sees: picked by row, augmented, normalised, on the recipe's device.

Holds no randomness and changes no stored image. On the CPU images stay where they are mapped; a GPU gets them all once where
they fit beside the net, else those of each block as they are needed, and no result depends on which. Random resized crops are
taken from the whole images where such are kept, on the CPU: a GPU then gets each batch cropped (`frames`).
"""

import math
import os
from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from searchspaces.arrays import ImageBatch, Images
from searchspaces.engines import apply, apply_normalised
from searchspaces.plan import Plan
from searchspaces.sending import sent
from trials.data.joined import JoinedImages
from trials.data.whole import WholeImages
from trials.frames import framed
from trials.values import Recipe

MOST_THREADS = 8  # that crop for a GPU; on a CPU a trial has one
BLOCK_IMAGES = 8192  # augmented at once on a GPU: an op's overhead is then shared by many
BLOCK_BYTES = 2**25  # and at most so many, but for one batch: an op's working arrays are some twenty times as large
STORE_SHARE = 0.5
"""Images are put into a GPU's memory where they take at most this share of what is free: the rest is for the net, its activations
and the trials beside."""


class ImageStore:
    """The images of a split, uint8 (images, channels, height, width), ready to be picked from.

    `whole` are the same images uncut, for plans that crop them.
    """

    def __init__(self, images: Images, device: str, whole: WholeImages | None = None) -> None:
        self._images: Images | JoinedImages = images
        self._whole = whole
        self._device = torch.device(device)
        self._room: Tensor | None = None
        size_bytes = math.prod(images.shape)
        kept = self._is_gpu and fits(size_bytes, free_bytes(self._device))
        self._on_device = torch.from_numpy(np.array(images)).to(device) if kept else None

    @property
    def is_on_gpu(self) -> bool:
        """Whether the images lie in a GPU's memory, all of them."""
        return self._on_device is not None

    @property
    def _is_gpu(self) -> bool:
        return self._device.type != "cpu"

    def take(self, index: np.ndarray) -> ImageBatch:
        """A copy of the images at `index`, in its order, on the device."""
        if self._on_device is None:
            return sent(np.asarray(self._images[index]), self._device)
        return self._on_device.index_select(0, sent(index, self._device))

    @property
    def block_images(self) -> int:
        """How many images are best augmented at once: on a GPU enough to share an op's overhead, on a CPU a batch."""
        return block_images(math.prod(self._images.shape[1:])) if self._is_gpu else 0

    def augmented(self, batches: Sequence[np.ndarray], plan: Plan, normaliser: "Normaliser", ran: set[str]) -> Iterable[Tensor]:
        """For each index in `batches` its images, augmented by their rows of the plan (in image order) and normalised.

        On a CPU all of that is one pass over each image, and what comes back is written over by the next call. The names of the
        engines that augmented are added to `ran`. A plan with a `whole_step` is for a store that has whole images.
        """
        if not self._is_gpu:
            sizes = [len(batch) for batch in batches]
            rooms = torch.split(self._room_for(sum(sizes), normaliser), sizes) if plan.resolution == 1 else [None] * len(sizes)
            given = zip(batches, rooms, strict=True)
            return [normaliser.augmented(*self._given(index, plan.rows(index), ran), room, ran) for index, room in given]
        return self.together(batches, plan, normaliser, ran)

    def together(self, batches: Sequence[np.ndarray], plan: Plan, normaliser: "Normaliser", ran: set[str]) -> Iterable[Tensor]:
        """`augmented`, the way of a GPU: all the batches at once."""
        index = np.concatenate(batches)
        rows = plan.rows(index)
        if rows.whole_step is None:
            levels = apply(self.take(index), rows, ran=ran)
        else:
            crops = self._framed(index, rows, ran, min(MOST_THREADS, os.cpu_count() or 1))
            levels = apply(sent(crops.numpy(), self._device), rows.after_whole(), ran=ran)
        return map(normaliser, torch.split(levels, [len(batch) for batch in batches]))

    def _given(self, index: np.ndarray, plan: Plan, ran: set[str]) -> tuple[Images, np.ndarray, Plan]:
        """An array, where the images at `index` are in it, and what is to be done to them there."""
        if plan.whole_step is None:
            return *self._picked_from(index), plan
        return self._framed(index, plan, ran, 1).numpy(), np.arange(len(index)), plan.after_whole()

    def _framed(self, index: np.ndarray, plan: Plan, ran: set[str], threads: int) -> ImageBatch:
        assert self._whole is not None, "the plan was drawn for whole images"
        height, width = self._images.shape[2:]
        return framed(self._whole, index, plan, (height, width), ran, threads)

    def _picked_from(self, index: np.ndarray) -> tuple[Images, np.ndarray]:
        """An array and where the images at `index` are in it: joined ones are gathered first, for kernels know arrays alone."""
        if isinstance(self._images, JoinedImages):
            return self._images[index], np.arange(len(index))
        return self._images, index

    def _room_for(self, images: int, normaliser: "Normaliser") -> Tensor:
        """Room for so many normalised images, always the same: new room from the system takes longer than writing it."""
        if self._room is None or len(self._room) < images:
            self._room = normaliser.room(images, self._images.shape[1:])
        return self._room[:images]


def fits(size_bytes: int, free_bytes: int) -> bool:
    """Whether images of so many bytes are to be put into a device's memory of which so many are free."""
    return size_bytes <= STORE_SHARE * free_bytes


def block_images(image_bytes: int) -> int:
    """How many images of so many bytes a GPU augments at once."""
    return max(1, min(BLOCK_IMAGES, BLOCK_BYTES // max(1, image_bytes)))


def free_bytes(device: torch.device) -> int:
    """What a GPU has free, with what this process has taken and does not use."""
    unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(torch.cuda.mem_get_info(device)[0]) + unused


class Normaliser:
    """Maps uint8 images to float32 ones with the training part's mean 0 and deviation 1 per channel.

    `mean` and `std` (above 0) are per channel, of pixels / 255.
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float], recipe: Recipe) -> None:
        self._mean = (255 * torch.tensor(mean, dtype=torch.float32, device=recipe.device)).view(1, -1, 1, 1)
        self._scale = (1 / (255 * torch.tensor(std, dtype=torch.float32, device=recipe.device))).view(1, -1, 1, 1)
        self._memory_format = torch.channels_last if recipe.channels_last else torch.contiguous_format

    def __call__(self, images: ImageBatch) -> Tensor:
        """Float32 images of the same shape, in the recipe's memory format."""
        return images.to(torch.float32, memory_format=self._memory_format).sub_(self._mean).mul_(self._scale)

    def room(self, images: int, shape: tuple[int, ...]) -> Tensor:
        """What `augmented` can write so many images of a shape (channels, height, width) to."""
        return torch.empty((images, *shape), dtype=torch.float32, memory_format=self._memory_format)

    def augmented(self, images: Images, index: np.ndarray, plan: Plan, room: Tensor | None, ran: set[str]) -> Tensor:
        """What this makes of `images[index]`, augmented as `plan` says, a row for each, in `room` if given; for the CPU only."""
        mean, scale = self._mean.flatten().numpy(), self._scale.flatten().numpy()
        channels_last = self._memory_format == torch.channels_last
        return apply_normalised(images, index, plan, mean, scale, channels_last, out=room, ran=ran)
