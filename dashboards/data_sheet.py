"""A contact sheet of a set's training images, a row a class: what the reader made of them, before any augmentation.

Shows what is prepared, at the size that is scored; never a test image.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from dashboards.contact_sheet import Row, Tile, contact_sheet
from trials.data import open_split, read_meta

COLUMNS = 8
MOST_CLASSES = 16
WORDS = "Training images as they were read, the first of each class."
SHOWN = {1: "", 2: " Of two channels the first is shown, as grey.", 3: ""}
SHOWN_OF_MANY = " Of {channels} channels the first three are shown, as red, green and blue."


def data_sheet(directory: Path) -> Image.Image:
    """The first `COLUMNS` training images of each of the first `MOST_CLASSES` classes of a prepared directory."""
    meta, split = read_meta(directory), open_split(directory, "train")
    rows = []
    for label, name in enumerate(split.classes[:MOST_CLASSES]):
        found = np.flatnonzero(split.labels == label)
        tiles = [Tile(image, ()) for image in np.asarray(split.images[found[:COLUMNS]])]
        rows.append(Row((name, f"{len(found)} images"), tiles))
    left_out = len(split.classes) - len(rows)
    channels = split.images.shape[1]
    words = WORDS + SHOWN.get(channels, SHOWN_OF_MANY.format(channels=channels))
    return contact_sheet(
        rows, meta["name"], words + (f" {left_out} more classes are not shown." if left_out else ""), label_px=120
    )
