"""What each view shows, pixel by pixel; what a score by several views is; and that it is the same whenever it is asked."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from searchspaces.errors import BadInput
from searchspaces.ops import find_op
from searchspaces.views import VIEW_SETS
from trials.data import Split
from trials.evaluate import NotFinite, score
from trials.machine import cpu_multiplies_bfloat16
from trials.values import Recipe, Score
from trials.views import MILD_POLICY, showings, views_count, views_of

RECIPE = Recipe()
NAMES = (*VIEW_SETS, "mild:3")
MEAN, STD = [0.4], [0.25]


def images_of(count: int, channels: int = 1, height: int = 16, width: int = 24, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, channels, height, width), dtype=np.uint8)


def split_of(images: np.ndarray, classes: int = 4) -> Split:
    return Split(images, np.arange(len(images), dtype=np.int64) % classes, tuple("abcdefgh"[:classes]), "")


def shown(images: np.ndarray, name: str) -> list[np.ndarray]:
    """The images as each view shows them."""
    index = np.arange(len(images))
    return [show(torch.from_numpy(images), index).numpy() for show in showings(name, images.shape)]


class Linear(nn.Module):
    """Logits that depend on every pixel of an image and on where it is, of any size up to 32 x 32; writes down what it saw."""

    def __init__(self, channels: int = 1, classes: int = 4) -> None:
        super().__init__()
        generator = np.random.default_rng(7)
        self.weight = torch.from_numpy(generator.normal(size=(classes, channels, 32, 32)).astype(np.float32))
        self.seen: list[Tensor] = []

    def forward(self, images: Tensor) -> Tensor:
        self.seen.append(images.clone())
        weight = self.weight[:, :, : images.shape[2], : images.shape[3]]
        return torch.einsum("nchw,kchw->nk", images, weight) / 8


def scored(images: np.ndarray, views: str, net: nn.Module | None = None, recipe: Recipe = RECIPE) -> Score:
    channels = images.shape[1]
    return score(net or Linear(channels), split_of(images), recipe, MEAN * channels, STD * channels, views)


def softmaxes(images: np.ndarray, name: str) -> np.ndarray:
    """Worked out in numpy, view after view: (views, images, classes)."""
    weight = Linear(images.shape[1]).weight.numpy().astype(np.float64)[:, :, : images.shape[2], : images.shape[3]]
    told = []
    for view in shown(images, name):
        logits = np.einsum("nchw,kchw->nk", (view / 255 - MEAN[0]) / STD[0], weight) / 8
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        told.append(exponentials / exponentials.sum(axis=1, keepdims=True))
    return np.stack(told)


def test_a_mirror_image_is_the_second_view_of_hflip() -> None:
    images = images_of(3)
    one, other = shown(images, "hflip")
    assert np.array_equal(one, images) and np.array_equal(other, images[:, :, :, ::-1])


def test_five_crops_are_windows_moved_towards_the_corners_past_whose_edge_the_edge_goes_on() -> None:
    """Of 16 x 24 pixels, 1/16 are 1 and 1.5, rounded to 2."""
    images = images_of(2, channels=3)
    longer = np.pad(images, ((0, 0), (0, 0), (1, 1), (2, 2)), mode="edge")
    corners = [(0, 0), (4, 0), (0, 2), (4, 2), (2, 1)]  # x, y of the window in the image continued
    for view, (x, y) in zip(shown(images, "five-crops"), corners, strict=True):
        assert np.array_equal(view, longer[:, :, y : y + 16, x : x + 24])
    assert np.array_equal(shown(images, "five-crops")[4], images)


def test_ten_crops_are_the_five_each_with_its_mirror_image() -> None:
    images = images_of(2, channels=3)
    ten, five = shown(images, "ten-crops"), shown(images, "five-crops")
    for number, crop in enumerate(five):
        assert np.array_equal(ten[2 * number], crop)
        assert np.array_equal(ten[2 * number + 1], crop[:, :, :, ::-1])


def test_scales_are_windows_about_the_middle_enlarged() -> None:
    """Of 16 x 24 pixels, 15/16 are 15 x 22 (from 22.5, to even), 7/8 are 14 x 21."""
    images = images_of(2)
    whole, near, nearer = shown(images, "scales")
    assert np.array_equal(whole, images)
    for view, window in ((near, np.s_[:, :, 0:15, 1:23]), (nearer, np.s_[:, :, 1:15, 2:23])):
        middle = torch.from_numpy(images[window].copy())
        assert np.array_equal(view, nn.functional.interpolate(middle, (16, 24), mode="bilinear", antialias=True).numpy())


def test_mild_draws_move_and_light_an_image_a_little_and_each_otherwise() -> None:
    images = np.full((40, 3, 16, 16), 128, dtype=np.uint8)
    views = shown(images, "mild:3")
    inner = np.stack(views)[:, :, :, 4:12, 4:12].astype(int)
    assert abs(inner - 128).max() <= 10 and inner.std() > 1
    assert not any(np.array_equal(views[a], views[b]) for a, b in ((0, 1), (0, 2), (1, 2)))
    assert not np.array_equal(views[0][0], views[0][1])


@given(st.integers(1, 30), st.integers(0, 2**31))
def test_mild_draws_depend_on_the_images_place_alone(count: int, seed: int) -> None:
    """Not on how many images there are, nor on any generator that others use."""
    torch.manual_seed(seed)
    np.random.seed(seed)
    images = images_of(30, 1, 8, 8)
    for few, many in zip(shown(images[:count], "mild:2"), shown(images, "mild:2"), strict=True):
        assert np.array_equal(few, many[:count])


def test_a_view_of_some_images_is_that_of_all_picked() -> None:
    images, index = images_of(30), np.array([7, 2, 29])
    for name in NAMES:
        for some, whole in zip(showings(name, images.shape), shown(images, name), strict=True):
            assert np.array_equal(some(torch.from_numpy(images[index]), index).numpy(), whole[index])


@pytest.mark.parametrize("name", NAMES)
def test_the_images_shown_stay_as_they_are(name: str) -> None:
    images = images_of(4, 3)
    before = images.copy()
    shown(images, name)
    assert np.array_equal(images, before)


def test_the_ops_of_the_mild_policy_take_grey_and_colour_images() -> None:
    assert all(find_op(name).changes(channels) for name in MILD_POLICY.ops for channels in (1, 3))


@pytest.mark.parametrize("name", NAMES)
def test_there_are_as_many_views_as_the_cost_says(name: str) -> None:
    net = Linear()
    scored(images_of(5), name, net)
    assert len(net.seen) == len(views_of(name)) == views_count(name)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_score_is_of_the_mean_of_the_views_probabilities(name: str, channels: int) -> None:
    images = images_of(60, channels)
    mean = softmaxes(images, name).mean(axis=0)
    labels = np.arange(60) % 4
    found = scored(images, name)
    assert found.right == tuple((mean.argmax(axis=1) == labels).tolist())
    assert found.log_loss_sum == pytest.approx(-np.log(mean[np.arange(60), labels]).sum(), rel=1e-5)
    told = [[int(((labels == truth) & (mean.argmax(axis=1) == taken)).sum()) for taken in range(4)] for truth in range(4)]
    assert found.confusion == tuple(map(tuple, told))


def test_probabilities_are_averaged_and_not_logits() -> None:
    """The logits of one view are so far below 0 for class 2 that their mean would leave nothing of what the other view says."""

    class Sure(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            bright_left = images[:, 0, 0, 0] > images[:, 0, 0, -1]
            return torch.where(bright_left[:, None], torch.tensor([[3.0, 0.0, -40.0]]), torch.tensor([[0.0, 0.7, 0.0]]))

    image = np.array([[[[255, 0]]]], dtype=np.uint8)
    split = Split(image, np.array([2]), tuple("abc"), "")
    found = score(Sure(), split, RECIPE, [0.0], [1.0], "hflip")
    shares = [torch.tensor(logits).double().softmax(0)[2].item() for logits in ([3.0, 0.0, -40.0], [0.0, 0.7, 0.0])]
    assert found.confusion[2] == (1, 0, 0)
    assert found.log_loss_sum == pytest.approx(-math.log(sum(shares) / 2), rel=1e-9)


@given(st.integers(1, 9), st.integers(0, 50), st.sampled_from([1, 3]))
def test_identity_is_what_a_score_without_views_is(count: int, seed: int, channels: int) -> None:
    images = images_of(count, channels, 5, 7, seed)
    split = split_of(images)
    plain = score(Linear(channels), split, RECIPE, MEAN * channels, STD * channels)
    assert scored(images, "identity") == plain
    net = Linear(channels)
    seen = (torch.from_numpy(images).float() - 255 * MEAN[0]) * (1 / (255 * STD[0]))
    logits = net(seen)
    assert plain.log_loss_sum == pytest.approx(
        float(nn.functional.cross_entropy(logits.double(), torch.arange(count) % 4, reduction="sum")), rel=1e-5
    )


@pytest.mark.parametrize("name", ["hflip", "ten-crops", "mild:2"])
def test_images_that_every_view_shows_alike_are_judged_as_one_view_judges_them(name: str) -> None:
    """Flat grey ones; but the mild draws, which change their light, are those of the same place anew."""
    images = np.full((6, 1, 16, 16), 77, dtype=np.uint8)
    once, again = scored(images, name), scored(images, name)
    assert once == again
    if name != "mild:2":
        assert once.log_loss_sum == pytest.approx(scored(images, "identity").log_loss_sum, rel=1e-12)
        assert once.right == scored(images, "identity").right


def test_of_equal_classes_the_first_is_taken_by_views_too() -> None:
    class Torn(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            left = (images[:, 0, 0, 0] > images[:, 0, 0, -1]).float()
            return torch.stack([left * 2, 2 - left * 2], dim=1)

    image = np.array([[[[255, 0]]]], dtype=np.uint8)
    split = Split(image, np.array([0]), tuple("ab"), "")
    assert score(Torn(), split, RECIPE, [0.0], [1.0], "hflip").right == (True,)


def test_a_view_whose_outputs_are_not_finite_has_no_score() -> None:
    class Broken(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            left = images[:, 0, 0, 0] > images[:, 0, 0, -1]
            return torch.where(left[:, None], torch.tensor([[0.0, 1.0]]), torch.tensor([[math.inf, 0.0]]))

    image = np.array([[[[255, 0]]]], dtype=np.uint8)
    split = Split(image, np.array([1]), tuple("ab"), "")
    assert score(Broken(), split, RECIPE, [0.0], [1.0]).wrong == 0
    with pytest.raises(NotFinite, match="not finite"):
        score(Broken(), split, RECIPE, [0.0], [1.0], "hflip")


@pytest.mark.skipif(not cpu_multiplies_bfloat16(), reason="this CPU has no bfloat16")
def test_in_bfloat16_views_are_averaged_in_full_precision() -> None:
    images = images_of(50, 3)
    recipe = Recipe(precision="bfloat16")
    assert scored(images, "hflip", recipe=recipe).log_loss_sum == pytest.approx(scored(images, "hflip").log_loss_sum, rel=0.05)


def test_unknown_views_are_refused_before_the_net_is_asked() -> None:
    net = Linear()
    with pytest.raises(BadInput, match="views: 'flip'; did you mean 'hflip'"):
        scored(images_of(2), "flip", net)
    assert not net.seen


@pytest.mark.parametrize("side", [1, 2, 3, 13])
@pytest.mark.parametrize("name", NAMES)
def test_the_smallest_images_have_views(name: str, side: int) -> None:
    assert [view.shape for view in shown(images_of(2, 1, side, side), name)] == [(2, 1, side, side)] * views_count(name)


@pytest.mark.gpu
@pytest.mark.parametrize("name", NAMES)
def test_on_a_gpu_views_show_the_same(name: str) -> None:
    images, index = images_of(20, 3), np.arange(20)
    for view, show in zip(shown(images, name), showings(name, images.shape), strict=True):
        on_gpu = show(torch.from_numpy(images).cuda(), index).cpu().numpy()
        assert abs(on_gpu.astype(int) - view.astype(int)).max() <= 1
