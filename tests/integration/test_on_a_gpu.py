"""On a real GPU: the pixels of every op, whole trials, failures that end one trial alone, and a whole search on a shared one."""

import dataclasses
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ray_fixture import ImaginedTasks

from policysearch.drivers.local import LocalDriver, visible_gpus
from policysearch.ledger import Ledger, sqlite_url
from policysearch.packing import pack
from searchspaces.draw import draw
from searchspaces.engines import agreement, apply, grouped
from searchspaces.families import family_table
from searchspaces.families.fixed import baselines
from searchspaces.policy import Base, Batch, PadCrop, Policy, ResizedCrop
from searchspaces.spaces import build_space
from trials import pixels
from trials.data import Prepared, Source, prepare
from trials.machine import reproducible
from trials.pixels import ImageStore
from trials.recipes import default_recipe
from trials.run import run_trial
from trials.values import DataRef, Recipe, TrialResult, TrialSpec

pytestmark = pytest.mark.gpu

BASE = Base(crop=PadCrop(0.125), hflip=0.5)
ROWS_APART = 0.05
"""Of the images of a chain: one pixel that a turn takes from beside can change what a histogram makes of the whole image."""


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return dataclasses.replace(default_recipe("cuda"), batch_images=64)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """512 colour images of 32 pixels and 256 to validate, whose class is the height of a bright bar."""
    folder, generator = tmp_path_factory.mktemp("colours"), np.random.default_rng(5)
    arrays: dict[str, Any] = {}
    for split, images in (("train", 512), ("val", 256), ("test", 32)):
        labels = np.arange(images) % 3
        levels = generator.integers(0, 160, (images, 32, 32, 3))
        for label in range(3):
            levels[labels == label, 2 + 9 * label : 10 + 9 * label] += 60
        arrays |= {f"{split}_images": levels.astype(np.uint8), f"{split}_labels": labels.astype(np.int64)}
    np.savez(folder / "colours.npz", allow_pickle=False, **arrays)
    return prepare(Source(data=str(folder / "colours.npz")), folder / "home")


def spec_on(data: Prepared, recipe: Recipe, policy: Policy, **changes: Any) -> TrialSpec:
    spec = TrialSpec("t0", policy, recipe, DataRef(str(data.directory), data.fingerprint), seed=11, budget_epochs=2)
    return dataclasses.replace(spec, **changes)


def run(spec: TrialSpec, folder: Path, name: str = "one") -> TrialResult:
    return run_trial(spec, lambda epoch: None, folder / f"{name}.pt")


def figures(result: TrialResult) -> tuple[Any, ...]:
    assert result.status == "done", result.error
    return result.epochs, result.score, result.weights_sha256


def randaugment(**changes: Any) -> Policy:
    return dataclasses.replace(baselines(3, BASE)["randaugment(2,9)"], **changes)


def test_every_op_gives_the_pixels_of_the_cpu_by_deterministic_kernels(recipe: Recipe) -> None:
    with reproducible(recipe):
        found = agreement.gpu_with_cpu()
    assert not found.apart and found.ops > 25


@pytest.mark.parametrize("family", [family.name for family in family_table()])
def test_plans_of_every_family_give_the_pixels_of_the_cpu(family: str, recipe: Recipe) -> None:
    """To a level, but for the odd pixel beside; and which images lie together makes no difference."""
    space, generator = build_space(family, 3, BASE), np.random.default_rng(3)
    images = torch.from_numpy(generator.integers(0, 256, (200, 3, 32, 24), dtype=np.uint8))
    plan = draw(space.decode(space.draw(generator)), (200, 3, 32, 24), generator)
    with reproducible(recipe):
        there, here = apply(images.cuda(), plan).cpu(), grouped.apply(images, plan)
        part = apply(images[50:150].cuda(), plan.rows(slice(50, 150))).cpu()
    assert torch.equal(part, there[50:150])
    apart = ((there.int() - here.int()).abs() > 1).flatten(1).double().mean(1)
    assert float((apart > 0.02).double().mean()) <= ROWS_APART


MODELS = ("small", "resnet9:width=8", "resnet9:width=8,norm=group", "wideresnet-16:k=1", "torchvision:resnet18")


@pytest.mark.parametrize("model", MODELS)
def test_the_same_spec_gives_the_same_result_to_the_bit(model: str, data: Prepared, recipe: Recipe, tmp_path: Path) -> None:
    spec = spec_on(data, dataclasses.replace(recipe, model=model), randaugment())
    one, other = run(spec, tmp_path), run(spec, tmp_path, "other")
    assert figures(one) == figures(other)
    assert one.engine == "torch-grouped" and one.environment["device"] == torch.cuda.get_device_name()


