"""Which policies transfer: what became of the same policy in several studies, by the errors of their searches.

A policy is the same where its digest is, and what it says of the recipe where that was searched along. One of the same name whose
digest differs is its namesake: the same setting, with another crop or other ops because the images are others; it is counted, and
said to be one. Errors are of the first training with all of a study's epochs, on the images that its search chose by.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, NamedTuple

from dashboards.queries import StudyView
from policysearch.judging.in_words import percent
from policysearch.judging.ranking import FEWEST, kendall_tau, tau_interval
from policysearch.ledger import Standing, TrialRecord
from searchspaces.json_text import canonical_json
from searchspaces.phrases import counted, listed

NOTHING = "none"  # the worst nearly everywhere: it would make any two orders look alike
RECIPE = "recipe."


@dataclass(frozen=True)
class Side:
    """One of the studies that are compared. `title` is its name, with its home before it where another has the same name.

    `errors` are the policies that were trained whole, by key: label, words and error (a share, 0 to 1).
    """

    title: str
    home: str
    view: StudyView
    errors: Mapping[str, "Trained"]

    def rank(self, key: str) -> int:
        """How many policies of the study have a lower error, and one: equal errors share a rank."""
        return 1 + sum(other.error < self.errors[key].error for other in self.errors.values())


@dataclass(frozen=True)
class Trained:
    """A policy as a study trained it."""

    label: str
    words: str
    error: float
    role: str


class Found(NamedTuple):
    """A policy in one study: its key, its error (a share, 0 to 1), its rank there and of how many policies."""

    key: str
    error: float
    rank: int
    of: int


@dataclass(frozen=True)
class Shared:
    """A policy that several of the studies have trained, by the study's place. Not `exact`: in some by name only."""

    label: str
    words: str
    found: Mapping[int, Found]

    @property
    def exact(self) -> bool:
        """Whether it is the very same policy in all of them."""
        return len({found.key for found in self.found.values()}) == 1


@dataclass(frozen=True)
class Agreement:
    """How far two studies, by their places, order the policies that they share alike. tau, low, high: None where too few."""

    one: int
    other: int
    policies: int
    tau: float | None
    low: float | None
    high: float | None
    sentence: str


def trained(standings: Sequence[Standing]) -> dict[str, Trained]:
    """The policies with a score by a whole training, by key, the first training of each."""
    full = max((row.budget_epochs for row in standings), default=0)
    found: dict[str, Trained] = {}
    for row in standings:
        if row.budget_epochs >= full and row.status == "done" and row.wrong is not None and row.total:
            found.setdefault(key_of(row), Trained(row.label, row.words, row.wrong / row.total, row.role))
    return found


def key_of(trial: Standing | TrialRecord) -> str:
    """What makes a policy the same in another study: its digest, and the recipe's values where they were searched along."""
    recipe = {name: value for name, value in trial.params.items() if name.startswith(RECIPE)}
    return f"{trial.digest} {canonical_json(recipe)}" if recipe else trial.digest


def shared_policies(sides: Sequence[Side]) -> tuple[Shared, ...]:
    """Those that at least two studies have trained, the best mean rank (as a share of each study's policies) first."""
    shared = []
    for keys in _groups(sides):
        found = {place: _found(sides[place], key) for place, key in sorted(keys.items())}
        if len(found) > 1:
            policies = [sides[place].errors[of.key] for place, of in found.items()]
            named = next((policy for policy in policies if policy.role == "baseline"), policies[0])  # the shorter name
            shared.append(Shared(named.label, named.words, found))
    return tuple(sorted(shared, key=lambda policy: (_mean_place(policy), policy.label)))


def _groups(sides: Sequence[Side]) -> list[dict[int, str]]:
    """Policies that are the same, as keys by the study's place: by key first, then by name those that a study lacks."""
    groups: dict[str, dict[int, str]] = {}
    for place, side in enumerate(sides):
        for key in side.errors:
            groups.setdefault(key, {})[place] = key
    by_name: dict[str, dict[int, str]] = {}
    for key, places in groups.items():
        name = sides[min(places)].errors[key].label
        into = by_name.setdefault(name, {})
        if into.keys() & places.keys():  # two policies of one study: never the same
            by_name[f"{name} {key}"] = places
        else:
            into |= places
    return list(by_name.values())


