"""Whether an exported form does what was searched: the same draws, carried out by each form and by the torch engine, compared.

Values and seeds are the policy's own, drawn from a fixed seed; images are noise and ramps of the size and channels searched at
(at most 16, sides of at most 64 pixels), or 3 channels of 32x32. Standalone files, and timm's, run in a Python of their own.
Judges pixels only: that a form also draws alike is for the tests.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from searchspaces.arrays import Images
from searchspaces.draw import draw
from searchspaces.engines.grouped import apply as apply_in_torch
from searchspaces.errors import BadInput
from searchspaces.export import Exporter, exporter_table, find_exporter
from searchspaces.export.alone import Case, carried_out_alone
from searchspaces.export.searched import Shape, channels_for, searched_at
from searchspaces.plan import NO_OP, Plan
from searchspaces.policy_json import PolicyFile
from searchspaces.refusals import check_shape

IMAGES = 32
DRAWS = 4096
WHOLE = "(all)"
_LARGEST_SIDE, _MOST_CHANNELS = 64, 16  # a provenance may say anything


@dataclass(frozen=True)
class Row:
    """One form and one op (or the whole policy): at most how many levels apart, on what share of the pixels, who computed it.

    `refusal` says why the form can't be had; then nothing was compared, and `levels` and `share` are None.
    """

    form: str
    op: str
    levels: int | None
    share: float | None
    computed_by: str
    refusal: str = ""

    @property
    def equal(self) -> bool | None:
        """Whether every pixel is the same; None where nothing was compared."""
        return None if self.levels is None else self.levels == 0


def parity(file: PolicyFile, form: str | None = None, standalone: bool = False) -> tuple[Row, ...]:
    """Every form of the policy, with a row for each of its ops and one for the whole.

    With `form` only that exporter's forms, and with `standalone` only files that do without policysearch. BadInput where
    nothing can be compared so.
    """
    channels, height, width = searched_at(file) or (channels_for(file.policy), 32, 32)
    shape = (min(channels, _MOST_CHANNELS), min(height, _LARGEST_SIDE), min(width, _LARGEST_SIDE))
    check_shape((IMAGES, *shape))
    images = _telling_images(shape)
    plans = dict(_plans(file, images))
    return tuple(row for form in _wanted(form, standalone) for row in _rows(form, file, images, plans))


@dataclass(frozen=True)
class _Form:
    name: str
    exporter: str
    alone: bool
    computed_by: str
    carry_out: Callable[[PolicyFile, Images, Sequence[Plan]], list[Images]]


def _forms() -> Iterator[_Form]:
    for exporter in exporter_table():
        if exporter.carried_out is not None:
            yield _Form(exporter.name, exporter.name, False, exporter.computed_by, exporter.carried_out)
        if exporter.standalone is not None:
            name = f"{exporter.name}, standalone"
            yield _Form(name, exporter.name, True, exporter.standalone_computed_by, _alone(exporter))


def _wanted(exporter: str | None, standalone: bool) -> list[_Form]:
    if exporter is not None:
        find_exporter(exporter)  # a name that there is not
    found = [form for form in _forms() if exporter in (None, form.exporter) and form.alone >= standalone]
    if not found:
        raise BadInput(f"form {exporter!r}: nothing of it can be compared; leave standalone out, or choose another form")
    return found


def _alone(exporter: Exporter) -> Callable[[PolicyFile, Images, Sequence[Plan]], list[Images]]:
    def carry_out(file: PolicyFile, images: Images, plans: Sequence[Plan]) -> list[Images]:
        text = exporter.write(file, standalone=True)
        return carried_out_alone([Case(text, images, plan) for plan in plans])

    return carry_out


def _rows(form: _Form, file: PolicyFile, images: Images, plans: dict[str, Plan]) -> list[Row]:
    try:
        found = form.carry_out(file, images, list(plans.values()))
    except BadInput as refusal:
        return [Row(form.name, WHOLE, None, None, form.computed_by, str(refusal))]
    return [_row(form, op, images, plan, got) for (op, plan), got in zip(plans.items(), found, strict=True)]


def _row(form: _Form, op: str, images: Images, plan: Plan, got: Images) -> Row:
    wanted = apply_in_torch(torch.from_numpy(images), plan).numpy()
    if got.shape != wanted.shape:
        return Row(form.name, op, 255, 1.0, form.computed_by)
    apart = np.abs(got.astype(np.int64) - wanted)
    return Row(form.name, op, int(apart.max(initial=0)), float((apart > 0).any(axis=1).mean()), form.computed_by)


def _plans(file: PolicyFile, images: Images) -> Iterator[tuple[str, Plan]]:
    """For each op that was drawn, its values on a step alone; then the policy as it is."""
    plan = draw(file.policy, (DRAWS, *images.shape[1:]), np.random.default_rng(0))
    for code, name in enumerate(plan.code_book):
        rows, steps = np.nonzero(plan.codes == code)
        if code == NO_OP or not len(rows):
            continue
        taken = np.resize(np.arange(len(rows)), len(images))
        rows, steps = rows[taken], steps[taken]
        seeds = None if plan.seeds is None else plan.seeds[rows, steps][:, None]
        codes = np.ones((len(images), 1), dtype=np.int16)
        values = plan.values[rows, steps][:, None]
        yield name, replace(plan, code_book=("identity", name), codes=codes, values=values, seeds=seeds)
    yield WHOLE, plan.rows(np.arange(len(images)))


def _telling_images(shape: Shape) -> Images:
    """Half noise, half ramps that hold every level."""
    generator = np.random.default_rng(1)
    noise = generator.integers(0, 256, (IMAGES // 2, *shape), dtype=np.uint8)
    start = generator.integers(0, 256, (IMAGES // 2, shape[0], 1, 1))
    y, x = np.mgrid[: shape[1], : shape[2]]
    ramps = (start + generator.integers(1, 9, (IMAGES // 2, 1, 1, 1)) * (x + 2 * y)) % 256
    return np.concatenate([noise, ramps.astype(np.uint8)])
