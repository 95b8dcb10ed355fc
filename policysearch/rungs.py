"""Early stopping: which policies of a search get a longer training, and when. ASHA (Li et al. 2018, arXiv 1810.05934).

Every rung is a training of its own, complete and annealed over its number of epochs: a training cut short is read at a high
learning rate and says little. Of the policies that have finished a rung the best `1 / eta` go on to the next one, as soon as they
are known to be among them and without waiting for the others. Refuses rungs that can't be; knows no ledger, sampler or driver.
"""

import math
import re
from bisect import insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from policysearch.selection import Place
from searchspaces.errors import BadInput

ASHA = "asha"
ETA = 3
FEWEST_EPOCHS = 10
EXAMPLE = "asha:eta=3,min_epochs=10,by=images"
KINDS = ("epochs", "images", "size")
"""What a cheaper rung has less of."""


@dataclass(frozen=True)
class EarlyStopping:
    """`rungs` are numbers of epochs, ascending; the last is the study's own. Of each rung the best `1 / eta` go on.

    With `by` "images" or "size" a lower rung is as much work as so many epochs, spent on all epochs of fewer or smaller images.
    """

    rungs: tuple[int, ...]
    eta: int = ETA
    by: str = "epochs"

    def in_words(self, epochs: int) -> str:
        """A lower rung, as people say it: "13 of 40 epochs", "33 % of the images", "57 % of the sides"."""
        share = epochs / self.rungs[-1]
        if self.by == "images":
            return f"{100 * share:.0f} % of the images"
        return f"{100 * math.sqrt(share):.0f} % of the sides" if self.by == "size" else f"{epochs} of {self.rungs[-1]} epochs"

    @staticmethod
    def from_dict(raw: Mapping[str, Any] | None) -> "EarlyStopping | None":
        """The inverse of `to_dict`; None for the identity of a study that has none."""
        return None if raw is None else EarlyStopping(tuple(raw["rungs"]), raw["eta"], raw.get("by", KINDS[0]))

    def to_dict(self) -> dict[str, Any]:
        """For a study's identity, as it was before there was more than one kind."""
        return {"rungs": list(self.rungs), "eta": self.eta} | ({} if self.by == "epochs" else {"by": self.by})


def read_early_stopping(wish: str | None, epochs: int) -> EarlyStopping:
    """From `asha` or `asha:eta=3,min_epochs=10,by=images`, for trials of `epochs` epochs; None is one rung: nothing is stopped.

    `by` is what lower rungs have less of: epochs (the default), images or size. The rungs are `epochs` divided by 1, eta, eta
    squared, ... (rounded), none below min_epochs: 13, 40 and 120 for 120 epochs.
    """
    if wish is None:
        return EarlyStopping((epochs,))
    name, colon, rest = wish.partition(":")
    if name != ASHA:
        raise BadInput(f"early stopping {wish!r}: allowed is asha, as in {EXAMPLE}; leave it out to stop nothing")
    parts = rest.split(",") if colon else []
    by = _kind(wish, [part for part in parts if part.startswith("by=")])
    options = _options(wish, [part for part in parts if not part.startswith("by=")])
    eta = options.get("eta", ETA)
    if eta < 2:
        raise BadInput(f"early stopping {wish!r}: eta {eta}; allowed is a whole number from 2: of each rung one in eta goes on")
    longest = round(epochs / eta)
    fewest = options.get("min_epochs", max(1, min(FEWEST_EPOCHS, longest)))
    if fewest > longest:
        cure = f"at most {longest} ({epochs} epochs by {eta})" if longest else f"none with {epochs} epochs: give more epochs"
        raise BadInput(f"early stopping {wish!r}: min_epochs {fewest}; allowed is {cure}")
    return EarlyStopping(_rungs(epochs, eta, fewest), eta, by)


def expected_trials(stopping: EarlyStopping, policies: int) -> int:
    """How many trials so many policies are likely to come to: one for each, and one for each that goes on from a rung."""
    return sum(max(1, policies // stopping.eta**place) for place in range(len(stopping.rungs)))


def _kind(wish: str, parts: Sequence[str]) -> str:
    kinds = [part.removeprefix("by=") for part in parts] or [KINDS[0]]
    if len(kinds) > 1 or kinds[0] not in KINDS:
        raise BadInput(f"early stopping {wish!r}: {parts[-1]!r}; allowed is by once, one of {', '.join(KINDS)}")
    return kinds[0]


def _options(wish: str, parts: Sequence[str]) -> dict[str, int]:
    options: dict[str, int] = {}
    for part in parts:
        option, _, value = part.partition("=")
        if option not in ("eta", "min_epochs") or option in options or not re.fullmatch(r"[0-9]{1,6}", value) or int(value) < 1:
            raise BadInput(
                f"early stopping {wish!r}: {part!r}; allowed are eta and min_epochs as whole numbers, and by, as in {EXAMPLE}"
            )
        options[option] = int(value)
    return options


def _rungs(epochs: int, eta: int, fewest: int) -> tuple[int, ...]:
    rungs, parts = [epochs], eta
    while round(epochs / parts) >= fewest:
        rungs.append(round(epochs / parts))
        parts *= eta
    return tuple(reversed(rungs))


class Ladder:
    """Who has come how far. `places` say how good a policy was at a rung (`selection.place`: low is good, no two alike).

    A policy that failed at a rung has no place there and does not count. With one rung there is nothing to promote.
    """

    def __init__(self, rungs: tuple[int, ...], eta: int) -> None:
        self._rungs, self._eta = rungs, eta
        self._placed: dict[int, list[tuple[Place, str]]] = {epochs: [] for epochs in rungs}
        self._begun: dict[int, set[str]] = {epochs: set() for epochs in rungs}

    def begin(self, policy: str, epochs: int) -> None:
        """The policy trains for so many epochs, or has; from the rung below it is promoted by that."""
        if epochs in self._begun:
            self._begun[epochs].add(policy)

    def finish(self, policy: str, epochs: int, place: Place) -> None:
        """The policy has finished the rung, at that place."""
        if epochs in self._placed:
            insort(self._placed[epochs], (place, policy))

    def promotable(self) -> tuple[str, int] | None:
        """The policy to promote now, and its next number of epochs; None when all that have earned it have been.

        From the highest rung that has one: the best of its best 1/eta.
        """
        for below, above in self._steps():
            placed = self._placed[below]
            for _, policy in placed[: len(placed) // self._eta]:
                if policy not in self._begun[above]:
                    return policy, above
        return None

    def to_settle(self) -> tuple[str, int] | None:
        """What to promote so that some policy comes to the last rung, when nothing else will be run.

        A search of few policies may fill no rung, and the best of one may fail above it. None once the last rung is reached.
        """
        if self._placed[self._rungs[-1]]:
            return None
        for below, above in self._steps():
            for _, policy in self._placed[below]:
                if policy not in self._begun[above]:
                    return policy, above
        return None

    def _steps(self) -> list[tuple[int, int]]:
        """Each rung with the next one, from the top."""
        return list(zip(self._rungs, self._rungs[1:], strict=False))[::-1]
