"""What the policies do to the study's own training images: none, the best free baseline and the winner on the same images with
the same seeds, and the winner's ops one by one.

Crops and flips are drawn from a stream of their own, so that what differs between two pictures in a column is the policy. Reads
training images only; where they are gone, or a trainer's own, there are no pictures.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch

from dashboards.contact_sheet import Tile
from dashboards.contenders import Contender, Contenders
from dashboards.embedding import data_uri
from dashboards.gallery import SEED, is_switch, originals, tiles, value_in_short
from dashboards.scene import scene
from policysearch.home import Home
from searchspaces.arrays import Images
from searchspaces.engines.grouped import apply  # the same pixels, and a picture waits for no compiler
from searchspaces.errors import BadInput
from searchspaces.ops import find_op
from searchspaces.ops.op import Op
from searchspaces.plan import Plan
from searchspaces.policy import Choice, Policy
from searchspaces.policy_json import policy_from_dict

IMAGES_SHOWN, DRAWS_SHOWN = 6, 2
OP_IMAGES, MOST_OPS = 2, 24
Values: TypeAlias = tuple[float, ...]


@dataclass(frozen=True)
class Picture:
    """An image as its address, what stands below it, a line each, and what it shows in words."""

    uri: str
    caption: tuple[str, ...]
    alt: str


@dataclass(frozen=True)
class GalleryRow:
    """Pictures of the same images side by side under one heading. `kind` is "none", "before" or "after"."""

    head: str
    kind: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class OpPictures:
    """An op alone at its strength in the policy: its name, and on each image a picture a value."""

    name: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class Galleries:
    """All pictures of policies. `ops_of` has the ops in `ops`; `ops_left_out` counts those that found no room."""

    rows: tuple[GalleryRow, ...]
    ops_of: str
    ops: tuple[OpPictures, ...]
    ops_left_out: int


def galleries(found: Contenders, home: Home, largest_px: int) -> Galleries | None:
    """The pictures, none wider than `largest_px`; None when the training images are gone or a trainer's own."""
    main = found.won
    data = None if main is None else main.trial.spec["data"]
    if main is None or data is None:
        return None
    try:
        images, classes = originals(home.data_directory(data["directory"]), IMAGES_SHOWN)
    except BadInput:
        return None
    plain = [
        Picture(data_uri(image, largest_px), (name,), f"a training image of class {name}, as it is")
        for image, name in zip(images, classes, strict=True)
    ]
    rows = [GalleryRow("No augmentation", "none", tuple(plain))]
    for one, kind in ((found.before, "before"), (found.after, "after")):
        rows += [] if one is None else _rows(one, kind, images, classes, largest_px)
    policy = policy_from_dict(main.trial.spec["policy"])
    ops, left_out = op_pictures(policy, images[:OP_IMAGES], classes, largest_px)
    return Galleries(tuple(rows), main.title, ops, left_out)


def _rows(one: Contender, kind: str, images: Images, classes: Sequence[str], largest_px: int) -> list[GalleryRow]:
    """Some draws of a policy; each stream of randomness is the same as any other policy's."""
    policy = policy_from_dict(one.trial.spec["policy"])
    drawn = tiles(policy, images, SEED, DRAWS_SHOWN)
    return [
        GalleryRow(one.title if number == 1 else "", kind, tuple(_pictures(row, one, number, classes, largest_px)))
        for number, row in enumerate(drawn, start=1)
    ]


def _pictures(row: Sequence[Tile], one: Contender, number: int, classes: Sequence[str], largest_px: int) -> Iterator[Picture]:
    for tile, name in zip(row, classes, strict=True):
        alt = f"{name}, draw {number} of {one.label}: {', '.join(tile.caption)}"
        yield Picture(data_uri(tile.pixels, largest_px), tile.caption, alt)


def op_pictures(policy: Policy, images: Images, classes: Sequence[str], largest_px: int) -> tuple[tuple[OpPictures, ...], int]:
    """Each op of the policy's branches alone, at both ends of the strengths that the policy draws; and how many are left out."""
    ends = ends_of_ops(policy)
    shown = dict(list(ends.items())[:MOST_OPS])
    found = []
    for name, values in shown.items():
        pictures = [
            Picture(
                data_uri(pixels, largest_px), (strength := _strength(find_op(name), row),), f"{classes[place]}: {name} {strength}"
            )
            for place, image in enumerate(images)
            for row, pixels in zip(values, _applied(name, values, image, policy), strict=True)
        ]
        found.append(OpPictures(name.replace("_", " "), tuple(pictures)))
    return tuple(found), len(ends) - len(shown)


def ends_of_ops(policy: Policy) -> dict[str, tuple[Values, ...]]:
    """For each op of the branches, in order of first mention, its weakest and its strongest row of values, once where they are
    one; of a strength that has a sign, the strongest on both sides. Ops that do nothing at all are left out.
    """
    found: dict[str, list[Values]] = {}
    for branch in policy.branches:
        for step in branch.steps:
            for choice in step.choices if step.probability else ():
                found.setdefault(choice.op, []).extend(_drawable(find_op(choice.op), choice))
    named = {name: _ends(find_op(name), rows) for name, rows in found.items() if find_op(name).kind != "none"}
    return {name: ends for name, ends in named.items() if ends}


def _drawable(op: Op, choice: Choice) -> Iterator[Values]:
    """A choice's extreme rows of values: the strength at its ends, mirrored where a sign is drawn; the others at their end."""
    others = tuple(distribution.ends[-1] for distribution in choice.values[1:])
    for end in choice.values[0].ends:
        yield (end, *others)
        if choice.values[0].signed:
            yield (2 * op.strength.identity - end, *others)


def _ends(op: Op, rows: Sequence[Values]) -> tuple[Values, ...]:
    """The lowest and the highest, but for those that are the identity."""
    ends = dict.fromkeys((min(rows), max(rows)))
    return tuple(row for row in ends if row[0] != op.strength.identity)


def _applied(name: str, values: Sequence[Values], image: np.ndarray, policy: Policy) -> Images:
    """The image with the op at each row of values, by the policy's own fill and interpolation."""
    op = find_op(name)
    plan = Plan(
        ("identity", name),
        np.ones((len(values), 1), dtype=np.int16),
        np.array(values, dtype=np.float64)[:, None],
        fill=policy.base.fill,
        interpolation=policy.base.interpolation,
        seeds=np.zeros((len(values), 1), dtype=np.int64) if op.seeded else None,
    )
    changed: Images = apply(torch.from_numpy(np.repeat(image[None], len(values), axis=0)), plan).numpy()
    return changed


def _strength(op: Op, values: Values) -> str:
    return "on" if is_switch(op.strength) else value_in_short(op.strength, values[0])


def drawn_scene(found: Contenders, channels: int, largest_px: int) -> tuple[tuple[OpPictures, ...], int] | None:
    """The winner's ops on a drawn picture, for a study whose images are its trainer's own; None where they don't fit it."""
    main = found.won
    if main is None or channels not in (1, 3):
        return None
    picture = scene()[:, :channels]
    try:
        return op_pictures(policy_from_dict(main.trial.spec["policy"]), picture, ("drawn scene",), largest_px)
    except BadInput:
        return None
