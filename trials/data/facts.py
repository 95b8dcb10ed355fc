"""All that is known of prepared images, as JSON values, for who looks before a search. Reads meta.json alone."""

from __future__ import annotations

from typing import Any

from trials.data.described import odd
from trials.data.prepared import Prepared
from trials.data.store import read_meta


def facts_of(prepared: Prepared) -> dict[str, Any]:
    """What the data was taken for. `mean` and `deviation` are the training part's, per channel, of levels / 255.

    `classes` has the images of each class by split; `sizes` the least, median and largest side of the training images as they are
    in their files; `odd` and `notes` are lines.
    """
    meta = read_meta(prepared.directory)
    counts = {**meta["class_counts"]}
    if prepared.heldout is not None:
        counts |= read_meta(prepared.heldout)["class_counts"]
    return {
        "name": prepared.name,
        "reader": meta["reader"],
        "domain": prepared.domain,
        "directory": str(prepared.directory),
        "fingerprint": prepared.fingerprint,
        "images": dict(prepared.counts),
        "classes": [
            {"class": name, **{split: found[row] for split, found in counts.items()}} for row, name in enumerate(meta["classes"])
        ],
        "channels": prepared.channels,
        "prepared_size": {"height": prepared.height, "width": prepared.width},
        "sizes": meta["sizes"],
        "modes": meta["modes"],
        "mean": meta["mean"],
        "deviation": meta["std"],
        "copies": meta["duplicates"],
        "wishes": meta["wishes"],
        "odd": list(odd(meta)),
        "notes": list(prepared.notes),
    }
