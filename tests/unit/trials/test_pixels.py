"""From stored uint8 images to the net's input: picked in order, normalised, never written through."""

import dataclasses

import numpy as np
import pytest
import torch

from searchspaces.draw import draw
from searchspaces.engines import FUSED, apply
from searchspaces.families.fixed import baselines
from searchspaces.policy import Base
from trials.pixels import BLOCK_BYTES, BLOCK_IMAGES, ImageStore, Normaliser, block_images, fits
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


@pytest.mark.parametrize("channels_last", [True, False])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("resolution", [1.0, 0.6])
def test_augmented_batches_are_what_taking_applying_and_normalising_give_to_the_bit(
    channels: int, channels_last: bool, resolution: float
) -> None:
    recipe = dataclasses.replace(RECIPE, channels_last=channels_last)
    images = np.random.default_rng(1).integers(0, 256, (20, channels, 14, 9), dtype=np.uint8)
    images.flags.writeable = False  # as a mapped file is
    store, normaliser = ImageStore(images, "cpu"), Normaliser([0.43] * channels, [0.21] * channels, recipe)
    plan = draw(baselines(channels, Base(hflip=0.5))["trivialaugment-wide"], images.shape, np.random.default_rng(2))
    plan = dataclasses.replace(plan, resolution=resolution)
    batches, ran = [np.array([7, 2, 2, 19]), np.array([0])], set[str]()
    found = list(store.augmented(batches, plan, normaliser, ran))
    assert FUSED in ran
    for index, batch in zip(batches, found, strict=True):
        wanted = normaliser(apply(store.take(index), plan.rows(index)))
        assert torch.equal(batch, wanted)
        assert batch.stride() == wanted.stride()


def test_images_go_to_a_gpu_where_half_of_what_is_free_is_left() -> None:
    assert fits(0, 0) and fits(40, 80)
    assert not fits(41, 80) and not fits(1, 0)


def test_blocks_of_a_gpu_have_many_small_images_or_few_large_ones() -> None:
    assert block_images(3 * 32 * 32) == BLOCK_IMAGES
    assert block_images(3 * 224 * 224) == BLOCK_BYTES // (3 * 224 * 224) < 300
    assert block_images(2 * BLOCK_BYTES) == 1


@pytest.mark.parametrize("resolution", [1.0, 0.6])
def test_the_way_of_a_gpu_gives_what_that_of_a_cpu_does(resolution: float) -> None:
    """From the host, as where the images don't fit; the device is this CPU."""
    images = np.random.default_rng(1).integers(0, 256, (20, 3, 14, 9), dtype=np.uint8)
    images.flags.writeable = False
    store, normaliser = ImageStore(images, "cpu"), Normaliser([0.43] * 3, [0.21] * 3, RECIPE)
    plan = draw(baselines(3, Base(hflip=0.5))["trivialaugment-wide"], images.shape, np.random.default_rng(2))
    plan = dataclasses.replace(plan, resolution=resolution)
    batches = [np.array([7, 2, 2, 19]), np.array([0])]
    there, here = (list(way(batches, plan, normaliser, set())) for way in (store.together, store.augmented))
    assert all(torch.equal(one, other) for one, other in zip(there, here, strict=True))
    assert not store.is_on_gpu
