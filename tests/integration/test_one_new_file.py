"""A new op is one new file, and a new family is one new file: nothing else is edited, and all that follows a table follows them.

Done for real: the repository is copied, two files are added, and the contract tests, the commands and `make docs` run from there.
"""

import filecmp
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
FOLDERS = ("searchspaces", "trials", "policysearch", "dashboards", "tests", "docs")
CACHES = ("__pycache__", "*.egg-info", ".pytest_cache", ".hypothesis")
NEW_FILES = {"searchspaces/ops/floor.py", "searchspaces/families/floors.py"}
GENERATED = {"docs/ops.md", "docs/images/ops.png", "searchspaces/policy.schema.json"}

NEW_OP = '''\
"""Lifting the darkest levels: no level is below a floor. Exact on every device."""

from typing import Any

import numpy as np
import torch

from searchspaces.arrays import ImageBatch, PerImageValues
from searchspaces.ops.op import Op, Parameter, Setting, Span


def lifted(images: ImageBatch, values: PerImageValues, setting: Setting) -> ImageBatch:
    """Levels below the floor become the floor."""
    return torch.maximum(images, values[:, 0].to(torch.uint8).view(-1, 1, 1, 1))


def lifted_fused(image: Any, out: Any, values: Any, fill: int, bilinear: bool, seed: int, scratch: Any) -> None:
    """`lifted` of one image."""
    lowest = np.uint8(values[0])
    channels, height, width = image.shape
    for channel in range(channels):
        for row in range(height):
            for column in range(width):
                out[channel, row, column] = max(image[channel, row, column], lowest)


def lifted_in_numpy(image: Any, values: tuple[float, ...], fill: int, bilinear: bool, seed: int) -> Any:
    """`lifted` of one image in plain numpy."""
    return np.maximum(image, np.uint8(values[0]))


def lifted_reference(image: Any, values: tuple[float, ...], setting: Setting) -> Any:
    """Torch's clamp."""
    return image.clamp(min=int(values[0]))


OPS = (
    Op(
        name="floor",
        meaning="max(v, levels)",
        parameters=(Parameter("levels", "levels", identity=0.0, low=0.0, high=100.0, whole=True),),
        kind="tone",
        kernel=lifted,
        fused=lifted_fused,
        in_numpy=lifted_in_numpy,
        source="this test",
        reference=lifted_reference,
        spans={"standard": Span(0.0, 60.0, "this test")},
    ),
)
'''

NEW_FAMILY = '''\
"""Floors: one op, its strength drawn up to a limit that is searched."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from searchspaces.families.family import Family
from searchspaces.policy import Base, Branch, Choice, Levels, Policy, Step
from searchspaces.space import Real, SearchSpace, Whole


def build(channels: int, base: Base) -> SearchSpace:
    """The space: `tens`, the highest floor in tens of levels, and `probability`."""
    return SearchSpace("floors", (Whole("tens", 1, 6), Real("probability", 0.0, 1.0)), partial(_decode, base), ())


def _decode(base: Base, params: Mapping[str, Any]) -> Policy:
    floors = Levels(tuple(float(level) for level in range(1, 10 * params["tens"] + 1)))
    return Policy(base, (Branch((Step((Choice("floor", (floors,)),), params["probability"]),)),))


FAMILY = Family(name="floors", summary="no level below a floor", source="this test", build=build)
'''


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The repository with one op and one family more, and nothing else."""
    root = tmp_path_factory.mktemp("copy")
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns(*CACHES))
    for name in ("pyproject.toml", "Makefile"):
        shutil.copy(ROOT / name, root / name)
    for path, text in zip(sorted(NEW_FILES, reverse=True), (NEW_OP, NEW_FAMILY), strict=True):
        assert not (root / path).exists()
        (root / path).write_text(text)
    yield root
    shutil.rmtree(root)


def ran(copy: Path, *arguments: object) -> str:
    """What a Python process that sees only the copy prints; it has to end well."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "POLICYSEARCH_"))}
    environment = {**inherited, "PYTHONPATH": str(copy), "POLICYSEARCH_HOME": str(copy / "home"), "OMP_NUM_THREADS": "1"}
    environment["POLICYSEARCH_KERNELS"] = str(copy / "kernels")  # compiled once for them all
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def passed(report: str) -> int:
    """How many tests pytest says have passed; none may have been skipped or be missing."""
    counts = re.search(r"(\d+) passed(, \d+ deselected)?(, \d+ warnings?)? in ", report)
    assert counts, report
    return int(counts[1])


def test_the_copy_is_what_runs(copy: Path) -> None:
    where = ran(copy, "-c", "import searchspaces, dashboards, policysearch as p; print(searchspaces.__file__, p.__file__)")
    assert where.split() == [str(copy / "searchspaces/__init__.py"), str(copy / "policysearch/__init__.py")]


