"""Small pictures of copies found across splits, for the report; they lie beside the arrays that they are from.

Pairs with a test image lie with the test images. Refuses a file that is not whole.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from searchspaces.errors import BadInput
from trials.data.leaks import Copy

if TYPE_CHECKING:
    from searchspaces.arrays import Images

FILE = "pairs.npz"
MOST = 12
SIDE = 96


@dataclass(frozen=True)
class Pictured:
    """Pairs of pictures (pairs, channels, height, width) and what each pair is (`leaks.Copy.to_dict`)."""

    first: Images
    second: Images
    facts: tuple[dict[str, Any], ...]


def write_pictures(
    folder: Path, found: Sequence[Sequence[Copy]], picture: Callable[[int], np.ndarray], name: Callable[[int], str]
) -> None:
    """Some pairs of each kind, `MOST` in all; no file where there are none."""
    in_turn = [copy for copy in chain.from_iterable(zip_longest(*found)) if copy is not None][:MOST]
    if in_turn:
        first, second = (np.stack([_small(picture(copy.positions[side])) for copy in in_turn]) for side in (0, 1))
        facts = np.array(json.dumps([copy.to_dict(name) for copy in in_turn]))
        np.savez_compressed(folder / FILE, first=first, second=second, facts=facts)


def read_pictures(folder: Path) -> Pictured | None:
    """What `write_pictures` wrote; None if it wrote nothing."""
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return Pictured(arrays["first"], arrays["second"], tuple(json.loads(str(arrays["facts"]))))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise BadInput(f"{str(path)!r} can't be read ({error}); delete {str(folder)!r} and search again") from error


def shown(pixels: np.ndarray) -> np.ndarray:
    """What a person is shown of an image (channels, height, width): grey and RGB as they are, of two channels the first as grey,
    of more than three the first three as red, green and blue.
    """
    return pixels[: 3 if len(pixels) > 2 else 1]


def _small(image: np.ndarray) -> np.ndarray:
    pixels = shown(image)
    channels, height, width = pixels.shape
    if max(height, width) <= SIDE:
        return pixels
    picture = Image.fromarray(pixels[0] if channels == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0)))
    picture.thumbnail((SIDE, SIDE))
    return np.asarray(picture).reshape(picture.height, picture.width, channels).transpose(2, 0, 1)
