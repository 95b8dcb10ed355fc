"""`load_policy`: from a file or the zoo, light, and with what is wrong in one line."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

import searchspaces
from searchspaces import load_policy
from searchspaces.errors import BadInput
from searchspaces.policy import Base, Policy
from searchspaces.policy_json import write_policy_file
from searchspaces.zoo import read_zoo

HEAVY = {
    "ray",
    "mlflow",
    "optuna",
    "albumentations",
    "sqlalchemy",
    "matplotlib",
    "jinja2",
    "click",
    "rich",
    "pandas",
    "jsonschema",
}


def test_a_file_and_its_provenance(tmp_path: Path) -> None:
    path = tmp_path / "policy.json"
    write_policy_file(path, Policy(Base(hflip=1.0)), {"study": "mine"})
    for given in (path, str(path)):
        loaded = load_policy(given)
        assert loaded.policy == Policy(Base(hflip=1.0))
        assert loaded.provenance == {"study": "mine"}
    image = torch.arange(12, dtype=torch.uint8).view(1, 3, 4)
    assert torch.equal(load_policy(path).to_torchvision()(image), image.flip(2))


def test_a_written_form_is_what_export_writes(tmp_path: Path) -> None:
    loaded = load_policy("zoo:trivialaugment-wide")
    write_policy_file(tmp_path / "policy.json", loaded.policy, loaded.provenance)
    assert loaded.written("json") == (tmp_path / "policy.json").read_text()
    with pytest.raises(BadInput, match=r"^form 'json': it has no standalone file; "):
        loaded.written("json", standalone=True)
    with pytest.raises(BadInput, match=r"^form 'csv': there is none of this name; known are albumentations, json, "):
        loaded.written("csv")


def test_the_zoo_by_name() -> None:
    assert load_policy("zoo:trivialaugment-wide").policy == read_zoo("trivialaugment-wide").policy
    with pytest.raises(BadInput, match="no policy is called 'trivial'"):
        load_policy("zoo:trivial")


def test_a_missing_file_is_one_line() -> None:
    with pytest.raises(BadInput, match=r"^policy file nowhere\.json: no such file; give the path of a policy\.json$"):
        load_policy("nowhere.json")


def test_the_front_door_lists_what_it_has() -> None:
    assert set(searchspaces.__all__) <= set(dir(searchspaces))
    assert all(getattr(searchspaces, name) is not None for name in searchspaces.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = searchspaces.nothing


@pytest.mark.parametrize(
    ("code", "also_absent"),
    [
        ("import searchspaces", {"torch", "numpy", "torchvision"}),
        (
            "from searchspaces import spaces; spaces.randaugment().cells(); spaces.photometric(channels=1).to_dict()",
            {"torchvision"},
        ),
        (
            "import torch; from searchspaces import load_policy\n"
            "load_policy('zoo:trivialaugment-wide').to_torchvision()(torch.zeros(3, 8, 8, dtype=torch.uint8))",
            {"torchvision"},
        ),
    ],
    ids=["the package", "spaces", "load_policy and its transform"],
)
def test_imports_stay_light(code: str, also_absent: set[str]) -> None:
    """In a fresh interpreter. Torchvision costs seconds of import and is not needed to augment."""
    asked = f"{code}\nimport sys; print(*sorted(sys.modules.keys() & {HEAVY | also_absent!r}))"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_the_light_import_test_can_fail() -> None:
    asked = f"import click, sys; print(*sorted(sys.modules.keys() & {HEAVY!r}))"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["click"]
