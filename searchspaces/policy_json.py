"""A policy as JSON: the value as plain dicts, its digest, and the file {"schema", "policy", "provenance"}.

`policy` is all that runs and all that the digest covers, so an unknown field in it is an error that names its path. Fields that
came after the first version may be left out, and are so at their default: old files keep their digests. `provenance` is any JSON
object; it changes nothing but warnings. Refuses files that `json_text` would not trust.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from searchspaces.errors import BadInput
from searchspaces.framing_json import base_from_dict, base_to_dict, batch_from_dict, batch_to_dict
from searchspaces.json_fields import built, fields, items, number, pair, plain
from searchspaces.json_text import MAX_BYTES, canonical_json, one_line, parse_json, pretty_json, shown
from searchspaces.ops import find_op
from searchspaces.policy import Branch, Choice, Constant, Distribution, Levels, Policy, Step, Uniform
from searchspaces.whole_files import write_whole

__all__ = [
    "SCHEMA",
    "PolicyFile",
    "canonical_json",
    "digest",
    "policy_file_text",
    "policy_from_dict",
    "policy_to_dict",
    "read_policy_file",
    "write_policy_file",
]

SCHEMA = "policysearch.policy/1"


@dataclass(frozen=True)
class PolicyFile:
    """What a policy file holds: the policy, and where it comes from (a JSON object, free in form)."""

    policy: Policy
    provenance: Mapping[str, Any]


def digest(policy: Policy) -> str:
    """SHA-256 (64 hex digits) of the policy's canonical JSON: the same for equal policies on every machine."""
    return hashlib.sha256(canonical_json(policy_to_dict(policy)).encode("ascii")).hexdigest()


def policy_to_dict(policy: Policy) -> dict[str, Any]:
    """The policy as plain dicts, lists and floats; equal policies give equal dicts, down to the bytes of their JSON."""
    batch = batch_to_dict(policy.batch)
    return {
        "base": base_to_dict(policy.base),
        "placement": policy.placement,
        "branches": [
            {"weight": plain(branch.weight), "steps": [_step_to_dict(step) for step in branch.steps]}
            for branch in policy.branches
        ],
        **({"batch": batch} if batch else {}),
    }


def policy_from_dict(value: Mapping[str, Any]) -> Policy:
    """The policy of such a dict. BadInput names the field by its path, as in policy.branches[0].steps[1].probability."""
    given = fields(value, "policy", ("base", "placement", "branches"), ("batch",))
    base = base_from_dict(given["base"], "policy.base")
    branches = [_branch(item, path) for item, path in items(given["branches"], "policy.branches")]
    batch = batch_from_dict(given.get("batch", {}), "policy.batch")
    placement = given["placement"]
    if not isinstance(placement, str):
        raise BadInput(f"policy.placement: {shown(placement)}; allowed are 'before-crop', 'after-crop'")
    parts = (base, tuple(branches), placement, batch)
    return built("policy", lambda: Policy(*parts))  # type: ignore[arg-type]  # Policy checks the placement


def read_policy_file(path: Path | str) -> PolicyFile:
    """Read a policy file. Every defect is a BadInput of one line that names the file and the field."""
    path = Path(path)
    name = one_line(str(path))
    try:
        if not path.is_file():
            raise BadInput(f"policy file {name}: no such file; give the path of a policy.json")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise BadInput(f"policy file {name}: can't be read ({error})") from None
    value = parse_json(data, f"policy file {name}")
    try:
        return policy_file_from_dict(value)
    except BadInput as error:
        raise BadInput(one_line(f"policy file {name}: {error}", 800)) from None


def policy_file_from_dict(value: Any) -> PolicyFile:
    """The content of a policy file: schema, policy, and provenance if there is one."""
    if isinstance(value, Mapping) and value.get("schema", SCHEMA) != SCHEMA:  # first: another version has other fields
        raise BadInput(f"schema: {shown(value['schema'])}; this version reads {SCHEMA!r}")
    found = fields(value, "file", ("schema", "policy"), ("provenance",))
    provenance = found.get("provenance", {})
    if not isinstance(provenance, Mapping):
        raise BadInput(f"provenance: {shown(provenance)}; allowed is an object")
    return PolicyFile(policy_from_dict(found["policy"]), provenance)


