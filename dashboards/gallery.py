"""Pictures of what a policy does: the same images, drawn for several times, each with the ops it met and their values.

Deterministic: the same policy, images and seed give the same pictures. Reads training images only.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from dashboards.contact_sheet import Row, Tile, contact_sheet
from dashboards.queries import read_study
from dashboards.scene import scene
from policysearch.home import Home
from policysearch.ledger import Ledger
from searchspaces.arrays import Images
from searchspaces.draw import draw
from searchspaces.engines.grouped import apply  # the same pixels, and a picture waits for no compiler
from searchspaces.errors import BadInput
from searchspaces.ops import find_op
from searchspaces.ops.op import Parameter
from searchspaces.plan import NO_OP, Plan
from searchspaces.policy import Policy
from searchspaces.policy_json import policy_from_dict
from searchspaces.words import policy_in_words
from trials.data import open_split
from trials.data.examples import one_of_each_class

COLUMNS, DRAWS = 8, 4
BEST_WITH_PICTURES = 3
SEED = 0  # the same for all, so that what differs between two pictures is the policy
# Short signs for the units that have one; the others are told by the op's name.
SIGNS = {"degrees": "°", "pixels": "\N{NO-BREAK SPACE}px", "bits": "\N{NO-BREAK SPACE}bits", "times": "×"}
CROPS = ("crop", "resized_crop")


def originals(directory: Path, count: int) -> tuple[Images, tuple[str, ...]]:
    """Training images (images, channels, height, width) of a prepared directory and their classes: one a class, then others."""
    split = open_split(directory, "train")
    rows = one_of_each_class(split.labels, count)
    return np.array(split.images[rows]), tuple(split.classes[split.labels[row]] for row in rows)


def tiles(policy: Policy, images: Images, seed: int, draws: int) -> list[list[Tile]]:
    """`draws` rows of one tile an image: what training would see of these images. BadInput if the policy can't take them."""
    generator = np.random.default_rng(seed)
    batch = torch.from_numpy(images)
    rows = []
    for _ in range(draws):
        plan = draw(policy, (images.shape[0], images.shape[1], images.shape[2], images.shape[3]), generator)
        changed = apply(batch, plan).numpy()
        rows.append([Tile(changed[index], _caption(policy, plan, index)) for index in range(len(images))])
    return rows


def picture_grid(
    policy: Policy, images: Images, seed: int, titles: tuple[str, ...], draws: int = DRAWS, heading: str = ""
) -> Image.Image:
    """One picture for people: the images (uint8, images channels height width) side by side, and below each `draws` draws.

    `titles` stand under the originals; under each tile stand its ops with their values. Above it all: `heading`, and the policy
    in words. BadInput for no images, and where there are not as many titles as images.
    """
    if not 1 <= len(images) == len(titles):
        raise BadInput(f"picture grid: {len(images)} images, {len(titles)} titles; give one image or more and each a title")
    original = [Tile(image, (title,)) for image, title in zip(images, titles, strict=True)]
    drawn = [Row((f"draw {number}",), row) for number, row in enumerate(tiles(policy, images, seed, draws), start=1)]
    words = policy_in_words(policy) + (" Mixing joins two images, and is not shown." if _mixes(policy) else "")
    return contact_sheet([Row(("as it is",), original), *drawn], heading, words, label_px=64)


def write_pictures(ledger: Ledger, home: Home, study_name: str) -> list[Path]:
    """A picture of what each of the best three policies does, as `<study directory>/pictures/<trial_uid>.png`; their paths."""
    view = read_study(ledger, study_name)
    specs = {trial.trial_uid: trial.spec for trial in ledger.trials(view.study.uid)}
    folder = home.study_directory(study_name) / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for row in view.done[:BEST_WITH_PICTURES]:
        images, titles = _images(home, specs[row.uid]["data"])
        picture = picture_grid(
            policy_from_dict(specs[row.uid]["policy"]), images, SEED, titles, heading=f"{study_name}: {row.name}"
        )
        paths.append(folder / f"{row.uid}.png")
        picture.save(paths[-1])
    return paths


def _images(home: Home, data: Mapping[str, Any] | None) -> tuple[Images, tuple[str, ...]]:
    """The study's own training images; where its trainer brings its own, which nobody here knows, the drawn scene."""
    if data is None:
        return scene().repeat(COLUMNS, axis=0), ("drawn scene",) * COLUMNS
    return originals(home.data_directory(data["directory"]), COLUMNS)


def is_switch(parameter: Parameter) -> bool:
    """Whether the parameter only says that its op is on."""
    return parameter.whole and (parameter.low, parameter.high) == (0, 1)


def value_in_short(parameter: Parameter, value: float, digits: int = 3) -> str:
    """A value of so many digits with its unit's sign, as a caption has room for: "×1.3", "−9°", "4 bits", "on"."""
    if is_switch(parameter):
        return "on" if value else "off"
    sign = SIGNS.get(parameter.unit, "")
    number = f"{value:.{digits + (abs(value) >= 100)}g}".replace("-", "−")  # 178.5 is half-way between two levels
    return f"{sign}{number}" if sign == "×" else f"{number}{sign}"


def _spoken(name: str) -> str:
    """A name as words; the unit that it may end with stands behind its value."""
    return name.removesuffix("_px").replace("_", " ")


def _mixes(policy: Policy) -> bool:
    return policy.batch.mixup_alpha > 0 or policy.batch.cutmix_alpha > 0


def _caption(policy: Policy, plan: Plan, row: int) -> tuple[str, ...]:
    """The ops an image met, in order, with their values; the base's crop, which everything meets, only if it is all there is."""
    steps = zip(plan.codes[row], plan.values[row], strict=True)
    met = [(plan.code_book[code], [float(value) for value in values]) for code, values in steps if code != NO_OP]
    told = [(name, values) for name, values in met if policy.base.crop is None or name not in CROPS]
    return tuple(_op_in_short(name, values) for name, values in told) or (("crop only",) if met else ("as it is",))


def _op_in_short(name: str, values: list[float]) -> str:
    """An op's name and its values, but for switches; where there are several, each with its parameter's name."""
    parameters = find_op(name).parameters
    pairs = [pair for pair in zip(parameters, values, strict=False) if not is_switch(pair[0])]
    words = {"hflip": "flipped"}.get(name, _spoken(name.rpartition(":")[2]))
    if len(parameters) == 1:
        return " ".join([words, *(value_in_short(*pair) for pair in pairs)])
    told = [(_spoken(parameter.name), value_in_short(parameter, value, 2 if abs(value) < 1 else 3)) for parameter, value in pairs]
    return f"{words} " + ", ".join(f"{name}\N{NO-BREAK SPACE}{value}" for name, value in told)
