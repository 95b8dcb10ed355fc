"""One trial, really trained on tiny data: it learns, it repeats itself bit for bit, and scoring never sees augmentation."""

import dataclasses
import json
import resource
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from trial_fixture import CLASSES, prepared_bars, spec_on

from searchspaces.errors import BadInput
from searchspaces.mixing import Mixing
from searchspaces.plan import Plan
from searchspaces.policy import Base, Batch, Branch, Choice, Constant, PadCrop, Policy, ResizedCrop, Step
from trials.data import Prepared, Source, open_split, prepare, read_meta
from trials.evaluate import NotFinite, load_model, score
from trials.recipes import default_recipe
from trials.run import run_trial
from trials.train import DrawMixing, Trainer
from trials.values import DataRef, Epoch, Score, TrialResult, TrialSpec

MIRRORED_HALF = Policy(Base(hflip=0.5))
BLACK = Choice("brightness", (Constant(0.0),))
BLACK_HALF = Policy(branches=(Branch((Step((BLACK,), probability=0.5),)),))
CROPPED = Policy(Base(crop=PadCrop(0.125)))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepared_bars(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def spec(data: Prepared) -> TrialSpec:
    return spec_on(data)


def run(spec: TrialSpec, weights_path: Path | None = None, **changes: Any) -> TrialResult:
    return run_trial(dataclasses.replace(spec, **changes), lambda epoch: None, weights_path)


@pytest.fixture(scope="module")
def plain(spec: TrialSpec, tmp_path_factory: pytest.TempPathFactory) -> tuple[TrialResult, Path]:
    """The trial without augmentation, and its weights."""
    path = tmp_path_factory.mktemp("plain") / "weights.pt"
    return run(spec, path), path


def test_a_trial_on_a_cpu_augments_in_the_fused_kernel(plain: tuple[TrialResult, Path], spec: TrialSpec) -> None:
    assert plain[0].engine == run(spec, policy=CROPPED, budget_epochs=1).engine == "numba-fused"


def test_the_other_engine_gives_the_same_trial_and_is_named(spec: TrialSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    """In float32: in bfloat16 who wishes for no compiled kernels has norms run without, too, and these round apart."""
    plain = dataclasses.replace(spec.recipe, precision="float32")
    fused = run(spec, policy=CROPPED, budget_epochs=1, recipe=plain)
    monkeypatch.setenv("POLICYSEARCH_ENGINE", "grouped")
    grouped = run(spec, policy=CROPPED, budget_epochs=1, recipe=plain)
    assert grouped.engine == "torch-grouped"
    assert figures(grouped) == figures(fused)


def figures(result: TrialResult) -> tuple[object, ...]:
    """What a trial found, without the time it took."""
    return result.status, result.epochs, result.score, result.weights_sha256


def score_of(result: TrialResult) -> Score:
    assert isinstance(result.score, Score), result.error
    return result.score


def reloaded(spec: TrialSpec, result: TrialResult, path: Path) -> nn.Module:
    """The net read back from its file."""
    assert result.weights_sha256 is not None
    return load_model(path, result.weights_sha256, 1, CLASSES, spec.recipe)


def rescored(spec: TrialSpec, model: nn.Module) -> Score:
    """The score of a net on the validation images."""
    directory = Path(spec.data.directory)
    meta = read_meta(directory)
    return score(model, open_split(directory, "val"), spec.recipe, meta["mean"], meta["std"])


def test_it_learns(plain: tuple[TrialResult, Path]) -> None:
    result, _ = plain
    assert result.status == "done"
    assert score_of(result).wrong < 0.3 * score_of(result).total  # chance is 0.67; over 120 images that is 9 standard errors away
    first, last = result.epochs[0].train_loss, result.epochs[-1].train_loss
    assert first is not None and last is not None and last < first


def test_the_result_says_all_it_should(plain: tuple[TrialResult, Path], data: Prepared) -> None:
    result, _ = plain
    assert [epoch.number for epoch in result.epochs] == [1, 2, 3]
    assert (result.epochs[-1].wrong, result.epochs[-1].total) == (score_of(result).wrong, score_of(result).total)
    assert score_of(result).total == data.counts["val"] == 120
    assert set(result.span_seconds) == {"setup", "augment", "step", "score", "total"}
    assert sum(result.span_seconds.values()) <= 2 * result.span_seconds["total"]
    assert result.environment["threads"] == "1"
    assert result.environment["torch"] == str(torch.__version__)
    assert TrialResult.from_dict(json.loads(json.dumps(result.to_dict(), allow_nan=False))) == result


def test_the_same_spec_gives_the_same_figures_bits_and_weights(
    spec: TrialSpec, plain: tuple[TrialResult, Path], tmp_path: Path
) -> None:
    again = run(spec, tmp_path / "again.pt", trial_uid="of another name")
    assert figures(again) == figures(plain[0])


def test_augmented_trials_repeat_themselves_too(spec: TrialSpec, tmp_path: Path) -> None:
    one, other = (run(spec, tmp_path / name, policy=CROPPED, budget_epochs=1) for name in ("one.pt", "other.pt"))
    assert figures(one) == figures(other)


FRAMED = Policy(Base(ResizedCrop(0.8), hflip=0.5, interpolation="bilinear", resolution=0.8), batch=Batch(cutout=0.25))
MIXED = Policy(batch=Batch(mixup_alpha=0.2, cutmix_alpha=0.2))


@pytest.mark.parametrize("policy", [FRAMED, MIXED, Policy(FRAMED.base, batch=MIXED.batch)], ids=["framed", "mixed", "both"])
def test_trials_learn_from_framed_and_from_mixed_images_and_repeat_themselves(
    spec: TrialSpec, plain: tuple[TrialResult, Path], tmp_path: Path, policy: Policy
) -> None:
    one, other = (run(spec, tmp_path / name, policy=policy, budget_epochs=6) for name in ("one.pt", "other.pt"))
    assert figures(one) == figures(other)
    assert one.weights_sha256 != plain[0].weights_sha256
    assert score_of(one).wrong < 0.3 * score_of(one).total


def test_labels_are_mixed_as_images_are(spec: TrialSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every image wholly replaced by another: what is learned then are the other's labels, or nothing."""

    def swapped(batch: Batch, images: int, sides: tuple[int, int], generator: np.random.Generator) -> Mixing:
        nothing = np.zeros(images)
        return Mixing(generator.permutation(images), nothing, np.zeros((images, 4), np.int64), nothing)

    monkeypatch.setattr("trials.epochs.draw_mixing", swapped)
    result = run(spec, policy=MIXED, budget_epochs=6)
    assert score_of(result).wrong < 0.3 * score_of(result).total


def test_mixing_is_drawn_anew_for_every_batch_and_epoch(spec: TrialSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    met: list[bytes] = []

    class Watched(Trainer):
        def train_epoch(self, order: np.ndarray, plan: Plan, draw_mixing: DrawMixing | None = None) -> float:
            assert draw_mixing is not None

            def watched(images: int, sides: tuple[int, int]) -> Mixing:
                met.append((drawn := draw_mixing(images, sides)).share.tobytes())
                return drawn

            return super().train_epoch(order, plan, watched)

    monkeypatch.setattr("trials.run.Trainer", Watched)
    for uid in ("one", "other"):
        run(spec, policy=MIXED, budget_epochs=2, trial_uid=uid)
    assert len(met) == 2 * 2 * 8
    assert met[:16] == met[16:]
    assert len(set(met)) == 16


@pytest.mark.parametrize("change", [{"seed": 12}, {"replicate": 1}, {"policy": CROPPED}])
def test_another_seed_replicate_or_policy_gives_other_weights(
    spec: TrialSpec, plain: tuple[TrialResult, Path], tmp_path: Path, change: dict[str, Any]
) -> None:
    assert run(spec, tmp_path / "w.pt", **change).weights_sha256 != plain[0].weights_sha256


def test_every_policy_meets_the_same_initial_weights_and_order(
    spec: TrialSpec, plain: tuple[TrialResult, Path], tmp_path: Path
) -> None:
    """Mirroring leaves these images as they are, so whatever else a policy changed would show."""
    assert figures(run(spec, tmp_path / "w.pt", policy=MIRRORED_HALF)) == figures(plain[0])


def test_every_epoch_has_an_order_and_draws_of_its_own_and_every_trial_has_the_same(
    spec: TrialSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    met: list[tuple[np.ndarray, np.ndarray]] = []

    class Watched(Trainer):
        def train_epoch(self, order: np.ndarray, plan: Plan, draw_mixing: DrawMixing | None = None) -> float:
            met.append((order, plan.values))
            return super().train_epoch(order, plan, draw_mixing)

    monkeypatch.setattr("trials.run.Trainer", Watched)
    for uid in ("one", "other"):
        run(spec, policy=CROPPED, budget_epochs=2, trial_uid=uid)
    orders, draws = zip(*met, strict=True)
    for things in (orders, draws):
        assert not np.array_equal(things[0], things[1])
        assert np.array_equal(things[0], things[2]) and np.array_equal(things[1], things[3])


def test_scoring_never_sees_augmentation_and_the_weights_file_gives_the_same_score(spec: TrialSpec, tmp_path: Path) -> None:
    result = run(spec, tmp_path / "w.pt", policy=BLACK_HALF)
    assert score_of(result).wrong < 0.5 * score_of(result).total
    assert rescored(spec, reloaded(spec, result, tmp_path / "w.pt")) == result.score


def test_scoring_changes_nothing_in_the_net(spec: TrialSpec, plain: tuple[TrialResult, Path]) -> None:
    model = reloaded(spec, *plain).train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    rescored(spec, model)
    assert model.training
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_scores_do_not_depend_on_the_callers_threads(spec: TrialSpec, plain: tuple[TrialResult, Path]) -> None:
    model, threads = reloaded(spec, *plain), torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert rescored(spec, model) == plain[0].score
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)


def test_a_loss_that_explodes_fails_the_trial_with_its_reason(spec: TrialSpec, tmp_path: Path) -> None:
    wild = dataclasses.replace(spec.recipe, peak_learning_rate=1e30)
    result = run(spec, tmp_path / "w.pt", recipe=wild)
    assert result.status == "failed"
    assert result.error in {"epoch 1 of 3: training loss is nan", "epoch 1 of 3: training loss is inf"}
    assert result.score is None
    assert result.weights_sha256 is None
    assert not list(tmp_path.iterdir())


def test_memory_that_runs_out_fails_the_trial_with_its_reason(spec: TrialSpec, tmp_path: Path) -> None:
    """One batch of large images needs far more than the 100 MB of address space that are left."""
    images, labels = np.zeros((60, 256, 256), dtype=np.uint8), np.arange(60) % CLASSES
    images[:, 0, 0] = np.arange(60)
    arrays: dict[str, np.ndarray] = {}
    for place, split in enumerate(("train", "val", "test")):
        arrays[f"{split}_images"], arrays[f"{split}_labels"] = images + np.uint8(place), labels  # no copies of one another
    np.savez(tmp_path / "large.npz", allow_pickle=False, **arrays)
    large = prepare(Source(data=str(tmp_path / "large.npz")), tmp_path / "home")
    recipe = dataclasses.replace(spec.recipe, batch_images=60)
    run(spec, budget_epochs=1)  # what is loaded for the first trial must not be what finds no room
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + 100 * 2**20, before[1]))
    try:
        result = run(spec, recipe=recipe, data=DataRef(str(large.directory), large.fingerprint))
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
    assert (result.status, result.error) == ("failed", "epoch 1 of 3: out of memory; give smaller batches or images")


def test_weights_that_can_not_be_written_fail_the_trial_with_the_reason(spec: TrialSpec, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = run(spec, tmp_path / "file" / "weights.pt", budget_epochs=1)
    assert result.status == "failed" and result.score is None and result.weights_sha256 is None and len(result.epochs) == 1
    assert result.error is not None and "\n" not in result.error
    assert str(tmp_path / "file" / "weights.pt") in result.error and "make room" in result.error


def test_a_ledger_that_is_away_is_not_taken_for_a_full_disk(spec: TrialSpec, tmp_path: Path) -> None:
    def away(epoch: Epoch) -> None:
        raise ConnectionError("the ledger is away")

    with pytest.raises(ConnectionError):
        run_trial(spec, away, tmp_path / "weights.pt")


def test_other_data_than_the_specs_are_refused(spec: TrialSpec, data: Prepared, tmp_path: Path) -> None:
    shutil.copytree(data.directory, tmp_path / "other")
    meta = tmp_path / "other" / "meta.json"
    meta.chmod(0o644)
    meta.write_text(meta.read_text().replace(read_meta(data.directory)["fingerprints"]["val"], "f" * 64))
    with pytest.raises(BadInput, match=r"holds other data .* than the trial was planned for .*; delete it") as caught:
        run(spec, data=DataRef(str(tmp_path / "other"), data.fingerprint))
    assert "\n" not in str(caught.value)


def test_outputs_that_are_not_finite_have_no_score(spec: TrialSpec, plain: tuple[TrialResult, Path]) -> None:
    model = reloaded(spec, *plain)
    with torch.no_grad():
        next(model.parameters())[0] = torch.inf
    with pytest.raises(NotFinite, match="not finite"):
        rescored(spec, model)


def test_changed_weights_are_refused(spec: TrialSpec, plain: tuple[TrialResult, Path], tmp_path: Path) -> None:
    result, path = plain
    changed = tmp_path / "w.pt"
    changed.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(BadInput, match="SHA-256"):
        reloaded(spec, result, changed)


def test_epochs_are_heard_as_they_end_and_an_interrupt_passes_through(spec: TrialSpec) -> None:
    heard: list[int] = []
    threads = torch.get_num_threads()

    def listen(epoch: Epoch) -> None:
        heard.append(epoch.number)
        if epoch.number == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_trial(spec, listen, None)
    assert heard == [1, 2]
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"model": "huge"}, "model 'huge'"), ({"batch_images": 1}, "batch_images: 1")],
)
def test_recipes_that_nobody_can_follow_are_refused(spec: TrialSpec, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        run(spec, recipe=dataclasses.replace(spec.recipe, **changes))


def test_no_epochs_are_refused(spec: TrialSpec) -> None:
    with pytest.raises(BadInput, match="budget_epochs: 0"):
        run(spec, budget_epochs=0)


@pytest.mark.parametrize("kind", [RuntimeError, torch.AcceleratorError])
def test_a_gpu_that_fails_ends_the_trial_with_its_reason(
    kind: type[RuntimeError], spec: TrialSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "CUDA error: device-side assert triggered\nCUDA kernel errors might be asynchronously reported\n"

    def fail(*_: object) -> None:
        raise kind(said)

    monkeypatch.setattr(Trainer, "_one_step", fail)
    result = run(spec)
    assert result.error == "epoch 1 of 3: the GPU failed: CUDA error: device-side assert triggered"


def test_a_net_that_a_gpu_can_train_in_no_fixed_order_is_a_failed_trial(spec: TrialSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("adaptive_avg_pool2d_backward_cuda does not have a deterministic implementation, but you set ...")

    monkeypatch.setattr(Trainer, "_one_step", refuse)
    assert run(spec).error == (
        "epoch 1 of 3: the net can't be trained on a GPU with the same result each time (adaptive_avg_pool2d_backward_cuda);"
        " take another model"
    )


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_gpu_recipe_is_refused_where_there_is_none(spec: TrialSpec) -> None:
    with pytest.raises(BadInput, match="no usable GPU"):
        run(spec, recipe=dataclasses.replace(spec.recipe, device="cuda"))


@pytest.mark.gpu
def test_on_a_gpu_the_same_spec_gives_the_same_figures(spec: TrialSpec, tmp_path: Path) -> None:
    recipe = dataclasses.replace(default_recipe("cuda"), batch_images=32)
    one, other = (run(spec, tmp_path / name, recipe=recipe, policy=CROPPED) for name in ("one.pt", "other.pt"))
    assert figures(one) == figures(other)
    on_gpu = dataclasses.replace(spec, recipe=recipe)
    assert rescored(on_gpu, reloaded(on_gpu, one, tmp_path / "one.pt")) == one.score
