"""From a source to one uint8 array a split: made once, kept under the home, found again by the content it was made from.

Of folders whose images differ in size the uncut images are kept beside it for training (`trials.data.whole`).

The test arrays lie apart, in a directory that nothing beside the training arrays names: a search process is given
`Prepared.directory` alone. Refuses homes that can't be written.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np

from searchspaces.errors import BadInput
from trials.data.chosen import Chosen, choose
from trials.data.content import content_of
from trials.data.described import class_counts, described
from trials.data.gathered import OnProgress
from trials.data.leaks import copies
from trials.data.measured import MOST_PIXEL_BYTES
from trials.data.pictures import write_pictures
from trials.data.pools import Domain, Material
from trials.data.room import InUse, in_use
from trials.data.source import Source, understand
from trials.data.store import (
    Draft,
    SplitName,
    data_fingerprint,
    fingerprint,
    only_maker,
    read_meta,
    scratch_folder,
)
from trials.data.whole import decoder, open_whole

FORMAT = 3  # part of the key: raise it when the same source would give other arrays or another meta.json
DEVIATION_FLOOR = 1 / 255  # a channel that never changes is divided by one grey level, not by 0
WISHES = ("train_images", "val_images", "seed", "groups", "duplicates", "columns", "levels", "skip_bad")  # kept in meta.json
STATISTICS_LEVELS = 1 << 22  # squared at once
LISTED = 1000  # pairs of each kind in meta.json


@dataclass(frozen=True)
class Prepared:
    """Prepared data. `directory` holds train and val, `heldout` (None: there is no test set) the test arrays.

    `fingerprint` covers classes, train and val; `heldout_fingerprint` is the test split's. `counts` are images per split; `notes`
    are lines for the user. `fingerprints` are each split's own; `leaks` says what copies were found and what was done with them.
    While `use` lives, no process that makes room removes the data.
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
    use: InUse | None = field(default=None, compare=False, repr=False)


def prepare(
    source: Source, home_directory: Path, on_progress: OnProgress | None = None, most_pixel_bytes: int = MOST_PIXEL_BYTES
) -> Prepared:
    """The prepared copy of a source, made if it is not there. `on_progress(what, images done, images in all)` while it is made.

    Of uncut images, more than `most_pixel_bytes` are not kept as levels where their JPEG files are smaller. `BadInput` for data
    that can't be used (nothing is left behind) and for a home that can't be written.
    """
    material = understand(source)
    try:
        key = f"{material.name}-{_key(material, source, home_directory, most_pixel_bytes)[:8]}"
        directory, heldout = home_directory / "data" / key, home_directory / "heldout" / key
        use = in_use(home_directory, key)
        with only_maker(directory.parent), only_maker(heldout.parent):
            if not (_stands(directory) and (heldout.is_dir() or not material.has_test)):
                _make(material, source, directory, heldout, on_progress, most_pixel_bytes)
    except OSError as error:  # readers turn theirs into BadInput, so this is the home's
        raise BadInput(
            f"{str(home_directory)!r} can't be written ({error.strerror}); choose another directory with --home"
        ) from error
    return _opened(directory, heldout if material.has_test else None, use)


def _key(material: Material, source: Source, home_directory: Path, most_pixel_bytes: int) -> str:
    wishes = [FORMAT, source.train_images, source.val_images, source.seed, source.groups, source.duplicates]
    whole = [*wishes, most_pixel_bytes, material.domain, content_of(material.identity, home_directory)]
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()


def _stands(directory: Path) -> bool:
    """Whether it is there; JPEG files that this machine's decoder has not been the one to prepare are prepared anew."""
    if not directory.is_dir():
        return False
    form = read_meta(directory).get("whole")
    return form is None or form["decoder"] in (None, decoder())


def _make(
    material: Material,
    source: Source,
    directory: Path,
    heldout: Path,
    on_progress: OnProgress | None,
    most_pixel_bytes: int,
) -> None:
    with scratch_folder(heldout.parent) as scratch:
        chosen = choose(material.load(), source, scratch, on_progress, most_pixel_bytes)
        _write(chosen, material, source, directory, heldout)


