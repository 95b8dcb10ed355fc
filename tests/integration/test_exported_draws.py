"""Over many draws an exported pipeline chooses ops and values as often as the policy says, for every family and form that draws.

What is expected is worked out from the policy here, not by our own drawing. Every statistic is held to the value that a correct
pipeline passes at a fresh seed about once in a million times; with some 2,000 of them, the whole file would fail by chance once
in 500 fresh seeds. The seeds are fixed, so it does not flicker.
"""

import math
import runpy
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, find, settings
from strategies import points

from searchspaces import load_policy
from searchspaces.draw import draw
from searchspaces.export.loading import LoadedPolicy
from searchspaces.families import family_table
from searchspaces.ops import find_op
from searchspaces.policy import Base, Branch, Choice, Constant, Distribution, Levels, Policy, Uniform

IMAGES = 6000
FALSE_ALARMS = 1e-6
Z = NormalDist().inv_cdf(1 - FALSE_ALARMS)
NOTHING = "nothing"


def policies() -> Iterator[tuple[str, Policy]]:
    """A point of every family and some of the zoo, without base: where ops stand in the plan is the branches' doing alone."""
    for family in family_table():
        if "geometry" not in family.name:
            space = family.build(3, Base())
            params = find(points(space), lambda params: True, settings=settings(phases=[Phase.generate], database=None))
            yield family.name, Policy(branches=space.decode(params).branches)
    for name in ("autoaugment-cifar10", "trivialaugment-wide", "uniformaugment"):
        yield f"zoo:{name}", Policy(branches=load_policy(f"zoo:{name}").policy.branches)


def rows_drawn(form: str, policy: Policy, folder: Path) -> list[list[tuple[str, float]]]:
    """For each image the ops that the form drew, step by step, with the value of each one's strength."""
    if form == "policysearch":
        plan: Any = draw(policy, (IMAGES, 3, 8, 8), np.random.default_rng(11))
    else:
        (folder / "alone.py").write_text(LoadedPolicy(policy, {}).written(form, standalone=True))
        alone = runpy.run_path(str(folder / "alone.py"))
        plan = alone["draw"](alone["POLICY"], (IMAGES, 3, 8, 8), np.random.default_rng(12))
    names = [NOTHING, *plan.code_book[1:]]
    return [
        [(names[code], float(value)) for code, value in zip(codes, values, strict=True)]
        for codes, values in zip(plan.codes, plan.values[:, :, 0], strict=True)
    ]


def chances(policy: Policy, column: int) -> Counter[str]:
    """How likely each op is on this step; a value at which an op does nothing is nothing."""
    found: Counter[str] = Counter()
    for share, choice in choices_at(policy, column):
        acts = share * (1 - idle(choice)) if find_op(choice.op).kind != "none" else 0.0
        found[choice.op] += acts  # type: ignore[assignment]
    found[NOTHING] = 1 - sum(found.values())
    return found


def choices_at(policy: Policy, column: int) -> Iterator[tuple[float, Choice]]:
    whole = sum(branch.weight for branch in policy.branches)
    for branch in policy.branches:
        yield from ((branch.weight / whole * share, choice) for share, choice in of_branch(branch, column))


def of_branch(branch: Branch, column: int) -> Iterator[tuple[float, Choice]]:
    if column < len(branch.steps):
        step = branch.steps[column]
        weights = sum(choice.weight for choice in step.choices)
        yield from ((step.probability * choice.weight / weights, choice) for choice in step.choices)


def idle(choice: Choice) -> float:
    """How likely all values come out where the op does nothing."""
    parameters = find_op(choice.op).parameters
    return math.prod(at(given, parameter.identity) for given, parameter in zip(choice.values, parameters, strict=True))


def at(given: Distribution, value: float) -> float:
    return 0.0 if isinstance(given, Uniform) else sum(end == value for end in given.ends) / len(given.ends)


