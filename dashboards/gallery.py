"""Pictures of what a policy does: the same images, drawn for several times, each with the ops it met.

Deterministic: the same policy, images and seed give the same pictures. Reads training images only.
"""

from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from dashboards.queries import read_study
from policysearch.home import Home
from policysearch.ledger import Ledger
from searchspaces.arrays import Images
from searchspaces.draw import draw
from searchspaces.engines import apply
from searchspaces.errors import BadInput
from searchspaces.ops import find_op
from searchspaces.plan import NO_OP, Plan
from searchspaces.policy import Policy
from searchspaces.policy_json import policy_from_dict
from trials.data import open_split

TILE_PX = 120
GAP_PX = 10
LINE_PX = 15
SMALL_PRINT = 11
COLUMNS, DRAWS = 8, 4
BEST_WITH_PICTURES = 3
SEED = 0  # the same for all, so that what differs between two pictures is the policy
INK, PAPER, PALE = (26, 26, 26), (255, 255, 255), (107, 107, 107)
# Short signs for the units that have one; the others are told by the op's name.
SIGNS = {"degrees": "°", "pixels": " px", "bits": " bits", "times": "×"}


@dataclass(frozen=True)
class Tile:
    """One picture: uint8 pixels (channels, height, width), and in words what happened to it."""

    pixels: np.ndarray
    caption: tuple[str, ...]


def originals(directory: Path, count: int) -> tuple[Images, tuple[str, ...]]:
    """Training images (images, channels, height, width) of a prepared directory and their classes: one a class, then others."""
    split = open_split(directory, "train")
    first_of_class = np.unique(split.labels, return_index=True)[1]
    others = np.setdiff1d(np.arange(len(split.labels)), first_of_class)
    rows = np.concatenate([first_of_class, others])[:count]
    return np.array(split.images[rows]), tuple(split.classes[split.labels[row]] for row in rows)


def tiles(policy: Policy, images: Images, seed: int, draws: int) -> list[list[Tile]]:
    """`draws` rows of one tile an image: what training would see of these images. BadInput if the policy can't take them."""
    generator = np.random.default_rng(seed)
    batch = torch.from_numpy(images)
    rows = []
    for _ in range(draws):
        plan = draw(policy, (images.shape[0], images.shape[1], images.shape[2], images.shape[3]), generator)
        changed = apply(batch, plan).numpy()
        rows.append([Tile(changed[index], _caption(plan, index)) for index in range(len(images))])
    return rows


def picture_grid(policy: Policy, images: Images, seed: int, columns: int, titles: tuple[str, ...]) -> Image.Image:
    """One picture for people: `columns` of the images (uint8, images channels height width), originals on top, four draws below.

    Pixels are enlarged, never smoothed. `titles` stand over the columns; under each tile stand its ops.
    """
    if not 1 <= columns <= len(images) == len(titles):
        raise BadInput(
            f"picture grid: {columns} columns, {len(images)} images, {len(titles)} titles; give a title an image, and enough"
        )
    shown = images[:columns]
    rows = [[Tile(image, (title,)) for image, title in zip(shown, titles, strict=False)], *tiles(policy, shown, seed, DRAWS)]
    heights = [TILE_PX + GAP_PX + LINE_PX * max(len(tile.caption) for tile in row) for row in rows]
    canvas = Image.new("RGB", (columns * (TILE_PX + GAP_PX) + GAP_PX, sum(heights) + GAP_PX), PAPER)
    font = ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf", SMALL_PRINT)
    for y, row in enumerate(rows):
        for x, tile in enumerate(row):
            place = (GAP_PX + x * (TILE_PX + GAP_PX), GAP_PX + sum(heights[:y]))
            _paste(canvas, tile, place, font, PALE if y else INK)
    return canvas


def write_pictures(ledger: Ledger, home: Home, study_name: str) -> list[Path]:
    """A picture of what each of the best three policies does, as `<study directory>/pictures/<trial_uid>.png`; their paths."""
    view = read_study(ledger, study_name)
    specs = {trial.trial_uid: trial.spec for trial in ledger.trials(view.study.uid)}
    folder = home.study_directory(study_name) / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for row in view.done[:BEST_WITH_PICTURES]:
        images, titles = originals(home.data_directory(specs[row.uid]["data"]["directory"]), COLUMNS)
        picture = picture_grid(policy_from_dict(specs[row.uid]["policy"]), images, SEED, len(images), titles)
        paths.append(folder / f"{row.uid}.png")
        picture.save(paths[-1])
    return paths


def as_image(pixels: np.ndarray) -> Image.Image:
    """A picture of uint8 (channels, height, width), grey or RGB, at its own size."""
    return Image.fromarray(pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0)))


def enlarged(pixels: np.ndarray) -> Image.Image:
    """The picture fit into a square of `TILE_PX`, its pixels visible as squares."""
    image = as_image(pixels).convert("RGB")
    scale = TILE_PX / max(image.size)
    return image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.NEAREST)


def _paste(
    canvas: Image.Image, tile: Tile, place: tuple[int, int], font: ImageFont.FreeTypeFont, ink: tuple[int, int, int]
) -> None:
    """Put a tile and its caption at `place`, its upper left corner."""
    pen = ImageDraw.Draw(canvas)
    canvas.paste(enlarged(tile.pixels), place)
    for line, text in enumerate(tile.caption):
        while font.getlength(text) > TILE_PX + GAP_PX // 2:
            text = text.rstrip("…")[:-1] + "…"
        pen.text((place[0], place[1] + TILE_PX + 1 + line * LINE_PX), text, fill=ink, font=font)


def _caption(plan: Plan, row: int) -> tuple[str, ...]:
    """The ops an image met, in order, with their strength; the crop, which everything meets, is left out."""
    met = []
    for code, values in zip(plan.codes[row], plan.values[row], strict=True):
        name = plan.code_book[code]
        if code != NO_OP and name != "crop":
            met.append(_op_in_short(name, float(values[0])))
    return tuple(met) or ("as it is",)


def _op_in_short(name: str, value: float) -> str:
    parameter = find_op(name).strength
    words = {"hflip": "flipped"}.get(name, name.replace("_", " "))
    if parameter.whole and (parameter.low, parameter.high) == (0, 1):  # a switch: it is on
        return words
    sign = SIGNS.get(parameter.unit, "")
    number = f"{value:.3g}".replace("-", "−")
    return f"{words} {sign}{number}" if sign == "×" else f"{words} {number}{sign}"
