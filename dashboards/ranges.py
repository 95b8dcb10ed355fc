"""A sheet of pictures before a search: what the ends of the space's ranges do to the user's own images.

Whoever looks at it sees at once that a range is too wide (a 6 that is turned to a 9) or too narrow. Deterministic; reads training
images only, draws the scene where there are none, and decides nothing.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch

from dashboards.contact_sheet import Row, Tile, contact_sheet
from dashboards.gallery import SEED, is_switch, originals, tiles, value_in_short
from dashboards.scene import scene
from policysearch.home import Home
from policysearch.ledger import Ledger, StudyRecord
from searchspaces.arrays import Images
from searchspaces.engines.grouped import apply  # the same pixels, and a picture waits for no compiler
from searchspaces.errors import BadInput
from searchspaces.limiting import limited_space, recorded_cut
from searchspaces.ops import find_op
from searchspaces.ops.op import Op
from searchspaces.plan import Plan
from searchspaces.policy import Choice, Policy
from searchspaces.space import SearchSpace, Value
from searchspaces.spaces import usual_base
from trials.data import data_fingerprint, read_meta

FILE = "ranges.png"
COLUMNS = 6  # half of them show an op's lowest value, half its highest
MOST_POINTS = 600  # of a space with hundreds of parameters not every corner is visited
MOST_OPS = 60
LABEL_PX = 150
Values: TypeAlias = tuple[float, ...]


def write_ranges(home: Home, directory: Path | None, space: SearchSpace, path: Path) -> Path:
    """Write the sheet for a space as PNG to `path`, which is returned; `directory` has the prepared data, None: there are none.

    A picture that can't be made is a BadInput that says why; nothing a search does depends on it.
    """
    images, titles = _images(directory)
    sheet = contact_sheet(list(_rows(space, images, titles)), f"The ends of the ranges: {space.name}", _words(space), LABEL_PX)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sheet.save(path, format="PNG")
    except OSError as error:
        raise BadInput(f"picture {path}: can't be written ({error.strerror}); free some room in {home.root}") from error
    return path


def write_study_ranges(ledger: Ledger, home: Home, study_name: str) -> Path | None:
    """The sheet of a study that stands, as `ranges.png` in its directory; None where there is one already."""
    study = ledger.study(study_name)
    path = home.study_directory(study_name) / FILE
    if study is None or path.exists():
        return None
    image = study.identity["image"]
    base = usual_base(image["domain"], image.get("height"), image.get("width"))
    wish = study.wishes.get("space", study.identity["space"]["name"])
    space = limited_space(wish, image["channels"], base, recorded_cut(study.identity))
    return write_ranges(home, _prepared(home, study), space, path)


def end_points(space: SearchSpace) -> list[dict[str, Value]]:
    """Points of the space at its edges: all parameters at one end, then each in turn at the other; with every condition met."""
    points: list[dict[str, Value]] = []
    for chosen in space.corners():
        for end in (0, 1):
            plain: dict[str, Value] = {p.name: p.ends[end] for p in space.parameters} | chosen
            points += [plain, *({**plain, p.name: p.ends[1 - end]} for p in space.parameters if p.name not in chosen)]
            if len(points) >= MOST_POINTS:
                return points[:MOST_POINTS]
    return points


def reached(space: SearchSpace) -> dict[str, tuple[Values, Values]]:
    """Each op that the space's policies use, with its values where its strength is lowest and where it is highest."""
    found: dict[str, list[Values]] = {}
    for point in end_points(space):
        for choice in _choices(space.decode(point)):
            found.setdefault(choice.op, []).extend(_drawable(find_op(choice.op), choice))
    return {name: (min(values), max(values)) for name, values in found.items()}


def _choices(policy: Policy) -> Iterator[Choice]:
    return (choice for branch in policy.branches for step in branch.steps if step.probability for choice in step.choices)


def _drawable(op: Op, choice: Choice) -> Iterator[Values]:
    """The extreme rows of values: the strength at its ends, mirrored where a sign is drawn; the others at their last end."""
    others = tuple(distribution.ends[-1] for distribution in choice.values[1:])
    strength = choice.values[0]
    for end in strength.ends:
        yield (end, *others)
        if strength.signed:
            yield (2 * op.strength.identity - end, *others)


def _prepared(home: Home, study: StudyRecord) -> Path | None:
    """Where the study's images lie, by their fingerprint; None where its trainer brings its own, or they are gone."""
    known = study.identity.get("data")
    directories = sorted((home.root / "data").glob("*/")) if known is not None else []
    for directory in directories:
        with suppress(BadInput):  # being made, or something else
            if known is not None and data_fingerprint(read_meta(directory)) == known["fingerprint"]:
                return directory
    return None


def _images(directory: Path | None) -> tuple[Images, tuple[str, ...]]:
    if directory is None:
        return scene().repeat(COLUMNS, axis=0), ("drawn scene",) * COLUMNS
    images, titles = originals(directory, COLUMNS)
    again = [place % len(images) for place in range(COLUMNS)]  # of a set smaller than that, some are shown twice
    return images[again], tuple(titles[place] for place in again)


def _rows(space: SearchSpace, images: Images, titles: tuple[str, ...]) -> Iterator[Row]:
    yield Row(("as it is",), [Tile(image, (title,)) for image, title in zip(images, titles, strict=True)])
    for end, name in enumerate(("the low end", "the high end")):
        policy = space.decode({p.name: p.ends[end] for p in space.parameters})
        yield Row((name, "of all parameters, one draw"), tiles(policy, images, SEED, 1)[0])
    channels = images.shape[1]
    for name, (low, high) in list(reached(space).items())[:MOST_OPS]:
        op = find_op(name)
        if op.kind != "none" and op.changes(channels) and (low != op.identity or high != op.identity):
            yield Row((name,), _op_tiles(op, images, low, high))


def _op_tiles(op: Op, images: Images, low: Values, high: Values) -> list[Tile]:
    half = COLUMNS // 2
    rows = [low] * half + [high] * half
    plan = Plan(
        ("identity", op.name),
        np.ones((COLUMNS, 1), dtype=np.int16),
        np.array(rows, dtype=np.float64)[:, None],
        fill=128,
        seeds=np.arange(COLUMNS, dtype=np.int64)[:, None] if op.seeded else None,
    )
    changed = apply(torch.from_numpy(np.ascontiguousarray(images)), plan).numpy()
    captions = ["" if is_switch(op.strength) else value_in_short(op.strength, row[0]) for row in rows]
    return [Tile(pixels, (caption,)) for pixels, caption in zip(changed, captions, strict=True)]


def _words(space: SearchSpace) -> str:
    half = COLUMNS // 2
    return (
        "Training images as they are; as policies at the two ends of the space draw them; and by each op alone, at the lowest"
        f" value that a policy of this space can give it ({half} pictures) and at the highest ({half}). Would you still give"
        " every picture its label? If not, the range is too wide for these images: --trim or a space file narrows it."
    )
