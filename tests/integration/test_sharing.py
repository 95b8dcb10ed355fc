"""One trial shared out over two processes (gloo, on a CPU) is one process's trial, but for the rounding of sums."""

import dataclasses
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from trial_fixture import prepared_bars, spec_on

from searchspaces.errors import BadInput
from searchspaces.policy import Base, Batch, PadCrop, Policy
from trials import checkpoints
from trials.data import Prepared
from trials.recipes import check_recipe
from trials.run import run_trial
from trials.share import Share
from trials.values import Epoch, Score, TrialResult, TrialSpec

POLICY = Policy(Base(crop=PadCrop(0.125), hflip=0.5), batch=Batch(mixup_alpha=0.4))
PLAIN = Policy(Base(crop=PadCrop(0.125), hflip=0.5))
GROUPED = "resnet9:width=4,norm=group"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepared_bars(tmp_path_factory.mktemp("data"))


def spec_of(data: Prepared, policy: Policy, **fields: Any) -> TrialSpec:
    spec = spec_on(data)
    fields = {"precision": "float32", "batch_images": 31, "peak_learning_rate": 0.05, **fields}
    return dataclasses.replace(spec, policy=policy, budget_epochs=2, recipe=dataclasses.replace(spec.recipe, **fields))


def trained(spec: TrialSpec, path: Path, processes: int) -> tuple[TrialResult, dict[str, torch.Tensor]]:
    shared = dataclasses.replace(spec, recipe=dataclasses.replace(spec.recipe, processes=processes))
    result = run_trial(shared, lambda epoch: None, path / f"{processes}.pt")
    assert result.status == "done", result.error
    return result, torch.load(path / f"{processes}.pt", weights_only=True)


@pytest.mark.slow
@pytest.mark.parametrize("policy", [PLAIN, POLICY], ids=["plain", "mixed"])
def test_images_order_and_augmentation_are_the_same_and_gradients_are_averaged(
    policy: Policy, data: Prepared, tmp_path: Path
) -> None:
    """Batches of 30 and 31 images, whose parts are unlike; parts of the wrong images or weights would be far off at once."""
    spec = spec_of(data, policy, model=GROUPED)
    (one, alone), (two, shared) = trained(spec, tmp_path, 1), trained(spec, tmp_path, 2)
    for a, b in zip(one.epochs, two.epochs, strict=True):
        assert a.train_loss is not None and b.train_loss == pytest.approx(a.train_loss, rel=1e-4)
    assert isinstance(one.score, Score) and isinstance(two.score, Score)
    assert two.score.total == one.score.total and abs(two.score.wrong - one.score.wrong) <= 1
    assert two.score.log_loss_sum == pytest.approx(one.score.log_loss_sum, rel=1e-3)
    for name, weight in alone.items():
        assert torch.allclose(shared[name], weight, atol=1e-3 * float(weight.abs().max()) + 1e-6), name


@pytest.mark.slow
def test_batch_norm_is_each_parts_own_and_twice_is_the_same_to_the_bit(data: Prepared, tmp_path: Path) -> None:
    spec = spec_of(data, PLAIN, ema_decay=0.5, batch_images=32)
    once, again = trained(spec, tmp_path, 2)[0], trained(spec, tmp_path, 2)[0]
    alone = trained(spec, tmp_path, 1)[0]
    assert (once.epochs, once.score, once.weights_sha256) == (again.epochs, again.score, again.weights_sha256)
    assert alone.epochs[0].train_loss != once.epochs[0].train_loss
    assert alone.epochs[0].train_loss == pytest.approx(once.epochs[0].train_loss, rel=0.1)


def own_children() -> set[str]:
    """The processes that this one has started; empty where the kernel doesn't tell."""
    told = Path(f"/proc/self/task/{os.getpid()}/children")
    return set(told.read_text().split()) if told.exists() else set()


class Killed(BaseException):
    """As a signal."""


@pytest.mark.slow
def test_a_shared_trial_goes_on_from_its_checkpoint_and_ends_with_its_followers(
    data: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "LEAST_SECONDS", 0.0)
    monkeypatch.setattr(checkpoints, "TIMES_ITS_COST", 0.0)
    spec, before = spec_of(data, PLAIN, model=GROUPED, processes=2), own_children()
    whole = run_trial(spec, lambda epoch: None, tmp_path / "whole.pt")

    def die(epoch: Epoch) -> None:
        if epoch.number == 2:
            raise Killed

    with pytest.raises(Killed):
        run_trial(spec, die, tmp_path / "w.pt", tmp_path / "checkpoint.pt")
    told: list[int] = []
    result = run_trial(spec, lambda epoch: told.append(epoch.number), tmp_path / "w.pt", tmp_path / "checkpoint.pt")
    assert told == [2]
    assert (result.epochs, result.score, result.weights_sha256) == (whole.epochs, whole.score, whole.weights_sha256)
    assert own_children() <= before


def test_parts_are_whole_and_alike() -> None:
    for count in (1, 2, 3, 8):
        for images in (count, 2 * count, 31, 64):
            parts = [range(images)[Share(rank, count).part(images)] for rank in range(count)]
            assert [image for part in parts for image in part] == list(range(images))
            assert max(map(len, parts)) - min(map(len, parts)) <= 1
        assert sum(Share(rank, count).is_mine(5) for rank in range(count)) == 1


@pytest.mark.gpu
@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs")
def test_over_two_gpus_it_is_the_same_again(data: Prepared, tmp_path: Path) -> None:
    spec = spec_of(data, POLICY, model=GROUPED, device="cuda")
    (one, _), (two, _), (again, _) = (trained(spec, tmp_path, processes) for processes in (1, 2, 2))
    assert two.epochs == again.epochs and two.weights_sha256 == again.weights_sha256
    assert two.epochs[-1].train_loss == pytest.approx(one.epochs[-1].train_loss, rel=1e-3)


def test_more_processes_than_images_allow_are_refused(data: Prepared) -> None:
    with pytest.raises(BadInput, match="processes: 16 for 31 images; allowed is at most 15"):
        check_recipe(spec_of(data, PLAIN, processes=16).recipe)
