"""Crops out of whole images: torchvision's to the level, drawn for each image's own size, and all of a photo can be in one."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as tv

from searchspaces.draw import draw
from searchspaces.engines import apply
from searchspaces.policy import Base, Batch, Branch, Choice, Constant, PadCrop, Policy, ResizedCrop, Step
from trials.data.whole import WholeArrays, WholeImages
from trials.frames import cut, framed
from trials.pixels import ImageStore, Normaliser
from trials.values import Recipe

SIDES = ((30, 90), (64, 48), (100, 60), (17, 23), (60, 61), (41, 40))
CROPPED = Base(crop=ResizedCrop(), hflip=0.5, interpolation="bilinear")
TURNED = Branch((Step((Choice("rotate", (Constant(20.0, signed=True),)),)), Step((Choice("posterize", (Constant(3.0),)),))))


def whole_images(sides: tuple[tuple[int, int], ...] = SIDES, channels: int = 3) -> WholeImages:
    generator = np.random.default_rng(1)
    levels = [generator.integers(0, 256, height * width * channels, dtype=np.uint8) for height, width in sides]
    offsets = np.cumsum([0, *map(len, levels)])
    sizes = np.array([(*pair, 0) for pair in sides], np.int32)
    return WholeImages([WholeArrays(np.concatenate(levels), offsets, sizes)], {"channels": channels, "short_side": 40})


def levels_of(images: WholeImages, number: int) -> torch.Tensor:
    return torch.from_numpy(np.array(images.image(number))).permute(2, 0, 1)[None].contiguous()


@given(
    height=st.integers(1, 90), width=st.integers(1, 90), size=st.integers(8, 64), channels=st.sampled_from([1, 3]), data=st.data()
)
def test_a_crop_is_torchvisions(height: int, width: int, size: int, channels: int, data: st.DataObject) -> None:
    rows, columns = data.draw(st.integers(1, height)), data.draw(st.integers(1, width))
    top, left = data.draw(st.integers(0, height - rows)), data.draw(st.integers(0, width - columns))
    image = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (1, channels, height, width), dtype=np.uint8))
    fractions = np.array([columns / width, rows / height, left / width, top / height])
    for name, mode in (("bilinear", InterpolationMode.BILINEAR), ("nearest", InterpolationMode.NEAREST_EXACT)):
        found = cut(image, fractions, (size, size), name)
        expected = tv.resized_crop(image, top, left, rows, columns, [size, size], mode, antialias=True)
        off = (found.int() - expected.int()).abs().max()
        assert off <= 1, "torchvision may resize in floats where the processor has no AVX2: then a level may differ"


def test_every_image_has_its_own_draw_for_its_own_size_and_the_same_again() -> None:
    images, policy = whole_images(), Policy(CROPPED, (TURNED,))
    plan = draw(policy, (6, 3, 32, 32), np.random.default_rng(5), images.sides)
    again = draw(policy, (6, 3, 32, 32), np.random.default_rng(5), images.sides)
    assert (plan.values == again.values).all()
    assert plan.whole_step == 0
    windows = plan.values[:, 0, :4] * images.sides[:, [1, 0, 1, 0]]
    assert np.allclose(windows, np.rint(windows), atol=1e-9), "whole pixels of each image, as torchvision draws them"
    assert len(np.unique(plan.values[:, 0, 0])) > 1
    square = draw(policy, (6, 3, 32, 32), np.random.default_rng(5))
    assert (plan.codes[:, 1:] == square.codes[:, 1:]).all(), "flips and branches are what they are without whole images"
    assert (plan.values[:, 1:] == square.values[:, 1:]).all()


@pytest.mark.parametrize("crop", [None, PadCrop(0.125)])
def test_without_a_resized_crop_whole_images_change_nothing(crop: PadCrop | None) -> None:
    policy = Policy(Base(crop=crop, hflip=0.5), (TURNED,))
    one, other = (draw(policy, (6, 3, 32, 32), np.random.default_rng(5), sides) for sides in (None, whole_images().sides))
    assert one.whole_step is other.whole_step is None
    assert (one.codes == other.codes).all()
    assert (one.values == other.values).all()


def test_the_share_of_the_edges_that_is_seen_is_that_of_the_photo() -> None:
    """A wide photo's outer columns: a crop of its centre crop never has one, a crop of the photo often does."""
    policy, generator = Policy(CROPPED), np.random.default_rng(2)
    sides = np.tile([[40, 120]], (2000, 1))
    plan = draw(policy, (2000, 3, 32, 32), generator, sides)
    crops = np.where(plan.codes[:, :1] == 0, (1.0, 1.0, 0.0, 0.0), plan.values[:, 0, :4])
    wide, tall, x, _ = crops.T
    outside = (x < 1 / 3) | (x + wide > 2 / 3)
    assert outside.mean() > 0.8
    assert (x >= 0).all() and (x + wide <= 1 + 1e-9).all()
    aspects = wide * 120 / (tall * 40)
    assert 0.7 < aspects.min() < aspects.max() < 1.4


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("placement", ["after-crop", "before-crop"])
def test_what_is_done_before_the_crop_is_done_to_the_whole_image(placement: str, threads: int) -> None:
    images = whole_images()
    policy = Policy(CROPPED, (TURNED,), placement=placement, batch=Batch(cutout=0.3))  # type: ignore[arg-type]
    plan = draw(policy, (6, 3, 24, 24), np.random.default_rng(7), images.sides)
    index, ran = np.array([4, 0, 2, 5]), set[str]()
    found = apply(framed(images, index, plan.rows(index), (24, 24), ran, threads), plan.rows(index).after_whole())
    step = plan.whole_step
    assert step == (0 if placement == "after-crop" else 2)
    for place, number in enumerate(index):
        row = plan.rows(slice(number, number + 1))
        whole = levels_of(images, number)
        before = replace(
            row, codes=np.where(np.arange(row.codes.shape[1]) < step, row.codes, 0).astype(np.int16), whole_step=None
        )
        after = replace(row, codes=np.where(np.arange(row.codes.shape[1]) > step, row.codes, 0).astype(np.int16), whole_step=None)
        wide, tall, x, y = row.values[0, step, :4] * images.sides[number][[1, 0, 1, 0]]
        corner = [round(v) for v in (y, x, tall, wide)]
        assert row.codes[0, step] != 0
        crop = tv.resized_crop(apply(whole, before), *corner, [24, 24], antialias=True)
        expected = apply(crop, after)
        assert (expected.int() - found[place : place + 1].int()).abs().float().mean() < 0.5


