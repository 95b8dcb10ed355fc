"""Several studies side by side: what each came to, by what it was made, what it cost; in words and as JSON values.

Every number is a study's own judgement's; nothing is estimated across studies but the agreement of their orders (`transfer`).
Refuses fewer than two studies, one that is named twice, and more than a page can hold.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dashboards.comparability import warnings
from dashboards.findings import FinalistRow, rows_of_test
from dashboards.queries import read_study
from dashboards.questions import QUESTIONS, Cell, cost, marked
from dashboards.transfer import (
    Agreement,
    Shared,
    Side,
    agreement_facts,
    agreements,
    shared_policies,
    trained,
    winners_elsewhere,
)
from policysearch.home import Home
from policysearch.judging.values import Arm
from policysearch.ledger import Ledger
from searchspaces.errors import BadInput

FEWEST, MOST = 2, 12


@dataclass(frozen=True)
class Comparison:
    """Studies side by side: `questions` are names with a cell a study; `differing` says what can't be compared."""

    sides: tuple[Side, ...]
    questions: tuple[tuple[str, tuple[Cell, ...]], ...]
    differing: tuple[str, ...]
    shared: tuple[Shared, ...]
    agreements: tuple[Agreement, ...]
    winners: tuple[str, ...]


def compare(named: Sequence[tuple[Ledger, Home, str]]) -> Comparison:
    """The studies, each of a ledger and a home, in the order given. BadInput for too few, too many, or one named twice."""
    if not FEWEST <= len(named) <= MOST:
        few = "another study to compare it with is needed" if len(named) < FEWEST else "give fewer"
        raise BadInput(f"studies: {len(named)} given; {FEWEST} to {MOST} are compared at a time; {few}")
    names = Counter(name for _, _, name in named)
    sides = tuple(_read(ledger, home, name, names[name] > 1) for ledger, home, name in named)
    twice = [uid for uid, times in Counter(side.view.study.uid for side in sides).items() if times > 1]
    for side in sides:
        if side.view.study.uid in twice:
            raise BadInput(f"study {side.view.study.name!r}: given twice; name each study once")
    asked = tuple((name, tuple(ask(side) for side in sides)) for name, ask in QUESTIONS.items())
    shared = shared_policies(sides)
    return Comparison(sides, asked, warnings(sides), shared, agreements(sides, shared), winners_elsewhere(sides, shared))


def _read(ledger: Ledger, home: Home, name: str, several: bool) -> Side:
    view = read_study(ledger, name)
    place = home.ledger_place
    return Side(f"{place}:{name}" if several else name, place, view, trained(ledger.standings(view.study.uid)))


def facts(comparison: Comparison) -> dict[str, Any]:
    """The same as plain JSON values: errors and differences are shares of images, 0 to 1."""
    sides = comparison.sides
    return {
        "studies": [_side_facts(side) for side in sides],
        "comparable": not comparison.differing,
        "differing": list(comparison.differing),
        "shared": [_shared_facts(policy, sides) for policy in comparison.shared],
        "agreements": [agreement_facts(agreement, sides) for agreement in comparison.agreements],
        "winners": list(comparison.winners),
    }


def _side_facts(side: Side) -> dict[str, Any]:
    """One study: its identity's part in this, and its judgement's figures."""
    view, identity = side.view, side.view.study.identity
    judgement, tested = view.judgement, rows_of_test(view)
    verdict, (trainings, epochs, seconds) = judgement.verdict, cost(view)
    difference = {name: getattr(verdict, name) for name in ("difference", "low", "high", "level")}
    return {
        "study": view.study.name,
        "home": side.home,
        "verdict": {"kind": verdict.kind, "sentence": verdict.sentence, "stage": judgement.stage},
        "winner": _arm_facts(judgement.winner, marked(side, "winner")),
        "baseline": _arm_facts(judgement.baseline, marked(side, "compared")),
        "difference": None if verdict.difference is None else difference,
        "search_best": None if view.best is None else {"label": view.best.name, "error": view.best.error},
        "test": None if not tested or view.figure is None else _row_facts(tested[0]) | {"images": view.figure.total},
        **{name: identity.get(name) for name in ("data", "splits", "image", "recipe", "epochs", "sampler", "seed")},
        "test_fingerprint": identity.get("test"),
        "space": identity["space"]["name"],
        "policies": len(side.errors),
        "cost": {"trainings": trainings, "epochs": epochs, "seconds": round(seconds, 1)},
    }


def _arm_facts(arm: Arm | None, row: FinalistRow | None) -> dict[str, Any] | None:
    if arm is None:
        return None
    unmeasured = {"name": arm.label, "error": None, "interval_95": None, "seeds": None}
    measured = unmeasured if row is None else _row_facts(row)
    return {**measured, "words": arm.words, "digest": arm.digest, "role": arm.role}


def _row_facts(row: FinalistRow) -> dict[str, Any]:
    return {"name": row.name, "error": row.mean, "interval_95": [row.low, row.high], "seeds": row.seeds}


def _shared_facts(policy: Shared, sides: Sequence[Side]) -> dict[str, Any]:
    found = [
        {"study": sides[place].title, "digest": one.key, "error": one.error, "rank": one.rank, "of": one.of}
        for place, one in policy.found.items()
    ]
    return {"label": policy.label, "words": policy.words, "same_policy": policy.exact, "found": found}
