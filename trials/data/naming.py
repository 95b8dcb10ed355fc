"""Classes from what a table or a data set calls them: texts, or whole numbers from 0 up.

Names are sorted as texts; where all of them are whole numbers, by their value. Refuses missing labels, negative numbers (they
mark unlabelled images, and a loss may pass over them in silence), numbers with a fraction, and names that differ in Unicode form
alone.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from searchspaces.errors import BadInput

if TYPE_CHECKING:
    from searchspaces.arrays import Labels

MISSING = frozenset({"", "nan", "none", "null", "n/a", "na"})
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def classes_of(texts: Sequence[str], where: str) -> tuple[str, ...]:
    """The class names of labels, each once, in order. `where` names the source; positions are counted from 0."""
    for place, text in enumerate(texts):
        _check_label(text, place, where)
    names = set(texts)
    if all(name.isascii() and name.isdigit() for name in names):
        return tuple(sorted(names, key=lambda name: (int(name), name)))
    check_forms(names, where)
    return tuple(sorted(names))


def numbered_by(texts: Sequence[str], classes: Sequence[str], where: str) -> Labels:
    """The number of each label's class; `BadInput` for a class that `classes`, those of train, lack."""
    number = {name: index for index, name in enumerate(classes)}
    for place, text in enumerate(texts):
        _check_label(text, place, where)
        if text not in number:
            raise BadInput(
                f"{where}: label {text!r} of image {place} is no class of train{like(text, classes)}; add such images to train, "
                "or remove them here"
            )
    return np.array([number[text] for text in texts], dtype=np.int64)


def check_forms(names: Iterable[str], where: str) -> None:
    """`BadInput` for two class names that look alike and differ in Unicode form (composed or not) alone."""
    seen: dict[str, str] = {}
    for name in sorted(names):
        twin = seen.setdefault(unicodedata.normalize("NFC", name), name)
        if twin != name:
            raise BadInput(
                f"{where}: two classes are called {name!r}, written in two Unicode forms ({twin!a} and {name!a}); "
                "rename one, or put them together"
            )


def like(name: str, others: Sequence[str]) -> str:
    """Words that name the one of others which differs from it in case or Unicode form alone; else nothing."""
    plain = _plain(name)
    twin = next((other for other in others if _plain(other) == plain), None)
    return "" if twin is None else f", which has {twin!r} ({twin!a}, not {name!a})"


def in_two_cases(names: Sequence[str]) -> tuple[str, str] | None:
    """Two names that differ in case alone, if there are such: letters of an alphabet, or a slip."""
    seen: dict[str, str] = {}
    for name in names:
        twin = seen.setdefault(_plain(name), name)
        if twin != name:
            return twin, name
    return None


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _check_label(text: str, place: int, where: str) -> None:
    if text.strip().lower() in MISSING:
        raise BadInput(f"{where}: image {place} has no label ({text!r}); label it or remove it")
    if _NUMBER.fullmatch(text.strip()) and not re.fullmatch(r"\d+", text.strip(), re.ASCII):
        raise BadInput(f"{where}: label {text!r} of image {place}: numbers must be whole, from 0 up; correct it or remove it")
