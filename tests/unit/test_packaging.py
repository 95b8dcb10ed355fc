"""What is shipped: the wheel's contents, one version, bounds that agree with the pins, and a front door that opens at once."""

import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PACKAGES = ("searchspaces", "trials", "policysearch", "dashboards")
HEAVY = {"torch", "torchvision", "numpy", "ray", "mlflow", "optuna", "sqlalchemy", "matplotlib", "jinja2"}

RUN_MAIN = """
import sys
from policysearch.cli import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print(*sys.modules, file=sys.stderr)
"""


def tracked_files() -> list[str]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def pins() -> dict[str, str]:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    return {canonicalize_name(name): pinned for name, _, pinned in (line.partition("==") for line in lines)}


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    settings: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return settings


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from a copy of the tracked files, with the setuptools that is installed (so without a network)."""
    copy, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in tracked_files():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_bytes((ROOT / name).read_bytes())
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "-w", str(out), str(copy)], capture_output=True, check=True)
    return next(out.glob("*.whl"))


def test_the_wheel_holds_every_file_of_the_packages_and_nothing_else(wheel: Path) -> None:
    shipped = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    ours = {name for name in tracked_files() if name.startswith(tuple(f"{package}/" for package in PACKAGES))}
    assert shipped == ours


def test_the_wheel_brings_its_licences(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {"LICENSE", "trials/data/sample/LICENSE"} <= {name.partition("/licenses/")[2] for name in names}


def test_there_is_one_version(wheel: Path, project: dict[str, Any]) -> None:
    said = subprocess.run([sys.executable, "-m", "policysearch", "--version"], capture_output=True, text=True, check=True).stdout
    assert said.split()[-1] == version("policysearch") == project["version"] == wheel.name.split("-")[1]
    assert f"## {project['version']}" in (ROOT / "CHANGELOG.md").read_text()


def test_pins_are_exact_versions_and_nothing_else() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()[1:]
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line)] == []


def test_every_requirement_is_pinned_within_its_bounds(project: dict[str, Any]) -> None:
    extras = project["optional-dependencies"]
    assert set(extras) == {"search", "dev", "postgres", "timm", "datasets"}
    lines = [*project["dependencies"], *(line for extra in extras.values() for line in extra)]
    for requirement in map(Requirement, lines):
        assert requirement.specifier.contains(pins()[canonicalize_name(requirement.name)]), requirement
        assert any(bound.operator == ">=" for bound in requirement.specifier), f"{requirement} has no lower bound"


@pytest.mark.parametrize("arguments", [["--help"], ["search", "--help"], ["--version"]])
def test_the_front_door_imports_nothing_heavy(arguments: list[str]) -> None:
    ran = subprocess.run([sys.executable, "-c", RUN_MAIN, *arguments], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in ran.stderr.split()}
    assert "click" in loaded, "the walk over the modules has seen nothing"
    assert loaded & HEAVY == set()
