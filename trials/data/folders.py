"""Folders of class folders: which folder is what, which files are images, and their decoding in threads.

    photos/train/cat/1.jpg, photos/val/..., photos/test/...   three folders: what they say
    photos/train/..., photos/val/... (or test/)               two: the second is the held-out test set; train is split for val
    photos/cat/1.jpg, photos/dog/...                          one folder of class folders: split in three

Class folders are searched to any depth. Hidden names and folders that programmes make for themselves are left out, and said.
Refuses links that leave the folder, links to folders, class
folders that differ between splits, and files that are images by name but in a format that is not read.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import numpy as np

from searchspaces.errors import BadInput
from trials.data.images import COLOUR_MODES, EXTENSIONS, GREY_MODES, UNREAD_EXTENSIONS, codec_warnings, decode, look
from trials.data.pools import ImageShape, Material, Pools, Rows, check_classes, data_name, file_identity

if TYPE_CHECKING:
    from PIL.Image import Image

    from searchspaces.arrays import Images, Labels

_BLOCK = 1024  # images handed to the threads at a time
_SECOND = ("val", "test")
_NO_CLASSES = frozenset({"__MACOSX", "__pycache__", "@eaDir", "$RECYCLE.BIN", "System Volume Information", "lost+found"})
Result = TypeVar("Result")
Given = TypeVar("Given")
Keep: TypeAlias = "Callable[[int, Path, Image], None]"


@dataclass(frozen=True)
class Layout:
    """Which folder plays which role. `train` alone: it is split in three."""

    train: Path
    val: Path | None = None
    test: Path | None = None
    heldout_notes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass
class FilePool:
    """Image files with labels, decoded on demand. `modes` counts the kinds of pixels of those looked at."""

    where: str
    paths: tuple[Path, ...]
    labels: Labels
    size: int
    root: Path
    inner_paths: tuple[str, ...]
    left_out: int = 0
    hidden: tuple[str, ...] = ()
    modes: Counter[str] = field(default_factory=Counter)
    groups: None = None

    def name(self, row: int) -> str:
        """Its path below the folder that the user named."""
        return self.paths[row].relative_to(self.root).as_posix()

    def shape(self, rows: Rows) -> ImageShape:
        """1 channel if all are grey, else 3. Looks at every header: what the rules refuse is named before any is decoded."""
        modes = Counter(threaded(lambda path: look(path, self.size), [self.paths[row] for row in rows]))
        self.modes.update(modes)
        return 3 if COLOUR_MODES & modes.keys() else 1, self.size, self.size

    def read(self, rows: Rows, out: Images, tick: Callable[[int], None], keep: Keep | None = None) -> None:
        """Decode in threads, in order. `keep(number in rows, path, image)`, if given, gets each image before it is cut."""
        channels = out.shape[1]

        def decoded(given: tuple[int, Path]) -> np.ndarray:
            number, path = given
            return decode(path, self.size, channels, None if keep is None else lambda image: keep(number, path, image))

        for index, pixels in enumerate(threaded(decoded, list(enumerate(self.paths[row] for row in rows)))):
            out[index] = pixels
            tick(1)

    def notes(self) -> tuple[str, ...]:
        """Mixed grey and colour, dropped alpha, files left out."""
        notes = []
        name = Path(self.where).name
        grey = sum(self.modes[mode] for mode in GREY_MODES)
        alpha = self.modes["RGBA"] + self.modes["LA"]
        if 0 < grey < self.modes.total():
            notes.append(f"{name}/: {grey} of {self.modes.total()} images are grey; they become RGB like the others")
        if alpha:
            notes.append(f"{name}/: alpha is dropped from {alpha} images")
        if self.left_out:
            notes.append(f"{name}/: {self.left_out} files are left out, not images by their names")
        if self.hidden:
            notes.append(f"{name}/: left out, hidden or no class: {_some_names(list(self.hidden))}")
        return tuple(notes)


def understand_folder(root: Path, size: int, val_folder: str | None) -> Material:
    """A folder of the user's as material. Names, sizes and dates are read here, pixels later."""
    layout = find_layout(root, val_folder)
    roles = [folder for folder in (layout.train, layout.val, layout.test) if folder is not None]
    listed = {folder: _Listing.of(folder, root) for folder in roles}
    identity = {
        "size": size,
        "roles": [str(folder.absolute()) for folder in roles],
        "val_folder": val_folder,
        "files": {str(folder): file_identity(listing.paths) for folder, listing in listed.items()},
    }

    def load() -> Pools:
        classes = listed[layout.train].classes
        train, *others = (listing.pool(classes, size) for listing in listed.values())
        check_classes(classes, train, tuple(others))
        val = others[0] if layout.val is not None else None
        test = others[-1] if layout.test is not None else None
        return Pools(classes, train, val, test, len(roles) == 1, layout.notes, layout.heldout_notes)

    has_test = layout.test is not None or len(roles) == 1
    return Material(data_name(root.resolve().name), "photos", str(root.resolve()), identity, has_test, load)


def find_layout(root: Path, val_folder: str | None) -> Layout:
    """What each folder in `root` is; `BadInput` if that can't be told."""
    found = [entry.name for entry in _visible(root) if entry.is_dir()]
    if val_folder is not None and (val_folder == "train" or val_folder not in found or "train" not in found):
        raise BadInput(
            f"--val-folder {val_folder!r} must name a folder beside train/ in {str(root)!r}; there are {_some_names(found)}"
        )
    if not found:
        raise BadInput(
            f"{str(root)!r} has no folders of classes; put the images of each class in a folder of its own, named for it"
        )
    second = [name for name in _SECOND if name in found and name != val_folder]
    if "train" not in found:
        if second:
            raise BadInput(f"{str(root)!r} has {second[0]}/ but no train/; add train/ with the same class folders")
        return Layout(root, notes=(f"{root.name}/ is split in three: training, validation and a held-out test set",))
    others = sorted(set(found) - {"train", *second, val_folder})
    notes = (f"left out, neither train/, val/ nor test/: {_some_names(others)}",) if others else ()
    if others and not second and val_folder is None:
        raise BadInput(
            f"{str(root)!r} has train/ and {_some_names(others)}; rename one to val or test, or say --val-folder {others[0]}"
        )
    return _with_train(root, second, val_folder, notes)


