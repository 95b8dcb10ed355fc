"""A policy as timm's RandAugment string (`--aa rand-m9-n2-inc1`), where one says it; else a refusal that names what none can say.

The string sets one magnitude, the number of ops and one probability. All else is fixed in timm: 15 ops, drawn evenly, with its
own levels; geometry with a resampling drawn at random and the data's mean colour moved in. So as the tables stand no policy
with ops in it can be said, and a near miss is never written (its other sets, `-t3a` and the like, hold ops too that no policy
can). What is copied from timm here is tested against it; nothing imports it.
"""

from collections.abc import Callable

from searchspaces.errors import BadInput
from searchspaces.ops import find_op
from searchspaces.policy import Choice, Constant, Policy

NOTHING = "rand-n0"
"""The string of the policy that does nothing: no op is drawn."""

MAGNITUDES = range(11)

VALUES: dict[str, Callable[[int], float]] = {
    "autocontrast": lambda magnitude: 1.0,
    "brightness": lambda magnitude: 1 + 0.09 * magnitude,
    "contrast": lambda magnitude: 1 + 0.09 * magnitude,
    "equalize": lambda magnitude: 1.0,
    "posterize": lambda magnitude: float(4 - int(magnitude / 10 * 4)),
    "rotate": lambda magnitude: 3.0 * magnitude,
    "saturation": lambda magnitude: 1 + 0.09 * magnitude,
    "sharpness": lambda magnitude: 1 + 0.09 * magnitude,
    "shear_x": lambda magnitude: 0.03 * magnitude,
    "shear_y": lambda magnitude: 0.03 * magnitude,
    "solarize": lambda magnitude: float(256 - int(magnitude / 10 * 256)),
    "translate_x": lambda magnitude: 0.045 * magnitude,
    "translate_y": lambda magnitude: 0.045 * magnitude,
}
"""The values of timm's increasing ops (`-inc1`) under our names, in our units; signed where ours are."""

ALSO_DRAWN = ("invert", "solarize_add")
"""Ops that the string always draws from beside those."""


def timm_string(policy: Policy) -> str:
    """The string that does what the policy does. BadInput of one line with all that timm can't say."""
    reasons = what_timm_cannot_say(policy)
    if reasons:
        raise BadInput(
            f"timm: its string can't say {'; '.join(reasons)}; use the policy file itself: "
            "policysearch.load_policy(FILE).to_torchvision() before timm's transforms"
        )
    return NOTHING


def what_timm_cannot_say(policy: Policy) -> tuple[str, ...]:
    """Each thing about the policy that no string of timm's does; none where the policy does nothing."""
    base = _about_base(policy)
    return base if set(policy.ops) <= {"identity"} else (*base, *_about_chain(policy), *_about_ops(policy))


def _about_base(policy: Policy) -> tuple[str, ...]:
    crop, hflip = policy.base.crop, policy.base.hflip
    reasons = (
        f"a crop with {100 * crop.padding:g} % padding" if crop else "",
        f"a flip of {100 * hflip:g} % of the images (timm's own --hflip does)" if hflip else "",
    )
    return tuple(reason for reason in reasons if reason)


def _about_chain(policy: Policy) -> tuple[str, ...]:
    """Where the policy is no RandAugment: timm draws every op of an image in one way."""
    steps = [step for branch in policy.branches for step in branch.steps]
    reasons = (
        (len(policy.branches) > 1, f"{len(policy.branches)} branches by weight"),
        (len(set(steps)) > 1, "steps that differ"),
        (any(len({choice.weight for choice in step.choices}) > 1 for step in steps), "ops by weight"),
    )
    return tuple(text for is_so, text in reasons if is_so)


def _about_ops(policy: Policy) -> tuple[str, ...]:
    choices = [choice for branch in policy.branches for step in branch.steps for choice in step.choices]
    foreign = [name for name in policy.ops if name not in VALUES]
    always = [name for name in (*VALUES, *ALSO_DRAWN) if name not in policy.ops]
    geometry = any(find_op(name).kind == "geometry" for name in policy.ops)
    reasons = (
        f"the ops {', '.join(foreign)}" if foreign else "",
        f"a draw without {', '.join(always)}" if always else "",
        _about_values([choice for choice in choices if choice.op in VALUES]),
        f"{policy.base.interpolation} interpolation with fill {policy.base.fill}" if geometry else "",
    )
    return tuple(reason for reason in reasons if reason)


def _about_values(choices: list[Choice]) -> str:
    """Which values are in the way of one common magnitude."""
    fitting = [{m for m in MAGNITUDES if _is_value(choice, m)} for choice in choices]
    unknown = dict.fromkeys(choice.op for choice, magnitudes in zip(choices, fitting, strict=True) if not magnitudes)
    if unknown:
        return f"the values of {', '.join(unknown)} (no magnitude of -inc1 has them)"
    return "" if not choices or set.intersection(*fitting) else "values of more than one magnitude"


def _is_value(choice: Choice, magnitude: int) -> bool:
    op, (strength, *_) = find_op(choice.op), choice.values
    value = VALUES[choice.op](magnitude)
    close = isinstance(strength, Constant) and abs(strength.value - value) <= 1e-6 * max(1.0, abs(value))
    return close and (strength.signed == op.signed or value == op.strength.identity)
