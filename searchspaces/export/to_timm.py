"""`--to timm`: a Python file with timm's own RandAugment, set so that it does exactly what the policy says; else a refusal.

timm says one magnitude for all ops, of its own maps, and computes with PIL. So this refuses by name what is not the same there:
ops it has not (identity among them), ops that come out a level apart all over the image (saturation, contrast) or whole rows a
pixel apart (shears, where a row lies half-way), ranges, several branches, weights, crops and flips, bilinear geometry. For all
of that `--to torchvision` gives a transform that timm's pipelines take. What is left is ours to the bit but for half-way places:
there rotate may take the pixel beside (at most 0.3 % of them), and sharpness may be one level off (at most 1 %).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from searchspaces.arrays import Images
from searchspaces.errors import BadInput
from searchspaces.export.alone import Case, carried_out_alone
from searchspaces.export.exporter import Exporter
from searchspaces.ops import find_op
from searchspaces.plan import Plan
from searchspaces.policy import Base, Choice, Constant, Policy, Step
from searchspaces.policy_json import PolicyFile

DENOMINATOR = 10
"""timm 1.0 data/auto_augment.py, _LEVEL_DENOM: a magnitude of 10 is the strongest."""


@dataclass(frozen=True)
class Twin:
    """An op of timm's that does what one of ours does: its name, its value at a share of the strongest, whether it has a sign.

    `kept` brings our value to what timm can be told, where several do the same.
    """

    name: str
    value: Callable[[float], float]
    signed: bool = False
    kept: Callable[[float], float] = float


# timm 1.0 data/auto_augment.py, LEVEL_TO_ARG. Its Posterize and Solarize without "Increasing" count the other way.
TWINS: dict[str, tuple[Twin, ...]] = {
    "autocontrast": (Twin("AutoContrast", lambda share: 1.0),),
    "equalize": (Twin("Equalize", lambda share: 1.0),),
    "invert": (Twin("Invert", lambda share: 1.0),),
    "rotate": (Twin("Rotate", lambda share: share * 30.0, signed=True),),
    "posterize": (
        Twin("PosterizeIncreasing", lambda share: 4.0 - int(share * 4)),
        Twin("Posterize", lambda share: float(int(share * 4))),
        Twin("PosterizeOriginal", lambda share: float(int(share * 4) + 4)),
    ),
    "solarize": (
        Twin("SolarizeIncreasing", lambda share: 256.0 - min(256, int(share * 256)), kept=math.ceil),
        Twin("Solarize", lambda share: float(min(256, int(share * 256))), kept=math.ceil),
    ),
    "solarize_add": (Twin("SolarizeAdd", lambda share: float(min(128, int(share * 110)))),),
    "brightness": (Twin("BrightnessIncreasing", lambda share: 1.0 + share * 0.9, signed=True),),
    "sharpness": (Twin("SharpnessIncreasing", lambda share: 1.0 + share * 0.9, signed=True),),
}
_TOLD = 8
_ADVICE = "use --to torchvision: timm's pipelines take its transform"
_FILE = '''"""timm's RandAugment, set to do what a policy of policysearch says; needs timm, and RGB images.

The pixels are those of policysearch but for half-way places: there rotate may take the pixel beside (at most 0.3 % of them),
and sharpness may be one level off (at most 1 %).