def agreements(sides: Sequence[Side], shared: Sequence[Shared]) -> tuple[Agreement, ...]:
    """Each two of the studies: Kendall's tau of the policies that both have trained, `none` left out."""
    return tuple(_agreement(sides, shared, one, other) for one, other in combinations(range(len(sides)), 2))


def winners_elsewhere(sides: Sequence[Side], shared: Sequence[Shared]) -> tuple[str, ...]:
    """What became of each study's winner in the others, a sentence each; of one that was not trained there, how it can be."""
    told = []
    for place, side in enumerate(sides):
        won = side.view.judgement.winner_trial
        if won is None:
            continue
        found = next((policy.found for policy in shared if place in policy.found and policy.found[place].key == key_of(won)), {})
        others = [number for number in range(len(sides)) if number != place]
        there = [_ranked(sides[number], found[number], key_of(won)) for number in others if number in found]
        missing = [sides[number].title for number in others if number not in found]
        lacking = f"was not trained in {listed(missing)} (a search there with --enqueue and its policy.json trains it)"
        said = [*([f"is {listed(there)}"] if there else []), *([lacking] if missing else [])]
        told.append(f"{won.label}, the winner of {side.title}, {', and '.join(said)}.")
    return tuple(told)


def _ranked(side: Side, found: Found, key: str) -> str:
    behind = found.error - min(policy.error for policy in side.errors.values())
    beside = [f"{percent(behind)} points behind the first"] if behind > 0 else []
    beside += ["the same by name only"] if found.key != key else []
    told = f" ({'; '.join(beside)})" if beside else ""
    return f"number {found.rank} of the {found.of} policies of {side.title}{told}"


def _found(side: Side, key: str) -> Found:
    return Found(key, side.errors[key].error, side.rank(key), len(side.errors))


def _mean_place(policy: Shared) -> float:
    return sum(found.rank / found.of for found in policy.found.values()) / len(policy.found)


def _agreement(sides: Sequence[Side], shared: Sequence[Shared], one: int, other: int) -> Agreement:
    pairs = [(policy.found[one], policy.found[other]) for policy in shared if {one, other} <= {*policy.found} and _tells(policy)]
    tau = kendall_tau([pair[0].error for pair in pairs], [pair[1].error for pair in pairs]) if len(pairs) >= FEWEST else None
    names, count = f"{sides[one].title} and {sides[other].title}", len(pairs)
    by_name = sum(pair[0].key != pair[1].key for pair in pairs)
    but = f"“{NOTHING}” left out" + (f", {by_name} the same by name only" if by_name else "")
    if tau is None:
        known = "no policy" if not count else counted(count, "policy", "policies")
        few = f"too few to say whether they order policies alike: {FEWEST} whose errors differ are needed"
        return Agreement(one, other, count, None, None, None, f"{names} share {known} ({but}), {few}.")
    low, high = tau_interval(tau, count)
    about = f"Kendall’s tau {tau:.2f}, 95 % interval {low:.2f} to {high:.2f}, over {count} policies that both trained"
    return Agreement(one, other, count, tau, low, high, f"{names} {_alike(low, high)} ({about}; {but}).")


def _tells(policy: Shared) -> bool:
    return policy.label != NOTHING


def _alike(low: float, high: float) -> str:
    if low > 0:
        return "order policies alike, more than chance would"
    if high < 0:
        return "order policies against one another: what is good in one is bad in the other"
    return "may order policies alike or not, so few policies don’t show it"


def agreement_facts(agreement: Agreement, sides: Sequence[Side]) -> dict[str, Any]:
    """Plain JSON values."""
    return {
        "studies": [sides[agreement.one].title, sides[agreement.other].title],
        "policies": agreement.policies,
        "kendall_tau": agreement.tau,
        "interval_95": None if agreement.low is None else [agreement.low, agreement.high],
        "sentence": agreement.sentence,
    }