def _with_train(root: Path, second: list[str], val_folder: str | None, notes: tuple[str, ...]) -> Layout:
    train = root / "train"
    if val_folder is not None:
        test = root / second[-1] if second else None
        if test is None:
            return Layout(train, root / val_folder, notes=(*notes, "there is no held-out test set"))
        return Layout(train, root / val_folder, test, (f"{test.name}/ is the held-out test set",), notes)
    if len(second) == 2:
        return Layout(train, root / "val", root / "test", notes=notes)
    if second:
        line = f"{second[0]}/ is kept as the held-out test set (--val-folder {second[0]} makes it validation)"
        return Layout(train, None, root / second[0], (line,), notes)
    return Layout(train, notes=(*notes, "train/ is split in three: training, validation and a held-out test set"))


@dataclass(frozen=True)
class _Listing:
    """The image files of one split, by class; `hidden` are the folders in it that were passed over."""

    folder: Path
    root: Path
    classes: tuple[str, ...]
    files: dict[str, list[Path]]
    left_out: int
    hidden: tuple[str, ...]

    @staticmethod
    def of(folder: Path, root: Path) -> _Listing:
        if folder != root:  # the root itself may be a link: the user named it
            _check_link(folder, root)
        files: dict[str, list[Path]] = {}
        hidden: list[str] = []
        left_out, loose = 0, []
        for entry in _visible(folder, hidden):
            _check_link(entry.path, root)
            if entry.is_dir():
                files[entry.name] = []
                for path in _files_below(Path(entry.path), root, hidden):
                    if _is_image(path):
                        files[entry.name].append(path)
                    else:
                        left_out += 1
            else:
                loose.append(entry.name)
        if not any(files.values()):
            extra = f" ({len(loose)} files lie outside class folders)" if loose else ""
            raise BadInput(
                f"{str(folder)!r} holds no images in class folders{extra}; each class needs a folder with {_formats()} files"
            )
        return _Listing(folder, root, tuple(sorted(files)), files, left_out + len(loose), tuple(dict.fromkeys(hidden)))

    @property
    def paths(self) -> list[Path]:
        """All files, class by class."""
        return [path for name in self.classes for path in self.files[name]]

    def pool(self, classes: tuple[str, ...], size: int) -> FilePool:
        """With labels by train's `classes`; `BadInput` for a class that train lacks."""
        unknown = [name for name in self.classes if name not in classes]
        if unknown:
            raise BadInput(f"{str(self.folder)!r} has class {unknown[0]!r}, which train lacks; add it to train or remove it here")
        number = {name: index for index, name in enumerate(classes)}
        labels = np.array([number[name] for name in self.classes for _ in self.files[name]], dtype=np.int64)
        inner = tuple(path.relative_to(self.folder / name).as_posix() for name in self.classes for path in self.files[name])
        return FilePool(str(self.folder), tuple(self.paths), labels, size, self.root, inner, self.left_out, self.hidden)


def _visible(folder: Path, hidden: list[str] | None = None) -> list[os.DirEntry[str]]:
    """What is in a folder and not passed over, by name; the folders that are passed over are added to `hidden`."""
    try:
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise BadInput(f"{str(folder)!r} can't be listed ({error.strerror}); check its permissions") from error
    seen = [entry for entry in found if not entry.name.startswith(".") and entry.name not in _NO_CLASSES]
    if hidden is not None:
        hidden += [entry.name for entry in found if entry not in seen and entry.is_dir()]
    return seen


def _files_below(folder: Path, root: Path, hidden: list[str]) -> Iterator[Path]:
    for entry in _visible(folder, hidden):
        _check_link(entry.path, root)
        if entry.is_dir():
            yield from _files_below(Path(entry.path), root, hidden)
        else:
            yield Path(entry.path)


def _check_link(path: str | Path, root: Path) -> None:
    """Links may point at files within the data folder, at nothing else."""
    if os.path.islink(path):
        target = Path(os.path.realpath(path))
        if not target.is_relative_to(os.path.realpath(root)) or not target.is_file():
            raise BadInput(
                f"{str(path)!r} is a link to {str(target)!r}; links may only point at files inside {str(root)!r}: copy it there"
            )


def _is_image(path: Path) -> bool:
    extension = path.suffix.lower()
    if extension in UNREAD_EXTENSIONS:
        raise BadInput(f"{str(path)!r}: {extension} files are not read, only {_formats()}; convert it to .png or remove it")
    return extension in EXTENSIONS


def _formats() -> str:
    return ", ".join(sorted(EXTENSIONS))


def _some_names(names: list[str]) -> str:
    return ", ".join(f"{name}/" for name in names[:8]) + (", ..." if len(names) > 8 else "") if names else "no folders"


def threaded(work: Callable[[Given], Result], paths: Sequence[Given]) -> Iterator[Result]:
    """`work` on each of those given, results in order. The first error in order is raised, and what has not begun is dropped."""
    with codec_warnings(), ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as threads:
        try:
            for start in range(0, len(paths), _BLOCK):
                yield from threads.map(work, paths[start : start + _BLOCK])
        finally:
            threads.shutdown(wait=True, cancel_futures=True)
