"""What a training gets by its split's name: joined without a copy, the same to the bit as plain arrays, folds that are fair."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
import torch

from searchspaces.draw import draw
from searchspaces.families.fixed import baselines
from searchspaces.policy import Base
from trials.data import Prepared, Source, open_parts, open_split, prepare
from trials.data.joined import JoinedImages
from trials.pixels import ImageStore, Normaliser
from trials.values import Recipe

Refused = Callable[..., AbstractContextManager[None]]
MakeTree = Callable[..., Path]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepare(Source("sample", train_images=300, val_images=100), tmp_path_factory.mktemp("home"))


def test_search_is_train_and_val(sample: Prepared) -> None:
    trained, scored = open_parts(sample.directory, "search")
    assert trained.fingerprint == open_split(sample.directory, "train").fingerprint
    assert scored.fingerprint == open_split(sample.directory, "val").fingerprint


def test_all_is_train_and_val_in_this_order(sample: Prepared) -> None:
    trained, scored = open_parts(sample.directory, "all")
    both = [open_split(sample.directory, "train"), open_split(sample.directory, "val")]
    assert np.array_equal(trained.images, np.concatenate([part.images for part in both]))
    assert np.array_equal(trained.labels, np.concatenate([part.labels for part in both]))
    assert scored.fingerprint == both[1].fingerprint
    assert trained.classes == both[0].classes


def test_the_search_never_meets_the_second_validation_part_and_finalists_are_scored_on_nothing_else(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("trials.data.splits.SELECT_FROM", 100)
        data = prepare(Source("sample", train_images=300, val_images=100), tmp_path)
    parts = {name: open_split(data.directory, name) for name in ("train", "val", "select")}
    whole = {name: {image.tobytes() for image in np.asarray(part.images)} for name, part in parts.items()}
    assert not whole["select"] & (whole["train"] | whole["val"])
    assert [part.fingerprint for part in open_parts(data.directory, "search")] == [parts[n].fingerprint for n in ("train", "val")]
    assert [part.fingerprint for part in open_parts(data.directory, "select")] == [
        parts[n].fingerprint for n in ("train", "select")
    ]
    trained, _ = open_parts(data.directory, "all")
    assert {image.tobytes() for image in np.asarray(trained.images[:])} == set.union(*whole.values())
    for part in open_parts(data.directory, "fold-1"):
        assert not whole["select"] & {image.tobytes() for image in np.asarray(part.images[:])}


def test_a_fold_is_all_of_train_and_val_in_the_same_sizes_and_shares(sample: Prepared) -> None:
    whole, _ = open_parts(sample.directory, "all")
    for number in (1, 2, 17):
        trained, scored = open_parts(sample.directory, f"fold-{number}")
        assert (len(trained.labels), len(scored.labels)) == (300, 100)
        assert trained.images.shape == (300, 1, 28, 28)
        assert np.bincount(scored.labels).tolist() == [10] * 10
        joined = np.concatenate([trained.images, scored.images]).reshape(400, -1)
        assert sorted(map(bytes, joined)) == sorted(map(bytes, np.array(whole.images).reshape(400, -1)))


def test_folds_of_different_numbers_score_different_images(sample: Prepared) -> None:
    """Their fingerprints differ by their names alone, so it is the pixels that are asked."""
    scored = [np.array(open_parts(sample.directory, f"fold-{number}")[1].images).tobytes() for number in (1, 2, 3)]
    assert len(set(scored)) == 3


def test_folds_differ_by_number_and_by_seed_and_by_nothing_else(sample: Prepared, tmp_path: Path) -> None:
    other = prepare(Source("sample", train_images=300, val_images=100, seed=1), tmp_path)
    names = ["fold-1", "fold-2", "fold-3"]
    first = [open_parts(sample.directory, name)[1].fingerprint for name in names]
    assert first == [open_parts(sample.directory, name)[1].fingerprint for name in names]
    assert len({*first, *(open_parts(other.directory, name)[1].fingerprint for name in names)}) == 6


def test_labels_stay_with_their_images(sample: Prepared) -> None:
    whole, _ = open_parts(sample.directory, "all")
    label_of = dict(zip(map(bytes, np.array(whole.images)), whole.labels.tolist(), strict=True))
    for split in open_parts(sample.directory, "fold-1"):
        assert [label_of[bytes(image)] for image in np.array(split.images)] == split.labels.tolist()


@pytest.mark.parametrize("split", ["test", "val", "fold-", "fold--1", "fold-1.5", "fold-01", "fold-1\n", "../heldout"])
def test_other_names_are_refused(split: str, sample: Prepared, refused: Refused) -> None:
    with refused("split", "allowed are search, select, all and fold-1"):
        open_parts(sample.directory, split)


def test_select_is_refused_where_there_is_none(sample: Prepared, refused: Refused) -> None:
    with refused("no second validation part", "fold-1"):
        open_parts(sample.directory, "select")


def test_joined_images_are_picked_as_from_one_array() -> None:
    generator = np.random.default_rng(3)
    parts = [generator.integers(0, 256, (count, 3, 5, 4), dtype=np.uint8) for count in (7, 1, 9)]
    rows = generator.permutation(17)[:12]
    joined, plain = JoinedImages(parts, rows), np.concatenate(parts)[rows]
    assert (len(joined), joined.shape, joined.dtype, joined.ndim) == (12, plain.shape, plain.dtype, 4)
    for index in (np.array([3, 3, 0, -1]), np.array([], dtype=np.int64), slice(2, 9, 3), slice(None), plain[:, 0, 0, 0] > 90):
        assert np.array_equal(joined[index], plain[index])
    assert np.array_equal(np.asarray(joined), plain)
    with pytest.raises(TypeError):
        joined[np.array(3)]
    with pytest.raises(IndexError):
        joined[np.array([12])]


@pytest.mark.parametrize("label", ["none", "trivialaugment-wide"])
def test_batches_of_joined_images_are_those_of_plain_ones_to_the_bit(label: str, sample: Prepared) -> None:
    joined = open_parts(sample.directory, "fold-1")[0].images
    plain = np.array(joined)
    plan = draw(baselines(1, Base(hflip=0.5))[label], joined.shape, np.random.default_rng(2))
    batches = np.array_split(np.random.default_rng(1).permutation(len(joined)), 7)
    seen = []
    for images in (joined, plain):
        store, ran = ImageStore(images, "cpu"), set[str]()
        ready = store.augmented(batches, plan, Normaliser([0.4], [0.3], Recipe()), ran)
        seen.append(torch.cat([batch.clone() for batch in ready]))
        assert torch.equal(store.take(batches[0]), torch.from_numpy(plain[batches[0]]))
    assert torch.equal(*seen)
