"""Which images belong together: one patient, slide, video or cluster of near copies, which no two splits may share.

| rule | an image's group |
|---|---|
| column | its entry in the .npz file's `train_groups`, `val_groups` or `test_groups` (whole numbers or texts) |
| folder:N | the N-th folder below its class folder, 1 the uppermost |
| regex:PATTERN | what PATTERN finds first in its path below the class folder: its first bracketed group, else the whole match |

Refuses rules that are none of these, images that a rule says nothing about, and groups that lie in two splits that the user made.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

import numpy as np

from searchspaces.errors import BadInput
from trials.data.pools import Pool, Pools

GroupNames = np.ndarray[tuple[int], np.dtype[np.str_]]
RULES = "column, folder:N (N from 1) and regex:PATTERN"


@dataclass(frozen=True)
class GroupRule:
    """How a group is read off an image. `read` gives the names of a pool's groups, one per image."""

    kind: Literal["column", "folder", "regex"]
    level: int = 0
    pattern: str = ""

    @staticmethod
    def parse(text: str) -> GroupRule:
        """`BadInput` for what is no rule."""
        kind, colon, rest = text.partition(":")
        if text == "column":
            return GroupRule("column")
        if kind == "folder" and colon and re.fullmatch(r"[1-9][0-9]?", rest, re.ASCII):
            return GroupRule("folder", level=int(rest))
        if kind == "regex" and rest:
            try:
                re.compile(rest)
            except re.error as error:
                raise BadInput(f"--groups {text!r}: {rest!r} is no regular expression ({error}); correct it") from error
            return GroupRule("regex", pattern=rest)
        raise BadInput(f"--groups {text!r}: no such rule; allowed are {RULES}")

    def read(self, pool: Pool) -> GroupNames:
        """The group of each image of a pool. `BadInput` where the rule doesn't fit the pool or misses an image."""
        if self.kind == "column":
            if pool.groups is None:
                raise BadInput(f"--groups column: {pool.where} has no groups; {_where_columns_are()}")
            return pool.groups.astype(np.str_)
        if pool.inner_paths is None:
            raise BadInput(f"--groups {self}: {pool.where} has no file names; this rule is for folders of images")
        of = self._in_folder if self.kind == "folder" else self._matched()
        names = [of(path) for path in pool.inner_paths]
        missed = [path for path, name in zip(pool.inner_paths, names, strict=True) if name is None]
        if missed:
            raise BadInput(
                f"--groups {self}: it says nothing about {missed[0]!r} in {pool.where} ({len(missed)} such); "
                "every image needs a group: change the rule or the files' places"
            )
        return np.array([name or "" for name in names], dtype=np.str_)

    def _in_folder(self, path: str) -> str | None:
        folders = PurePosixPath(path).parts[:-1]
        return "/".join(folders[: self.level]) if len(folders) >= self.level else None

    def _matched(self) -> Callable[[str], str | None]:
        compiled = re.compile(self.pattern)

        def of(path: str) -> str | None:
            found = compiled.search(path)
            return None if found is None else (found[1] if compiled.groups else found[0])

        return of

    def __str__(self) -> str:
        return {"column": "column", "folder": f"folder:{self.level}", "regex": f"regex:{self.pattern}"}[self.kind]


def groups_of(pools: Pools, rule: GroupRule | None) -> Mapping[str, GroupNames] | None:
    """The groups of train, val and test, as far as these are there; None without a rule.

    `BadInput` for a group in two of them: these splits are the user's own.
    """
    if rule is None:
        return None
    found = {name: rule.read(pool) for name, pool in _roles(pools)}
    names = list(found)
    for index, first in enumerate(names):
        for second in names[index + 1 :]:
            _refuse_straddling(rule, (first, found[first]), (second, found[second]), pools)
    return found


def _roles(pools: Pools) -> Iterable[tuple[str, Pool]]:
    given = {"train": pools.train, "val": pools.val, "test": pools.test}
    return [(name, pool) for name, pool in given.items() if pool is not None]


def _refuse_straddling(rule: GroupRule, first: tuple[str, GroupNames], second: tuple[str, GroupNames], pools: Pools) -> None:
    both = np.intersect1d(first[1], second[1])
    if len(both):
        where = dict(_roles(pools))
        raise BadInput(
            f"--groups {rule}: group {str(both[0])!r} is in {where[first[0]].where} and in {where[second[0]].where} "
            f"({len(both)} such groups); a group belongs in one split: move its images to one, or let us split one folder"
        )


def _where_columns_are() -> str:
    return "a .npz file has them as train_groups, val_groups and test_groups, one entry per image"


def numbered(names: GroupNames) -> np.ndarray:
    """Groups as whole numbers from 0, in the order of their names."""
    return np.unique(names, return_inverse=True)[1].astype(np.int64)


def merged(groups: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Groups (whole numbers, one per image) with those of images `first[i]` and `second[i]` made one; numbered anew from 0."""
    parent = np.arange(groups.max(initial=-1) + 1)

    def root(group: int) -> int:
        while parent[group] != group:
            parent[group] = parent[parent[group]]
            group = int(parent[group])
        return group

    for one, other in zip(groups[first].tolist(), groups[second].tolist(), strict=True):
        low, high = sorted((root(one), root(other)))
        parent[high] = low
    roots = np.array([root(group) for group in range(len(parent))], dtype=np.int64)
    return np.unique(roots[groups], return_inverse=True)[1].astype(np.int64)
