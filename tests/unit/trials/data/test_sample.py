"""The sample that ships: what its SOURCE.md promises."""

from pathlib import Path

import numpy as np

from trials.data import Source, open_split, prepare
from trials.data.source import SAMPLE


def test_counts_strata_and_disjointness(tmp_path: Path) -> None:
    prepared = prepare(Source("sample"), tmp_path)
    assert prepared.counts == {"train": 4_000, "val": 1_000, "test": 2_000}
    assert (prepared.channels, prepared.height, prepared.width, prepared.domain) == (1, 28, 28, "photos")
    assert prepared.classes[0] == "T-shirt/top"
    assert prepared.heldout is not None
    splits = [
        open_split(prepared.directory, "train"),
        open_split(prepared.directory, "val"),
        open_split(prepared.heldout, "test"),
    ]
    for split, each in zip(splits, (400, 100, 200), strict=True):
        assert np.bincount(split.labels).tolist() == [each] * 10
    pixels = np.concatenate([split.images for split in splits]).reshape(7_000, -1)
    assert len(np.unique(pixels, axis=0)) == 7_000


def test_its_size_and_papers() -> None:
    assert SAMPLE.stat().st_size <= 4_000_000
    assert "Zalando SE" in (SAMPLE.parent / "LICENSE").read_text(encoding="utf-8")
    assert "Permission is hereby granted, free of charge" in (SAMPLE.parent / "LICENSE").read_text(encoding="utf-8")
    source = (SAMPLE.parent / "SOURCE.md").read_text(encoding="utf-8")
    assert "github.com/zalandoresearch/fashion-mnist" in source
    assert "MIT" in source


def test_its_splits_never_change(tmp_path: Path) -> None:
    """Figures that were published on the sample stay comparable."""
    prepared = prepare(Source("sample"), tmp_path)
    assert prepared.fingerprints == {
        "train": "daa91da755e9218f6cd34064bd94fc6f0a13630aabf747b6bdd133792fd324d5",
        "val": "a86c8eee0546757d6e9028e6e5e8bb3fde5ae31a250a510c07c334f5162a1459",
        "test": "383cd88475ef140da2d43ea73150e9c8cead3ce9182bd7af6c49cc882cc9ddbf",
    }
