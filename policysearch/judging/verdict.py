"""The verdict, in a sentence: of the finalists, which is a choice and unconfirmed, and of the test images, which is the claim.

There is one confirmatory claim a study: the winner against the one baseline that was named before the test images were opened,
by the interval of their difference over images and seeds. Everything else is a description. Percentages have one decimal.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from policysearch.judging.crossing import DRAWS, Bits, crossed_interval, crossed_variance
from policysearch.judging.finals import Design, Runs, choose, difference
from policysearch.judging.in_words import percent, points
from policysearch.judging.noise import Noise
from policysearch.judging.quantiles import t_quantile
from policysearch.judging.values import Verdict
from policysearch.statistics import wilson_interval
from searchspaces.phrases import counted

_LEVEL = 0.025  # on each side of a description's interval


@dataclass(frozen=True)
class Beside:
    """What a verdict says besides: the search's expected optimism, and sentences that follow it."""

    optimism: float | None = None
    sentences: tuple[str, ...] = ()

    def put(self, verdict: Verdict) -> Verdict:
        """The verdict with it."""
        return replace(verdict, sentence=" ".join((verdict.sentence, *self.sentences)), optimism=self.optimism)


@dataclass(frozen=True)
class Tested:
    """What the one look at the test set gave: bits of both sides (seeds, images), and the level at which they may claim.

    Equal by `claim`, a text that only this claim has: the bits belong to it.
    """

    claim: str
    winner_label: str
    baseline_label: str | None
    level: float
    looks_before: int
    right_winner: Bits = field(compare=False)
    right_baseline: Bits | None = field(compare=False)
    winner_is_baseline: bool = False


def chosen(
    finalists: Sequence[Runs], design: Design, noise: Noise, unconfirmed_because: str
) -> tuple[Runs, Runs | None, Verdict]:
    """Who wins among the finalists, the one baseline to compare with (None where the winner is one), and the verdict so far."""
    winner, baseline = choose(finalists, design, noise)
    if winner.arm.is_baseline:
        return winner, None, _baseline_wins(winner, finalists, design, noise)
    if baseline is None:
        sentence = f"{winner.arm.label} has the lowest error of the finalists, and there is no baseline to compare it with."
        return winner, None, Verdict("not-distinguishable-unconfirmed", sentence, winner.arm.label)
    gap, error, degrees = difference(baseline, winner, design, noise)
    half = t_quantile(1 - _LEVEL, degrees) * error
    names = (winner.arm.label, baseline.arm.label)
    apart = f"{points(gap)} on images that chose it (95 % interval {percent(gap - half)} to {percent(gap + half)})"
    if gap - half > 0:
        kind, said = "looks-better-unconfirmed", f"{names[0]} looks better than {names[1]} by {apart}, unconfirmed"
        sentence = f"{said}: {unconfirmed_because}."
    else:
        kind = "not-distinguishable-unconfirmed"
        sentence = (
            f"{names[0]} is not told apart from {names[1]} by the finalists: {apart}; {unconfirmed_because}. Use {names[1]}."
        )
    numbers = {"difference": gap, "low": gap - half, "high": gap + half, "level": _LEVEL}
    return winner, baseline, Verdict(kind, sentence, *names, **numbers)  # type: ignore[arg-type]


def _baseline_wins(winner: Runs, finalists: Sequence[Runs], design: Design, noise: Noise) -> Verdict:
    """The winner needs no search: it is a free baseline."""
    label = winner.arm.label
    searched = min((runs for runs in finalists if not runs.arm.is_baseline), key=lambda runs: runs.mean, default=None)
    told = ""
    if searched is not None:
        gap, error, _ = difference(searched, winner, design, noise)
        how = "above" if gap > 0 else "below"
        told = f" ({searched.arm.label}, the best of it, is {points(abs(gap))} {how}; standard error {points(error)})"
    return Verdict("baseline-wins", f"Use {label}: the search found nothing that is told from it{told}.", label, label)


