"""Photos of 128 pixels: every policy of their study stands on a random resized crop, and the net sees them at their own size."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from policysearch.home import Home
from policysearch.ledger import Ledger
from policysearch.study import Study
from policysearch.wished import wished
from searchspaces.policy import Base, ResizedCrop
from searchspaces.spaces import LARGE_PHOTO_BASE
from trials.data import prepare
from trials.models.small import SmallNet
from trials.recipes import default_recipe
from trials.run import run_trial
from trials.values import DataRef, TrialSpec


def folders(root: Path, images: int = 14) -> Path:
    generator = np.random.default_rng(3)
    for name, level in (("day", 150), ("night", 0)):
        (root / name).mkdir(parents=True)
        for number in range(images):
            pixels = generator.integers(level, level + 100, (140, 170, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(root / name / f"{number}.png")
    return root


def test_baselines_space_and_enqueued_policies_share_the_resized_crop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = Study(folders(tmp_path / "photos"), space="randaugment", image_size=128, epochs=1, home=tmp_path / "home")
    home = Home(tmp_path / "home").make()
    prepared = prepare(study.source(), home.root)
    assert (prepared.height, prepared.width) == (128, 128)
    ledger = Ledger.open(home.ledger_url)
    setting = wished(study, prepared, ledger, {}).setting
    assert list(setting.baselines)[1] == "flip+resized-crop"
    others = {label: policy.base for label, policy in setting.baselines.items() if label != "none"}
    assert set(others.values()) == {LARGE_PHOTO_BASE} and setting.baselines["none"].base == Base()
    assert setting.space.decode({"ops": 1, "level": 9}).base == LARGE_PHOTO_BASE
    assert isinstance(LARGE_PHOTO_BASE.crop, ResizedCrop)

    seen = set[tuple[int, ...]]()

    forward = SmallNet.forward

    def watched(net: SmallNet, images: torch.Tensor) -> torch.Tensor:
        seen.add(tuple(images.shape[1:]))
        return forward(net, images)

    monkeypatch.setattr(SmallNet, "forward", watched)
    recipe = default_recipe("cpu")
    data = DataRef(str(prepared.directory), prepared.fingerprint)
    for label in ("flip+resized-crop", "uniformaugment"):
        result = run_trial(TrialSpec("t0", setting.baselines[label], recipe, data, 1, 1), lambda epoch: None, None)
        assert result.status == "done", result.error
    assert seen == {(3, 128, 128)}
