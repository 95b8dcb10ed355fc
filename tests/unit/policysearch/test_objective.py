"""Functions of one's own as trials: what they are given, what is made of what they return, raise and report; how they travel."""

import json
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from policysearch.objective import Context, name_of, pack, run_objective, unpack
from searchspaces.errors import BadInput
from searchspaces.families.fixed import baselines
from searchspaces.policy_json import policy_to_dict
from searchspaces.spaces import PHOTO_BASE
from trials.values import Counts, Epoch, Score, TrialResult

POLICY = policy_to_dict(baselines(3, PHOTO_BASE)["trivialaugment-wide"])
SPEC = {
    "trial_uid": "t1",
    "objective": "train:fn",
    "policy": POLICY,
    "params": {"level": 9},
    "recipe": {"peak_learning_rate": 0.25},
    "data": None,
    "seed": 3,
    "budget_epochs": 4,
    "replicate": 0,
}
IMAGES = torch.from_numpy(np.random.default_rng(1).integers(0, 256, (6, 3, 16, 16), dtype=np.uint8))


def noted(notes: list[Any], value: Any) -> tuple[int, int]:
    """What an objective returns that notes something on its way."""
    notes.append(value)
    return 0, 1


def run(fn: Callable[[Context], Any], told: list[Epoch] | None = None, **more: Any) -> TrialResult:
    return run_objective(SPEC | more, fn, (told if told is not None else []).append)


@pytest.mark.parametrize("returned", [(3, 10), [3, 10], (np.int64(3), np.int32(10)), (torch.tensor(3), 10), Counts(3, 10)])
def test_wrong_of_total_in_whole_images_is_a_result(returned: Any) -> None:
    result = run(lambda context: returned)
    assert result.status == "done" and result.score == Counts(3, 10)
    assert TrialResult.from_dict(json.loads(json.dumps(result.to_dict()))) == result


@pytest.mark.parametrize("kind", [list, tuple, np.array, torch.tensor, lambda bits: [np.bool_(bit) for bit in bits]])
def test_one_bool_an_image_is_kept_bit_by_bit(kind: Callable[[Any], Any]) -> None:
    result = run(lambda context: kind([True, False, True]))
    assert result.score == Counts(1, 3, (True, False, True))
    assert TrialResult.from_dict(json.loads(json.dumps(result.to_dict()))) == result


def test_two_bools_are_two_images_and_not_one_wrong_of_one() -> None:
    assert run(lambda context: (True, True)).score == Counts(0, 2, (True, True))


def test_a_whole_score_is_kept() -> None:
    score = Score((True, False), ((1, 1), (0, 0)), 1.5)
    assert run(lambda context: score).score == score


@pytest.mark.parametrize(
    "returned",
    [0.1, float("nan"), None, (11, 10), (-1, 10), (0, 0), (0.5, 10), (1, 2, 3), "ab", [], np.zeros(3), {"wrong": 1}, (True, 10)],
)
def test_anything_else_is_a_failure_that_says_what_is_allowed(returned: Any) -> None:
    result = run(lambda context: returned)
    assert result.status == "failed" and result.score is None and result.error is not None
    assert result.error.startswith("the objective returned ") and "allowed are (wrong, total) in whole images" in result.error
    assert "\n" not in result.error


def test_an_exception_is_a_failure_in_one_line_with_its_place() -> None:
    def fn(context: Context) -> Any:
        raise ValueError("no such\nlayer")

    error = run(fn).error
    assert error is not None and error.startswith("ValueError: no such layer (test_objective.py, line ")
    assert error.endswith(f"line {fn.__code__.co_firstlineno + 1})")


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (MemoryError(), "out of memory; give smaller batches or images"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried 2 GiB"), "out of memory on the GPU; give smaller batches"),
        (RuntimeError("CUDA error: device-side assert triggered"), "the GPU failed (CUDA error: device-side assert"),
        (SystemExit(3), "SystemExit: 3"),
        (AssertionError(), "AssertionError"),
        (BadInput("image: too small; give larger ones"), "image: too small; give larger ones"),
    ],
)
def test_memory_and_gpu_errors_are_said_plainly(failure: BaseException, said: str) -> None:
    def fn(context: Context) -> Any:
        raise failure

    result = run(fn)
    assert result.status == "failed" and (result.error or "").startswith(said)


def test_ctrl_c_passes() -> None:
    def fn(context: Context) -> Any:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(fn)


def test_reports_make_the_curve_and_are_told_at_once() -> None:
    told: list[Epoch] = []

    def fn(context: Context) -> Any:
        context.report(1, 5, 10, train_loss=1.5)
        context.report(2, np.int64(4), torch.tensor(10), train_loss=float("nan"))  # type: ignore[arg-type]
        context.report(2, 3, 10)
        assert len(told) == 3
        return 3, 10

    assert run(fn, told).epochs == (Epoch(1, 1.5, 5, 10), Epoch(2, None, 3, 10))
    assert told[1] == Epoch(2, None, 4, 10)


