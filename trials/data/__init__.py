"""Data for trials: `prepare` a `Source` once, `open_parts` of it in every trial.

Readers (folders, images, npz, cifar, idx), splits and store are modules of their own; what each refuses, it says.
"""

from trials.data.parts import open_parts
from trials.data.prepared import Prepared, prepare
from trials.data.source import Source
from trials.data.store import Split, data_fingerprint, open_split, read_meta

__all__ = ["Prepared", "Source", "Split", "data_fingerprint", "open_parts", "open_split", "prepare", "read_meta"]
