"""Groups: read by each rule, never in two splits, refused where the user's own splits part one."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trials.data import Source, open_parts, prepare
from trials.data.grouped import grouped_parts
from trials.data.groups import GroupRule, merged
from trials.data.store import open_groups, read_meta
from trials.data.stratified import stratified_parts

Refused = Callable[..., AbstractContextManager[None]]
MakeTree = Callable[..., Path]
MakeNpz = Callable[..., Path]


@given(
    st.lists(st.integers(1, 9), min_size=24, max_size=60),
    st.integers(2, 4),
    st.sampled_from([(8, 2), (6, 2, 2), (5, 1)]),
    st.integers(0, 2**32),
)
def test_no_group_lies_in_two_parts_and_no_class_is_missing(
    sizes: list[int], classes: int, shares: tuple[int, ...], seed: int
) -> None:
    groups = np.repeat(np.arange(len(sizes)), sizes)
    labels = groups % classes
    counts = [max(len(labels) * share // 10, classes) for share in shares]
    least = (1,) * len(counts)
    parts = grouped_parts(labels, groups, counts, least, seed)
    for index, part in enumerate(parts):
        assert set(labels[part]) == set(range(classes))
        assert (np.diff(part) > 0).all()
        assert abs(len(part) - counts[index]) <= 2 * max(sizes) * classes
        for other in parts[index + 1 :]:
            assert not set(groups[part]) & set(groups[other])
    assert all(map(np.array_equal, parts, grouped_parts(labels, groups, counts, least, seed)))


@given(st.lists(st.integers(1, 6), min_size=20, max_size=40), st.integers(0, 2**32))
def test_single_images_make_the_sizes_exact(sizes: list[int], seed: int) -> None:
    groups = np.concatenate([np.repeat(np.arange(len(sizes)), sizes), np.arange(len(sizes), len(sizes) + 300)])
    labels = np.arange(len(groups)) % 3
    counts = [len(groups) - len(groups) // 4, len(groups) // 4]
    parts = grouped_parts(labels, groups, counts, (1, 1), seed)
    assert [len(part) for part in parts] == counts
    for part, count in zip(parts, counts, strict=True):
        assert np.abs(np.bincount(labels[part]) - count * np.bincount(labels) / len(labels)).max() <= 2


def test_groups_of_one_image_change_nothing() -> None:
    labels = np.arange(90) % 4
    for counts in ((60, 20), (70, 20)):
        plain, by_group = stratified_parts(labels, counts, (1, 1), 3), grouped_parts(labels, np.arange(90), counts, (1, 1), 3)
        assert all(map(np.array_equal, plain, by_group))


def test_a_class_in_one_group_can_not_be_shared_out() -> None:
    groups = np.array([0, 0, 0, 0, 1, 2, 3, 4])
    with pytest.raises(ValueError, match="5 groups"):
        grouped_parts(np.array([0, 0, 0, 0, 1, 1, 1, 1]), groups, (6, 2), (1, 1), 0)


def test_pairs_chain_groups_together() -> None:
    assert merged(np.array([0, 1, 2, 3, 3]), np.array([0, 4]), np.array([2, 1])).tolist() == [0, 1, 0, 1, 1]


@pytest.mark.parametrize(
    ("rule", "path", "group"),
    [
        ("folder:1", "p1/left/3.png", "p1"),
        ("folder:2", "p1/left/3.png", "p1/left"),
        (r"regex:p(\d+)", "scan-p12-3.png", "12"),
        (r"regex:p\d+", "p7/a.png", "p7"),
    ],
)
def test_rules_read_a_path(rule: str, path: str, group: str, make_tree: MakeTree) -> None:
    from trials.data.pools import ArrayPool

    pool = ArrayPool("photos", np.zeros((1, 1, 2, 2), np.uint8), np.zeros(1, np.int64), inner_paths=[path])
    assert GroupRule.parse(rule).read(pool).tolist() == [group]


@pytest.mark.parametrize("rule", ["", "columns", "folder", "folder:0", "folder:x", "regex:", "regex:(", "column:3"])
def test_what_is_no_rule_is_refused(rule: str, refused: Refused) -> None:
    with refused(f"--groups {rule!r}"):
        GroupRule.parse(rule)


def test_patients_of_one_folder_are_in_one_split_each_and_in_one_side_of_a_fold(make_tree: MakeTree, tmp_path: Path) -> None:
    root = make_tree({f"{kind}/p{number}": 3 for kind in ("cat", "dog") for number in range(20)})
    prepared = prepare(Source(str(root), image_size=8, groups="folder:1"), tmp_path / "home")
    assert sum(prepared.counts.values()) == 120
    assert prepared.heldout is not None
    groups = open_groups(prepared.directory, read_meta(prepared.directory))
    assert groups is not None
    train, val = np.split(groups, [prepared.counts["train"]])
    assert not set(train) & set(val)
    assert len(set(groups)) <= 20
    whole, _ = open_parts(prepared.directory, "all")
    patient_of = dict(zip(map(bytes, np.array(whole.images)), groups.tolist(), strict=True))
    sides = [{patient_of[bytes(image)] for image in np.array(part.images)} for part in open_parts(prepared.directory, "fold-1")]
    assert not sides[0] & sides[1]


def test_a_group_in_two_given_splits_is_refused(make_tree: MakeTree, make_npz: MakeNpz, tmp_path: Path, refused: Refused) -> None:
    root = make_tree({"train/cat/p1": 4, "train/dog/p2": 4, "test/cat/p1": 3, "test/dog/p3": 3})
    with refused("group 'p1'", "photos/train", "photos/test", "1 such"):
        prepare(Source(str(root), image_size=8, groups="folder:1"), tmp_path / "home")
    columns = {"train_groups": np.arange(12), "val_groups": np.arange(20, 26), "test_groups": np.arange(25, 31)}
    with refused("group '25'", "(val)", "(test)"):
        prepare(Source(str(make_npz(**columns)), groups="column"), tmp_path / "home")


def test_rules_that_do_not_fit_the_data_are_refused(
    make_tree: MakeTree, make_npz: MakeNpz, tmp_path: Path, refused: Refused
) -> None:
    root = make_tree({"train/cat": 4, "train/dog/p2": 4, "test/cat": 3, "test/dog": 3})
    with refused("--groups folder:1", "'0.png'", "photos/train"):
        prepare(Source(str(root), image_size=8, groups="folder:1"), tmp_path / "home")
    with refused("--groups column", "train_groups"):
        prepare(Source(str(root), image_size=8, groups="column"), tmp_path / "home")
    with refused("--groups column", "(train)", "train_groups"):
        prepare(Source(str(make_npz()), groups="column"), tmp_path / "home")
    with refused("--groups folder:1", "no file names"):
        prepare(Source(str(make_npz()), groups="folder:1"), tmp_path / "home")
    with refused("(train)", "groups are float64"):
        prepare(Source(str(make_npz(train_groups=np.zeros(12))), groups="column"), tmp_path / "home")
