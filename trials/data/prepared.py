"""From a source to one uint8 array a split: made once, kept under the home, found again by what it was made from.

The test arrays lie apart, in a directory that nothing beside the training arrays names: a search process is given
`Prepared.directory` alone. Refuses homes that can't be written.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from searchspaces.errors import BadInput
from trials.data.pools import Domain, Material, Pools
from trials.data.source import Source, understand
from trials.data.splits import Part, choose_parts
from trials.data.store import Draft, SplitName, data_fingerprint, fingerprint, only_maker, read_meta

FORMAT = 1  # part of the key: raise it when the same source would give other arrays or another meta.json
DEVIATION_FLOOR = 1 / 255  # a channel that never changes is divided by one grey level, not by 0

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True)
class Prepared:
    """Prepared data. `directory` holds train and val, `heldout` (None: there is no test set) the test arrays.

    `fingerprint` covers classes, train and val; `heldout_fingerprint` is the test split's. `counts` are images per split; `notes`
    are lines for the user. `fingerprints` are each split's own; `leaks` says what copies were found and what was done (`leaks.py`).
    """

    name: str
    directory: Path
    heldout: Path | None
    fingerprint: str
    heldout_fingerprint: str | None
    classes: tuple[str, ...]
    channels: int
    height: int
    width: int
    counts: Mapping[str, int]
    domain: Domain
    notes: tuple[str, ...]
    fingerprints: Mapping[str, str]
    leaks: Mapping[str, Any]


def prepare(source: Source, home_directory: Path, on_progress: OnProgress | None = None) -> Prepared:
    """The prepared copy of a source, made if it is not there. `on_progress(images done, images in all)` while it is made.

    `BadInput` for data that can't be used (nothing is left behind) and for a home that can't be written.
    """
    material = understand(source)
    key = f"{material.name}-{_key(material, source)[:8]}"
    directory, heldout = home_directory / "data" / key, home_directory / "heldout" / key
    try:
        with only_maker(directory.parent), only_maker(heldout.parent):
            if not (directory.is_dir() and (heldout.is_dir() or not material.has_test)):
                _make(material, source, directory, heldout, on_progress)
    except OSError as error:  # readers turn theirs into BadInput, so this is the home's
        raise BadInput(
            f"{str(home_directory)!r} can't be written ({error.strerror}); choose another directory with --home"
        ) from error
    return _opened(directory, heldout if material.has_test else None)


def _key(material: Material, source: Source) -> str:
    wishes = [FORMAT, source.train_images, source.val_images, source.seed, material.domain, dict(material.identity)]
    return hashlib.sha256(json.dumps(wishes, sort_keys=True).encode()).hexdigest()


def _make(material: Material, source: Source, directory: Path, heldout: Path, on_progress: OnProgress | None) -> None:
    pools = material.load()
    parts = choose_parts(pools, source.train_images, source.val_images, source.seed)
    made = _Making(parts, on_progress)
    known = {"format": FORMAT, "name": material.name, "domain": material.domain, "classes": list(pools.classes)}
    drafts = []
    if "test" in parts:  # first: the training directory stands for the whole
        draft = Draft(heldout)
        written = made.write(draft, ("test",))
        notes = [*pools.heldout_notes, *(() if pools.test is None else pools.test.notes())]
        drafts.append((draft, {**written, "origin": material.origin, "notes": notes}))
    draft = Draft(directory)
    written = made.write(draft, ("train", "val"))
    train_images = np.load(draft.path / "train_images.npy", mmap_mode="r")
    mean, deviation = channel_statistics(train_images)
    wishes = {"train_images": source.train_images, "val_images": source.val_images, "seed": source.seed}
    # where the test images came from is not for a search to read
    origin = None if "test" in parts else material.origin
    drafts.append((draft, {**written, "wishes": wishes, "origin": origin, "notes": _notes(pools, parts)}))
    for draft, meta in drafts:
        draft.finish({**known, **meta, "mean": mean, "std": deviation})


class _Making:
    """Writes parts as arrays of one shape and counts images for the progress."""

    def __init__(self, parts: Mapping[str, Part], on_progress: OnProgress | None) -> None:
        self.parts = parts
        self.on_progress = on_progress
        self.done = 0
        self.total = sum(len(part.rows) for part in parts.values())
        shapes = [part.pool.shape(part.rows) for part in parts.values()]
        self.shape = max(shapes)  # they differ in channels at most: grey ones join RGB ones

    def write(self, draft: Draft, names: tuple[SplitName, ...]) -> dict[str, Any]:
        """Fill the draft's arrays; what meta.json says of them."""
        fingerprints = {}
        for name in names:
            part = self.parts[name]
            labels = part.pool.labels[part.rows]
            images = draft.create_images(name, (len(part.rows), *self.shape))
            part.pool.read(part.rows, images, self._tick)
            images.flush()
            draft.save_labels(name, labels)
            fingerprints[name] = fingerprint(images, labels)
        return {"counts": {name: len(self.parts[name].rows) for name in names}, "fingerprints": fingerprints}

    def _tick(self, images: int) -> None:
        self.done += images
        if self.on_progress is not None:
            self.on_progress(self.done, self.total)


def channel_statistics(images: np.ndarray) -> tuple[list[float], list[float]]:
    """Mean and standard deviation per channel of pixels / 255, from whole-number sums; deviation at least `DEVIATION_FLOOR`."""
    levels = np.arange(256)
    means, deviations = [], []
    for channel in range(images.shape[1]):
        histogram = np.zeros(256, dtype=np.int64)
        for start in range(0, len(images), 4096):
            histogram += np.bincount(images[start : start + 4096, channel].ravel(), minlength=256)
        count, total, squares = int(histogram.sum()), int(histogram @ levels), int(histogram @ levels**2)
        means.append(total / count / 255)
        deviations.append(max((squares * count - total**2) ** 0.5 / count / 255, DEVIATION_FLOOR))
    return means, deviations


def _notes(pools: Pools, parts: Mapping[str, Part]) -> list[str]:
    notes = list(pools.notes)
    if pools.val is None:
        notes.append(f"validation: {len(parts['val'].rows)} of train's images, stratified, by the seed")
    return [*notes, *dict.fromkeys(note for name in ("train", "val") for note in parts[name].pool.notes())]


def _opened(directory: Path, heldout: Path | None) -> Prepared:
    meta = read_meta(directory)
    test = None if heldout is None else read_meta(heldout)
    _, channels, height, width = np.load(directory / "train_images.npy", mmap_mode="r").shape
    return Prepared(
        name=meta["name"],
        directory=directory,
        heldout=heldout,
        fingerprint=data_fingerprint(meta),
        heldout_fingerprint=None if test is None else test["fingerprints"]["test"],
        classes=tuple(meta["classes"]),
        channels=channels,
        height=height,
        width=width,
        counts={**meta["counts"], "test": 0 if test is None else test["counts"]["test"]},
        domain=cast(Domain, meta["domain"]),
        notes=tuple(dict.fromkeys([*meta["notes"], *([] if test is None else test["notes"])])),
        fingerprints={**meta["fingerprints"], **({} if test is None else test["fingerprints"])},
        leaks=meta.get("duplicates", {}),
    )
