"""A rehearsal: a few steps, one score, true times; and memory that runs out anywhere in it is its plain reason."""

import dataclasses
from typing import Any

import pytest
import torch
from torch import Tensor
from trial_fixture import prepared_bars, spec_on

from searchspaces.errors import BadInput
from searchspaces.families.fixed import baselines
from searchspaces.policy import Base
from trials.data import Prepared
from trials.recipes import default_recipe
from trials.rehearsal import step_seconds, trial_seconds
from trials.run import run_trial
from trials.spans import Spans
from trials.train import Trainer
from trials.values import TrialResult, TrialSpec

STRONGEST = baselines(1, Base(hflip=0.5))["trivialaugment-wide"]
STEPS_AN_EPOCH = 8


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepared_bars(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def spec(data: Prepared) -> TrialSpec:
    return spec_on(data)


def run(spec: TrialSpec, **changes: Any) -> TrialResult:
    return run_trial(dataclasses.replace(spec, **changes), lambda epoch: None, None)


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The images of each optimiser step that is taken from now on."""
    taken, step = list[int](), Trainer._one_step

    def counted(self: Trainer, images: Tensor, labels: Tensor) -> Tensor:
        taken.append(len(images))
        return step(self, images, labels)

    monkeypatch.setattr(Trainer, "_one_step", counted)
    return taken


@pytest.mark.parametrize("budget_steps", [3, STEPS_AN_EPOCH, 20])
def test_it_takes_so_many_steps_however_short_an_epoch_is_and_scores_once(
    spec: TrialSpec, data: Prepared, steps: list[int], budget_steps: int
) -> None:
    result = run(spec, policy=STRONGEST, budget_steps=budget_steps)
    assert result.status == "done" and result.score is not None
    assert steps == [30] * budget_steps
    (epoch,) = result.epochs
    assert (epoch.number, epoch.wrong, epoch.total) == (1, result.score.wrong, data.counts["val"])
    assert set(result.span_seconds) == {"setup", "draw", "warm_up", "augment", "step", "score", "total"}
    assert result.span_seconds["total"] >= sum(seconds for name, seconds in result.span_seconds.items() if name != "total")


def test_its_steps_are_the_steps_of_the_trial_that_it_rehearses(spec: TrialSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same images, augmented alike, at the same learning rate: the losses of the first steps are the same."""
    losses, step = list[float](), Trainer._one_step

    def noted(self: Trainer, images: Tensor, labels: Tensor) -> Tensor:
        losses.append(float(loss := step(self, images, labels)))
        return loss

    monkeypatch.setattr(Trainer, "_one_step", noted)
    run(spec, policy=STRONGEST, budget_steps=5)
    run(spec, policy=STRONGEST)
    assert losses[:5] == losses[5:10]


def test_steps_that_only_warm_up_are_no_rehearsal(spec: TrialSpec) -> None:
    for budget_steps in (0, 2):
        with pytest.raises(BadInput, match=f"budget_steps: {budget_steps}; allowed is 3 or more"):
            run(spec, budget_steps=budget_steps)


def test_what_a_trial_will_take_is_worked_out_from_the_spans() -> None:
    spans = {"setup": 1.0, "draw": 0.5, "warm_up": 30.0, "augment": 6.0, "step": 12.0, "score": 2.0, "total": 51.5}
    assert step_seconds(spans, 20) == 1.0
    # 100 images by 32 are 4 steps an epoch
    assert trial_seconds(spans, 20, 100, 32, epochs=3) == 1.0 + 3 * (0.5 + 4 * 1.0 + 2.0)
    assert trial_seconds(spans | {"score_views": 20.0}, 20, 100, 32, epochs=3) == 1.0 + 3 * (0.5 + 4 * 1.0) + 2 * 2.0 + 20.0


@pytest.mark.parametrize("raised", [MemoryError(), torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")])
@pytest.mark.parametrize("place", ["trials.run.fresh_model", "trials.epochs.draw", "trials.run.score"])
def test_memory_that_runs_out_anywhere_is_the_reason(
    spec: TrialSpec, monkeypatch: pytest.MonkeyPatch, place: str, raised: Exception
) -> None:
    def full(*_: Any) -> None:
        raise raised

    monkeypatch.setattr(place, full)
    result = run(spec, budget_epochs=1, budget_steps=3)
    assert (result.status, result.error) == ("failed", "epoch 1 of 1: out of memory; give smaller batches or images")


@pytest.mark.parametrize(
    "words",
    [
        "[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes",
        "CUDA error: out of memory",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
        "std::bad_alloc",
    ],
)
def test_however_torch_says_it(spec: TrialSpec, monkeypatch: pytest.MonkeyPatch, words: str) -> None:
    def full(*_: Any) -> None:
        raise RuntimeError(words)

    monkeypatch.setattr(Trainer, "_one_step", full)
    assert run(spec, budget_steps=3).error == "epoch 1 of 1: out of memory; give smaller batches or images"


def test_other_errors_of_a_step_are_defects_and_are_raised(spec: TrialSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("the size of tensor a must match the size of tensor b")

    monkeypatch.setattr(Trainer, "_one_step", broken)
    with pytest.raises(RuntimeError, match="must match"):
        run(spec, budget_steps=3)


def test_spans_wait_for_the_device_at_both_ends_and_not_for_one_that_has_failed() -> None:
    waits = list[str]()
    spans = Spans(lambda: waits.append("waited"))
    with spans.timed("well"):
        assert len(waits) == 1
    assert len(waits) == 2
    with pytest.raises(MemoryError), spans.timed("badly"):
        raise MemoryError
    assert len(waits) == 3 and set(spans.seconds) == {"well", "badly"}


@pytest.mark.gpu
def test_on_a_gpu_it_says_what_steps_take_and_finds_that_memory_runs_out(
    spec: TrialSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = dataclasses.replace(default_recipe("cuda"), batch_images=32)
    result = run(spec, recipe=recipe, policy=STRONGEST, budget_steps=20)
    assert result.status == "done" and result.span_seconds["step"] > 0

    def hungry(self: Trainer, images: Tensor, labels: Tensor) -> Tensor:
        return torch.empty(2**50, dtype=torch.uint8, device="cuda")

    monkeypatch.setattr(Trainer, "_one_step", hungry)
    assert run(spec, recipe=recipe, budget_steps=3).error == "epoch 1 of 1: out of memory; give smaller batches or images"
