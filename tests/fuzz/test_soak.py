"""Fuzzed policy files are accepted and run, or refused in one line: some at every run, 5,000 in CI, 100,000 by `make soak`."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from fuzz import mutants
from fuzz.soak import Tally, read_cases, soak
from fuzz.verdicts import judge

SEED = 20_250


def assert_clean(tally: Tally, cases: int) -> None:
    assert not tally.failures, "\n".join(tally.failures)
    assert tally.cases == cases


def test_two_hundred_files(tmp_path: Path) -> None:
    tally = soak(SEED, range(200), workers=1, chunk=200, folder=tmp_path)
    assert_clean(tally, 200)
    # Both verdicts, for many reasons: a fuzzer that only makes noise tests nothing but the JSON parser.
    assert 20 < tally.outcomes["accepted"] < 150
    assert len(tally.outcomes) > 12
    assert {kind.__name__ for kind in mutants.KINDS} - set(tally.kinds) <= {"large"}


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_five_thousand_files(tmp_path: Path) -> None:
    tally = soak(1, range(5_000), workers=2, chunk=2_500, folder=tmp_path)
    assert_clean(tally, 5_000)
    assert len(tally.outcomes) > 20


@pytest.mark.slow
def test_the_giants(tmp_path: Path) -> None:
    giants, every = len(mutants.GIANTS), mutants.GIANT_EVERY
    tally = soak(SEED, range(every - 1, giants * every, every), workers=1, chunk=giants, folder=tmp_path)
    assert_clean(tally, giants)
    assert set(tally.kinds) == {f"giant: {giant.__name__}" for giant in mutants.GIANTS}


def test_a_case_is_the_same_for_ever() -> None:
    assert mutants.case(7, 3) == mutants.case(7, 3)
    assert len({mutants.case(7, number)[1] for number in range(60)}) > 50


def test_what_goes_wrong_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that crashes, hangs or says nothing useful is caught: each planted here."""
    import time

    def crashes(path: Path) -> str:
        raise KeyError("planted")

    def hangs(path: Path) -> str:
        time.sleep(5)
        return "accepted"

    monkeypatch.setattr("fuzz.soak.SECONDS_A_CASE", 1)
    for broken, told in ((crashes, "KeyError: 'planted'"), (hangs, "TookTooLong")):
        monkeypatch.setattr("fuzz.verdicts.judge", broken)
        own = tmp_path / broken.__name__
        own.mkdir()
        tally = read_cases(SEED, range(2), own)
        assert len(tally.failures) == 2
        assert told in tally.failures[0]
        assert (tmp_path / f"failed-{SEED}-0.json").exists()


def test_what_a_refusal_must_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from searchspaces.errors import BadInput

    path = tmp_path / "case.json"
    for line in ("two\nlines", f"policy file {path}: no", f"policy file {path}: x; allowed {'y' * 999}", "other: x; allowed y"):

        def says(_: Path, line: str = line) -> None:
            raise BadInput(line)

        monkeypatch.setattr("fuzz.verdicts.read_policy_file", says)
        with pytest.raises(AssertionError):
            judge(path)


@pytest.mark.slow
def test_the_command_line_refuses_in_one_line(tmp_path: Path) -> None:
    """Of each kind one file through the program itself: exit code 2, one line, no traceback."""
    seen: Counter[str] = Counter()
    for number in range(200):
        kind, data = mutants.case(SEED, number)
        path = tmp_path / "case.json"
        path.write_bytes(data)
        refused = kind not in seen and judge(path) != "accepted"
        if not refused:
            continue
        seen[kind] += 1
        command = [sys.executable, "-m", "policysearch", "export", str(path), "-o", str(tmp_path / "out.json")]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        assert ran.returncode == 2, ran.stderr
        assert ran.stderr.count("\n") == 1 and "Traceback" not in ran.stderr
        assert not (tmp_path / "out.json").exists()
    assert len(seen) >= 5
