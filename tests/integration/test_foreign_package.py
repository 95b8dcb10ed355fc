"""A package of somebody else's, really installed: its op, family and exporter are used like our own, with no edit here."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from search_fixture import FREE, NO_MIRROR, SEARCH_ALONE_OPTIONS, write_bars

ROOT = Path(__file__).parents[2]
PROJECT = {
    "pyproject.toml": """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "policysearch-stripes"
version = "0.3"
[project.entry-points."policysearch.ops"]
stripes = "stripes"
[project.entry-points."policysearch.families"]
stripes = "stripes"
[project.entry-points."policysearch.exporters"]
stripes = "stripes.to_shout"
[tool.setuptools]
packages = ["stripes"]
""",
    "stripes/__init__.py": '"""Nothing is declared here."""\n',
    "stripes/striping.py": '''
"""An op that brightens every second row."""
from searchspaces.ops.op import Op, Parameter


def stripes(images, values, setting):
    """Every second row, from the first, so many levels brighter, up to 255."""
    brighter = images.clone()
    added = images[:, :, ::2].int() + values[:, 0].int().view(-1, 1, 1, 1)
    brighter[:, :, ::2] = added.clamp(0, 255).to(images.dtype)
    return brighter


OPS = (
    Op(
        name="stripes",
        meaning="cut(v + levels) in rows 0, 2, 4 and so on",
        parameters=(Parameter("levels", "levels", identity=0.0, low=0.0, high=255.0, whole=True),),
        kind="tone",
        kernel=stripes,
        source="a test",
    ),
)
''',
    "stripes/striping_space.py": '''
"""A family with that op."""
from functools import partial

from searchspaces.families.family import Family
from searchspaces.policy import Branch, Choice, Constant, Policy, Step
from searchspaces.space import SearchSpace, Whole


def build(channels, base):
    return SearchSpace("striped", (Whole("levels", 100, 200, step=100),), partial(decode, base))


def decode(base, params):
    return Policy(base, (Branch((Step((Choice("stripes", (Constant(float(params["levels"])),)),)),)),))


FAMILY = Family("striped", "stripes of one strength", "a test", build)
''',
    "stripes/to_shout.py": '''
"""A form that says the ops aloud."""
from searchspaces.export.exporter import Exporter

EXPORTER = Exporter("shout", "the ops, aloud", lambda file: "!".join(file.policy.ops).upper() + "!", "print(open({path}).read())")
''',
}

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that pip has installed the package into, without a network."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("installed")
    for name, text in PROJECT.items():
        (source / name).parent.mkdir(exist_ok=True)
        (source / name).write_text(text)
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--disable-pip-version-check",
        "install",
        "--no-build-isolation",
        "--no-deps",
        "--no-index",
    ]
    done = subprocess.run([*pip, "--target", str(target), str(source)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return target


@pytest.fixture
def python(installed: Path, tmp_path: Path) -> Run:
    """Runs Python in a home of its own, with the package to be found or without."""

    def run(*arguments: object, having: bool = True) -> subprocess.CompletedProcess[str]:
        places = [str(ROOT), *([str(installed)] if having else [])]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(places), "POLICYSEARCH_HOME": str(tmp_path / "home")}
        environment |= NO_MIRROR
        command = [sys.executable, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=tmp_path)

    return run


def names(ran: subprocess.CompletedProcess[str]) -> set[str]:
    assert ran.returncode == 0, ran.stderr
    return {fact["name"] for fact in json.loads(ran.stdout)}


@pytest.mark.slow
def test_it_is_listed_while_it_is_installed(python: Run) -> None:
    for command, name in (("ops", "stripes"), ("spaces", "striped")):
        ours = names(python("-m", "policysearch", command, "--json", having=False))
        assert names(python("-m", "policysearch", command, "--json")) == ours | {name}
    shown = python("-m", "policysearch", "export", "--help")
    assert "shout" in shown.stdout and "the ops, aloud" in shown.stdout


@pytest.mark.slow
def test_it_is_searched_exported_and_loaded(python: Run, tmp_path: Path) -> None:
    data = write_bars(tmp_path / "bars.npz")
    searched = python(
        *("-m", "policysearch", "search", "--data", data, "--space", "striped", "--study", "mine", "--sampler", "grid"),
        *("--trials", 2, "--epochs", 1, *SEARCH_ALONE_OPTIONS),
    )
    assert searched.returncode == 0, searched.stderr
    trials = json.loads(python("-m", "policysearch", "status", "mine", "--json").stdout)
    assert [trial["state"] for trial in trials] == ["done"] * (1 + FREE + 2), "the rehearsal too"
    assert [trial["role"] for trial in trials].count("trial") == 2
    exported = python("-m", "policysearch", "export", "mine", "--to", "shout", "-o", "said.txt")
    assert exported.returncode == 0, exported.stderr
    assert (tmp_path / "said.txt").read_text().endswith("!")


POLICY = """
import sys, torch
from policysearch import load_policy
from searchspaces import spaces
from searchspaces.policy import Base
from searchspaces.policy_json import write_policy_file

write_policy_file("striped.json", spaces.striped(base=Base()).decode({"levels": 100}), {})
image = torch.full((3, 4, 4), 60, dtype=torch.uint8)
striped = load_policy("striped.json").to_torchvision()(image)
print(striped[0].tolist())
albumentations = load_policy("striped.json").to_albumentations()(image=image.permute(1, 2, 0).numpy())["image"]
print(bool((torch.from_numpy(albumentations).permute(2, 0, 1) == striped).all()))
print(load_policy("striped.json").written("shout"))
"""


@pytest.mark.slow
def test_its_policies_are_files_transforms_and_its_own_form(python: Run, tmp_path: Path) -> None:
    ran = python("-c", POLICY)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines() == [str([[160] * 4, [60] * 4] * 2), "True", "STRIPES!"]
    exported = python("-m", "policysearch", "export", "striped.json", "--to", "shout", "-o", "said.txt")
    assert exported.returncode == 0, exported.stderr
    assert exported.stdout == "said.txt: load it with print(open('said.txt').read())\n"
    assert (tmp_path / "said.txt").read_text() == "STRIPES!"

    exported = python("-m", "policysearch", "export", "striped.json", "--to", "torchvision", "--standalone", "-o", "alone.py")
    assert exported.returncode == 0, exported.stderr
    used = "import runpy, torch\nprint(runpy.run_path('alone.py')['transform'](60 + torch.zeros(3, 4, 4).byte())[0, 0, 0])"
    assert python("-c", used, having=False).stdout == "tensor(160, dtype=torch.uint8)\n"

    without = python("-m", "policysearch", "export", "striped.json", "-o", "again.json", having=False)
    assert (without.returncode, without.stderr.count("\n")) == (2, 1)
    assert "op 'stripes': there is none of this name" in without.stderr
    assert not (tmp_path / "again.json").exists()
