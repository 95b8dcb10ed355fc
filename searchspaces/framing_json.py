"""The base and the batch part of a policy as JSON, read and written.

Fields that came after the first version are left out where they are at their default: so what was written before them is what
is written still, to the byte.
"""

from collections.abc import Mapping
from dataclasses import fields as fields_of
from typing import Any

from searchspaces.errors import BadInput
from searchspaces.framing import INTERPOLATIONS, Base, Batch, PadCrop, ResizedCrop
from searchspaces.json_fields import built, fields, number, pair, plain
from searchspaces.json_text import shown

_LATER = {"vflip": 0.0, "quarter_turns": 0.0, "resolution": 1.0}
_BATCH = tuple(field.name for field in fields_of(Batch))


def base_to_dict(base: Base) -> dict[str, Any]:
    """The base as plain values; equal bases give equal ones."""
    later = {name: plain(getattr(base, name)) for name, default in _LATER.items() if getattr(base, name) != default}
    crop = None if base.crop is None else _crop_to_dict(base.crop)
    return {"crop": crop, "hflip": plain(base.hflip), "interpolation": base.interpolation, "fill": base.fill, **later}


def base_from_dict(value: Any, path: str) -> Base:
    """The base of such a dict; BadInput names the field by its path."""
    found = fields(value, path, ("crop", "hflip", "interpolation", "fill"), tuple(_LATER))
    crop = None if found["crop"] is None else _crop(found["crop"], f"{path}.crop")
    hflip, fill = number(found["hflip"], f"{path}.hflip"), number(found["fill"], f"{path}.fill")
    # 0.0 is the whole number 0 in JSON, so a writer that knows only floats is understood.
    whole = int(fill) if fill == int(fill) else fill
    interpolation = found["interpolation"]
    if not isinstance(interpolation, str):
        raise BadInput(f"{path}.interpolation: {shown(interpolation)}; allowed are {', '.join(map(repr, INTERPOLATIONS))}")
    later = {name: number(found[name], f"{path}.{name}") for name in _LATER if name in found}
    return built(path, lambda: Base(crop, hflip, interpolation, whole, **later))  # type: ignore[arg-type]  # Base checks both


def batch_to_dict(batch: Batch) -> dict[str, Any]:
    """The batch part as plain values, without what is off."""
    return {name: plain(getattr(batch, name)) for name in _BATCH if getattr(batch, name) != 0}


def batch_from_dict(value: Any, path: str) -> Batch:
    """The batch part of such a dict; BadInput names the field by its path."""
    found = fields(value, path, (), _BATCH)
    return built(path, lambda: Batch(**{name: number(found[name], f"{path}.{name}") for name in found}))


def _crop_to_dict(crop: PadCrop | ResizedCrop) -> dict[str, Any]:
    if isinstance(crop, PadCrop):
        return {"kind": "pad", "padding": plain(crop.padding)}
    scale, aspect = [crop.scale_low, crop.scale_high], [crop.aspect_low, crop.aspect_high]
    return {"kind": "resized", "scale": [plain(end) for end in scale], "aspect": [plain(end) for end in aspect]}


def _crop(value: Any, path: str) -> PadCrop | ResizedCrop:
    kind = value.get("kind", "pad") if isinstance(value, Mapping) else "pad"
    if kind not in ("pad", "resized"):  # first: another kind has other fields
        raise BadInput(f"{path}.kind: {shown(kind)}; allowed are 'pad', 'resized'")
    if kind == "resized":
        found = fields(value, path, ("kind", "scale", "aspect"))
        ends = (*pair(found["scale"], f"{path}.scale"), *pair(found["aspect"], f"{path}.aspect"))
        return built(path, lambda: ResizedCrop(*ends))
    padding = number(fields(value, path, ("kind", "padding"))["padding"], f"{path}.padding")
    return built(path, lambda: PadCrop(padding))