def policy_file_to_dict(file: PolicyFile) -> dict[str, Any]:
    """The content of a policy file as plain dicts, lists and floats."""
    return {"schema": SCHEMA, "policy": policy_to_dict(file.policy), "provenance": dict(file.provenance)}


def policy_file_text(file: PolicyFile, name: str = "policy file") -> str:
    """What a policy file holds, in ASCII. BadInput, which begins with `name`, for a provenance that could not be read again."""
    content = policy_file_to_dict(file)
    canonical_json(content)  # refuses NaN in the provenance before anything is written
    text = pretty_json(content) + "\n"
    policy_file_from_dict(parse_json(text.encode("ascii"), name))  # what we can't read again, we don't write
    return text


def write_policy_file(path: Path | str, policy: Policy, provenance: Mapping[str, Any]) -> None:
    """Write a policy file, whole or not at all."""
    path = Path(path)
    text = policy_file_text(PolicyFile(policy, provenance), f"policy file {one_line(str(path))}")
    try:
        write_whole(path, text.encode("ascii"))
    except OSError as error:
        raise BadInput(f"policy file {one_line(str(path))}: can't be written ({error.strerror}); give another folder") from None


def _step_to_dict(step: Step) -> dict[str, Any]:
    return {"probability": plain(step.probability), "choices": [_choice_to_dict(choice) for choice in step.choices]}


def _choice_to_dict(choice: Choice) -> dict[str, Any]:
    parameters = find_op(choice.op).parameters
    values = {p.name: _distribution_to_dict(d) for p, d in zip(parameters, choice.values, strict=True)}
    return {"op": choice.op, "weight": plain(choice.weight), "values": values}


def _distribution_to_dict(distribution: Distribution) -> dict[str, Any]:
    ends = [plain(end) for end in distribution.ends]
    result: dict[str, Any]
    if isinstance(distribution, Constant):
        result = {"constant": ends[0]}
    else:
        result = {"uniform" if isinstance(distribution, Uniform) else "levels": ends}
    return result | ({"signed": True} if distribution.signed else {})


def _branch(value: Any, path: str) -> Branch:
    found = fields(value, path, ("weight", "steps"))
    weight = number(found["weight"], f"{path}.weight")
    steps = tuple(_step(item, place) for item, place in items(found["steps"], f"{path}.steps"))
    return built(path, lambda: Branch(steps, weight))


def _step(value: Any, path: str) -> Step:
    found = fields(value, path, ("probability", "choices"))
    probability = number(found["probability"], f"{path}.probability")
    choices = tuple(_choice(item, place) for item, place in items(found["choices"], f"{path}.choices"))
    return built(path, lambda: Step(choices, probability))


def _choice(value: Any, path: str) -> Choice:
    found = fields(value, path, ("op", "weight", "values"))
    name = found["op"]
    if not isinstance(name, str):
        raise BadInput(f"{path}.op: {shown(name)}; allowed is the name of an op")
    op = built(f"{path}.op", lambda: find_op(name))
    weight = number(found["weight"], f"{path}.weight")
    values = fields(found["values"], f"{path}.values", tuple(parameter.name for parameter in op.parameters))
    given = tuple(_distribution(values[p.name], f"{path}.values.{p.name}") for p in op.parameters)
    return built(path, lambda: Choice(name, given, weight))


def _distribution(value: Any, path: str) -> Distribution:
    found = fields(value, path, (), ("constant", "uniform", "levels", "signed"))
    kinds = [kind for kind in ("constant", "uniform", "levels") if kind in found]
    if len(kinds) != 1:
        raise BadInput(f"{path}: {len(kinds)} of constant, uniform, levels given; give exactly one")
    signed = found.get("signed", False)
    if not isinstance(signed, bool):
        raise BadInput(f"{path}.signed: {shown(signed)}; allowed are true and false")
    kind = kinds[0]
    if kind == "constant":
        return Constant(number(found[kind], f"{path}.constant"), signed)
    if kind == "levels":
        levels = tuple(number(item, place) for item, place in items(found[kind], f"{path}.levels"))
        return built(f"{path}.levels", lambda: Levels(levels, signed))
    low, high = pair(found[kind], f"{path}.uniform")
    return built(f"{path}.uniform", lambda: Uniform(low, high, signed))
