"""Every reader gives the same arrays, labels, classes and splits for the same images: one suite over all layouts.

The images are CIFAR-like (32 x 32, its ten classes), so that the named sets' layouts can hold them too.
"""

import csv
import hashlib
import pickle
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from trials.data import Prepared, Source, cifar, open_split, prepare

SIZE = 32
PER_CLASS = {"train": 4, "val": 1, "test": 1}
WINDOW = "1000:3000"
Splits = Mapping[str, tuple[np.ndarray, np.ndarray]]


def images_of(splits: tuple[str, ...], channels: int, deep: bool) -> Splits:
    """By split: images (n, 32, 32, channels), and labels in the classes' order."""
    generator = np.random.default_rng(3)
    most, kind = (4096, np.uint16) if deep else (256, np.uint8)
    return {
        split: (
            generator.integers(0, most, (10 * PER_CLASS[split], SIZE, SIZE, channels)).astype(kind),
            np.arange(10).repeat(PER_CLASS[split]),
        )
        for split in splits
    }


@dataclass(frozen=True)
class Written:
    """What is given to `Source`."""

    data: str
    data_root: str | None = None


def written_files(folder: Path, splits: Splits) -> list[tuple[str, str, str]]:
    """Image files in class folders of splits; path, label and split of each."""
    rows = []
    for split, (images, labels) in splits.items():
        for index, (image, label) in enumerate(zip(images, labels, strict=True)):
            path = Path(split) / cifar.CLASSES[label] / f"{index:03}.png"
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image.squeeze(-1) if image.shape[2] == 1 else image).save(folder / path)
            rows.append((path.as_posix(), cifar.CLASSES[label], split))
    return rows


def as_folders(folder: Path, splits: Splits) -> Written:
    written_files(folder / "set", splits)
    return Written(str(folder / "set"))


def as_csv(folder: Path, splits: Splits) -> Written:
    rows = written_files(folder, splits)
    with (folder / "set.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("path", "label", "split"), *rows])
    return Written(str(folder / "set.csv"))


def as_parquet(folder: Path, splits: Splits) -> Written:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    columns = zip(*written_files(folder, splits), strict=True)
    parquet.write_table(
        pyarrow.table(dict(zip(("path", "label", "split"), map(list, columns), strict=True))), folder / "set.parquet"
    )
    return Written(str(folder / "set.parquet"))


def as_npz(folder: Path, splits: Splits) -> Written:
    arrays: dict[str, Any] = {
        f"{split}_{what}": array for split, pair in splits.items() for what, array in zip(("images", "labels"), pair, strict=True)
    }
    np.savez(folder / "set.npz", classes=np.array(cifar.CLASSES), **arrays)
    return Written(str(folder / "set.npz"))


def as_saved_dataset(folder: Path, splits: Splits) -> Written:
    datasets = pytest.importorskip("datasets")
    rows = written_files(folder, splits)
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=list(cifar.CLASSES))})

    def one(split: str) -> Any:
        mine = [(folder / path, label) for path, label, of in rows if of == split]
        encoded = [{"bytes": path.read_bytes(), "path": None} for path, _ in mine]
        return datasets.Dataset.from_dict({"image": encoded, "label": [label for _, label in mine]}, features=features)

    datasets.DatasetDict({split: one(split) for split in splits}).save_to_disk(str(folder / "set"))
    return Written(str(folder / "set"))


def as_function(folder: Path, splits: Splits) -> Written:
    names = np.concatenate([[split] * len(labels) for split, (_, labels) in splits.items()])
    np.savez(
        folder / "kept.npz",
        images=np.concatenate([images for images, _ in splits.values()]),
        labels=np.concatenate([labels for _, labels in splits.values()]),
        splits=names,
        classes=np.array(cifar.CLASSES),
    )
    module = f"loader_{hashlib.sha256(str(folder).encode()).hexdigest()[:8]}"
    (folder / f"{module}.py").write_text(
        f"import numpy as np\ndef load():\n    return dict(np.load({str(folder / 'kept.npz')!r}))\n"
    )
    return Written(f"{module}:load")


def as_cifar(folder: Path, splits: Splits) -> Written:
    """Python batches, whose md5 the fixture puts in the table."""
    (folder / cifar.FOLDER).mkdir(parents=True)
    images, labels = splits["train"]
    parts = dict(zip(cifar.MD5, [*np.array_split(np.arange(len(labels)), 5), None], strict=True))
    for name, rows in parts.items():
        some, theirs = splits["test"] if rows is None else (images[rows], labels[rows])
        batch = {b"data": some.transpose(0, 3, 1, 2).reshape(len(some), -1), b"labels": theirs.tolist()}
        raw = pickle.dumps(batch, protocol=3).replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
        (folder / cifar.FOLDER / name).write_bytes(raw)
    return Written("torchvision:CIFAR10", str(folder))


