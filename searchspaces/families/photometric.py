"""Distributions of light and colour: each op's value is uniform on [centre - half width, centre + half width].

Each op has its own probability. Centre and half width, not two ends: so low <= high at every point, and neighbours of a good
point are good. The ops run in one fixed order, as `_OPS` lists them. The geometry is the base's alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from searchspaces.families.family import Family, useful_ops
from searchspaces.levels import rounded
from searchspaces.policy import Base, Branch, Choice, Policy, Step, Uniform
from searchspaces.space import Parameter, Real, SearchSpace


@dataclass(frozen=True)
class _Reach:
    """Where an op's centre may lie, and how far the values may spread from it, in the op's unit."""

    centre_low: float
    centre_high: float
    widest: float


# Bounds of our own: even the widest values leave a photo recognisable, and no sum of them leaves the op's hard limits.
_OPS = {
    "brightness_shift": _Reach(-32.0, 32.0, 64.0),
    "contrast_about_128": _Reach(0.7, 1.3, 0.5),
    "gamma": _Reach(0.7, 1.4, 0.5),
    "saturation": _Reach(0.6, 1.4, 0.6),
    "hue": _Reach(-0.05, 0.05, 0.15),
}


def build(channels: int, base: Base, forbid: tuple[str, ...] = ()) -> SearchSpace:
    """The space for images with this many channels: `<op>.centre`, `<op>.half_width` and `<op>.probability` for each op."""
    names, notes = useful_ops(_OPS, channels, forbid)
    parameters = tuple(parameter for name in names for parameter in _parameters(name))
    return SearchSpace("photometric", parameters, partial(_decode, names, base), notes)


def _parameters(name: str) -> tuple[Parameter, ...]:
    reach = _OPS[name]
    return (
        Real(f"{name}.centre", reach.centre_low, reach.centre_high),
        Real(f"{name}.half_width", 0.0, reach.widest),
        Real(f"{name}.probability", 0.0, 1.0),
    )


def _decode(names: tuple[str, ...], base: Base, params: Mapping[str, Any]) -> Policy:
    return Policy(base, (Branch(steps=tuple(_step(name, params) for name in names)),))


def _step(name: str, params: Mapping[str, Any]) -> Step:
    centre, half_width = params[f"{name}.centre"], params[f"{name}.half_width"]
    values = Uniform(rounded(centre - half_width), rounded(centre + half_width))
    return Step((Choice(name, (values,)),), probability=rounded(params[f"{name}.probability"]))


FAMILY = Family(
    name="photometric",
    summary="brightness, contrast, gamma, saturation and hue, each with a centre, a half width and a probability",
    source="this project: the usual colour jitter with its distributions set free, one op at a time in a fixed order",
    build=build,
    leaves_out=True,
)
