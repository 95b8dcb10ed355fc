"""Mixup and CutMix: what is drawn how often, and what becomes of pixels and labels."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from searchspaces.errors import BadInput
from searchspaces.mixing import Mixing, draw_mixing, mix_images, mix_labels
from searchspaces.policy import Batch

MIXUP, CUTMIX, BOTH = Batch(mixup_alpha=0.4), Batch(cutmix_alpha=1.0), Batch(0.4, 1.0)
MANY = 20_000


def drawn(batch: Batch, images: int = MANY, sides: tuple[int, int] = (32, 32), seed: int = 0) -> Mixing:
    return draw_mixing(batch, images, sides, np.random.default_rng(seed))


def noise(images: int, height: int = 12, width: int = 20) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(1).normal(size=(images, 3, height, width)).astype(np.float32))


def assert_beta(shares: np.ndarray, alpha: float) -> None:
    """Kolmogorov-Smirnov against a large sample of Beta(alpha, alpha); the seeds are fixed. By chance: once in a million."""
    expected = np.sort(np.random.default_rng(99).beta(alpha, alpha, 400_000))
    ends = np.searchsorted(expected, np.sort(shares), side="right") / len(expected)
    assert np.abs(ends - np.arange(1, len(shares) + 1) / len(shares)).max() < math.sqrt(
        math.log(2e6) / 2 * (1 / len(shares) + 1 / 4e5)
    )


@given(st.integers(0, 40), st.sampled_from([MIXUP, CUTMIX, BOTH]), st.integers(1, 50), st.integers(1, 50), st.integers(0, 999))
def test_every_image_has_a_partner_and_a_share_of_its_own(images: int, batch: Batch, height: int, width: int, seed: int) -> None:
    mixing = drawn(batch, images, (height, width), seed)
    assert sorted(mixing.partner) == list(range(images))
    assert images < 2 or (mixing.partner != np.arange(images)).all()
    assert ((mixing.share >= 0) & (mixing.share <= 1) & (mixing.opacity >= 0) & (mixing.opacity <= 1)).all()
    assert (mixing.window >= 0).all()
    assert (mixing.window[:, :2] <= mixing.window[:, 2:]).all()
    assert (mixing.window[:, 2] <= width).all() and (mixing.window[:, 3] <= height).all()


def test_shares_are_drawn_from_their_beta_for_each_image() -> None:
    mixing = drawn(MIXUP)
    assert_beta(mixing.share, 0.4)
    assert np.array_equal(mixing.share, mixing.opacity)
    assert (mixing.window == 0).all()
    assert len(np.unique(mixing.share)) > 0.99 * MANY
    assert not np.array_equal(drawn(MIXUP, seed=1).share, mixing.share)


def test_windows_take_what_their_share_leaves() -> None:
    """Of a Beta(1, 1) share: the window's sides are those of 1 - share before the edges cut it, and its middle is anywhere."""
    mixing = drawn(CUTMIX, sides=(1000, 1000))
    left, upper, right, lower = mixing.window.T
    inside = (left > 0) & (upper > 0) & (right < 1000) & (lower < 1000)
    assert (right - left == lower - upper)[inside].all()
    assert np.allclose(mixing.share, 1 - (right - left) * (lower - upper) / 1e6)
    # Of a side r in 0 to 1 with its middle anywhere, r - r^2 / 4 lies in the image; here r^2 is uniform, on both axes the same.
    assert abs((1 - mixing.share).mean() - (1 / 2 - 1 / 5 + 1 / 48)) < 5 * 0.3 / math.sqrt(MANY)
    assert (mixing.opacity == 1).all()
    middles = ((left + right) / 2000)[inside & (right - left < 100)]
    assert abs(middles.mean() - 0.5) < 5 * 0.3 / math.sqrt(len(middles))


def test_where_both_are_on_each_image_meets_one_as_likely() -> None:
    mixing = drawn(BOTH)
    cut = (mixing.window[:, 2:] > mixing.window[:, :2]).all(axis=1)
    assert abs((mixing.opacity < 1).mean() - 0.5) < 0.02
    assert not (cut & (mixing.opacity < 1)).any()
    assert_beta(mixing.share[mixing.opacity < 1], 0.4)


