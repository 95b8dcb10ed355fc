"""torchvision's sets as they lie on a disk once they are downloaded: each layout in a few tiny images, read, and told apart.

Every image says in its corner which split, class and number it was written for (a grey one in its first three pixels), so that
what is read can be held against it. Where torchvision hashes a file first, its table gets the hash of the one written.
"""

import bz2
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from trials.data import Prepared, Source, open_split, prepare
from trials.data.source import understand
from trials.data.store import SplitName
from trials.data.torchvision_sets import SETS

SIDE = 16
SPLITS: tuple[SplitName, ...] = ("train", "val", "test")
COUNT = 6  # training images of a class; of each other split there is one


def image_of(split: str, label: int, number: int, side: int = SIDE, channels: int = 3) -> np.ndarray:
    """Noise whose first levels say what it is."""
    pixels = np.random.default_rng([SPLITS.index(split), label, number]).integers(0, 256, (side, side, channels), dtype=np.uint8)
    pixels.reshape(-1)[:3] = (SPLITS.index(split), label, number)
    return pixels


@dataclass(frozen=True)
class Layout:
    """What was written: names of the classes by label, the splits there are, and the images of each class in them."""

    write: Callable[[Path, pytest.MonkeyPatch, "Layout"], None]
    classes: tuple[str, ...]
    splits: tuple[str, ...] = SPLITS
    count: int = COUNT
    side: int = SIDE
    words: dict[str, str] = field(default_factory=dict)

    def rows(self, split: str) -> list[tuple[int, int]]:
        """(label, number) of its images, labels mixed."""
        return [(label, number) for number in range(self.count if split == "train" else 1) for label in range(len(self.classes))]

    def save(self, path: Path, split: str, label: int, number: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:  # PNG keeps the levels, and a file is known by its content
            Image.fromarray(image_of(split, label, number, self.side)).save(file, "PNG")


def class_folders(inner: str, ending: str, named: dict[str, str] | None = None) -> Callable[..., None]:
    """Writes `inner`/SPLIT/CLASS/NUMBER.ending; `named`: a class's folder, where it is called otherwise."""

    def write(root: Path, patch: pytest.MonkeyPatch, layout: Layout) -> None:
        for split in layout.splits:
            for label, number in layout.rows(split):
                folder = (named or {}).get(layout.classes[label], layout.classes[label])
                layout.save(root / inner / layout.words.get(split, split) / folder / f"{number}.{ending}", split, label, number)

    return write


def dtd(root: Path, patch: pytest.MonkeyPatch, layout: Layout) -> None:
    for split in layout.splits:
        lines = [f"{layout.classes[label]}/{split}_{number:04}.jpg" for label, number in layout.rows(split)]
        for line, (label, number) in zip(lines, layout.rows(split), strict=True):
            layout.save(root / "dtd" / "dtd" / "images" / line, split, label, number)
        (root / "dtd" / "dtd" / "labels").mkdir(exist_ok=True)
        (root / "dtd" / "dtd" / "labels" / f"{split}1.txt").write_text("\n".join(lines) + "\n")


def eurosat(root: Path, patch: pytest.MonkeyPatch, layout: Layout) -> None:
    for label, number in layout.rows("train"):
        layout.save(root / "eurosat" / "2750" / layout.classes[label] / f"{number}.jpg", "train", label, number)


def fgvc_aircraft(root: Path, patch: pytest.MonkeyPatch, layout: Layout) -> None:
    data = root / "fgvc-aircraft-2013b" / "data"
    for split in layout.splits:
        lines = []
        for label, number in layout.rows(split):
            name = f"{1_000_000 * (1 + SPLITS.index(split)) + 1000 * label + number:07}"
            layout.save(data / "images" / f"{name}.jpg", split, label, number)
            lines.append(f"{name} {layout.classes[label]}")
        (data / f"images_variant_{split}.txt").write_text("\n".join(lines) + "\n")
    (data / "variants.txt").write_text("\n".join(layout.classes) + "\n")


def flowers102(root: Path, patch: pytest.MonkeyPatch, layout: Layout) -> None:
    savemat = pytest.importorskip("scipy.io").savemat
    from torchvision.datasets import Flowers102

    folder, labels, ids = root / "flowers-102", list[int](), dict[str, list[int]]()
    for split in layout.splits:
        for label, number in layout.rows(split):
            labels.append(label + 1)
            ids.setdefault({"train": "trnid", "val": "valid", "test": "tstid"}[split], []).append(len(labels))
            layout.save(folder / "jpg" / f"image_{len(labels):05}.jpg", split, label, number)
    savemat(folder / "imagelabels.mat", {"labels": np.array([labels], dtype=np.uint8)})
    savemat(folder / "setid.mat", {word: np.array([some], dtype=np.uint16) for word, some in ids.items()})
    table = {key: (name, md5_of(folder / name) if key != "image" else md5) for key, (name, md5) in Flowers102._file_dict.items()}
    patch.setattr(Flowers102, "_file_dict", table)


def food101(root: Path, patch: pytest.MonkeyPatch, layout: Layout) -> None:
    for split in layout.splits:
        listed: dict[str, list[str]] = {}
        for label, number in layout.rows(split):
            name = f"{layout.classes[label]}/{split}{number}"
            listed.setdefault(layout.classes[label], []).append(name)
            layout.save(root / "food-101" / "images" / f"{name}.jpg", split, label, number)
        (root / "food-101" / "meta").mkdir(exist_ok=True)
        (root / "food-101" / "meta" / f"{split}.json").write_text(json.dumps(listed))


def stanford_cars(root: Path, patch: pytest.MonkeyPatch, layout: Layout) -> None:
    savemat = pytest.importorskip("scipy.io").savemat
    folder = root / "stanford_cars"
    (folder / "devkit").mkdir(parents=True)
    fields = [(name, object) for name in ("bbox_x1", "bbox_y1", "bbox_x2", "bbox_y2", "class", "fname")]
    for split, place in (("train", "devkit/cars_train_annos.mat"), ("test", "cars_test_annos_withlabels.mat")):
        rows = []
        for index, (label, number) in enumerate(layout.rows(split)):
            layout.save(folder / f"cars_{split}" / f"{index:05}.jpg", split, label, number)
            rows.append((*(np.uint16(side) for side in (1, 1, 9, 9)), np.uint8(label + 1), f"{index:05}.jpg"))
        savemat(folder / place, {"annotations": np.array([rows], dtype=fields)})
    names = np.empty((1, len(layout.classes)), dtype=object)
    names[0] = layout.classes
    savemat(folder / "devkit" / "cars_meta.mat", {"class_names": names})


def sun397(root: Path, patch: pytest.MonkeyPatch, layout: Layout) -> None:
    for label, number in layout.rows("train"):
        name = layout.classes[label]
        layout.save(root / "SUN397" / name[0] / name / f"sun_{'zyxwvu'[number]}{label}.jpg", "train", label, number)
    (root / "SUN397" / "ClassName.txt").write_text("".join(f"/{name[0]}/{name}\n" for name in layout.classes))


def stl10(root: Path, patch: pytest.MonkeyPatch, layout: Layout) -> None:
    from torchvision.datasets import STL10

    folder = root / "stl10_binary"
    folder.mkdir()
    for split in layout.splits:
        rows = layout.rows(split)
        images = np.stack([image_of(split, label, number, layout.side) for label, number in rows])
        (folder / f"{split}_X.bin").write_bytes(images.transpose(0, 3, 2, 1).tobytes())  # columns first
        (folder / f"{split}_y.bin").write_bytes(bytes(label + 1 for label, _ in rows))
    (folder / "class_names.txt").write_text("\n".join(layout.classes))
    (folder / "unlabeled_X.bin").write_bytes(b"")
    for table in ("train_list", "test_list"):
        patch.setattr(STL10, table, [[name, md5_of(folder / name)] for name, _ in getattr(STL10, table)])


def svhn(root: Path, patch: pytest.MonkeyPatch, layout: Layout) -> None:
    savemat = pytest.importorskip("scipy.io").savemat
    from torchvision.datasets import SVHN

    table = {}
    for split in layout.splits:
        rows, name = layout.rows(split), f"{split}_32x32.mat"
        images = np.stack([image_of(split, label, number, layout.side) for label, number in rows])
        digits = np.array([[label or 10] for label, _ in rows], dtype=np.uint8)  # its label of the digit 0 is 10
        savemat(root / name, {"X": images.transpose(1, 2, 3, 0), "y": digits})
        table[split] = ["", name, md5_of(root / name)]
    patch.setattr(SVHN, "split_list", table)


def usps(root: Path, patch: pytest.MonkeyPatch, layout: Layout) -> None:
    for split, name in (("train", "usps.bz2"), ("test", "usps.t.bz2")):
        lines = []
        for label, number in layout.rows(split):
            levels = image_of(split, label, number, layout.side, 1).reshape(-1) / 255 * 2 - 1 + 1e-4  # it cuts fractions off
            lines.append(f"{label + 1} " + " ".join(f"{index}:{level:.6f}" for index, level in enumerate(levels, 1)))
        (root / name).write_bytes(bz2.compress("\n".join(lines).encode()))


def md5_of(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def flower_names() -> tuple[str, ...]:
    from torchvision.datasets import Flowers102

    return tuple(Flowers102.classes)


TWO, DIGITS = ("train", "test"), tuple(str(digit) for digit in range(10))
WNIDS = {"tench": "n01440764", "English springer": "n02102040", "cassette player": "n02979186"}
LAYOUTS: dict[str, Layout] = {
    "Country211": Layout(class_folders("country211", "jpg"), ("AD", "AE", "ZW"), words={"val": "valid"}),
    "DTD": Layout(dtd, ("banded", "zigzagged")),
    "EuroSAT": Layout(eurosat, ("Forest", "River"), ("train",)),
    "FGVCAircraft": Layout(fgvc_aircraft, ("Boeing 737-700", "A330", "F/A-18")),
    "Flowers102": Layout(flowers102, flower_names(), count=2),
    "Food101": Layout(food101, ("apple_pie", "waffles"), TWO),
    "Imagenette": Layout(class_folders("imagenette2", "JPEG", WNIDS), tuple(WNIDS), TWO, words={"test": "val"}),
    "RenderedSST2": Layout(class_folders("rendered-sst2", "png"), ("negative", "positive"), words={"val": "valid"}),
    "STL10": Layout(stl10, ("airplane", "bird", "car"), TWO, side=96),
    "SUN397": Layout(sun397, ("abbey", "apartment_building/outdoor", "zoo"), ("train",)),
    "SVHN": Layout(svhn, DIGITS, TWO, side=32),
    "StanfordCars": Layout(stanford_cars, ("AM General Hummer SUV 2000", "Acura RL Sedan 2012"), TWO),
    "USPS": Layout(usps, DIGITS, TWO),
}


def test_there_is_a_layout_of_every_set() -> None:
    assert LAYOUTS.keys() == SETS.keys()


@pytest.mark.parametrize("name", LAYOUTS)
def test_what_was_written_is_what_is_read(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layout, root = LAYOUTS[name], tmp_path / "root"
    root.mkdir()
    layout.write(root, monkeypatch, layout)
    source = Source(f"torchvision:{name}", data_root=str(root), image_size=SIDE, duplicates="report")
    prepared = prepare(source, tmp_path / "home")
    assert prepared.classes == layout.classes
    assert (prepared.height, prepared.width, prepared.channels) == (layout.side, layout.side, 1 if name == "USPS" else 3)
    found = {split: read_back(prepared, split, layout) for split in SPLITS}
    written = {split: {(split, *row) for row in layout.rows(split)} for split in layout.splits}
    if "val" in layout.splits:
        assert found == written
    elif "test" in layout.splits:
        assert (found["train"] | found["val"], found["test"]) == (written["train"], written["test"])
    else:
        assert found["train"] | found["val"] | found["test"] == written["train"]
    assert sum(prepared.counts.values()) == sum(map(len, written.values())), "none twice"


def test_files_that_torchvision_lists_in_the_disks_order_are_sorted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sun397(tmp_path, monkeypatch, LAYOUTS["SUN397"])
    source, found = Source("torchvision:SUN397", data_root=str(tmp_path)), Path.rglob
    one = understand(source).identity
    monkeypatch.setattr(Path, "rglob", lambda *wish: sorted(found(*wish), reverse=True))
    other = understand(source).identity
    assert one == other


def read_back(prepared: Prepared, split: SplitName, layout: Layout) -> set[Any]:
    """(split, label, number) that its images say of themselves; their pixels and labels are those."""
    folder = prepared.heldout if split == "test" else prepared.directory
    assert folder is not None
    opened, said = open_split(folder, split), set[Any]()
    for image, label in zip(opened.images.transpose(0, 2, 3, 1), opened.labels, strict=True):
        number_of_split, its_label, number = image.reshape(-1)[:3].tolist()
        assert its_label == label
        assert np.array_equal(image, image_of(SPLITS[number_of_split], its_label, number, layout.side, image.shape[2]))
        said.add((SPLITS[number_of_split], its_label, number))
    return said
