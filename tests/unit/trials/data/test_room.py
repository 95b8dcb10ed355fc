"""Prepared images are bounded on disk: the longest unused go first and whole, what is in use or spared stays."""

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from trials.data import Source, prepare
from trials.data.room import DEFAULT_GB, VARIABLE, in_use, kept_sets, limit_bytes, make_room

Refused = Callable[..., AbstractContextManager[None]]
MakeNpz = Callable[..., Path]
BYTES = 1000
HOLD = "import sys, time; from pathlib import Path; from trials.data.room import in_use\n"
HOLD += "use = in_use(Path(sys.argv[1]), sys.argv[2]); print('held', flush=True); time.sleep(60)"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Four sets of 1 kB each, `a` the longest unused, half of each held out."""
    for age, key in enumerate("dcba"):
        for folder in ("data", "heldout"):
            (tmp_path / folder / key).mkdir(parents=True)
            (tmp_path / folder / key / "array.npy").write_bytes(bytes(BYTES // 2))
        in_use(tmp_path, key).release()
        os.utime(tmp_path / "prepared/in-use" / key, (2e9 - age, 2e9 - age))
    return tmp_path


def left(home: Path) -> str:
    keys = [sorted(path.name for path in (home / folder).iterdir() if path.is_dir()) for folder in ("data", "heldout")]
    assert keys[0] == keys[1], "a set goes whole"
    return "".join(keys[0])


@pytest.mark.parametrize(
    ("most_bytes", "expected"), [(4 * BYTES, "abcd"), (4 * BYTES - 1, "bcd"), (2 * BYTES, "cd"), (1999, "d"), (0, "")]
)
def test_the_longest_unused_go_first_and_no_more_than_need_be(most_bytes: int, expected: str, home: Path) -> None:
    removed = make_room(home, most_bytes)
    assert left(home) == expected
    assert "".join(one.key for one in removed) == "abcd"[: 4 - len(expected)]
    assert {one.size_bytes for one in removed} <= {BYTES}


def test_what_is_used_here_or_in_another_process_stays(home: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, str(home), "b"], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        use = in_use(home, "a")
        assert {one.key for one in kept_sets(home) if one.is_used} == {"a", "b"}
        make_room(home, 0)
        assert left(home) == "ab"
        use.release()
        other.kill()
    make_room(home, 0)
    assert left(home) == "", "a hold goes with its process, however that ends"


def test_what_is_spared_stays(home: Path) -> None:
    make_room(home, 1500, {"a", "d"})
    assert left(home) == "ad"


def test_what_is_opened_stays_readable_when_it_is_removed(make_npz: MakeNpz, tmp_path: Path) -> None:
    from trials.data import open_split

    home = tmp_path / "home"
    prepared = prepare(Source(str(make_npz())), home)
    make_room(home, 0)
    assert prepared.directory.is_dir(), "in use for as long as the value lives"
    split, directory = open_split(prepared.directory, "train"), prepared.directory
    before = split.images.sum()
    del prepared
    make_room(home, 0)
    assert not directory.exists()
    assert split.images.sum() == before
    assert prepare(Source(str(make_npz())), home).directory.is_dir()


def test_a_limit_is_a_number_of_gigabytes(monkeypatch: pytest.MonkeyPatch, refused: Refused) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert limit_bytes() == DEFAULT_GB * 1e9
    monkeypatch.setenv(VARIABLE, "0.5")
    assert limit_bytes() == 500_000_000
    for wrong in ("much", "-1", "nan", "inf"):
        monkeypatch.setenv(VARIABLE, wrong)
        with refused(VARIABLE, wrong, "gigabytes"):
            limit_bytes()
