"""Policies that a user puts beside a search (`--enqueue`): published ones by zoo:NAME, one's own by file.

They are trials like others, run once after the baselines, and may win; they are no part of a study's identity, and samplers don't
see them. Refuses what is no policy, and ops that can't take the study's images, before anything is trained.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from policysearch.ledger import Standing
from searchspaces.errors import BadInput
from searchspaces.json_text import one_line
from searchspaces.ops import find_op
from searchspaces.policy import Base, Policy, ResizedCrop
from searchspaces.policy_json import digest
from searchspaces.zoo import PREFIX, read_source

LONGEST_LABEL = 80


def read_policies(sources: Iterable[str]) -> dict[str, Policy]:
    """The policies by label, as they stand in their files. BadInput names a source that can't be read, or is given twice."""
    found: dict[str, Policy] = {}
    for source in sources:
        label = one_line(str(source), LONGEST_LABEL)
        if label in found:
            raise BadInput(f"enqueue {label}: given twice; give each policy once")
        found[label] = read_source(source).policy
    return found


def for_study(policies: Mapping[str, Policy], channels: int, base: Base) -> dict[str, Policy]:
    """The policies as a study of such images runs them: a published one on the study's own crop and flips, a file's as it is.

    BadInput names an op that can't take the images.
    """
    return {label: _placed(label, policy, channels, base) for label, policy in policies.items()}


def _placed(label: str, policy: Policy, channels: int, base: Base) -> Policy:
    for op in policy.ops:
        if not find_op(op).accepts(channels):
            raise BadInput(f"enqueue {label}: its op {op} can't take images with {channels} channels; enqueue another policy")
    if not label.startswith(PREFIX):
        return policy
    # The zoo holds policies alone; what geometry moves in, and how, is theirs. Only a resized crop keeps its own way: by the
    # nearest pixel it would be blocks.
    how = base.interpolation if isinstance(base.crop, ResizedCrop) else policy.base.interpolation
    return replace(policy, base=replace(base, fill=policy.base.fill, interpolation=how))


def count_in(trials: Sequence[Standing], policies: Mapping[str, Policy]) -> int:
    """How many enqueued policies the study has or will have: those of its trials, and those given that are none of them."""
    known = {trial.digest for trial in trials}
    return sum(trial.role == "enqueued" for trial in trials) + sum(digest(policy) not in known for policy in policies.values())


def not_run_twice(policies: Mapping[str, Policy], known: Mapping[str, str]) -> tuple[dict[str, Policy], tuple[str, ...]]:
    """The policies without those that are others under another name, and a note on each of those.

    `known` has what is run anyway: labels by digest.
    """
    seen, once, notes = dict(known), dict[str, Policy](), list[str]()
    for label, policy in policies.items():
        fingerprint = digest(policy)
        if fingerprint in seen:
            notes.append(f"enqueued {label} is the same policy as {seen[fingerprint]}: it is run once")
        else:
            seen[fingerprint], once[label] = label, policy
    return once, tuple(notes)
