"""A sheet of small pictures in rows, with words: a heading, a label beside each row, a caption under each picture.

Lays out and writes; it knows no policy and no op. Pixels of small pictures are enlarged as squares, never smoothed; large ones
are reduced. No word is ever cut: one that is wider than its picture goes on in the next line (`wrapping`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from dashboards.wrapping import font, wrapped
from trials.data.pictures import shown

TILE_PX = 112  # the least side of a picture: narrower ones leave captions no room
LARGEST_TILE_PX = 240
GAP_PX = 12
LINE_PX = 16
MARGIN_PX = 16
HANG = "\N{NO-BREAK SPACE}" * 3
LETTERS, HEADING_LETTERS = 12, 17
INK, PAPER, PALE = (26, 26, 26), (255, 255, 255), (107, 107, 107)
Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Tile:
    """One picture: uint8 pixels (channels, height, width), and in words what happened to it, a line each."""

    pixels: np.ndarray
    caption: tuple[str, ...]


@dataclass(frozen=True)
class Row:
    """Pictures side by side, and what stands on their left: the first line in ink, the others pale."""

    label: tuple[str, ...]
    tiles: Sequence[Tile]


def contact_sheet(rows: Sequence[Row], heading: str = "", words: str = "", label_px: int = 84) -> Image.Image:
    """The sheet: `heading` in large letters, `words` below it as a paragraph, then the rows, labels `label_px` wide."""
    tile_px = max(tile_side(max(tile.pixels.shape[1:])) for row in rows for tile in row.tiles)
    columns = max(len(row.tiles) for row in rows)
    width = 2 * MARGIN_PX + label_px + columns * (tile_px + GAP_PX) - GAP_PX
    paragraph = wrapped(words, width - 2 * MARGIN_PX, LETTERS)
    top = MARGIN_PX + (HEADING_LETTERS + 10 if heading else 0) + (LINE_PX * len(paragraph) + GAP_PX if words else 0)
    laid = [_laid(row, tile_px, label_px) for row in rows]
    canvas = Image.new("RGB", (width, top + sum(height for height, *_ in laid) + MARGIN_PX - GAP_PX), PAPER)
    pen = ImageDraw.Draw(canvas)
    pen.text((MARGIN_PX, MARGIN_PX - 2), heading, fill=INK, font=font(HEADING_LETTERS, True))
    _lines(pen, (MARGIN_PX, top - LINE_PX * len(paragraph) - GAP_PX), paragraph, PALE)
    for row, (height, label, captions) in zip(rows, laid, strict=True):
        _draw_row(canvas, row, top, tile_px, label_px, label, captions)
        top += height
    return canvas


def tile_side(side: int) -> int:
    """How large a picture whose longer side has so many pixels is shown: a whole multiple, from `TILE_PX`, where it fits."""
    return LARGEST_TILE_PX if side > LARGEST_TILE_PX else side * -(-TILE_PX // side)


def as_image(image: np.ndarray) -> Image.Image:
    """A picture of uint8 (channels, height, width) at its own size; of many channels those that `trials.data.pictures` shows."""
    pixels = shown(image)
    return Image.fromarray(pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0)))


def enlarged(pixels: np.ndarray, tile_px: int = TILE_PX) -> Image.Image:
    """The picture fit into a square of `tile_px`: enlarged, its pixels visible as squares, or reduced."""
    image = as_image(pixels).convert("RGB")
    scale = tile_px / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.NEAREST if scale >= 1 else Image.Resampling.LANCZOS)


def _laid(row: Row, tile_px: int, label_px: int) -> tuple[int, list[list[str]], list[list[str]]]:
    """The height of a row with the gap below, its label's lines (one list for each of its texts), its captions' lines."""
    label = [wrapped(text, label_px - GAP_PX, LETTERS, bold=not place) for place, text in enumerate(row.label)]
    captions = [[line for text in tile.caption for line in wrapped(text, tile_px, LETTERS, hang=HANG)] for tile in row.tiles]
    below = max((len(lines) for lines in captions), default=0)
    return max(tile_px + 3 + LINE_PX * below, LINE_PX * sum(map(len, label))) + GAP_PX, label, captions


def _draw_row(
    canvas: Image.Image, row: Row, top: int, tile_px: int, label_px: int, label: list[list[str]], captions: list[list[str]]
) -> None:
    pen, y = ImageDraw.Draw(canvas), top - 2
    for place, lines in enumerate(label):
        y = _lines(pen, (MARGIN_PX, y), lines, PALE if place else INK, bold=not place)
    for column, (tile, lines) in enumerate(zip(row.tiles, captions, strict=True)):
        x = MARGIN_PX + label_px + column * (tile_px + GAP_PX)
        picture = enlarged(tile.pixels, tile_px)
        canvas.paste(picture, (x, top))
        pen.rectangle((x - 1, top - 1, x + picture.width, top + picture.height), outline=(214, 214, 214))
        _lines(pen, (x, top + tile_px + 2), lines, INK)


def _lines(pen: ImageDraw.ImageDraw, place: tuple[int, int], lines: Sequence[str], ink: Colour, bold: bool = False) -> int:
    """Write lines one below the other from `place`, their upper left; where the next one would stand."""
    x, y = place
    for line in lines:
        pen.text((x, y), line, fill=ink, font=font(LETTERS, bold))
        y += LINE_PX
    return y
