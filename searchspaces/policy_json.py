"""A policy as JSON: the value as plain dicts, its digest, and the file {"schema", "policy", "provenance"}.

`policy` is all that runs and all that the digest covers, so every field in it is required and an unknown one is an error that
names its path. `provenance` is any JSON object; it changes nothing but warnings. Refuses files that `json_text` would not trust.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from searchspaces.errors import BadInput
from searchspaces.json_text import MAX_BYTES, canonical_json, one_line, parse_json, pretty_json, shown
from searchspaces.ops import find_op
from searchspaces.policy import Base, Branch, Choice, Constant, Distribution, Levels, PadCrop, Policy, Step, Uniform
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
T = TypeVar("T")


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
    base = policy.base
    crop = None if base.crop is None else {"kind": "pad", "padding": _plain(base.crop.padding)}
    return {
        "base": {"crop": crop, "hflip": _plain(base.hflip), "interpolation": base.interpolation, "fill": base.fill},
        "placement": policy.placement,
        "branches": [
            {"weight": _plain(branch.weight), "steps": [_step_to_dict(step) for step in branch.steps]}
            for branch in policy.branches
        ],
    }


def policy_from_dict(value: Mapping[str, Any]) -> Policy:
    """The policy of such a dict. BadInput names the field by its path, as in policy.branches[0].steps[1].probability."""
    fields = _fields(value, "policy", ("base", "placement", "branches"))
    base = _base(fields["base"], "policy.base")
    branches = [_branch(item, path) for item, path in _items(fields["branches"], "policy.branches")]
    placement = fields["placement"]
    if not isinstance(placement, str):
        raise BadInput(f"policy.placement: {shown(placement)}; allowed are 'before-crop', 'after-crop'")
    return _built("policy", lambda: Policy(base, tuple(branches), placement))  # type: ignore[arg-type]  # Policy checks it


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
    fields = _fields(value, "file", ("schema", "policy"), ("provenance",))
    provenance = fields.get("provenance", {})
    if not isinstance(provenance, Mapping):
        raise BadInput(f"provenance: {shown(provenance)}; allowed is an object")
    return PolicyFile(policy_from_dict(fields["policy"]), provenance)


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


def _plain(value: float) -> float:
    return float(value) + 0.0  # -0.0 becomes 0.0: they are equal, so their digests must be


def _step_to_dict(step: Step) -> dict[str, Any]:
    return {"probability": _plain(step.probability), "choices": [_choice_to_dict(choice) for choice in step.choices]}


def _choice_to_dict(choice: Choice) -> dict[str, Any]:
    parameters = find_op(choice.op).parameters
    values = {p.name: _distribution_to_dict(d) for p, d in zip(parameters, choice.values, strict=True)}
    return {"op": choice.op, "weight": _plain(choice.weight), "values": values}


def _distribution_to_dict(distribution: Distribution) -> dict[str, Any]:
    ends = [_plain(end) for end in distribution.ends]
    result: dict[str, Any]
    if isinstance(distribution, Constant):
        result = {"constant": ends[0]}
    else:
        result = {"uniform" if isinstance(distribution, Uniform) else "levels": ends}
    return result | ({"signed": True} if distribution.signed else {})


def _base(value: Any, path: str) -> Base:
    fields = _fields(value, path, ("crop", "hflip", "interpolation", "fill"))
    crop = None if fields["crop"] is None else _crop(fields["crop"], f"{path}.crop")
    hflip = _number(fields["hflip"], f"{path}.hflip")
    fill = _number(fields["fill"], f"{path}.fill")
    # 0.0 is the whole number 0 in JSON, so a writer that knows only floats is understood.
    whole = int(fill) if fill == int(fill) else fill
    interpolation = fields["interpolation"]
    if not isinstance(interpolation, str):
        raise BadInput(f"{path}.interpolation: {shown(interpolation)}; allowed is 'nearest'")
    return _built(path, lambda: Base(crop, hflip, interpolation, whole))  # type: ignore[arg-type]  # Base checks both


def _crop(value: Any, path: str) -> PadCrop:
    fields = _fields(value, path, ("kind", "padding"))
    if fields["kind"] != "pad":
        raise BadInput(f"{path}.kind: {shown(fields['kind'])}; allowed is 'pad'")
    padding = _number(fields["padding"], f"{path}.padding")
    return _built(path, lambda: PadCrop(padding))


def _branch(value: Any, path: str) -> Branch:
    fields = _fields(value, path, ("weight", "steps"))
    weight = _number(fields["weight"], f"{path}.weight")
    steps = tuple(_step(item, place) for item, place in _items(fields["steps"], f"{path}.steps"))
    return _built(path, lambda: Branch(steps, weight))


def _step(value: Any, path: str) -> Step:
    fields = _fields(value, path, ("probability", "choices"))
    probability = _number(fields["probability"], f"{path}.probability")
    choices = tuple(_choice(item, place) for item, place in _items(fields["choices"], f"{path}.choices"))
    return _built(path, lambda: Step(choices, probability))


def _choice(value: Any, path: str) -> Choice:
    fields = _fields(value, path, ("op", "weight", "values"))
    name = fields["op"]
    if not isinstance(name, str):
        raise BadInput(f"{path}.op: {shown(name)}; allowed is the name of an op")
    op = _built(f"{path}.op", lambda: find_op(name))
    weight = _number(fields["weight"], f"{path}.weight")
    values = _fields(fields["values"], f"{path}.values", tuple(parameter.name for parameter in op.parameters))
    given = tuple(_distribution(values[p.name], f"{path}.values.{p.name}") for p in op.parameters)
    return _built(path, lambda: Choice(name, given, weight))


def _distribution(value: Any, path: str) -> Distribution:
    fields = _fields(value, path, (), ("constant", "uniform", "levels", "signed"))
    kinds = [kind for kind in ("constant", "uniform", "levels") if kind in fields]
    if len(kinds) != 1:
        raise BadInput(f"{path}: {len(kinds)} of constant, uniform, levels given; give exactly one")
    signed = fields.get("signed", False)
    if not isinstance(signed, bool):
        raise BadInput(f"{path}.signed: {shown(signed)}; allowed are true and false")
    kind = kinds[0]
    if kind == "constant":
        return Constant(_number(fields[kind], f"{path}.constant"), signed)
    numbers = tuple(_number(item, place) for item, place in _items(fields[kind], f"{path}.{kind}"))
    if kind == "levels":
        return _built(f"{path}.levels", lambda: Levels(numbers, signed))
    if len(numbers) != 2:
        raise BadInput(f"{path}.uniform: {len(numbers)} numbers; allowed are two, [low, high]")
    return _built(f"{path}.uniform", lambda: Uniform(*numbers, signed=signed))


def _fields(value: Any, path: str, required: tuple[str, ...], optional: tuple[str, ...] = ()) -> Mapping[str, Any]:
    """An object with exactly these fields."""
    if not isinstance(value, Mapping):
        raise BadInput(f"{path}: {shown(value)}; allowed is an object")
    allowed = ", ".join(required + optional)
    for key in value:
        if key not in required + optional:
            raise BadInput(f"{path}: unknown field {shown(key)}; allowed are {allowed}")
    for key in required:
        if key not in value:
            raise BadInput(f"{path}.{key}: missing; give {allowed}")
    return value


def _items(value: Any, path: str) -> list[tuple[Any, str]]:
    """The items of a list, each with its path."""
    if not isinstance(value, list | tuple):
        raise BadInput(f"{path}: {shown(value)}; allowed is a list")
    return [(item, f"{path}[{index}]") for index, item in enumerate(value)]


def _number(value: Any, path: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadInput(f"{path}: {shown(value)}; allowed is a number")
    try:
        number = float(value)
    except OverflowError:
        number = float("inf")
    if number - number != 0:
        raise BadInput(f"{path}: {shown(value)}; allowed is a finite number")
    return number


def _built(path: str, make: Callable[[], T]) -> T:
    """Make a value that checks itself; what it refuses is told with its place."""
    try:
        return make()
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from None
