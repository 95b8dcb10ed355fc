"""A Python function of the user's that returns arrays: `--data module:function`.

It is called without arguments and returns a mapping, or a tuple in this order:

| what | | |
|---|---|---|
| images | (n, height, width) or (n, height, width, channels), uint8, or uint16 with `--levels` | needed |
| labels | (n,) whole numbers from 0 up | needed |
| splits | (n,) texts by `roles.py`; None: cut in three | |
| classes | a name for each class | |
| groups | (n,) whole numbers or texts, for `--groups column` | |

The module is looked for where Python looks, and in the working directory. What it returns is the identity, by its content, so it
must return the same each time. Refuses other names, functions that fail, and what is no such return value.
"""

from __future__ import annotations

import hashlib
import importlib
import re
import sys
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from searchspaces.errors import BadInput
from trials.data.levels import Levels
from trials.data.pools import ArrayPool, Material, Pools, array_pool, check_labels, class_names, data_name
from trials.data.roles import Roles, roles_of
from trials.data.tables import as_pools

if TYPE_CHECKING:
    from collections.abc import Iterator

RETURNED = ("images", "labels", "splits", "classes", "groups")
_NAME = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


def is_function_name(data: str) -> bool:
    """Whether this reads as module:function."""
    return _NAME.fullmatch(data) is not None


def understand_function(name: str, val_word: str | None, levels: Levels | None) -> Material:
    """What a function returns as material; it is called here, once."""
    found = _returned(name, _function(name)())
    splits = None if found["splits"] is None else [str(split) for split in found["splits"]]
    if splits is not None and len(splits) != len(found["labels"]):
        raise BadInput(f"{name}: {len(found['labels'])} labels but {len(splits)} splits; return one split per image, or None")
    roles = roles_of(splits or (), name, val_word)
    identity = {"function": name, "content": _digest(found), "val_folder": val_word}
    has_test = roles.test is not None or roles.cut_test
    return Material(
        data_name(name.replace(":", "-")),
        "photos",
        name,
        identity,
        has_test,
        lambda: _pools(name, found, splits, roles, levels),
        "a function",
    )


def _function(name: str) -> Callable[[], Any]:
    module_name, _, function = name.partition(":")
    with _working_directory_too():
        try:
            module = importlib.import_module(module_name)
        except Exception as error:  # the user's module runs as it is imported
            raise BadInput(
                f"--data {name}: module {module_name} can't be imported ({_reason(error)}); correct it, or run where it lies"
            ) from error
    found = getattr(module, function, None)
    if not callable(found):
        raise BadInput(f"--data {name}: {module_name} has no function {function!r}; give one that it has")
    return _calling(name, found)


def _calling(name: str, function: Callable[[], Any]) -> Callable[[], Any]:
    def call() -> Any:
        with _working_directory_too():
            try:
                return function()
            except Exception as error:  # whatever the user's code raises
                raise BadInput(f"--data {name}: it failed ({_reason(error)}); correct it") from error

    return call


@contextmanager
def _working_directory_too() -> Iterator[None]:
    """Inside, modules are found in the working directory, as `python -m` does."""
    here = str(Path.cwd())
    new = here not in sys.path and "" not in sys.path
    if new:
        sys.path.insert(0, here)
    try:
        yield
    finally:
        if new and here in sys.path:
            sys.path.remove(here)


def _reason(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:160]


def _returned(name: str, value: Any) -> dict[str, Any]:
    """By name, arrays made numpy's; what was not returned is None."""
    if isinstance(value, Mapping):
        given = dict(value)
    elif isinstance(value, tuple) and 2 <= len(value) <= len(RETURNED):
        given = dict(zip(RETURNED, value, strict=False))
    else:
        given = {}
    if not {"images", "labels"} <= given.keys() <= set(RETURNED):
        what = sorted(map(str, given)) if given else type(value).__name__
        raise BadInput(
            f"--data {name}: it returned {what}; allowed are (images, labels[, splits, classes, groups]) or a dict of these"
        )
    try:
        return {what: None if given.get(what) is None else np.asarray(given[what]) for what in RETURNED}
    except ValueError as error:  # images of several sizes
        raise BadInput(f"--data {name}: {_reason(error)}; return one array of images, all of one size") from error


def _digest(found: Mapping[str, Any]) -> str:
    """SHA-256, in hex, of all that was returned."""
    digest = hashlib.sha256()
    for what in RETURNED:
        array = found[what]
        digest.update(f"{what} {None if array is None else (array.dtype.str, array.shape)};".encode())
        if array is not None and array.dtype.kind != "O":
            for start in range(0, len(array) if array.ndim else 0, 4096):
                digest.update(np.ascontiguousarray(array[start : start + 4096]).tobytes())
    return digest.hexdigest()


def _pools(name: str, found: Mapping[str, Any], splits: list[str] | None, roles: Roles, levels: Levels | None) -> Pools:
    whole = array_pool(name, found["images"], found["labels"], found["groups"], levels)
    rows = {role: np.flatnonzero(np.array(splits) == word) for role, word in roles.named.items()}
    pools = {role: _taken(whole, picked, f"{name} ({role})") for role, picked in rows.items()} or {"train": whole}
    names = None if found["classes"] is None else class_names(name, found["classes"])
    others = tuple(pool for role, pool in pools.items() if role != "train")
    return as_pools(check_labels(pools["train"], others, names), pools, roles)


def _taken(pool: ArrayPool, rows: np.ndarray, where: str) -> ArrayPool:
    groups = None if pool.groups is None else pool.groups[rows]
    return ArrayPool(where, pool.images[rows], pool.labels[rows], groups, said=pool.said)
