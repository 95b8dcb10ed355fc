"""What a search says when it is over, of a study in a real ledger."""

from pathlib import Path

import pytest
from study_fixture import StudyInLedger

from dashboards.queries import read_study
from policysearch.cli.ending import print_ending
from searchspaces.policy import Base, Branch, Policy

OLDER = "the best policy when the test set was opened"


def test_a_test_error_of_an_earlier_best_is_not_passed_off_as_the_best_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = StudyInLedger(tmp_path)
    made.add_baselines()
    made.disclose()
    print_ending(read_study(made.ledger, made.name), None)
    assert OLDER not in capsys.readouterr().out
    made.add_searched(1, best_error=0.02)
    print_ending(read_study(made.ledger, made.name), None)
    assert OLDER in capsys.readouterr().out


def test_the_errors_of_long_names_stand_in_one_column(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = StudyInLedger(tmp_path)
    made.add_baselines()
    label = "mixture:ops=albumentations:CLAHE/gamma/jpeg/rotate+geometry #5"
    made.finish(made.add("trial", label, {}, Policy(Base(hflip=0.25), (Branch(()),))), 0.13)
    print_ending(read_study(made.ledger, made.name), None)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.endswith(")") and "% wrong (" in line]
    assert len(lines) == 6 and any(label in line for line in lines)
    assert len({line.index("% wrong") for line in lines}) == 1