Put `transform` before ToTensor. To give only CONFIG to timm's create_transform would bring another fill, other interpolation
and other ops with it.
"""

from PIL import Image
from timm.data.auto_augment import rand_augment_transform

CONFIG = {config!r}
HPARAMS = {{"img_mean": {fill!r}, "interpolation": Image.Resampling.NEAREST}}
OPS = {ops!r}

transform = rand_augment_transform(CONFIG, HPARAMS, OPS)
'''

_CARRY_OUT = '''
import math
from types import SimpleNamespace as Plan

import numpy as np

NAMES = {names!r}


def carried_out(images, plan):
    """New images, uint8 arrays (images, 3, height, width): what the plan's rows say was done to each, by timm's ops."""
    return np.stack([changed(*row, plan.code_book) for row in zip(images, plan.codes, plan.values)])


def changed(image, codes, values, book):
    ops, picture = {{op.name: op for op in transform.ops}}, Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0)))
    for code, (value, *_) in zip(codes, values):
        if code:
            op, whole = ops[NAMES[book[code]]], book[code] in ("posterize", "solarize", "solarize_add")
            given = () if op.level_fn is None else (math.ceil(value) if whole else value,)
            picture = op.aug_fn(picture, *given, **op.kwargs)
    return np.array(picture).transpose(2, 0, 1)
'''


def text(file: PolicyFile) -> str:
    """The Python file. BadInput names all that timm's RandAugment can't say."""
    policy = file.policy
    choices = [choice for branch in policy.branches for step in branch.steps for choice in step.choices]
    _refuse_if([*_unsayable_shape(policy), *(said for choice in choices for said in _unsayable_choice(choice))])
    step, layers = policy.branches[0].steps[0], len(policy.branches[0].steps)
    magnitude = _common_magnitude(step)
    names = [_twin(choice, magnitude).name for choice in step.choices]
    chance = format(Decimal(repr(float(step.probability))), "f")  # an exponent would end the section at its minus sign
    config = f"rand-m{magnitude}-n{layers}-p{chance}-mstd0-inc1"
    return _FILE.format(config=config, fill=(policy.base.fill,) * 3, ops=names)


def _refuse_if(unsayable: list[str]) -> None:
    said = list(dict.fromkeys(unsayable))
    if said:
        more = f" and {len(said) - _TOLD} more" if len(said) > _TOLD else ""
        raise BadInput(f"form 'timm': its RandAugment can't say {'; '.join(said[:_TOLD])}{more}; {_ADVICE}")


def _unsayable_shape(policy: Policy) -> list[str]:
    """What of the policy is not one list of ops drawn from so many times."""
    found = [] if policy.base == Base(fill=policy.base.fill, interpolation=policy.base.interpolation) else ["the base geometry"]
    found += [] if policy.batch == type(policy.batch)() else ["the batch part (cutout, mixup, CutMix)"]
    if len(policy.branches) > 1:
        return [*found, f"{len(policy.branches)} branches"]
    steps = policy.branches[0].steps
    if not steps:
        return [*found, "a policy without ops"]
    if any(step != steps[0] for step in steps):
        found.append("steps that differ")
    if len({choice.weight for choice in steps[0].choices}) > 1:
        found.append("ops by weight")
    resampling = [choice.op for choice in steps[0].choices if find_op(choice.op).resamples]
    if policy.base.interpolation != "nearest" and resampling:
        found.append(f"bilinear {', '.join(resampling)} as here (PIL's rounds otherwise)")
    return found


def _unsayable_choice(choice: Choice) -> list[str]:
    if choice.op not in TWINS:
        return [f"the op {choice.op}"]
    if not isinstance(choice.values[0], Constant):
        return [f"a range of {choice.op}"]
    return [] if _magnitudes(choice) else [f"{choice.op} of {choice.values[0].value:g}{' with a sign' * choice.values[0].signed}"]


def _common_magnitude(step: Step) -> int:
    """The one magnitude at which timm's ops have the values of all choices."""
    common = set.intersection(*(set(_magnitudes(choice)) for choice in step.choices))
    if not common:
        each = ", ".join(f"{choice.op} m{'/'.join(map(str, _magnitudes(choice)))}" for choice in step.choices)
        _refuse_if([f"ops at different magnitudes ({each})"])
    return max(common)


def _magnitudes(choice: Choice) -> list[int]:
    return [magnitude for magnitude in range(DENOMINATOR + 1) if _twins(choice, magnitude)]


def _twin(choice: Choice, magnitude: int) -> Twin:
    return _twins(choice, magnitude)[0]


def _twins(choice: Choice, magnitude: int) -> list[Twin]:
    """The ops of timm that do at this magnitude what the choice says."""
    (given,) = choice.values
    assert isinstance(given, Constant)
    share = magnitude / DENOMINATOR
    parameter = find_op(choice.op).strength
    mirrored = 2 * parameter.identity - given.value
    found = []
    for twin in TWINS[choice.op]:
        wanted = twin.value(share)
        values = {given.value, mirrored} if given.signed else {given.value}
        near = any(math.isclose(twin.kept(value), wanted, rel_tol=1e-12, abs_tol=1e-12) for value in values)
        same_sign = twin.signed == given.signed or wanted == parameter.identity
        if near and same_sign and parameter.low <= wanted <= parameter.high:
            found.append(twin)
    return found


def _carried_out(file: PolicyFile, images: Images, plans: Sequence[Plan]) -> list[Images]:
    """By the ops of the file's transform, in a Python of its own. BadInput where timm is not installed."""
    written = text(file)  # first: it refuses policies without a first step
    step = file.policy.branches[0].steps[0]
    names = {choice.op: _twin(choice, _common_magnitude(step)).name for choice in step.choices}
    return carried_out_alone([Case(written + _CARRY_OUT.format(names=names), images, plan) for plan in plans])


EXPORTER = Exporter(
    name="timm",
    summary="a Python file with timm's own RandAugment, where that can do exactly what the policy says",
    text=text,
    loaded_with="import runpy; transform = runpy.run_path({path})['transform']",
    carried_out=_carried_out,
    computed_by="timm, in PIL",
)