@pytest.mark.parametrize(
    "fields",
    [
        {"optimiser": "adamw", "ema_decay": 0.9, "dropout": 0.2, "label_smoothing": 0.1, "gradient_clip": 1.0, "batch_parts": 2},
        {"precision": "float32", "channels_last": False},
        {"views": "ten-crops"},
        {"views": "mild:3"},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_so_do_the_other_recipes(fields: dict[str, Any], data: Prepared, recipe: Recipe, tmp_path: Path) -> None:
    policy = randaugment(batch=Batch(mixup_alpha=0.2, cutmix_alpha=1.0))
    spec = spec_on(data, dataclasses.replace(recipe, **fields), policy)
    assert figures(run(spec, tmp_path)) == figures(run(spec, tmp_path, "other"))


@pytest.mark.parametrize(
    "base", [Base(ResizedCrop(0.3), interpolation="bilinear"), Base(resolution=0.5), Base(vflip=0.5, quarter_turns=0.5)]
)
def test_so_do_other_bases(base: Base, data: Prepared, recipe: Recipe, tmp_path: Path) -> None:
    spec = spec_on(data, recipe, Policy(base))
    assert figures(run(spec, tmp_path)) == figures(run(spec, tmp_path, "other"))


def test_a_gpu_s_default_is_bfloat16_and_channels_last() -> None:
    recipe = default_recipe()
    assert (recipe.device, recipe.precision, recipe.channels_last) == ("cuda", "bfloat16", True)


def test_images_that_do_not_fit_stay_on_the_host_and_give_the_same(
    data: Prepared, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = spec_on(data, recipe, randaugment(batch=Batch(mixup_alpha=0.2)))
    images = np.zeros((4, 3, 8, 8), dtype=np.uint8)
    assert ImageStore(images, "cuda").is_on_gpu
    on_gpu = run(spec, tmp_path)
    monkeypatch.setattr(pixels, "STORE_SHARE", 0.0)
    assert not ImageStore(images, "cuda").is_on_gpu
    assert figures(run(spec, tmp_path, "host")) == figures(on_gpu)
    monkeypatch.setattr(pixels, "BLOCK_IMAGES", 64)
    assert figures(run(spec, tmp_path, "blocks")) == figures(on_gpu)


def test_a_net_without_deterministic_kernels_fails_with_its_reason(data: Prepared, recipe: Recipe, tmp_path: Path) -> None:
    result = run(spec_on(data, dataclasses.replace(recipe, model="torchvision:vgg11"), Policy()), tmp_path)
    assert result.status == "failed" and "adaptive_avg_pool2d_backward_cuda" in (result.error or "")


def _failing(context: Any, notes: str, how: str) -> tuple[int, int]:
    """The first trial asks a table for a row that it hasn't, or for more memory than there is; the next ones use the GPU."""
    import os
    from pathlib import Path

    import torch

    with Path(notes).open("a") as file:
        file.write(f"{os.getpid()}\n")
    if len(Path(notes).read_text().split()) == 1 and how == "memory":
        torch.empty(2**50, dtype=torch.uint8, device="cuda")
    row = 99 if len(Path(notes).read_text().split()) == 1 else 1
    return int(torch.ones(2, 2, device="cuda")[torch.tensor([row], device="cuda")].sum().item()), 10


@pytest.mark.parametrize(("how", "said"), [("assertion", "device-side assert"), ("memory", "out of memory on the GPU")])
def test_a_failure_ends_that_trial_alone_and_the_next_has_a_gpu(how: str, said: str, tmp_path: Path) -> None:
    ledger = Ledger.open(sqlite_url(tmp_path / "ledger.sqlite"))
    source = ImaginedTasks(ledger, 3, None, tmp_path / "study" / "weights", 0.0)
    objective = pack(partial(_failing, notes=str(tmp_path / "pids"), how=how))
    LocalDriver(1, visible_gpus(), objective).run(source, lambda event: None)
    results = [trial.result for trial in source.trials()]
    assert [result.status for result in results if result] == ["failed", "done", "done"]
    assert results[0] is not None and said in (results[0].error or "")
    first, second, third = (tmp_path / "pids").read_text().split()
    assert second == third and (first == second) == (how == "memory")


def test_a_whole_search_with_two_trials_at_once_on_one_gpu(tmp_path: Path) -> None:
    wishes = ["--data", "sample", "--trials", "4", "--epochs", "2", "--any-budget", "--no-calibration", "--finalists", "1"]
    wishes += ["--finalist-seeds", "2", "--gpus-per-trial", "0.5", "--test", "--yes", "--home", str(tmp_path), "--study", "gpu"]
    environment = {**os.environ, "MLFLOW_TRACKING_URI": f"file://{tmp_path}/mlflow"}
    done = subprocess.run(
        [sys.executable, "-m", "policysearch", "search", *wishes], env=environment, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stdout + done.stderr
    ledger = Ledger.open(sqlite_url(tmp_path / "ledger.sqlite"))
    results = [trial.result for trial in ledger.trials(ledger.studies()[0].uid)]
    assert len(results) > 4 and all(result and result.status == "done" for result in results)
    assert {result.environment["device"] for result in results if result} == {torch.cuda.get_device_name()}
    assert (tmp_path / "studies" / "gpu" / "policy.json").exists()
