"""Makes trials/data/sample/fashion-mnist-sample.npz from the idx files of Fashion-MNIST (Debian: dataset-fashion-mnist).

    python benchmarks/make_sample.py /usr/share/datasets/fashion-mnist

4,000 training and 1,000 validation images from the training files, 2,000 test images from the test files, stratified, seed 0. The
same files give the same bytes (with the same zlib).
"""

import sys
from pathlib import Path

import numpy as np

from trials.data.idx import idx_files, read_idx_pool
from trials.data.source import SAMPLE
from trials.data.stratified import stratified_parts

COUNTS = {"train": 4_000, "val": 1_000, "test": 2_000}


def main(data_root: Path) -> None:
    """Write the sample into the package."""
    files = idx_files("fashion-mnist", data_root)
    train, test = read_idx_pool(*files["train"]), read_idx_pool(*files["test"])
    train_rows, val_rows = stratified_parts(train.labels, (COUNTS["train"], COUNTS["val"]), (2, 2), seed=0)
    (test_rows,) = stratified_parts(test.labels, (COUNTS["test"],), (2,), seed=0)
    arrays = {}
    for split, pool, rows in (("train", train, train_rows), ("val", train, val_rows), ("test", test, test_rows)):
        arrays[f"{split}_images"] = pool.images[rows, 0]
        arrays[f"{split}_labels"] = pool.labels[rows].astype(np.uint8)
    np.savez_compressed(SAMPLE, **arrays)
    print(f"{SAMPLE}: {SAMPLE.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
