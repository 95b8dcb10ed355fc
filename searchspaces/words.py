"""A policy in plain English: one or two sentences for a person who chooses what to train with. It decides nothing."""

from searchspaces.ops import find_op
from searchspaces.ops.op import Parameter
from searchspaces.phrases import listed
from searchspaces.policy import Base, Branch, Choice, Distribution, PadCrop, Policy, ResizedCrop, Step, Uniform

_LONGEST_LIST = 20


def policy_in_words(policy: Policy) -> str:
    """What the policy does to an image, in one or two sentences, and what it does last of all in one more."""
    base, last = _base_in_words(policy.base), _last_in_words(policy) + _one_by_one_in_words(policy)
    if not policy.ops:
        return (f"No ops; {base}." if base else "No ops." if last else "No augmentation.") + last
    chains = _branch_in_words(policy.branches[0]) if len(policy.branches) == 1 else _branches_in_words(policy)
    place = "after" if policy.placement == "after-crop" else "before"
    return (f"{_capital(chains)}; {place} {base}." if base else f"{_capital(chains)}.") + last


def _one_by_one_in_words(policy: Policy) -> str:
    names = [name for name in policy.ops if find_op(name).per_image]
    return f" Per image on the CPU: {_listed(names)}." if names else ""


def _branches_in_words(policy: Policy) -> str:
    steps = sorted({len(branch.steps) for branch in policy.branches})
    lengths = str(steps[0]) if len(steps) == 1 else f"{steps[0]} to {steps[-1]}"
    return f"one of {len(policy.branches)} chains of {lengths} steps an image, from {_listed(list(policy.ops))}"


def _branch_in_words(branch: Branch) -> str:
    first = branch.steps[0]
    if len(first.choices) > 1 and all(step == first for step in branch.steps):
        return _repeated_in_words(first, len(branch.steps))
    steps = ", ".join(_step_in_words(step) for step in branch.steps)
    return f"in order: {steps}" if len(branch.steps) > 1 else f"on every image: {steps}"


def _repeated_in_words(step: Step, times: int) -> str:
    """The RandAugment shape: so many draws from one list of ops."""
    choices = [_choice_in_words(choice) for choice in step.choices]
    each = "each " if times > 1 else ""
    chance = "" if step.probability == 1 else f" with probability {step.probability:g}"
    weights = "" if len({choice.weight for choice in step.choices}) == 1 else ", by weight"
    ops = "op" if times == 1 else "ops"
    return f"{times} {ops} an image, {each}one of {len(choices)}{weights}{chance} ({_listed(choices)})"


def _step_in_words(step: Step) -> str:
    choices = [_choice_in_words(choice) for choice in step.choices]
    what = choices[0] if len(choices) == 1 else f"one of ({_listed(choices)})"
    return what if step.probability == 1 else f"{what} with probability {step.probability:g}"


def _choice_in_words(choice: Choice) -> str:
    parameters = find_op(choice.op).parameters
    values = [_values_in_words(p, d) for p, d in zip(parameters, choice.values, strict=True) if not _is_switch(p)]
    return " ".join([choice.op, " and ".join(values)] if values else [choice.op])


def _values_in_words(parameter: Parameter, distribution: Distribution) -> str:
    text = _range_in_words(parameter.identity, distribution)
    name = parameter.name.replace("_", " ")
    # "rotate ±27 degrees" and "posterize 4 bits kept", but "brightness factor 1.27" and "gamma exponent 0.8"
    return f"{text} {name}" if name.startswith(parameter.unit) else f"{name} {text}"


def _range_in_words(identity: float, distribution: Distribution) -> str:
    ends = distribution.ends
    if distribution.signed and identity == 0 and min(ends) >= 0:
        text = _span_in_words(sorted({*ends}), " to ")
        return f"±({text})" if " " in text else f"±{text}"
    mirrored = [2 * identity - end for end in ends] if distribution.signed else []
    values = sorted({*ends, *mirrored})
    return _span_in_words(values, " to " if isinstance(distribution, Uniform) or len(values) > 2 else " or ")


def _span_in_words(values: list[float], between: str) -> str:
    return f"{values[0]:.4g}" if len(values) == 1 else f"{values[0]:.4g}{between}{values[-1]:.4g}"


def _is_switch(parameter: Parameter) -> bool:
    """Whether the parameter only says that the op is on: nothing to tell."""
    return parameter.whole and (parameter.low, parameter.high) == (0, 1)


def _base_in_words(base: Base) -> str:
    parts = [] if base.crop is None else [_crop_in_words(base.crop)]
    moves = {"a horizontal flip": base.hflip, "a vertical flip": base.vflip, "a turn by 1 to 3 quarters": base.quarter_turns}
    for move, chance in moves.items():
        if chance:
            parts.append(move + (" always" if chance == 1 else f" of {_percent(chance)} of the images"))
    return listed(parts)


def _crop_in_words(crop: PadCrop | ResizedCrop) -> str:
    if isinstance(crop, PadCrop):
        return f"a crop with {_percent(crop.padding)} padding"
    area = " to ".join(dict.fromkeys(f"{100 * end:.4g}" for end in (crop.scale_low, crop.scale_high)))
    aspect = " to ".join(dict.fromkeys(f"{end:.3g}" for end in (crop.aspect_low, crop.aspect_high)))
    return f"a resized crop of {area} % of the area at an aspect of {aspect}"


def _last_in_words(policy: Policy) -> str:
    """What comes after base and branches, as a sentence with a space before it; nothing where there is nothing."""
    batch, resolution = policy.batch, policy.base.resolution
    parts = [f"a square of {_percent(batch.cutout)} of the shorter side cut out"] if batch.cutout else []
    parts += [f"images at {_percent(resolution)} of their sides"] if resolution != 1 else []
    alphas = {"mixup": batch.mixup_alpha, "CutMix": batch.cutmix_alpha}
    mixing = [f"{name} with alpha {alpha:.4g}" for name, alpha in alphas.items() if alpha]
    parts += [" or ".join(mixing)] if mixing else []
    return f" Last, {listed(parts)}." if parts else ""


def _percent(share: float) -> str:
    return f"{100 * share:g} %"


def _listed(items: list[str]) -> str:
    if len(items) <= _LONGEST_LIST:
        return ", ".join(items)
    return ", ".join(items[:_LONGEST_LIST]) + f" and {len(items) - _LONGEST_LIST} more"


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
