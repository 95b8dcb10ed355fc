"""What keeps labels, asked once in a study by the plainest baseline's net; and, where it is wished, the space cut to that.

What is found and what is cut are facts of the study, so that one that goes on has the same space. Refuses to cut a space until
nothing is left to search. `trials.label_keeping` has the rule by which a class is broken, docs/labels-kept.md its limits.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from policysearch.ledger import Ledger, StudyRecord
from searchspaces.cutting import Cut, cut_policy, cut_space
from searchspaces.errors import BadInput
from searchspaces.ops import find_op
from searchspaces.policy import Policy
from searchspaces.policy_json import digest
from searchspaces.space import SearchSpace
from trials.data import Prepared, open_split, read_meta
from trials.evaluate import load_model
from trials.label_breaking import MOVES
from trials.label_keeping import broken_in_words, kept_labels, unheard
from trials.places import Location
from trials.seeds import numpy_generator
from trials.values import TrialSpec

if TYPE_CHECKING:
    from policysearch.setting import Setting

LABELS, TRIM = "labels", "trim"
"""The names of the facts: the table of `kept_labels`, and what was cut."""
PLAINEST = "none"
STRENGTHS_A_SIDE = 5
POINTS_LOOKED_AT = 256


def check_labels(
    ledger: Ledger,
    study: StudyRecord,
    setting: "Setting",
    weights_path: Location,
    trim: bool,
    prepared: Prepared,
    heard: Callable[[int, int], None] = unheard,
) -> tuple["Setting", tuple[str, ...]]:
    """The setting that the study goes on with, and sentences for the user on what breaks labels and what was cut.

    The plainest baseline (the setting's first) must have been trained, its weights kept at `weights_path`. What was found before
    is not asked again, and needs no weights; of what is asked `heard` hears as `kept_labels` says. BadInput where weights are
    needed and missing, and where nothing would be left.
    """
    facts = ledger.facts(study.uid)
    table = facts[LABELS] if LABELS in facts else _look(ledger, study, setting, weights_path, prepared, heard)
    if LABELS not in facts:
        table = ledger.note_fact(study.uid, LABELS, table)
    found = what_breaks(table)
    cut = Cut.from_dict(facts[TRIM]) if TRIM in facts else concerning(cut_of(table), setting)
    if not trim:
        return setting, (*found, *_would_cut(cut))
    cut = Cut.from_dict(ledger.note_fact(study.uid, TRIM, cut.to_dict()))
    return trimmed(setting, cut), (*found, *((f"trimmed: {cut.words}",) if cut else ()))


def trimmed(setting: "Setting", cut: Cut) -> "Setting":
    """The setting with its space cut, and the base of everything.

    Baselines and policies of the user's keep their published ops, for they are what a search is measured by; but no image of the
    study is moved in a way that breaks labels by the base, which all of them share.
    """
    if not cut:
        return setting
    space = cut_space(setting.space, cut)
    if len({digest(policy) for policy in policies_of(space)}) < 2:
        raise BadInput(f"trim: of space {setting.space.name} nothing is left to search ({cut.words}); search another space")
    base_alone = Cut(moves=cut.moves)
    bases = {_label(label, cut): cut_policy(policy, base_alone) for label, policy in setting.baselines.items()}
    free = {label: policy for label, policy in bases.items() if label == PLAINEST or policy.base.ops or policy.ops}
    enqueued = {label: cut_policy(policy, base_alone) for label, policy in setting.enqueued.items()}
    return replace(setting, space=space, baselines=free, enqueued=enqueued)


def strengths_to_ask(setting: "Setting") -> dict[str, tuple[float, ...]]:
    """The strengths at which each op of the space's policies and the baselines' is asked about, ascending.

    On either side of the op's identity five in equal steps up to the furthest that any of them reaches, and the furthest that
    the space's own do.
    """
    own = _reach(policies_of(setting.space))
    widest = _reach([*policies_of(setting.space), *setting.baselines.values(), *setting.enqueued.values()])
    return {name: _steps(name, ends, own.get(name, ())) for name, ends in sorted(widest.items()) if find_op(name).kind != "none"}


def policies_of(space: SearchSpace) -> list[Policy]:
    """Policies that show how far a space goes: its ends, and points drawn the same way each time."""
    generator = numpy_generator("how far a space goes")
    ends = [space.decode({parameter.name: parameter.ends[end] for parameter in space.parameters}) for end in (0, 1)]
    return [*ends, *(space.decode(space.draw(generator)) for _ in range(POINTS_LOOKED_AT))]


def cut_of(table: Mapping[str, Any]) -> Cut:
    """What keeps labels, by the table: each op up to the last strength before the first that breaks a class, on either side."""
    broken = {op for op, rows in table["ops"].items() if any(row["broken"] for row in rows)}
    moves = tuple(move for move in MOVES if move in broken)
    if "quarter_turns" in moves and not {"hflip", "vflip"} & set(moves) and _breaks(table["ops"]["quarter_turns"], 2.0):
        moves = ("vflip", *moves)  # both flips together are half a turn
    ranges = {op: _kept_range(op, table["ops"][op]) for op in sorted(broken - set(MOVES))}
    out = tuple(op for op, (low, high) in ranges.items() if low == high)
    return Cut({op: ends for op, ends in ranges.items() if op not in out}, out, moves)


def concerning(cut: Cut, setting: "Setting") -> Cut:
    """What of the cut changes a policy of the space, or the base of any policy of the study."""
    own = policies_of(setting.space)
    reach, bases = _reach(own), [policy.base for policy in (*own, *setting.baselines.values(), *setting.enqueued.values())]
    ranges = {op: ends for op, ends in cut.ranges.items() if op in reach and (reach[op][0] < ends[0] or reach[op][1] > ends[1])}
    moves = tuple(move for move in cut.moves if move in reach or any(getattr(base, move) > 0 for base in bases))
    return Cut(ranges, tuple(op for op in cut.left_out if op in reach), moves)


def what_breaks(table: Mapping[str, Any]) -> tuple[str, ...]:
    """A sentence for each op that breaks a class, with the weakest strength on either side that does."""
    asked = f"asked of {table['images']:,} validation images"
    told = tuple(sentence for op, rows in table["ops"].items() for sentence in _op_in_words(op, rows))
    return told or (f"labels: no op of the space or of the baselines breaks a class ({asked})",)


def _look(
    ledger: Ledger,
    study: StudyRecord,
    setting: "Setting",
    weights_path: Location,
    prepared: Prepared,
    heard: Callable[[int, int], None],
) -> dict[str, Any]:
    plainest = next(iter(setting.baselines))
    trials = [trial for trial in ledger.trials(study.uid) if trial.role == "baseline" and trial.label == plainest]
    if not trials or trials[0].result is None or trials[0].result.weights_sha256 is None:
        raise BadInput(f"labels: baseline {plainest!r} of study {study.name!r} has no weights; train it first")
    spec, meta = TrialSpec.from_dict(trials[0].spec), read_meta(prepared.directory)
    train, val = open_split(prepared.directory, "train"), open_split(prepared.directory, "val")
    model = load_model(weights_path, trials[0].result.weights_sha256, prepared.channels, len(prepared.classes), spec.recipe)
    return kept_labels(model, train, val, spec.recipe, meta["mean"], meta["std"], strengths_to_ask(setting), heard)


def _label(label: str, cut: Cut) -> str:
    """A baseline's label, without a flip that it no longer has."""
    return label.removeprefix("flip+") if "hflip" in cut.moves else label


def _reach(policies: Sequence[Policy]) -> dict[str, tuple[float, ...]]:
    """The furthest values of each op's strength, below and above its identity."""
    found: dict[str, set[float]] = {}
    for choice in {
        choice for policy in policies for branch in policy.branches for step in branch.steps for choice in step.choices
    }:
        identity, strength = find_op(choice.op).strength.identity, choice.values[0]
        ends = {*strength.ends, *((2 * identity - end for end in strength.ends) if strength.signed else ())}
        found.setdefault(choice.op, set()).update(end for end in ends if end != identity)
    return {op: (min(ends), max(ends)) for op, ends in found.items() if ends}


def _steps(name: str, ends: Sequence[float], own: Sequence[float]) -> tuple[float, ...]:
    strength = find_op(name).strength
    far = [end for end in (min(*ends, strength.identity), max(*ends, strength.identity)) if end != strength.identity]
    shares = [step / STRENGTHS_A_SIDE for step in range(1, STRENGTHS_A_SIDE + 1)]
    values = [*(strength.identity + (end - strength.identity) * share for end in far for share in shares), *own]
    tidy = {float(round(value)) if strength.whole else float(f"{value:.6g}") for value in values}
    return tuple(sorted(tidy - {strength.identity}))


def _kept_range(op: str, rows: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    strength = find_op(op).strength
    ends = []
    for way, limit in ((-1, strength.low), (1, strength.high)):
        side = sorted((row for row in rows if way * (row["value"] - strength.identity) > 0), key=lambda row: way * row["value"])
        breaking = [place for place, row in enumerate(side) if row["broken"]]
        last = limit if not breaking else strength.identity if breaking[0] == 0 else side[breaking[0] - 1]["value"]
        ends.append(float(last))
    if not any(row["value"] != strength.identity and not row["broken"] for row in rows):
        return strength.identity, strength.identity
    return ends[0], ends[1]


def _breaks(rows: Sequence[Mapping[str, Any]], value: float) -> bool:
    return any(row["broken"] for row in rows if row["value"] == value)


def _op_in_words(op: str, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    strength = find_op(op).strength
    sides = [[row for row in rows if way * (row["value"] - strength.identity) > 0 and row["broken"]] for way in (-1, 1)]
    first = [min(side, key=lambda row: abs(row["value"] - strength.identity)) for side in sides if side]
    if strength.whole and strength.high == 1:
        return [f"labels: {op} {broken_in_words(row['broken'])}" for row in first]
    if len(first) == 2 and math.isclose(first[0]["value"] + first[1]["value"], 2 * strength.identity, abs_tol=1e-6):
        where = f"at {abs(first[1]['value'] - strength.identity):.4g} {strength.unit} and beyond, either way,"
        return [f"labels: {op} {where} {broken_in_words(first[1]['broken'])}"]
    return [f"labels: {op} at {row['value']:.4g} {strength.unit} and beyond {broken_in_words(row['broken'])}" for row in first]


def _would_cut(cut: Cut) -> tuple[str, ...]:
    return (f"labels: nothing was cut; with --trim the study would have: {cut.words}",) if cut else ()
