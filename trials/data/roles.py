"""Which split a name means, where a table, a data set or a function says the split of each image by a word.

| word | split |
|---|---|
| train, training | train |
| val, valid, validation, dev | val |
| test, testing | test |

As with folders: of train and one other that other is the held-out test set, unless `--val-folder` names it; a single split is
cut in three. Refuses other words, and splits without train.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from searchspaces.errors import BadInput

WORDS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}


@dataclass(frozen=True)
class Roles:
    """Which word plays which role; None: nothing does. `train` None: there are no splits, and all images are cut in three."""

    train: str | None
    val: str | None = None
    test: str | None = None
    notes: tuple[str, ...] = ()
    heldout_notes: tuple[str, ...] = ()

    @property
    def cut_test(self) -> bool:
        """Whether the test set is cut from the rest."""
        return self.val is None and self.test is None

    @property
    def named(self) -> dict[str, str]:
        """The words by role, of those roles that are played."""
        given = {"train": self.train, "val": self.val, "test": self.test}
        return {role: word for role, word in given.items() if word is not None}


def roles_of(words: Iterable[str], where: str, val_word: str | None) -> Roles:
    """The roles of the words that a source has for its splits (none: it says nothing of splits). `where` names the source."""
    found = sorted(set(words))
    if val_word is not None and val_word not in found:
        raise BadInput(f"--val-folder {val_word!r}: {where} has no such split; there are {', '.join(found) or 'none'}")
    if not found:
        return Roles(None, notes=(f"{where} is split in three: training, validation and a held-out test set",))
    by_split = _by_split(found, where, val_word)
    if "train" not in by_split:
        raise BadInput(f"{where} has splits {', '.join(found)} and no train; call the training images' split train")
    train, val, test = (by_split.get(split) for split in ("train", "val", "test"))
    if val_word is not None or (val and test):
        notes = () if test else ("there is no held-out test set",)
        return Roles(train, val, test, notes)
    if val or test:
        line = f"{val or test} is kept as the held-out test set (--val-folder {val or test} makes it validation)"
        return Roles(train, None, val or test, heldout_notes=(line,))
    return Roles(train, notes=(f"{where}: {train} is split in three: training, validation and a held-out test set",))


def _by_split(found: Iterable[str], where: str, val_word: str | None) -> Mapping[str, str]:
    by_split: dict[str, str] = {} if val_word is None else {"val": val_word}
    meant = {WORDS.get(word.strip().lower()) for word in found if word != val_word}
    for word in found:
        if word == val_word:
            continue
        split = WORDS.get(word.strip().lower())
        if split == "val" and val_word is not None and "test" not in meant:
            split = "test"  # what is validation has been said, so this is the other one
        if split is None:
            raise BadInput(f"{where}: split {word!r} is unknown; allowed are {', '.join(WORDS)} (or --val-folder {word})")
        if split in by_split:
            raise BadInput(f"{where}: {by_split[split]!r} and {word!r} both mean {split}; call them alike, or say --val-folder")
        by_split[split] = word
    return by_split
