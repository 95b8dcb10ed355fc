"""What the ops of texture are beyond their contract: noise is normal and nowhere the same, blur keeps light, JPEG loses some."""

import math
from statistics import NormalDist

import numpy as np
import pytest
import torch
from telling import as_tensor, noise

from searchspaces.arrays import ImageBatch
from searchspaces.draw import draw
from searchspaces.engines import apply
from searchspaces.errors import BadInput
from searchspaces.ops import find_op
from searchspaces.ops.op import Setting
from searchspaces.policy import Base, Branch, Choice, Constant, Policy, Step

GREY = torch.full((1, 3, 200, 200), 128, dtype=torch.uint8)


def noisy(images: ImageBatch, sigma: float, seeds: list[int]) -> ImageBatch:
    return find_op("gaussian_noise").kernel(images, as_tensor([(sigma,)] * len(images)), Setting(seeds=torch.tensor(seeds)))


def changes(sigma: float, seed: int) -> np.ndarray:
    return noisy(GREY, sigma, [seed]).flatten().numpy().astype(float) - 128


@pytest.mark.parametrize("sigma", [2.0, 20.0, 40.0])
def test_noise_is_normal_about_zero(sigma: float) -> None:
    """Kolmogorov-Smirnov over the levels of 120,000 places: 0.0065 is passed by chance once in 10,000 (but the seed is fixed)."""
    found = changes(sigma, 5)
    cells = np.arange(-120, 121)
    shares = np.searchsorted(np.sort(found), cells, side="right") / len(found)
    expected = [NormalDist(0, sigma).cdf(level + 0.5) for level in cells]
    assert abs(shares - expected).max() < 0.0065
    assert abs(found.mean()) < 4.5 * sigma / math.sqrt(len(found))


def test_noise_of_one_place_tells_nothing_about_the_next() -> None:
    plane = changes(20, 9).reshape(3, 200, 200)
    pairs = [
        (plane[:, :, :-1], plane[:, :, 1:]),
        (plane[:, :-1], plane[:, 1:]),
        (plane[:-1], plane[1:]),
        (plane[:, :, :-4], plane[:, :, 4:]),
    ]
    pairs += [(plane, changes(20, seed).reshape(plane.shape)) for seed in (8, 10, 9 + 2**32)]
    for one, other in pairs:
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 4.5 / math.sqrt(one.size)


def test_noise_without_seeds_is_refused() -> None:
    with pytest.raises(BadInput, match=r"^op gaussian_noise: its seeds are missing; draw the plan anew"):
        find_op("gaussian_noise").kernel(GREY, as_tensor([(1.0,)]), Setting())


def test_every_image_and_every_step_of_a_plan_has_noise_of_its_own() -> None:
    step = Step((Choice("gaussian_noise", (Constant(20.0),)),))
    images = GREY[:, :, :9, :9].expand(4, -1, -1, -1)
    once, twice = (Policy(Base(None, 0.0), (Branch((step,) * steps),)) for steps in (1, 2))
    found = [apply(images, draw(policy, (4, 3, 9, 9), np.random.default_rng(0))) for policy in (once, twice)]
    assert len({bytes(image.numpy()) for batch in found for image in batch}) == 8
    assert found[0].double().std() < found[1].double().std() * 0.8


def test_a_blurred_point_is_the_normal_curve() -> None:
    image = torch.zeros(1, 1, 41, 41, dtype=torch.uint8)
    image[..., 20, 20] = 255
    found = find_op("gaussian_blur").kernel(image, as_tensor([(1.5,)]), Setting())[0, 0].numpy()
    places = np.arange(41) - 20.0
    curve = np.where(abs(places) <= 5, np.exp(-(places**2) / 4.5), 0)
    curve /= curve.sum()
    assert np.array_equal(found, np.outer(curve * 255, curve).round().astype(np.uint8))


@pytest.mark.parametrize("sigma", [0.3, 1.0, 4.0, 10.0])
def test_blur_leaves_an_even_image_and_the_mean_of_any(sigma: float) -> None:
    images = torch.cat([torch.full((1, 3, 64, 64), 201, dtype=torch.uint8), noise(1, (3, 64, 64))])
    found = find_op("gaussian_blur").kernel(images, as_tensor([(sigma,)] * 2), Setting())
    assert torch.equal(found[0], images[0])
    assert abs(found[1].double().mean() - images[1].double().mean()) < 2
    assert found[1].double().std() < images[1].double().std()


def test_jpeg_loses_more_with_less_quality() -> None:
    image = (torch.arange(64).view(1, 1, 1, -1) * 3 + torch.arange(64).view(1, 1, -1, 1)).expand(1, 3, 64, 64).to(torch.uint8)
    image = (image // 2 + noise(1, (3, 64, 64)) // 8).to(torch.uint8)
    qualities = (5, 30, 75, 99, 100)
    found = find_op("jpeg").kernel(image.expand(5, -1, -1, -1), as_tensor([(quality,) for quality in qualities]), Setting())
    lost = (found.double() - image.double()).abs().mean((1, 2, 3)).tolist()
    assert lost == sorted(lost, reverse=True)
    assert lost[-1] == 0 < lost[-2]
