"""What the benchmarks conclude from what they see, and that each of them runs at its smallest."""

import io
import json
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """Imports a benchmark by name, as a script beside it does."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    return import_module


def run(script: str, *arguments: object, seconds: float = 280) -> str:
    command = [sys.executable, str(BENCHMARKS / script), *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=seconds).stdout


def test_what_the_grid_lacks_and_what_ran_twice_is_counted(benchmark: Callable[[str], Any]) -> None:
    loop = benchmark("kill_loop_plain")
    executions = [("a", True), ("b", True), ("a", True), ("c", False)]  # in their order, and whether the driver took the result
    words = [(word, key) for key, taken in executions for word in ("started", "finished", "acknowledged")[: 2 + taken]]
    seen = "".join(json.dumps({"word": word, "key": key}) + "\n" for word, key in words)
    found = loop.Experiment("memory", seed=0, trials=2)
    loop.judge(found, seen, ["a", "c"])
    assert (found.executions, found.acknowledged, found.in_grid) == (4, 3, 2)
    assert (found.in_vain, found.missing, found.twice, found.unreachable) == (2, 1, 1, 0)
    loop.judge(stuck := loop.Experiment("sqlite", seed=0, trials=2), seen, None)
    assert (stuck.executions, stuck.unreachable, stuck.missing) == (4, 4, 0)


def test_a_gap_lies_between_two_trials_of_the_same_worker(benchmark: Callable[[str], Any]) -> None:
    overhead = benchmark("overhead")
    first = [f"11 {at} {at + 0.5}" for at in (10.0, 11.0, 12.0, 13.0, 14.0)]  # gaps of 0.5 s
    second = [f"12 {at} {at + 0.5}" for at in (10.1, 10.7, 11.3, 11.9, 12.5)]  # gaps of 0.1 s
    found = overhead._measured("local", 2, [*second, *first], began=4.0, load=0.0, used=0.02)
    assert found.start_seconds == pytest.approx(6.0)
    assert found.gap_seconds == pytest.approx([0.1, 0.5])  # the first three of each worker are left out
    assert found.wall_seconds == pytest.approx((4 * 0.5 + 4 * 0.1) / 10)


def test_only_processes_that_bear_the_mark_are_ended(benchmark: Callable[[str], Any], tmp_path: Path) -> None:
    marked = benchmark("marked_processes")
    ours, others = marked.Marked(), marked.Marked()
    script = "import subprocess, sys; subprocess.Popen(['sleep', '60'], start_new_session=True); sys.exit()"
    stranger = others.start(["sleep", "60"], tmp_path / "log", {})
    try:
        assert ours.start([sys.executable, "-c", script], tmp_path / "log", {}).wait() == 0
        assert len(ours.alive()) == 1, "the child of a process that is gone, in a session of its own"
        assert ours.wait_until_gone(0) == 1
        assert ours.alive() == [] and others.alive() == [stranger.pid]
    finally:
        others.wait_until_gone(0)
        stranger.wait()


def test_memory_is_shared_out_by_the_kernel_and_the_images_are_told_apart(benchmark: Callable[[str], Any]) -> None:
    mappings = ("7f0-7f1 r--s 0 0:1 5  /home/data/a-1/train_images.npy", 900, 300), ("7f2-7f3 rw-p 0 0:0 0", 50, 50)
    text = "".join(f"{head}\nSize: 9 kB\nRss: {rss} kB\nPss: {pss} kB\nVmFlags: rd sh\n" for head, rss, pss in mappings)
    assert benchmark("worker_memory").sizes_of(text, "/home/data/") == (350 * 1024, 300 * 1024, 900 * 1024)


@pytest.mark.slow
def test_the_overhead_of_optuna_and_the_local_driver_is_printed(tmp_path: Path) -> None:
    smallest = ("--repeats", 1, "--trials", 12, "--seconds", 0.01, "--json", tmp_path / "found.json")
    printed = run("overhead.py", "--only", "optuna-memory", "local", *smallest)
    assert "| **policysearch, local driver** | 2 |" in printed
    found = json.loads((tmp_path / "found.json").read_text())["runs"]
    assert [(each["name"], each["workers"]) for each in found] == [("optuna-memory", 1), ("local", 1), ("local", 2)]
    assert all(each["trials"] >= 12 and each["gap_seconds"] for each in found)


@pytest.mark.slow
def test_a_study_of_many_trials_is_taken_up_again_and_timed(tmp_path: Path) -> None:
    printed = run("suggest_speed.py", "--sizes", 40, "--suggestions", 4, "--json", tmp_path / "found.json")
    assert "search, to its next trial" in printed
    search, *samplers = json.loads((tmp_path / "found.json").read_text())["found"]
    assert min(*search["begin"], *search["status"]) > 0
    assert [(each["part"], each["heard"] >= 40, len(each["suggestions"]) >= 4) for each in samplers] == [
        ("tpe", True, True),
        ("random", True, True),
    ]


@pytest.mark.slow
def test_the_kill_loop_ends_and_counts_what_it_saw(tmp_path: Path) -> None:
    smallest = ("--modes", "memory", "--experiments", 1, "--trials", 4, "--patience-seconds", 1)
    printed = run("kill_loop_plain.py", *smallest, "--seed", 1, "--json", tmp_path / "found.json")  # this seed kills once
    (found,) = json.loads((tmp_path / "found.json").read_text())["experiments"]
    assert found["executions"] >= 4 and found["drivers"] > found["kills"]
    assert "| drivers killed |" in printed


def test_a_picture_for_the_readme_is_never_too_large(benchmark: Callable[[str], Any], tmp_path: Path) -> None:
    pictures = benchmark("readme_pictures")
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (500, 700, 3), dtype=np.uint8))
    file = io.BytesIO()
    noise.save(file, "PNG")
    assert file.tell() > pictures.MOST_BYTES
    pictures.keep(file.getvalue(), tmp_path / "noise.png")
    assert (tmp_path / "noise.png").stat().st_size < pictures.MOST_BYTES
    assert Image.open(tmp_path / "noise.png").size == (700, 500)