def confirmed(tested: Tested, draws: int = DRAWS) -> Verdict:
    """The verdict by the test images; of a winner that was tested alone, what its error is."""
    details = _details(tested)
    looks: dict[str, Any] = {"level": tested.level, "looks_before": tested.looks_before, "details": details}
    error = _error_in_words(tested.winner_label, details["winner"])
    if tested.right_baseline is None or tested.baseline_label is None:
        return _alone(tested, f"{error}{_looks(tested)}", looks)
    seed = np.random.default_rng(np.frombuffer(tested.claim.encode(), dtype=np.uint8).tolist())
    gap, low, high = crossed_interval(tested.right_winner, tested.right_baseline, tested.level, seed, draws)
    interval = f"{100 * (1 - 2 * tested.level):g} % interval {percent(low)} to {percent(high)}"
    names, images = (tested.winner_label, tested.baseline_label), counted(tested.right_winner.shape[1], "test image")
    if low > 0:
        kind, sentence = "better", f"{names[0]} is better than {names[1]} by {points(gap)} ({interval}) on {images}."
    elif high < 0:
        kind = "worse"
        sentence = f"{names[0]} is worse than {names[1]} by {points(-gap)} ({interval}) on {images}: use {names[1]}."
    else:
        kind = "not-distinguishable"
        sentence = f"{names[0]} is not distinguishable from {names[1]}: use that. The difference is {percent(gap)} points"
        sentence += f" ({interval}) on {images}."
    return Verdict(
        kind,  # type: ignore[arg-type]  # one of three
        f"{sentence} {error}{_looks(tested)}",
        *names,
        difference=gap,
        low=low,
        high=high,
        **looks,
    )


def _alone(tested: Tested, error: str, looks: Mapping[str, Any]) -> Verdict:
    if tested.winner_is_baseline:
        said = f"Use {tested.winner_label}: the search found nothing that is told from it."
        return Verdict("baseline-wins", f"{said} {error}", tested.winner_label, tested.winner_label, **looks)
    said = f"No verdict: {tested.winner_label} has been compared with no baseline."
    return Verdict("no-finalists", f"{said} {error}", tested.winner_label, **looks)


def _details(tested: Tested) -> dict[str, Any]:
    sides = {"winner": tested.right_winner, "baseline": tested.right_baseline}
    return {name: None if right is None else mean_error(right) for name, right in sides.items()}


def mean_error(right: Bits) -> dict[str, Any]:
    """The mean error over seeds with its 95 % interval by both sources of variance, and each model's own with Wilson's.

    Of one model alone, only Wilson's: how much seeds matter was not seen.
    """
    seeds, images = right.shape
    wrongs = [images - int(own.sum()) for own in right]
    models = [{"wrong": wrong, "total": images, "interval_95": list(wilson_interval(wrong, images))} for wrong in wrongs]
    mean = sum(wrongs) / (seeds * images)
    if seeds == 1:
        low, high = wilson_interval(wrongs[0], images)
    else:
        spread, degrees = crossed_variance([right])
        half = t_quantile(0.975, degrees) * math.sqrt(spread)
        low, high = max(0.0, mean - half), min(1.0, mean + half)
    return {"mean": mean, "low": low, "high": high, "seeds": seeds, "images": images, "models": models}


def _error_in_words(label: str, error: Mapping[str, Any]) -> str:
    mean, low, high = (percent(error[name]) for name in ("mean", "low", "high"))
    of = "one model" if error["seeds"] == 1 else f"mean of {error['seeds']} models"
    return f"The test error of {label} is {mean} % ({low} to {high} %; {of})."


def _looks(tested: Tested) -> str:
    if not tested.looks_before:
        return ""
    before = counted(tested.looks_before, "other study", "other studies")
    verb = "has" if tested.looks_before == 1 else "have"
    return f" {before} of this ledger {verb} looked at these test images before: the level allows for it."