def test_pixels_and_labels_by_hand() -> None:
    images = torch.tensor([[[[1.0, 2.0, 3.0]]], [[[10.0, 20.0, 30.0]]], [[[100.0, 200.0, 300.0]]]])
    mixing = Mixing(
        partner=np.array([1, 2, 0]),
        opacity=np.array([0.75, 1.0, 1.0]),
        window=np.array([[0, 0, 0, 0], [1, 0, 3, 1], [0, 0, 0, 0]]),
        share=np.array([0.75, 1 / 3, 1.0]),
    )
    before = images.clone()
    assert mix_images(images, mixing)[:, 0, 0].tolist() == [[3.25, 6.5, 9.75], [10.0, 200.0, 300.0], [100.0, 200.0, 300.0]]
    assert torch.equal(images, before)
    labels = mix_labels(torch.tensor([0, 2, 1]), 4, mixing)
    assert labels.dtype == torch.float32
    assert labels.numpy() == pytest.approx(np.array([[0.75, 0, 0.25, 0], [0, 2 / 3, 1 / 3, 0], [0, 1, 0, 0]]))


@given(st.integers(1, 12), st.sampled_from([MIXUP, CUTMIX, BOTH]), st.integers(0, 999))
def test_labels_say_what_pixels_are(images: int, batch: Batch, seed: int) -> None:
    """An image that is all its own class's number is, on average over its pixels, what its label says."""
    classes = torch.arange(images)
    mixing = drawn(batch, images, (12, 20), seed)
    flat = mix_images(classes.to(torch.float32).view(-1, 1, 1, 1).expand(-1, 2, 12, 20), mixing)
    labels = mix_labels(classes, images, mixing)
    assert torch.allclose(labels.sum(dim=1), torch.ones(images))
    assert torch.allclose(flat.mean(dim=(1, 2, 3)), labels @ classes.to(torch.float32), atol=1e-4)


def test_one_image_and_nothing_to_mix_leave_images_as_they_are() -> None:
    for batch, images in ((BOTH, 1), (Batch(), 9)):
        mixing = drawn(batch, images, (12, 20))
        assert torch.allclose(mix_images(noise(images), mixing), noise(images), atol=1e-6)
    assert torch.equal(mix_images(noise(9), drawn(Batch(), 9)), noise(9))


@pytest.mark.parametrize("images", [torch.zeros(3, 1, 2, 2, dtype=torch.uint8), torch.zeros(2, 1, 2, 2), torch.zeros(3, 2, 2)])
def test_what_can_not_be_mixed_is_refused(images: torch.Tensor) -> None:
    with pytest.raises(BadInput, match=r"^images: torch\.\w+ of shape \(.*\); allowed are floats, 3 images x channels x height"):
        mix_images(images, drawn(MIXUP, 3, (2, 2)))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (torch.tensor([0, 1, 3]), "labels: 0 to 3; allowed are 0 to 2"),
        (torch.tensor([-1, 1, 2]), "labels: -1 to 2"),
        (torch.tensor([0.0, 1, 2]), "labels: torch.float32 of shape (3,); allowed are 3 of torch.int64"),
        (torch.tensor([0, 1]), "labels: torch.int64 of shape (2,)"),
    ],
)
def test_labels_of_another_kind_are_refused(labels: torch.Tensor, message: str) -> None:
    with pytest.raises(BadInput) as refused:
        mix_labels(labels, 3, drawn(MIXUP, 3, (2, 2)))
    assert str(refused.value).startswith(message)


@pytest.mark.gpu
def test_a_gpu_mixes_alike() -> None:
    images, labels, mixing = noise(16), torch.arange(16) % 5, drawn(BOTH, 16, (12, 20))
    assert torch.allclose(mix_images(images.to("cuda"), mixing).cpu(), mix_images(images, mixing), atol=1e-6)
    assert torch.allclose(mix_labels(labels.to("cuda"), 5, mixing).cpu(), mix_labels(labels, 5, mixing), atol=1e-6)