THREE, TWO = ("train", "val", "test"), ("train", "test")
RGB, GREY, FIVE, DEEP = (3, False), (1, False), (5, False), (1, True)  # channels, and whether they have 16 bits
LAYOUTS: dict[str, tuple[Callable[[Path, Splits], Written], dict[tuple[str, ...], tuple[tuple[int, bool], ...]]]] = {
    "folders": (as_folders, {}),
    "csv": (as_csv, {THREE: (RGB, GREY, DEEP), TWO: (RGB,)}),
    "parquet": (as_parquet, {THREE: (RGB,), TWO: (RGB,)}),
    "npz": (as_npz, {THREE: (RGB, GREY, DEEP)}),
    "saved-dataset": (as_saved_dataset, {THREE: (RGB, GREY, DEEP), TWO: (RGB,)}),
    "function": (as_function, {THREE: (RGB, GREY, DEEP), TWO: (RGB,)}),
    "cifar": (as_cifar, {TWO: (RGB,)}),
}
CASES = [
    pytest.param(name, splits, kind, id=f"{name}-{len(splits)}-splits-{kind[0]}-channels{'-16-bit' * kind[1]}")
    for name, (_, tried) in LAYOUTS.items()
    for splits, kinds in tried.items()
    for kind in kinds
]
Given = Callable[[tuple[str, ...], tuple[int, bool]], Prepared]


@pytest.fixture(scope="module")
def in_folders(tmp_path_factory: pytest.TempPathFactory) -> Given:
    """The same images in class folders, prepared once each."""
    made: dict[object, Prepared] = {}

    def of(splits: tuple[str, ...], kind: tuple[int, bool]) -> Prepared:
        if (splits, kind) not in made:
            made[splits, kind] = prepared_as(as_folders, tmp_path_factory.mktemp("folders"), images_of(splits, *kind), kind[1])
        return made[splits, kind]

    return of


def prepared_as(write: Callable[[Path, Splits], Written], folder: Path, splits: Splits, deep: bool) -> Prepared:
    place = folder / "data"
    place.mkdir(parents=True)
    written = write(place, splits)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(place), *sys.path])
        if (place / cifar.FOLDER).is_dir():
            md5 = {name: hashlib.md5((place / cifar.FOLDER / name).read_bytes()).hexdigest() for name in cifar.MD5}
            patch.setattr(cifar, "MD5", md5)
        source = Source(written.data, written.data_root, image_size=SIZE, levels=WINDOW if deep else None)
        return prepare(source, folder / "home")


@pytest.mark.parametrize(("name", "splits", "kind"), CASES)
def test_the_same_images_give_the_same_set(
    name: str, splits: tuple[str, ...], kind: tuple[int, bool], tmp_path: Path, in_folders: Given
) -> None:
    prepared = prepared_as(LAYOUTS[name][0], tmp_path, images_of(splits, *kind), kind[1])
    reference = in_folders(splits, kind)
    assert prepared.classes == reference.classes == cifar.CLASSES
    assert prepared.counts == reference.counts
    assert prepared.fingerprints == reference.fingerprints, "pixels, labels or their order differ"
    assert prepared.fingerprint == reference.fingerprint


@pytest.mark.parametrize("kind", [RGB, GREY, DEEP])
def test_what_is_written_in_folders_is_what_is_read(kind: tuple[int, bool], in_folders: Given) -> None:
    images, labels = images_of(THREE, *kind)["train"]
    train = open_split(in_folders(THREE, kind).directory, "train")
    expected = np.floor((np.clip(images, 1000.0, 3000.0) - 1000) * 255 / 2000 + 0.5) if kind[1] else images
    assert np.array_equal(train.images, expected.transpose(0, 3, 1, 2))
    assert np.array_equal(train.labels, labels)


@pytest.mark.parametrize("name", ["npz", "function"])
@pytest.mark.parametrize("kind", [FIVE, (5, True)])
def test_five_channels(name: str, kind: tuple[int, bool], tmp_path: Path) -> None:
    images = images_of(THREE, *kind)
    prepared = prepared_as(LAYOUTS[name][0], tmp_path, images, kind[1])
    assert (prepared.channels, prepared.height, prepared.width) == (5, SIZE, SIZE)
    if not kind[1]:
        assert np.array_equal(open_split(prepared.directory, "train").images, images["train"][0].transpose(0, 3, 1, 2))
