"""Compiled kernels are kept and come back sound, or are made again, whatever happens to the files and however many start."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from numba import config

from searchspaces.engines.fused import keeping, loading

TEXT = "text of a module\n"

LOAD = """
import json, logging, os, sys, numpy as np
from pathlib import Path
logging.disable()
from searchspaces.engines.fused.generating import generate
from searchspaces.engines.fused.loading import load
from searchspaces.ops import find_op
{before}
found = load(generate([find_op("invert")]), Path(sys.argv[1]))
images, out = np.arange(48, dtype=np.uint8).reshape(1, 3, 4, 4), np.zeros((1, 3, 4, 4), np.uint8)
index, none = np.zeros(1, np.int64), np.zeros(0, np.float32)
numbers = np.array([[found.numbers["invert"]]], np.int32)
values, seeds = np.ones((1, 1, 1)), np.zeros((1, 1), np.int64)
floats, room, scratch = np.zeros((0, 0), np.float32), np.zeros((2, 3, 4, 4), np.uint8), np.zeros(4096, np.int32)
found.run(images, index, index, numbers, values, seeds, 0, False, 0, out, floats, none, none, room, scratch, 0, 1)
hits = sum(found.run.stats.cache_hits.values())
print(json.dumps([found.compiled, str(found.directory), hits, bool((out == 255 - images).all())]))
"""


def start(home: Path, before: str = "") -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", LOAD.format(before=before), str(home)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def loaded(process: "subprocess.Popen[str]") -> tuple[bool, Path, int]:
    """Whether a process compiled, where its kernels were, and how many functions it found compiled; its pixels were right."""
    out, err = process.communicate(timeout=250)
    assert process.returncode == 0, err
    compiled, directory, hits, right = json.loads(out)
    assert right
    return compiled, Path(directory), hits


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    """A directory as compiling leaves it, but for what is in the files."""
    directory = tmp_path / "kernels" / "key"
    keeping.make_directory(directory)
    keeping.write_module(directory, TEXT)
    (directory / "__pycache__").mkdir()
    for name in ("run.nbi", "run.1.nbc"):
        (directory / "__pycache__" / name).write_bytes(b"machine code")
    assert not keeping.is_sound(directory, TEXT)
    keeping.seal(directory, 1.5)
    assert keeping.is_sound(directory, TEXT) and keeping.compile_seconds(directory) == 1.5
    return directory


def flip_a_byte(directory: Path) -> None:
    file = directory / "__pycache__" / "run.1.nbc"
    file.write_bytes(file.read_bytes()[:-1] + b"x")


DAMAGE: dict[str, Callable[[Path], object]] = {
    "a byte of the machine code": flip_a_byte,
    "cut short": lambda directory: os.truncate(directory / "__pycache__" / "run.nbi", 3),
    "machine code gone": lambda directory: (directory / "__pycache__" / "run.1.nbc").unlink(),
    "machine code more": lambda directory: (directory / "__pycache__" / "more.nbc").write_bytes(b""),
    "another module": lambda directory: (directory / keeping.MODULE_FILE).write_text("import os\n"),
    "killed before the end": lambda directory: (directory / keeping.MANIFEST).unlink(),
    "manifest cut": lambda directory: os.truncate(directory / keeping.MANIFEST, 20),
    "manifest of another kind": lambda directory: (directory / keeping.MANIFEST).write_text("[]"),
    "others may write": lambda directory: directory.chmod(0o777),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_what_was_damaged_is_not_sound(sealed: Path, damage: str) -> None:
    DAMAGE[damage](sealed)
    assert not keeping.is_sound(sealed, TEXT)


def test_a_directory_that_others_may_write_to_is_refused(sealed: Path) -> None:
    sealed.chmod(0o770)
    with pytest.raises(PermissionError, match="can be written to by others"):
        keeping.make_directory(sealed)


def test_kernels_are_kept_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("POLICYSEARCH_KERNELS", str(tmp_path / "kernels"))
    monkeypatch.setenv("POLICYSEARCH_HOME", str(tmp_path / "home"))
    assert keeping.kernel_home() == tmp_path / "kernels"
    monkeypatch.delenv("POLICYSEARCH_KERNELS")
    assert keeping.kernel_home() == tmp_path / "home" / "kernels"
    monkeypatch.delenv("POLICYSEARCH_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    assert keeping.kernel_home() == tmp_path / "caches" / "policysearch" / "kernels"
    assert not any(tmp_path.iterdir())


def test_other_text_or_other_wishes_of_numba_are_other_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    key = keeping.key_of("a")
    assert key == keeping.key_of("a") != keeping.key_of("b")
    monkeypatch.setenv("NUMBA_CACHE_DIR", "somewhere")
    assert key == keeping.key_of("a")
    monkeypatch.setenv("NUMBA_BOUNDSCHECK", "1")
    assert key != keeping.key_of("a")


def test_machine_code_lies_where_it_is_vouched_for_wherever_numba_is_told_to_cache(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("numba.config.CACHE_DIR", str(tmp_path / "elsewhere"))
    text = 'from numba import njit\n\n\n@njit("int64(int64)", cache=True)\ndef run(level):\n    return level + 1\n'
    directory = tmp_path / "kept"
    keeping.make_directory(directory)
    keeping.write_module(directory, text)
    module = loading._import("policysearch_kernels_of_a_test", directory, text)
    monkeypatch.delitem(sys.modules, "policysearch_kernels_of_a_test")
    assert module.run(1) == 2
    keeping.seal(directory, 0.1)
    assert keeping.is_sound(directory, text)
    assert not (tmp_path / "elsewhere").exists()
    assert vars(config)["CACHE_DIR"] == str(tmp_path / "elsewhere")


@pytest.mark.slow
def test_of_processes_that_start_at_once_one_compiles_and_later_ones_load(tmp_path: Path) -> None:
    together = [loaded(process) for process in [start(tmp_path) for _ in range(3)]]
    assert sorted(compiled for compiled, _, _ in together) == [False, False, True]
    assert [compiled for compiled, _, hits in together if hits == 0] == [True]
    (directory,) = {directory for _, directory, _ in together}
    assert directory.parent == tmp_path
    assert loaded(start(tmp_path)) == (False, directory, 1)
    for file in directory.rglob("*.nbc"):
        file.write_bytes(file.read_bytes()[:-9])
    assert loaded(start(tmp_path))[0]
    assert loaded(start(tmp_path)) == (False, directory, 1)
    # Kept by somebody who may write, and read by somebody who may not: a copy is loaded, nothing is compiled.
    compiled, elsewhere, hits = loaded(start(tmp_path, before="os.access = lambda path, mode: False"))
    assert (compiled, hits) == (False, 1)
    assert elsewhere != directory and not elsewhere.exists()


@pytest.mark.slow
def test_where_nothing_can_be_kept_the_process_compiles_for_itself(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    compiled, directory, _ = loaded(start(tmp_path / "file" / "kernels"))
    assert compiled
    assert tmp_path not in directory.parents and not directory.exists()