def _write(chosen: Chosen, material: Material, source: Source, directory: Path, heldout: Path) -> None:
    known = {"format": FORMAT, "name": material.name, "domain": material.domain, "classes": list(chosen.pools.classes)}
    drafts = []
    if "test" in chosen.positions:  # first: the training directory stands for the whole
        draft = Draft(heldout)
        written = _arrays(draft, chosen, ["test"]) | _pairs(draft, chosen, of_test=True)
        counted = {"class_counts": class_counts(chosen, ["test"])}
        drafts.append((draft, {**written, **counted, "origin": material.origin, "notes": list(chosen.heldout_notes)}))
    draft = Draft(directory)
    names = [name for name in chosen.positions if name != "test"]
    written = _arrays(draft, chosen, names) | _pairs(draft, chosen, of_test=False)
    groups = None if chosen.groups is None else draft.save_groups(chosen.groups)
    mean, deviation = channel_statistics(np.load(draft.path / "train_images.npy", mmap_mode="r"))
    wishes = {name: getattr(source, name) for name in WISHES}
    # where the test images came from is not for a search to read
    origin = None if "test" in chosen.positions else material.origin
    told = {"wishes": wishes, "origin": origin, "notes": list(chosen.notes), "groups_sha256": groups, "duplicates": chosen.leaks}
    told |= {"reader": material.reader, "class_counts": class_counts(chosen, names), **described(chosen)}
    if chosen.gathered.keeping is not None:
        told["whole"] = dict(chosen.gathered.keeping.form)
    drafts.append((draft, {**written, **told}))
    for draft, meta in drafts:
        draft.finish({**known, **meta, "mean": mean, "std": deviation})


def _arrays(draft: Draft, chosen: Chosen, names: Sequence[SplitName]) -> dict[str, Any]:
    """Fill the draft's arrays; what meta.json says of them."""
    fingerprints = {}
    for name in names:
        positions = chosen.positions[name]
        labels = chosen.gathered.labels[positions]
        images = draft.create_images(name, (len(positions), *chosen.gathered.shape))
        chosen.gathered.pixels(positions, images)
        images.flush()
        draft.save_labels(name, labels)
        chosen.gathered.save_whole(positions, draft, name)
        keeping = None if name == "test" else chosen.gathered.keeping
        whole = None if keeping is None else open_whole(draft.path, name, keeping.form)
        fingerprints[name] = fingerprint(images, labels, whole)
    return {"counts": {name: len(chosen.positions[name]) for name in names}, "fingerprints": fingerprints}


def _pairs(draft: Draft, chosen: Chosen, of_test: bool) -> dict[str, Any]:
    found = copies(chosen.cured, of_test)
    write_pictures(draft.path, found, chosen.gathered.picture, chosen.gathered.name)
    listed = [copy.to_dict(chosen.gathered.name) for some in found for copy in some[:LISTED]]
    return {"pairs": listed}


def channel_statistics(images: np.ndarray) -> tuple[list[float], list[float]]:
    """Mean and standard deviation per channel of pixels / 255, from whole-number sums; deviation at least `DEVIATION_FLOOR`."""
    block_images = max(1, STATISTICS_LEVELS // images[0, 0].size)
    means, deviations = [], []
    for channel in range(images.shape[1]):
        total = squares = 0
        for start in range(0, len(images), block_images):
            levels = images[start : start + block_images, channel]
            total += int(levels.sum(dtype=np.int64))
            squares += int(np.square(levels, dtype=np.uint16).sum(dtype=np.int64))
        count = len(images) * images[0, 0].size
        means.append(total / count / 255)
        deviations.append(max((squares * count - total**2) ** 0.5 / count / 255, DEVIATION_FLOOR))
    return means, deviations


def _opened(directory: Path, heldout: Path | None, use: InUse) -> Prepared:
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
        use=use,
    )
