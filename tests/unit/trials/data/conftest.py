"""Writers of small data in each public layout, and the shape that every refusal must have."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from searchspaces.errors import BadInput

Refused = Callable[..., AbstractContextManager[None]]
MakeTree = Callable[..., Path]
MakeNpz = Callable[..., Path]


@pytest.fixture
def refused() -> Refused:
    """`with refused("this", "that")`: BadInput, exit code 2, one line that holds each of the parts and a cure after ; or :."""

    @contextmanager
    def expect(*parts: str) -> Iterator[None]:
        with pytest.raises(BadInput) as caught:
            yield
        message = str(caught.value)
        assert caught.value.exit_code == 2
        assert "\n" not in message
        assert ";" in message or ":" in message, message
        for part in parts:
            assert part in message, message

    return expect


@pytest.fixture
def make_tree(tmp_path: Path) -> MakeTree:
    """`make_tree({"train/cat": 4, "train/dog": 4})` writes so many noise images a folder and returns the root."""

    def write(folders: Mapping[str, int], name: str = "photos", mode: str = "RGB", width: int = 20, height: int = 12) -> Path:
        generator = np.random.default_rng(5)
        root = tmp_path / name
        for folder, count in folders.items():
            (root / folder).mkdir(parents=True)
            for index in range(count):
                shape = (height, width) if mode == "L" else (height, width, 3)
                pixels = generator.integers(0, 256, shape, dtype=np.uint8)
                Image.fromarray(pixels).save(root / folder / f"{index}.png")
        return root

    return write


@pytest.fixture
def make_npz(tmp_path: Path) -> MakeNpz:
    """`make_npz(train_labels=..., without=("val_labels",))` writes MedMNIST's keys: 3 classes, 12 + 6 + 6 RGB images of 8 x 9."""

    def write(without: tuple[str, ...] = (), file: str = "med.npz", **changed: Any) -> Path:
        generator = np.random.default_rng(7)
        arrays: dict[str, Any] = {}
        for split, count in (("train", 12), ("val", 6), ("test", 6)):
            arrays[f"{split}_images"] = generator.integers(0, 256, (count, 8, 9, 3), dtype=np.uint8)
            arrays[f"{split}_labels"] = (np.arange(count) % 3).astype(np.uint8)[:, np.newaxis]
        arrays.update(changed)
        path = tmp_path / file
        with path.open("wb") as target:
            np.savez(target, **{key: value for key, value in arrays.items() if key not in without})
        return path

    return write
