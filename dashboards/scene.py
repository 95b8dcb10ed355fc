"""A drawn picture for where there are no images: its sides, colours, grey levels, edges and fine texture all differ.

Drawn, not photographed: nobody's rights, no file to ship, and what an op does to it is plain to see.
"""

import numpy as np
from PIL import Image, ImageDraw

from searchspaces.arrays import Images

FINER = 4  # drawn so many times larger, then reduced, so that edges are smooth


def scene(side: int = 56) -> Images:
    """One RGB picture of a house on a hill, uint8 (1, 3, side, side): the same every time."""
    large = side * FINER
    canvas = Image.fromarray(_sky(large))
    pen = ImageDraw.Draw(canvas)

    def polygon(colour: tuple[int, int, int], *corners: tuple[float, float]) -> None:
        pen.polygon([(x * large, y * large) for x, y in corners], fill=colour)

    def disc(colour: tuple[int, int, int], x: float, y: float, radius: float) -> None:
        pen.ellipse([(place + end * radius) * large for end in (-1, 1) for place in (x, y)], fill=colour)

    disc((255, 214, 64), 0.18, 0.19, 0.10)
    disc((92, 132, 150), 0.30, 0.98, 0.42)
    disc((86, 142, 62), 0.75, 1.12, 0.55)
    polygon((196, 60, 46), (0.47, 0.44), (0.85, 0.44), (0.85, 0.76), (0.47, 0.76))
    polygon((112, 44, 40), (0.42, 0.45), (0.66, 0.24), (0.90, 0.45))
    polygon((250, 246, 230), (0.53, 0.51), (0.63, 0.51), (0.63, 0.61), (0.53, 0.61))
    polygon((60, 40, 34), (0.70, 0.55), (0.79, 0.55), (0.79, 0.76), (0.70, 0.76))
    polygon((96, 66, 40), (0.19, 0.60), (0.24, 0.60), (0.24, 0.82), (0.19, 0.82))
    for x, y, radius in ((0.21, 0.50, 0.13), (0.13, 0.58, 0.09), (0.30, 0.58, 0.08)):
        disc((38, 104, 52), x, y, radius)
    small = np.asarray(canvas.resize((side, side), Image.Resampling.BOX)).astype(np.int16)
    return np.ascontiguousarray(_with_grass(small).transpose(2, 0, 1)[None])


def _sky(side: int) -> np.ndarray:
    """From blue above to a pale horizon: every level between, for ops that count levels."""
    down = np.linspace(0, 1, side)[:, None, None]
    rows = (1 - down) * np.array([64, 128, 214]) + down * np.array([246, 232, 214])
    return np.broadcast_to(rows, (side, side, 3)).astype(np.uint8)


def _with_grass(pixels: np.ndarray) -> np.ndarray:
    """Green pixels roughened: fine texture, for ops that smooth or sharpen."""
    green = (pixels[..., 1] > pixels[..., 0] + 20) & (pixels[..., 1] > pixels[..., 2] + 20)
    y, x = np.mgrid[: pixels.shape[0], : pixels.shape[1]]
    blades = (((3 * x + 5 * y) % 7 - 3) * 8 * green)[..., None]
    rough: np.ndarray = np.clip(pixels + blades, 0, 255).astype(np.uint8)
    return rough