def test_a_crop_that_does_nothing_shows_the_whole_image() -> None:
    images = whole_images(((40, 60),) * 3)
    policy = Policy(Base(crop=ResizedCrop(1.0, 1.0, 1.5, 1.5), interpolation="bilinear"))
    plan = draw(policy, (3, 3, 24, 24), np.random.default_rng(0), images.sides)
    assert (plan.codes == 0).all()
    found = framed(images, np.arange(3), plan, (24, 24), set())
    expected = tv.resize(levels_of(images, 1), [24, 24], antialias=True)
    assert (found[1].int() - expected[0].int()).abs().max() <= 1


@pytest.mark.parametrize("resolution", [1.0, 0.5])
@pytest.mark.parametrize("channels_last", [True, False])
def test_a_store_gives_batches_of_crops_normalised(resolution: float, channels_last: bool) -> None:
    images = whole_images()
    cuts = np.zeros((6, 3, 24, 24), np.uint8)
    recipe = Recipe(channels_last=channels_last)
    normaliser = Normaliser([0.4, 0.5, 0.6], [0.2, 0.25, 0.3], recipe)
    store, ran = ImageStore(cuts, "cpu", images), set[str]()
    policy = Policy(replace(CROPPED, resolution=resolution), (TURNED,))
    plan = draw(policy, cuts.shape, np.random.default_rng(3), images.sides)
    batches = [np.array([1, 5]), np.array([0, 2, 3, 4])]
    found = [batch.clone() for batch in store.augmented(batches, plan, normaliser, ran)]
    for index, batch in zip(batches, found, strict=True):
        rows = plan.rows(index)
        expected = normaliser(apply(framed(images, index, rows, (24, 24), set()), rows.after_whole()))
        assert torch.equal(batch, expected)
    assert ran


@pytest.mark.gpu
def test_a_gpu_gets_the_same_crops() -> None:
    images, cuts = whole_images(), np.zeros((6, 3, 24, 24), np.uint8)
    plan = draw(Policy(CROPPED), cuts.shape, np.random.default_rng(3), images.sides)
    batches = [np.array([1, 5]), np.array([0, 2, 3, 4])]
    found = [
        [
            batch.cpu().clone()
            for batch in ImageStore(cuts, device, images).augmented(
                batches, plan, Normaliser([0.5] * 3, [0.25] * 3, Recipe(device=device)), set()
            )
        ]
        for device in ("cpu", "cuda")
    ]
    for one, other in zip(*found, strict=True):
        assert torch.allclose(one, other, atol=1e-5)
