"""Folders of class folders: which folder is what, and which files are images of which class.

    photos/train/cat/1.jpg, photos/val/..., photos/test/...   three folders: what they say
    photos/train/..., photos/val/... (or test/)               two: the second is the held-out test set; train is split for val
    photos/cat/1.jpg, photos/dog/...                          one folder of class folders: split in three

Class folders are searched to any depth. Hidden names and folders that programmes make for themselves are left out, and said.
Refuses links that leave the folder, links to folders, class
folders that differ between splits, and files that are images by name but in a format that is not read.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from searchspaces.errors import BadInput
from trials.data.files import FilePool
from trials.data.images import EXTENSIONS, UNREAD_EXTENSIONS
from trials.data.levels import Levels
from trials.data.naming import check_forms, like
from trials.data.pools import Material, Pools, check_classes, data_name, file_identity

_SECOND = ("val", "test")
_NO_CLASSES = frozenset({"__MACOSX", "__pycache__", "@eaDir", "$RECYCLE.BIN", "System Volume Information", "lost+found"})


@dataclass(frozen=True)
class Layout:
    """Which folder plays which role. `train` alone: it is split in three."""

    train: Path
    val: Path | None = None
    test: Path | None = None
    heldout_notes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def understand_folder(root: Path, size: int, val_folder: str | None, levels: Levels | None = None) -> Material:
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
        train, *others = (listing.pool(classes, size, levels) for listing in listed.values())
        check_classes(classes, train, tuple(others))
        val = others[0] if layout.val is not None else None
        test = others[-1] if layout.test is not None else None
        return Pools(classes, train, val, test, len(roles) == 1, layout.notes, layout.heldout_notes)

    has_test = layout.test is not None or len(roles) == 1
    return Material(data_name(root.resolve().name), "photos", str(root.resolve()), identity, has_test, load, "class folders")


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
            check_link(folder, root)
        files: dict[str, list[Path]] = {}
        hidden: list[str] = []
        left_out, loose = 0, []
        for entry in _visible(folder, hidden):
            check_link(entry.path, root)
            if entry.is_dir():
                files[entry.name] = []
                for path in _files_below(Path(entry.path), root, hidden):
                    if is_image(path):
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
        check_forms(files, str(folder))
        return _Listing(folder, root, tuple(sorted(files)), files, left_out + len(loose), tuple(dict.fromkeys(hidden)))

    @property
    def paths(self) -> list[Path]:
        """All files, class by class."""
        return [path for name in self.classes for path in self.files[name]]

    def pool(self, classes: tuple[str, ...], size: int, levels: Levels | None) -> FilePool:
        """With labels by train's `classes`; `BadInput` for a class that train lacks."""
        unknown = [name for name in self.classes if name not in classes]
        if unknown:
            raise BadInput(
                f"{str(self.folder)!r} has class {unknown[0]!r}, which train lacks{like(unknown[0], classes)}; "
                "add it to train or remove it here"
            )
        number = {name: index for index, name in enumerate(classes)}
        labels = np.array([number[name] for name in self.classes for _ in self.files[name]], dtype=np.int64)
        inner = tuple(path.relative_to(self.folder / name).as_posix() for name in self.classes for path in self.files[name])
        return FilePool(str(self.folder), tuple(self.paths), labels, size, self.root, inner, self.left_out, self.hidden, levels)


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
        check_link(entry.path, root)
        if entry.is_dir():
            yield from _files_below(Path(entry.path), root, hidden)
        else:
            yield Path(entry.path)


def check_link(path: str | Path, root: Path) -> None:
    """Links may point at files within the data folder, at nothing else."""
    if os.path.islink(path):
        target = Path(os.path.realpath(path))
        if not target.is_relative_to(os.path.realpath(root)) or not target.is_file():
            raise BadInput(
                f"{str(path)!r} is a link to {str(target)!r}; links may only point at files inside {str(root)!r}: copy it there"
            )


def is_image(path: Path) -> bool:
    """Whether a file is an image by its name; `BadInput` for formats that are not read, which are never left out in silence."""
    extension = path.suffix.lower()
    if extension in UNREAD_EXTENSIONS:
        raise BadInput(f"{str(path)!r}: {extension} files are not read, only {_formats()}; convert it to .png or remove it")
    return extension in EXTENSIONS


def _formats() -> str:
    return ", ".join(sorted(EXTENSIONS))


def _some_names(names: list[str]) -> str:
    return ", ".join(f"{name}/" for name in names[:8]) + (", ..." if len(names) > 8 else "") if names else "no folders"
