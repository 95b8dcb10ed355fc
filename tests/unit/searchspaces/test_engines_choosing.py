"""Which engine does what, and that it shows in nothing but the time: mixed batches, threads, picked and normalised batches."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from searchspaces.draw import draw
from searchspaces.engines import FUSED, GROUPED, agreement, apply, apply_normalised, grouped
from searchspaces.errors import BadInput
from searchspaces.families.fixed import baselines
from searchspaces.plan import Plan
from searchspaces.policy import Base, PadCrop

IMAGES = np.random.default_rng(3).integers(0, 256, (24, 3, 12, 20), dtype=np.uint8)
BATCH = torch.from_numpy(IMAGES)
MEAN, SCALE = np.array([120, 110, 100], np.float32), np.array([0.02, 0.017, 0.0151], np.float32)


def policy_plan(seed: int = 0) -> Plan:
    policy = baselines(3, Base(crop=PadCrop(0.125), hflip=0.5))["trivialaugment-wide"]
    return draw(policy, IMAGES.shape, np.random.default_rng(seed))


def with_jpeg(rows: list[int]) -> Plan:
    """Every image but two inverted, these through JPEG as well."""
    codes = np.zeros((len(IMAGES), 2), np.int16)
    codes[:, 0] = 1
    codes[[0, 13], 0] = 0
    codes[rows, 1] = 2
    values = np.tile(np.array([[1.0], [30.0]]), (len(IMAGES), 1, 1))
    return Plan(("identity", "invert", "jpeg"), codes, values)


def normalised(plan: Plan, index: np.ndarray, channels_last: bool) -> torch.Tensor:
    """The slow way: picked, augmented by the other engine, normalised."""
    levels = grouped.apply(torch.from_numpy(IMAGES[index]), plan).to(torch.float32)
    done = (levels - torch.from_numpy(MEAN).view(1, 3, 1, 1)) * torch.from_numpy(SCALE).view(1, 3, 1, 1)
    return done.contiguous(memory_format=torch.channels_last if channels_last else torch.contiguous_format)


@pytest.mark.parametrize(("rows", "wanted"), [([], {FUSED}), ([5, 11, 23], {FUSED, GROUPED}), (list(range(24)), {GROUPED})])
def test_images_that_need_the_other_engine_take_it_and_the_rest_stay_fused(rows: list[int], wanted: set[str]) -> None:
    plan, ran = with_jpeg(rows), set[str]()
    assert torch.equal(apply(BATCH, plan, ran=ran), grouped.apply(BATCH, plan))
    assert ran == wanted
    index, ran = np.random.default_rng(1).permutation(len(IMAGES)), set()
    found = apply_normalised(IMAGES, index, plan, MEAN, SCALE, True, ran=ran)
    assert torch.equal(found, normalised(plan, index, True))
    assert ran == wanted


@pytest.mark.parametrize("threads", [1, 2, 5, 24, 60])
def test_any_number_of_threads_gives_the_same(threads: int) -> None:
    plan, index = policy_plan(), np.arange(len(IMAGES))[::-1]
    assert torch.equal(apply(BATCH, plan, threads=threads), grouped.apply(BATCH, plan))
    found = apply_normalised(IMAGES, index, plan, MEAN, SCALE, False, threads=threads)
    assert torch.equal(found, normalised(plan, index, False))


def test_callers_in_many_threads_do_not_meet() -> None:
    plans = [policy_plan(seed) for seed in range(24)]
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda plan: apply(BATCH, plan, threads=2), plans))
    assert all(torch.equal(one, grouped.apply(BATCH, plan)) for one, plan in zip(found, plans, strict=True))


@pytest.mark.parametrize("channels_last", [True, False])
@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_normalised_batches_of_any_channels_are_written_where_asked(channels: int, channels_last: bool) -> None:
    images = np.random.default_rng(3).integers(0, 256, (6, channels, 7, 5), dtype=np.uint8)
    mean, scale = np.linspace(90, 130, channels, dtype=np.float32), np.linspace(0.01, 0.02, channels, dtype=np.float32)
    index = np.array([4, 4, 0])
    memory_format = torch.channels_last if channels_last else torch.contiguous_format
    out = torch.full((3, channels, 7, 5), 7.0).contiguous(memory_format=memory_format)
    idle = Plan(("identity",), np.zeros((3, 2), np.int16), np.zeros((3, 2, 1)))
    found = apply_normalised(images, index, idle, mean, scale, channels_last, out=out)
    wanted = (images[index].astype(np.float32) - mean[:, None, None]) * scale[:, None, None]
    assert found is out
    assert np.array_equal(out.numpy(), wanted)


def test_an_index_that_names_no_image_is_an_error_and_reads_nothing() -> None:
    idle = Plan(("identity",), np.zeros((2, 1), np.int16), np.zeros((2, 1, 1)))
    for index in ([0, 24], [-1, 0]):
        with pytest.raises(IndexError, match="there are 24 images"):
            apply_normalised(IMAGES, np.array(index), idle, MEAN, SCALE, True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"index": [0, 1]}, "index: list; allowed is "),
        ({"index": np.array([0.7, 1.2])}, "index: float64 of shape (2,); "),
        ({"index": np.array([True, True])}, "index: bool of shape (2,); "),
        ({"index": np.array([[0, 1], [1, 0]])}, "index: int64 of shape (2, 2); "),
        ({"mean": MEAN[:1]}, "mean: of shape (1,); allowed is one number for each of the 3 channels"),
        ({"scale": SCALE[:, None]}, "scale: of shape (3, 1); "),
        ({"out": torch.empty(2, 3, 12, 20, dtype=torch.float64)}, "out: torch.float64 of shape (2, 3, 12, 20) on cpu"),
        ({"out": torch.empty(1, 3, 12, 20)}, "out: torch.float32 of shape (1, 3, 12, 20)"),
        ({"out": torch.empty(3, 3, 12, 20)}, "out: torch.float32 of shape (3, 3, 12, 20)"),
        ({"out": torch.empty(2, 3, 12, 19)}, "out: torch.float32 of shape (2, 3, 12, 19)"),
        ({"out": torch.empty(2, 3, 12, 20).to(memory_format=torch.channels_last)}, "out: torch.float32 of shape (2, 3, 12, 20)"),
        ({"out": torch.empty(2, 3, 12, 20), "channels_last": True}, "out: torch.float32 of shape (2, 3, 12, 20)"),
    ],
    ids=lambda part: str(part)[:40],
)
@pytest.mark.parametrize("engine", ["fused", "grouped"])
def test_what_would_be_read_or_written_past_its_end_is_refused(
    changes: dict[str, Any], message: str, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POLICYSEARCH_ENGINE", engine)
    idle = Plan(("identity",), np.zeros((2, 1), np.int16), np.zeros((2, 1, 1)))
    sound: dict[str, Any] = {"index": np.arange(2), "plan": idle, "mean": MEAN, "scale": SCALE, "channels_last": False}
    with pytest.raises(BadInput) as refused:
        apply_normalised(IMAGES, **sound | changes)
    assert str(refused.value).startswith(message)


def test_room_of_the_plan_s_resolution_is_written_to() -> None:
    plan, out = replace(policy_plan(), resolution=0.5), torch.empty(24, 3, 6, 10)
    found = apply_normalised(IMAGES, np.arange(24), plan, MEAN, SCALE, False, out=out)
    assert found is out and torch.equal(out, normalised(plan, np.arange(24), False))
    with pytest.raises(BadInput, match=r"^out: .* of shape \(24, 3, 6, 10\) on the CPU$"):
        apply_normalised(IMAGES, np.arange(24), plan, MEAN, SCALE, False, out=torch.empty(24, 3, 12, 20))


@pytest.mark.parametrize("threads", [0, -1, 1.5, True])
def test_threads_are_one_or_more(threads: Any) -> None:
    with pytest.raises(BadInput, match=rf"^threads: {threads}; allowed is 1 or more$"):
        apply(BATCH, policy_plan(), threads=threads)


def test_wishes_about_the_engine_are_met_or_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    plan, ran = policy_plan(), set[str]()
    wanted = grouped.apply(BATCH, plan)
    monkeypatch.setenv("POLICYSEARCH_ENGINE", "grouped")
    assert torch.equal(apply(BATCH, plan, ran=ran), wanted)
    assert torch.equal(
        apply_normalised(IMAGES, np.arange(24), plan, MEAN, SCALE, True, ran=ran), normalised(plan, np.arange(24), True)
    )
    assert ran == {GROUPED}
    monkeypatch.setenv("POLICYSEARCH_ENGINE", "quick")
    with pytest.raises(BadInput, match=r"^\$POLICYSEARCH_ENGINE: 'quick'; allowed are fused and grouped, or leave it away$"):
        apply(BATCH, plan)
    monkeypatch.setenv("POLICYSEARCH_ENGINE", "fused")
    assert torch.equal(apply(BATCH, plan), wanted)
    monkeypatch.setattr("searchspaces.engines.choosing.find_spec", lambda name: None)
    with pytest.raises(BadInput, match="numba can't be used here"):
        apply(BATCH, plan)
    monkeypatch.delenv("POLICYSEARCH_ENGINE")
    ran.clear()
    assert torch.equal(apply(BATCH, plan, ran=ran), wanted)
    assert ran == {GROUPED}


def test_without_compiling_numba_is_of_no_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    ran: set[str] = set()
    apply(BATCH, policy_plan(), ran=ran)
    assert ran == {GROUPED}


def test_the_doctor_s_comparison_finds_what_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    found = agreement.fused_with_grouped()
    assert found.ops == found.equal > 25 and not found.apart
    assert str(found) == f"the same pixels, all {found.ops} ops"

    def mirrored(images: torch.Tensor, plan: Plan) -> torch.Tensor:
        name = plan.code_book[1]
        turned = replace(plan, values=-plan.values) if name == "shear_x" else plan
        done = grouped.apply(images, turned)
        return done ^ 1 if name == "contrast" else done

    monkeypatch.setattr(agreement, "apply", mirrored)
    found = agreement.fused_with_grouped()
    assert len(found.apart) == 1 and found.apart[0].startswith("shear_x (up to ")
    assert found.equal == found.ops - 2
    assert str(found).startswith("NOT the same pixels: shear_x")