def test_a_report_of_what_can_not_be_fails_the_trial_and_disturbs_no_training() -> None:
    def fn(context: Context) -> Any:
        context.report(1, 11, 10)
        context.report(1, 0.5, 10)  # type: ignore[arg-type]
        return 3, 10

    result = run(fn)
    assert result.status == "failed" and result.epochs == ()
    assert (
        result.error == "report(epoch=1, wrong=11, total=10): allowed are whole numbers, epoch from 1 and wrong from 0 to total"
    )


def test_what_the_listener_raises_is_no_failure_of_the_trial_even_where_the_function_swallows_it() -> None:
    def away(epoch: Epoch) -> None:
        raise ConnectionError("the ledger is away")

    def fn(context: Context) -> Any:
        try:
            context.report(1, 5, 10)
        except Exception:
            return 3, 10

    with pytest.raises(ConnectionError):
        run_objective(SPEC, fn, away)


def test_the_context_says_what_the_trial_is(tmp_path: Path) -> None:
    seen: list[Context] = []

    def fn(context: Context) -> Any:
        seen.append(context)
        (context.directory / "checkpoint").write_text("half")
        return 0, 1

    for _ in range(2):
        run_objective(SPEC, fn, lambda epoch: None, tmp_path / "t1")
    context = seen[0]
    assert (context.trial_uid, context.params, context.recipe) == ("t1", {"level": 9}, {"peak_learning_rate": 0.25})
    assert (context.budget_epochs, context.replicate, context.data) == (4, 0, None)
    assert policy_to_dict(context.policy) == POLICY
    assert seen[0].directory == seen[1].directory == tmp_path / "t1", "a second attempt finds the first one's files"


def test_the_seed_is_the_studys_and_the_replicates_and_never_the_trials() -> None:
    def seed(**more: Any) -> int:
        seeds: list[int] = []
        run(lambda context: noted(seeds, context.seed), **more)
        return seeds[0]

    assert seed() == seed(trial_uid="t2", params={})
    assert len({seed(), seed(seed=4), seed(replicate=1)}) == 3
    assert 0 <= seed() < 2**32


def augmented(calls: int, **more: Any) -> list[torch.Tensor]:
    out: list[torch.Tensor] = []

    def fn(context: Context) -> Any:
        out.extend(context.augment(IMAGES) for _ in range(calls))
        return 0, 1

    result = run(fn, **more)
    assert result.status == "done", result.error
    assert result.engine
    return out


def test_each_call_of_augment_draws_anew_and_each_run_of_the_trial_draws_the_same() -> None:
    first, second = augmented(2), augmented(2, trial_uid="t2")
    assert first[0].dtype == torch.uint8 and first[0].shape == IMAGES.shape
    assert not torch.equal(first[0], first[1])
    assert torch.equal(first[0], second[0]) and torch.equal(first[1], second[1])
    assert not torch.equal(first[0], augmented(1, seed=4)[0])
    assert not torch.equal(first[0], augmented(1, replicate=1)[0])


def test_each_image_of_a_batch_has_a_draw_of_its_own() -> None:
    same = IMAGES[:1].repeat(64, 1, 1, 1)
    out: list[torch.Tensor] = []
    run(lambda context: noted(out, context.augment(same)))
    assert len({image.numpy().tobytes() for image in out[0]}) > 32


@pytest.mark.parametrize("wrong", [IMAGES[0], IMAGES.float(), torch.zeros(2, 5, 8, 8, dtype=torch.uint8)])
def test_augment_refuses_other_tensors(wrong: torch.Tensor) -> None:
    result = run(lambda context: (context.augment(wrong), (0, 1))[1])
    assert result.status == "failed" and result.error and "Error" not in result.error


class Augmented(Dataset[torch.Tensor]):
    def __init__(self, context: Context) -> None:
        self.context = context

    def __len__(self) -> int:
        return 8

    def __getitem__(self, place: int) -> torch.Tensor:
        return self.context.augment(IMAGES[:1])[0]


def loaded(context: Context) -> list[torch.Tensor]:
    """Two epochs from two worker processes."""
    loader = DataLoader(Augmented(context), 1, num_workers=2, generator=torch.Generator().manual_seed(context.seed))
    return [batch for _ in range(2) for batch in loader]


def test_the_workers_of_a_loader_and_its_epochs_draw_differently_and_the_same_again() -> None:
    out: list[list[torch.Tensor]] = []
    for _ in range(2):
        assert run(lambda context: noted(out, loaded(context))).status == "done"
    pictures = [image.numpy().tobytes() for image in out[0]]
    assert len(set(pictures)) > 12, "16 draws of one image, from two workers in two epochs"
    assert pictures == [image.numpy().tobytes() for image in out[1]]


def test_a_context_can_go_to_spawned_workers() -> None:
    copies: list[Context] = []
    run(lambda context: noted(copies, pickle.loads(pickle.dumps(context))))
    copies[0].report(1, 0, 1)  # heard by nobody
    assert torch.equal(copies[0].augment(IMAGES), augmented(1)[0])