def test_the_contract_tests_find_both_and_pass(copy: Path) -> None:
    files = sorted(copy.glob("tests/contract/test_[!l]*.py"))  # the ledgers' have their own databases, and no op
    report = ran(copy, "-m", "pytest", "-q", "-rA", "-k", "floor", "-p", "no:cacheprovider", *files)
    assert passed(report) > 70
    found = set(re.findall(r"^PASSED tests/contract/(\w+)\.py::", report, re.MULTILINE))
    assert found >= {"test_ops", "test_ops_in_numpy", "test_engines", "test_families"}


def test_the_commands_know_both(copy: Path) -> None:
    facts = {fact["name"]: fact for fact in json.loads(ran(copy, "-m", "policysearch", "ops", "--json"))}
    assert facts["floor"]["runs"] == "fused"
    assert facts["floor"]["source"] == "this test"
    assert "floors\n  no level below a floor\n" in ran(copy, "-m", "policysearch", "spaces")


def test_a_policy_of_the_new_family_is_drawn_previewed_told_and_exported(copy: Path) -> None:
    lines = (
        "from searchspaces.families import family_table",
        "from searchspaces.policy import Base",
        "from searchspaces.policy_json import write_policy_file",
        "from searchspaces.words import policy_in_words",
        "(family,) = [family for family in family_table() if family.name == 'floors']",
        "policy = family.build(3, Base()).decode({'tens': 4, 'probability': 1.0})",
        "write_policy_file('floors.json', policy, {})",
        "print(policy_in_words(policy))",
    )
    assert ran(copy, "-c", "\n".join(lines)) == "On every image: floor 1 to 40 levels.\n"
    assert "pixels" in ran(copy, "-m", "policysearch", "preview", "floors.json", "-o", "floors.png", "--images", 2, "--draws", 1)
    with Image.open(copy / "floors.png") as picture:
        assert picture.convert("RGB").getcolors(1_000_000)
    loaded = "import policysearch, torch; t = policysearch.load_policy('floors.json').to_torchvision(); "
    assert ran(copy, "-c", loaded + "print(int(t(torch.zeros(200, 3, 4, 4, dtype=torch.uint8)).max()) > 20)") == "True\n"
    for form in ("torchvision", "albumentations"):  # files that do without policysearch, our op's source inside
        ran(copy, "-m", "policysearch", "export", "floors.json", "--to", form, "--standalone", "-o", f"floors_{form}.py")
        assert "lifted" in (copy / f"floors_{form}.py").read_text()
    compared = json.loads(ran(copy, "-m", "policysearch", "export", "floors.json", "--parity", "--json"))
    assert json.dumps(compared).count('"floor"') >= 2
    for name in ("floors.json", "floors.png", "floors_torchvision.py", "floors_albumentations.py"):
        (copy / name).unlink()


def test_the_pages_are_written_again_and_nothing_else_is_different(copy: Path) -> None:
    lines = (ROOT / "Makefile").read_text().partition("\ndocs: ")[2].partition("\n\n")[0].splitlines()[1:]
    for line in lines:  # what `make docs` does
        program, *words = line.strip().removeprefix("$(BIN)/").split()
        ran(copy, *(words if program == "python" else ["-m", program, *words]))
    written = GENERATED | {word for line in lines for word in line.split() if word.startswith("docs/")}
    page = (copy / "docs/ops.md").read_text()
    assert "### `floor`\n\nmax(v, levels).\n" in page
    assert "values of floor" in json.loads((copy / "searchspaces/policy.schema.json").read_text())["$defs"]
    with Image.open(copy / "docs/images/ops.png") as drawn, Image.open(ROOT / "docs/images/ops.png") as before:
        assert 100 < drawn.height - before.height < 200  # a row more
    page_tests = [f"tests/unit/searchspaces/test_{name}.py" for name in ("ops_page", "policy_schema", "policy_document")]
    report = ran(copy, "-m", "pytest", "-q", "-p", "no:cacheprovider", *page_tests, "tests/unit/searchspaces/ops/test_table.py")
    assert passed(report) > 100
    assert NEW_FILES | GENERATED <= different(copy) <= NEW_FILES | written


def different(copy: Path) -> set[str]:
    """The files of the copy that the repository has not, or has otherwise."""
    found = set()
    for folder in FOLDERS:
        for path in (copy / folder).rglob("*"):
            name = path.relative_to(copy).as_posix()
            if path.is_file() and not any(part in CACHES for part in path.parts):
                known = ROOT / name
                if not known.is_file() or not filecmp.cmp(path, known, shallow=False):
                    found.add(name)
    return found
