"""What `export` says and refuses, and the parity table for people."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from policysearch.cli.exporting import export
from policysearch.cli.parity_table import WIDTH, parity_lines
from searchspaces.errors import BadInput
from searchspaces.export.parity import WHOLE, Row, parity
from searchspaces.zoo import read_zoo

EQUAL = [Row("json", op, 0, 0.0, "policysearch") for op in ("rotate", "invert", WHOLE)]
OFF = [Row("timm", "rotate", 90, 0.002, "timm, in PIL"), Row("timm", "invert", 0, 0.0, "timm, in PIL")]
REFUSED = Row(
    "longer name", WHOLE, None, None, "x", "form 'longer name': it can't say " + ", ".join(["albumentations:CLAHE"] * 20)
)


def exported(*words: str) -> Result:
    return CliRunner().invoke(export, ["zoo:trivialaugment-wide", *words])


@pytest.mark.parametrize("name", ["albumentations", "torch", "numpy", "PIL", "random", "json", "policysearch", "searchspaces"])
def test_a_file_that_would_hide_a_library_is_refused(tmp_path: Path, name: str) -> None:
    found = exported("--to", "torchvision", "-o", str(tmp_path / f"{name}.py"))
    assert isinstance(found.exception, BadInput)
    assert f"the library {name}" in str(found.exception) and str(tmp_path / f"my_{name}.py") in str(found.exception)
    assert list(tmp_path.iterdir()) == []


def test_names_that_hide_nothing_are_written_again_and_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))  # as with `python -m policysearch`
    for name in ("augment.py", "augment.py", "my-policy.py", "torch.v2.py"):
        assert exported("--to", "torchvision", "-o", name).exit_code == 0
    (tmp_path / "deeper").mkdir()
    assert exported("--to", "torchvision", "-o", "deeper/augment.py").exit_code == 0
    assert exported("-o", "torch.json").exit_code == 0


def test_mixing_is_told_with_the_collate_that_there_is(tmp_path: Path) -> None:
    CliRunner().invoke(export, ["zoo:uniformaugment", "-o", str(tmp_path / "p.json")])
    content = json.loads((tmp_path / "p.json").read_text())
    content["policy"]["batch"] = {"mixup_alpha": 0.2}
    source, target = tmp_path / "mixed.json", tmp_path / "mixed.py"
    source.write_text(json.dumps(content))
    told = CliRunner().invoke(export, [str(source), "--to", "torchvision", "-o", str(target)]).output
    assert "the file's collate(classes)" in told and "def collate(classes)" in target.read_text()
    told = CliRunner().invoke(export, [str(source), "-o", str(tmp_path / "again.json")]).output
    assert "load_policy(the policy's JSON file).collate(classes)" in told


def test_parity_writes_no_file_and_says_so() -> None:
    found = exported("--parity", "-o", "x.json")
    assert found.exit_code == 2 and "--parity writes no file" in found.output


def test_parity_of_one_form_compares_that_alone() -> None:
    file = read_zoo("trivialaugment-wide")
    assert {row.form for row in parity(file, "json")} == {"json"}
    with pytest.raises(BadInput, match="form 'json': nothing of it can be compared"):
        parity(file, "json", standalone=True)
    with pytest.raises(BadInput, match="did you mean 'torchvision'"):
        parity(file, "torchvison")


def test_a_form_that_is_equal_is_one_line() -> None:
    head, line, blank, *told = parity_lines(EQUAL)
    assert line.split() == ["json", "yes", "0", "0.00%", "policysearch"]
    assert head.index("computed") == line.index("policysearch") and blank == ""
    assert " ".join(told).startswith("Compared: 2 ops, each by itself (rotate, invert), then the whole policy (all).")


def test_a_form_that_is_off_has_its_worst_figures_and_the_ops_that_are_off() -> None:
    lines = list(parity_lines([*EQUAL, *OFF]))
    at = next(number for number, line in enumerate(lines) if line.startswith("timm"))
    assert lines[at].split()[:4] == ["timm", "no", "90", "0.20%"]
    assert lines[at + 1].split() == ["rotate", "no", "90", "0.20%"]
    assert lines[at + 2] == ""  # the op that is equal has no line


def test_a_form_that_is_off_by_little_is_never_told_as_none() -> None:
    rows = [Row("off", "rotate", 1, 0.00001, "us"), Row("off", WHOLE, 0, 0.0, "us")]
    told = list(parity_lines(rows))
    assert [line.split()[1:4] for line in told[1:3]] == [["no", "1", "<0.01%"]] * 2


def test_a_refusal_is_told_within_the_width_under_its_column() -> None:
    lines = list(parity_lines([*EQUAL, REFUSED]))
    assert max(map(len, lines)) <= WIDTH
    at = next(number for number, line in enumerate(lines) if line.startswith("longer name"))
    assert "form 'longer name'" not in lines[at] and "it can't say" in lines[at]
    assert lines[at + 1].index("albumentations:CLAHE") == lines[at].index("it can't say")


def test_where_every_form_refuses_nothing_is_called_compared() -> None:
    assert list(parity_lines([REFUSED]))[-1] == "Nothing was compared."