def test_the_policy_is_there_as_transforms_and_collate() -> None:
    def fn(context: Context) -> Any:
        assert context.to_torchvision()(IMAGES[0]).shape == (3, 16, 16)
        images, shares = context.collate(4)([(IMAGES[0].float(), 1), (IMAGES[1].float(), 2)])
        assert images.shape == (2, 3, 16, 16) and shares.shape == (2, 4)
        return 0, 1

    assert run(fn).error is None


LIGHT = """
import sys
from policysearch.objective import run_objective
result = run_objective({spec!r}, lambda context: (context.report(1, 1, 2), (context.params["level"], 10))[1], print)
assert result.score.wrong == 9, result
assert "torch" not in sys.modules and "numba" not in sys.modules
"""


def test_a_function_that_needs_no_torch_is_run_without_it() -> None:
    subprocess.run([sys.executable, "-c", LIGHT.format(spec=SPEC)], check=True)


def test_the_name_of_a_function_is_its_module_and_its_name() -> None:
    from functools import partial

    assert name_of(augmented) == f"{__name__}:augmented"
    assert name_of(partial(augmented, 3)) == f"{__name__}:augmented"
    with pytest.raises(BadInput, match="objective 3: allowed is a function of one argument"):
        name_of(3)  # type: ignore[arg-type]


def test_what_can_not_travel_is_refused_in_one_line() -> None:
    lock = threading.Lock()
    with pytest.raises(BadInput, match=r"it can't be sent to workers .*cannot pickle.*inside the function") as caught:
        pack(lambda context: (lock, 1))
    assert "\n" not in str(caught.value)


SCRIPT = """
import sys
from policysearch.objective import pack
from my_own_trainer import train
import my_own_parts
def fn(context):
    return train(context) + my_own_parts.ONE
print(pack(train if sys.argv[1] == "imported" else fn))
"""


@pytest.mark.parametrize("which", ["imported", "of the script"])
@pytest.mark.parametrize("there", [True, False])
def test_a_function_travels_with_modules_of_the_users_own_whether_or_not_they_are_on_the_other_machine(
    tmp_path: Path, which: str, there: bool
) -> None:
    (tmp_path / "my_own_parts.py").write_text("ONE = 1\n")
    (tmp_path / "my_own_trainer.py").write_text("from my_own_parts import ONE\ndef train(context):\n    return context + ONE\n")
    (tmp_path / "script.py").write_text(SCRIPT)
    packed = subprocess.run([sys.executable, str(tmp_path / "script.py"), which], check=True, capture_output=True, text=True)
    if not there:
        for file in tmp_path.glob("my_own_*"):
            file.unlink()
    code = f"from policysearch.objective import unpack; print(unpack({packed.stdout.strip()!r})(40))"
    answer = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd="/")
    assert answer.stdout.strip() == ("41" if which == "imported" else "42")


def test_a_module_that_can_not_be_copied_is_imported_where_it_is(tmp_path: Path) -> None:
    locked = "import threading\nLOCK = threading.Lock()\ndef train(context):\n    with LOCK:\n        return context\n"
    (tmp_path / "my_locked.py").write_text(locked)
    (tmp_path / "script.py").write_text(
        "from policysearch.objective import pack\nfrom my_locked import train\nprint(pack(lambda context: train(context)))\n"
    )
    packed = subprocess.run([sys.executable, str(tmp_path / "script.py")], check=True, capture_output=True, text=True)
    code = f"from policysearch.objective import unpack; print(unpack({packed.stdout.strip()!r})(40))"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip() == "40"


TORCH_SCRIPT = """
import torch
from torch.utils.data import Dataset
from policysearch.objective import pack
class Own(Dataset):
    classes = ("a", "b")
    def __len__(self):
        return len(self.classes) + len(torch.zeros(1))
def fn(context):
    return len(Own()), len(dir(torch.ops))
print(pack(fn))
"""


def test_a_script_that_says_classes_or_ops_beside_torch_travels(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(TORCH_SCRIPT)
    packed = subprocess.run([sys.executable, str(tmp_path / "script.py")], check=True, capture_output=True, text=True)
    code = f"from policysearch.objective import unpack; print(unpack({packed.stdout.strip()!r})(None)[0])"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip() == "3"


def test_packing_leaves_no_trace() -> None:
    import cloudpickle

    before = set(cloudpickle.list_registry_pickle_by_value())
    assert unpack(pack(lambda value: value + 1))(1) == 2
    assert set(cloudpickle.list_registry_pickle_by_value()) == before


def test_a_module_of_ones_own_may_be_loaded_under_two_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "twice_named.py").write_text("def train(context):\n    return 1, 2\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import twice_named  # type: ignore[import-not-found]

    monkeypatch.setitem(sys.modules, "another_name", twice_named)
    try:
        assert unpack(pack(twice_named.train))(None) == (1, 2)
    finally:
        del sys.modules["twice_named"]