def chi_squared_limit(freedom: int) -> float:
    """Wilson and Hilferty's approximation of the quantile."""
    return freedom * (1 - 2 / (9 * freedom) + Z * math.sqrt(2 / (9 * freedom))) ** 3


def check_counts(counts: Counter[Any], expected: dict[Any, float], what: str) -> None:
    likely = {cell: chance for cell, chance in expected.items() if chance > 1e-12}
    assert set(counts) <= set(likely), what
    total = sum(counts.values())
    if total and len(likely) > 1:
        statistic = sum((counts[cell] - total * chance) ** 2 / (total * chance) for cell, chance in likely.items())
        assert statistic < chi_squared_limit(len(likely) - 1), (what, dict(counts), likely)


def check_values(drawn: list[float], given: Distribution, identity: float, what: str) -> None:
    if isinstance(given, Uniform):
        sides = [value - identity for value in drawn]
        if given.signed:
            check_counts(Counter(side > 0 for side in sides), {True: 0.5, False: 0.5}, f"{what}: sign")
            drawn = [identity + abs(side) if given.low >= identity else identity - abs(side) for side in sides]
        ranks = [(value - given.low) / (given.high - given.low) for value in sorted(drawn)]
        assert ranks[0] >= -1e-9 and ranks[-1] <= 1 + 1e-9, what
        apart = max(max(abs(rank - index / len(ranks)), abs(rank - (index + 1) / len(ranks))) for index, rank in enumerate(ranks))
        assert apart < math.sqrt(-math.log(FALSE_ALARMS / 2) / (2 * len(ranks))), what  # Kolmogorov and Smirnov; Massart's bound
        return
    expected: Counter[float] = Counter()
    for end in given.ends:
        for value in (end, 2 * identity - end) if given.signed else (end,):
            expected[round(value, 9)] += 1 / (2 if given.signed else 1)  # type: ignore[assignment]
    del expected[round(identity, 9)]
    whole = sum(expected.values())
    check_counts(Counter(round(value, 9) for value in drawn), {value: count / whole for value, count in expected.items()}, what)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["policysearch", "torchvision", "albumentations"])
@pytest.mark.parametrize(("name", "policy"), [pytest.param(name, policy, id=name) for name, policy in policies()])
def test_ops_and_values_come_as_often_as_the_policy_says(name: str, policy: Policy, form: str, tmp_path: Path) -> None:
    rows = rows_drawn(form, policy, tmp_path)
    for column in range(max(len(branch.steps) for branch in policy.branches)):
        check_counts(Counter(row[column][0] for row in rows), dict(chances(policy, column)), f"{name}, step {column}")
        by_op: dict[str, set[Distribution]] = {}
        for _, choice in choices_at(policy, column):
            by_op.setdefault(choice.op, set()).add(choice.values[0])
        for op, (given, *others) in {op: tuple(given) for op, given in by_op.items()}.items():
            drawn = [row[column][1] for row in rows if row[column][0] == op]
            if drawn and not others and len(find_op(op).parameters) == 1:
                check_values(drawn, given, find_op(op).strength.identity, f"{name}, step {column}, {op}")


def test_it_would_notice() -> None:
    """A sign lost, a probability ignored, an op too often, a range too short."""
    with pytest.raises(AssertionError):
        check_values([9.0] * 60, Constant(9.0, signed=True), 0.0, "a sign lost")
    with pytest.raises(AssertionError):
        check_counts(Counter(rotate=300), {"rotate": 0.9, NOTHING: 0.1}, "a probability ignored")
    with pytest.raises(AssertionError):
        check_counts(Counter(rotate=400, invert=200), {"rotate": 0.5, "invert": 0.5}, "an op too often")
    with pytest.raises(AssertionError):
        check_values(np.linspace(0, 0.8, 400).tolist(), Uniform(0.0, 1.0), -1.0, "a range too short")
    with pytest.raises(AssertionError):
        check_values([2.0, 4.0] * 40, Levels((2.0, 3.0, 4.0)), 8.0, "a level never drawn")
