"""From stored uint8 images to the net's input: picked in order, normalised, never written through."""

import dataclasses

import numpy as np
import pytest
import torch

from trials.pixels import ImageStore, Normaliser
from trials.values import Recipe

RECIPE = Recipe()
IMAGES = np.random.default_rng(0).integers(0, 256, (20, 3, 6, 5), dtype=np.uint8)


def test_images_come_in_the_order_asked_for_and_are_copies() -> None:
    index = np.array([7, 2, 2])
    taken = ImageStore(IMAGES, "cpu").take(index)
    assert np.array_equal(taken.numpy(), IMAGES[index])
    taken.zero_()
    assert IMAGES[index].any()


def test_normalised_images_have_mean_0_and_deviation_1_in_each_channel() -> None:
    pixels = IMAGES / 255
    mean, std = pixels.mean(axis=(0, 2, 3)).tolist(), pixels.std(axis=(0, 2, 3)).tolist()
    seen = Normaliser(mean, std, RECIPE)(torch.from_numpy(IMAGES))
    assert seen.mean(dim=(0, 2, 3)).tolist() == pytest.approx([0, 0, 0], abs=1e-5)
    assert seen.std(dim=(0, 2, 3), correction=0).tolist() == pytest.approx([1, 1, 1], abs=1e-5)


@pytest.mark.parametrize("channels_last", [True, False])
def test_the_recipe_says_how_images_lie_in_memory(channels_last: bool) -> None:
    recipe = dataclasses.replace(RECIPE, channels_last=channels_last)
    seen = Normaliser([0.5] * 3, [0.2] * 3, recipe)(torch.from_numpy(IMAGES))
    assert seen.is_contiguous(memory_format=torch.channels_last) == channels_last
    assert seen.is_contiguous() != channels_last


def test_normalising_leaves_the_images_as_they_are() -> None:
    images = torch.from_numpy(IMAGES.copy())
    Normaliser([0.5] * 3, [0.2] * 3, RECIPE)(images)
    assert np.array_equal(images.numpy(), IMAGES)
