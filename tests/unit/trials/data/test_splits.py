"""Stratified splits: exact, disjoint, seeded; and wishes that can't be met."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trials.data.pools import ArrayPool, Pools
from trials.data.splits import MOST_VALIDATION, choose_parts
from trials.data.stratified import stratified_parts

Refused = Callable[..., AbstractContextManager[None]]


def labels_of(sizes: list[int]) -> np.ndarray:
    """So many of each class, not in order."""
    return np.random.default_rng(3).permutation(np.repeat(np.arange(len(sizes)), sizes))


def pool_of(sizes: list[int], where: str = "photos/train") -> ArrayPool:
    labels = labels_of(sizes)
    return ArrayPool(where, np.zeros((len(labels), 1, 8, 8), dtype=np.uint8), labels)


def pools_of(sizes: list[int], val: list[int] | None = None, test: list[int] | None = None, cut_test: bool = False) -> Pools:
    classes = tuple("abcdefghijklmnop"[: len(sizes)])
    return Pools(
        classes,
        pool_of(sizes),
        None if val is None else pool_of(val, "photos/val"),
        None if test is None else pool_of(test, "photos/test"),
        cut_test,
    )


@st.composite
def drawable(draw: st.DrawFn) -> tuple[list[int], tuple[int, ...], tuple[int, ...]]:
    """Class sizes, counts and least numbers that can be met."""
    least = tuple(draw(st.lists(st.integers(1, 3), min_size=1, max_size=3)))
    sizes = draw(st.lists(st.integers(sum(least), 60), min_size=2, max_size=8))
    room = sum(sizes) - sum(least) * len(sizes)
    counts = []
    for low in least:
        extra = draw(st.integers(0, room))
        room -= extra
        counts.append(low * len(sizes) + extra)
    return sizes, tuple(counts), least


@given(drawable(), st.integers(0, 2**32))
def test_parts_are_disjoint_exact_and_hold_each_class(
    case: tuple[list[int], tuple[int, ...], tuple[int, ...]], seed: int
) -> None:
    sizes, counts, least = case
    labels = labels_of(sizes)
    parts = stratified_parts(labels, counts, least, seed)
    assert [len(part) for part in parts] == list(counts)
    together = np.concatenate(parts)
    assert len(np.unique(together)) == len(together)
    for part, low in zip(parts, least, strict=True):
        assert np.bincount(labels[part], minlength=len(sizes)).min() >= low
        assert (np.diff(part) > 0).all()


@given(st.lists(st.integers(40, 90), min_size=2, max_size=6), st.integers(0, 2**32))
def test_each_class_gets_its_share(sizes: list[int], seed: int) -> None:
    labels = labels_of(sizes)
    count = sum(sizes) // 4
    (part,) = stratified_parts(labels, (count,), (1,), seed)
    exact = count * np.array(sizes) / sum(sizes)
    assert (np.abs(np.bincount(labels[part]) - exact) < 1).all()


@given(st.integers(0, 2**32), st.integers(1, 2**32))
def test_the_seed_decides(seed: int, step: int) -> None:
    labels = labels_of([40, 40, 40])
    first = stratified_parts(labels, (60, 30), (2, 2), seed)
    again = stratified_parts(labels, (60, 30), (2, 2), seed)
    other = stratified_parts(labels, (60, 30), (2, 2), seed + step)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])


@pytest.mark.parametrize("counts", [(100,), (5,)])
def test_what_can_not_be_drawn_is_an_error(counts: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="can't be drawn"):
        stratified_parts(labels_of([10, 10, 10]), counts, (2,), 0)


def test_a_split_is_the_same_on_every_machine() -> None:
    (part,) = stratified_parts(np.repeat([0, 1], 10), (6,), (2,), 0)
    assert part.tolist() == [0, 3, 9, 13, 15, 16]


def test_validation_is_a_fifth_of_train_by_default() -> None:
    parts = choose_parts(pools_of([60, 40], test=[5, 5]), None, None, 0)
    assert {name: len(part.rows) for name, part in parts.items()} == {"train": 80, "val": 20, "test": 10}
    assert not np.intersect1d(parts["train"].rows, parts["val"].rows).size


def test_validation_is_a_fifth_of_what_is_used() -> None:
    parts = choose_parts(pools_of([300, 300]), 80, None, 0)
    assert len(parts["train"].rows) == 80
    assert len(parts["val"].rows) == 20


def test_validation_has_a_cap_that_a_wish_may_pass() -> None:
    pools = pools_of([20_000, 20_000])
    parts = choose_parts(pools, None, None, 0)
    assert len(parts["val"].rows) + len(parts["select"].rows) == MOST_VALIDATION
    parts = choose_parts(pools, None, 7_000, 0)
    assert len(parts["val"].rows) == len(parts["select"].rows) == 3_500
    assert len(parts["train"].rows) == 33_000


def test_one_folder_is_cut_in_three_and_the_test_set_ignores_wishes() -> None:
    pools = pools_of([50, 50], cut_test=True)
    parts = choose_parts(pools, None, None, 4)
    assert {name: len(part.rows) for name, part in parts.items()} == {"train": 64, "val": 16, "test": 20}
    rows = np.concatenate([part.rows for part in parts.values()])
    assert np.array_equal(np.sort(rows), np.arange(100))
    fewer = choose_parts(pools, 20, 10, 4)
    assert np.array_equal(fewer["test"].rows, parts["test"].rows)
    assert not np.intersect1d(np.concatenate([fewer["train"].rows, fewer["val"].rows]), fewer["test"].rows).size


def test_given_splits_are_used_whole_or_in_part() -> None:
    pools = pools_of([10, 10], val=[6, 6], test=[5, 5])
    whole = choose_parts(pools, None, None, 0)
    assert {name: len(part.rows) for name, part in whole.items()} == {"train": 20, "val": 12, "test": 10}
    some = choose_parts(pools, 8, 4, 0)
    assert np.bincount(some["train"].pool.labels[some["train"].rows]).tolist() == [4, 4]
    assert np.bincount(some["val"].pool.labels[some["val"].rows]).tolist() == [2, 2]
    assert len(some["test"].rows) == 10


def test_more_than_there_is(refused: Refused) -> None:
    with refused("--train-images 21", "photos/train", "20 images"):
        choose_parts(pools_of([10, 10], val=[5, 5]), 21, None, 0)
    with refused("--val-images 11", "photos/val", "10 images"):
        choose_parts(pools_of([10, 10], val=[5, 5]), None, 11, 0)
    with refused("photos/train", "20 images", "15 for training", "6 for validation", "--train-images"):
        choose_parts(pools_of([10, 10]), 15, 6, 0)
    with refused("20 images", "19 for validation", "--val-images"):
        choose_parts(pools_of([10, 10]), None, 19, 0)


@pytest.mark.parametrize("images", [0, -5, 3])
def test_too_few_for_the_classes(images: int, refused: Refused) -> None:
    with refused(f"--train-images {images}", "at least 4"):
        choose_parts(pools_of([10, 10], val=[5, 5]), images, None, 0)
    with refused(f"--val-images {images}", "at least 4"):
        choose_parts(pools_of([10, 10]), None, images, 0)


def test_a_class_with_too_few_images(refused: Refused) -> None:
    with refused("'b' has 1 images", "at least 2"):
        choose_parts(pools_of([10, 1], val=[3, 3]), None, None, 0)
    with refused("'b' has 3 images", "at least 4"):
        choose_parts(pools_of([10, 3]), None, None, 0)
    with refused("'b' has 5 images", "at least 6"):
        choose_parts(pools_of([10, 5], cut_test=True), None, None, 0)
    assert choose_parts(pools_of([10, 6], cut_test=True), None, None, 0)


def test_from_20000_images_on_validation_has_a_second_part() -> None:
    few = choose_parts(pools_of([10_000, 9_999]), None, None, 0)
    assert "select" not in few
    parts = choose_parts(pools_of([10_000, 10_000]), None, None, 0)
    assert {name: len(part.rows) for name, part in parts.items()} == {"train": 16_000, "val": 2_000, "select": 2_000}
    rows = np.concatenate([part.rows for part in parts.values()])
    assert np.array_equal(np.sort(rows), np.arange(20_000))
    assert all(np.bincount(part.pool.labels[part.rows]).tolist() == [len(part.rows) // 2] * 2 for part in parts.values())
    assert "select" not in choose_parts(pools_of([10_000, 10_000]), 8_000, 2_000, 0), "what is used counts"


def test_a_given_validation_set_is_cut_too_where_there_are_images_enough() -> None:
    parts = choose_parts(pools_of([9_000, 9_000], val=[1_001, 1_000], test=[5, 5]), None, None, 0)
    assert {name: len(part.rows) for name, part in parts.items()} == {"train": 18_000, "val": 1_001, "select": 1_000, "test": 10}
    assert not set(parts["val"].rows) & set(parts["select"].rows)
    assert "select" not in choose_parts(pools_of([9_000, 8_990], val=[1_001, 1_000]), None, None, 0)
