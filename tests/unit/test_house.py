"""The laws of the house, read from the source by ast. Each law is also shown a planted breach, so that none is asleep."""

import ast
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("searchspaces", "trials", "policysearch", "dashboards")
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60

MAY_IMPORT = {
    "searchspaces": ("searchspaces",),
    "trials": ("trials", "searchspaces"),
    "policysearch/cli": ("policysearch", "trials", "searchspaces", "dashboards"),
    "policysearch": ("policysearch", "trials", "searchspaces"),
    "dashboards": ("dashboards", "searchspaces", "trials", "policysearch"),
}
# What a dashboard may know of policysearch: what is stored, and how it is judged; never what runs.
READABLE = ("ledger", "home", "selection", "statistics", "judging", "judgement", "samplers.importance")

HOMES = {
    "ray": ("policysearch/drivers/ray_", "policysearch/samplers/ray_variants.py", "searchspaces/render/ray.py"),
    "mlflow": ("policysearch/tracking/",),
    "sqlalchemy": ("policysearch/ledger/",),
    "optuna": ("policysearch/samplers", "searchspaces/render/optuna.py"),
    "matplotlib": ("dashboards/",),
    "jinja2": ("dashboards/",),
    "albumentations": ("searchspaces/export/albumentations/", "searchspaces/ops/borrowed.py"),
    "torchvision": (
        *("searchspaces/export/torchvision.py", "searchspaces/ops/"),
        *("trials/models/", "trials/data/torchvision_sets.py"),
    ),
    "timm": ("trials/models/",),
    "safetensors": ("trials/models/",),
    "click": ("policysearch/cli/",),
    "rich": ("policysearch/cli/",),
    "numba": ("searchspaces/engines/",),
    "platformdirs": ("policysearch/home.py",),
    "yaml": ("searchspaces/yaml_text.py",),
    "cloudpickle": ("policysearch/packing.py",),
    "datasets": ("trials/data/hugging.py",),
    "pyarrow": ("trials/data/tables.py",),
    "fsspec": ("trials/places.py",),
}
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "base", "manager", "misc"}
SEEDED_NUMPY = {"default_rng", "Generator", "BitGenerator", "SeedSequence", "PCG64", "Philox"}
TORCH_DRAWS = {"rand", "randn", "randint", "randperm", "bernoulli", "multinomial", "normal", "poisson"}
IN_PLACE_DRAWS = {
    "random_",
    "uniform_",
    "normal_",
    "bernoulli_",
    "exponential_",
    "kaiming_normal_",
    "kaiming_uniform_",
    "xavier_normal_",
}
# What is exported to torch is seeded as torch's own transforms and loaders are.
READS_TORCH_SEED = ("searchspaces/export/torchvision.py", "searchspaces/export/collating.py")
DISTRIBUTION_NAMES = {"PIL": "pillow", "yaml": "pyyaml"}


@dataclass(frozen=True)
class Source:
    """A Python file: its path from the root with slashes, and its text."""

    path: str
    text: str

    @property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    def imports(self) -> Iterator[tuple[str, int]]:
        """The full dotted name of every import, inside functions too, with its line."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((alias.name, node.lineno) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield from ((f"{node.module or '.'}.{alias.name}", node.lineno) for alias in node.names)

    def loads(self) -> Iterator[tuple[str, int]]:
        """The imports that happen when the code runs: all but those under `if TYPE_CHECKING:`."""
        guards = [node for node in ast.walk(self.tree) if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
        typing_only = {line for guard in guards for line in range(guard.lineno, (guard.body[-1].end_lineno or 0) + 1)}
        return ((name, line) for name, line in self.imports() if line not in typing_only)

    def calls(self) -> Iterator[tuple[str, ast.Call]]:
        """The dotted name of every call, as written."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call):
                yield ast.unparse(node.func), node

    def keyword(self, call: ast.Call, name: str) -> str | None:
        """The text of a keyword argument of a call."""
        return next((ast.unparse(given.value) for given in call.keywords if given.arg == name), None)


def imports_point_one_way(source: Source) -> Iterator[str]:
    room = next((room for room in MAY_IMPORT if source.path.startswith(f"{room}/")), None)
    for name, line in source.imports():
        first, _, rest = name.partition(".")
        if room is None or first not in (*PACKAGES, ""):
            continue
        if first not in MAY_IMPORT[room]:
            yield f"{source.path}:{line} imports {name}"
        if room == "dashboards" and first == "policysearch" and not f"{rest}.".startswith(tuple(f"{part}." for part in READABLE)):
            yield f"{source.path}:{line} reads {name}"


def heavy_libraries_have_one_home(source: Source) -> Iterator[str]:
    for name, line in source.loads():
        homes = HOMES.get(name.partition(".")[0])
        if homes and source.path.startswith(PACKAGES) and not source.path.startswith(homes):
            yield f"{source.path}:{line} imports {name}"


def torchvision_stays_out_of_the_workers(source: Source) -> Iterator[str]:
    """In ops/ it may only be met inside function bodies: the references, which only tests call."""
    if source.path.startswith("searchspaces/ops/"):
        for node in source.tree.body:
            if isinstance(node, ast.Import | ast.ImportFrom) and "torchvision" in ast.unparse(node):
                yield f"{source.path}:{node.lineno} imports torchvision at its top"


def imports_are_declared(source: Source) -> Iterator[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = [
        *project["dependencies"],
        *(line for extra in ("search", "postgres", "timm", "datasets") for line in project["optional-dependencies"][extra]),
    ]
    names = {name for line in declared for name in [line.split("[")[0].split(">")[0]]}
    for name, line in source.imports():
        first = name.partition(".")[0]
        known = first in sys.stdlib_module_names or first in PACKAGES or not first
        if source.path.startswith(PACKAGES) and not known and DISTRIBUTION_NAMES.get(first, first) not in names:
            yield f"{source.path}:{line} imports {name}, which pyproject.toml does not bring"


def files_are_short(source: Source) -> Iterator[str]:
    lines = source.text.count("\n")
    if lines > MAX_FILE_LINES:
        yield f"{source.path} has {lines} lines"


def functions_are_short(source: Source) -> Iterator[str]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > MAX_FUNCTION_LINES:
                yield f"{source.path}:{node.lineno} {node.name} has {lines} lines"


def names_say_something(source: Source) -> Iterator[str]:
    vague = VAGUE_NAMES & {part.removesuffix(".py").strip("_") for part in source.path.split("/")}
    if vague:
        yield f"{source.path} is named {vague.pop()}"


def no_global_randomness(source: Source) -> Iterator[str]:
    if not source.path.startswith(PACKAGES) or source.path in READS_TORCH_SEED:
        return
    for name, line in source.imports():
        if name == "random" or name.startswith("random."):
            yield f"{source.path}:{line} imports random"
    for name, call in source.calls():
        owner, _, function = name.rpartition(".")
        unseeded = self_drawn = False
        if owner in ("np.random", "numpy.random"):
            unseeded = function not in SEEDED_NUMPY or (function == "default_rng" and not (call.args or call.keywords))
        elif function in IN_PLACE_DRAWS or (owner == "torch" and function in TORCH_DRAWS):
            self_drawn = source.keyword(call, "generator") is None
        elif name in ("torch.manual_seed", "torch.seed", "torch.cuda.manual_seed", "torch.cuda.manual_seed_all"):
            unseeded = True
        if unseeded or self_drawn:
            yield f"{source.path}:{call.lineno} calls {name} without a generator"


def nothing_read_is_run(source: Source) -> Iterator[str]:
    if not source.path.startswith(PACKAGES):
        return
    for name, call in source.calls():
        function = name.rpartition(".")[2]
        unsafe = name in ("eval", "exec", "yaml.load", "yaml.unsafe_load", "pickle.load", "pickle.loads", "os.system")
        unsafe = unsafe or (name == "torch.load" and source.keyword(call, "weights_only") != "True")
        unsafe = unsafe or (function == "load" and source.keyword(call, "allow_pickle") == "True")
        unsafe = unsafe or (name.startswith("subprocess.") and source.keyword(call, "shell") == "True")
        if unsafe:
            yield f"{source.path}:{call.lineno} calls {name} unsafely"


LAWS: dict[Callable[[Source], Iterator[str]], Source] = {
    imports_point_one_way: Source("trials/x.py", "def f() -> None:\n    from policysearch.ledger import Ledger\n"),
    heavy_libraries_have_one_home: Source("trials/x.py", "def f() -> None:\n    import mlflow.tracking\n"),
    torchvision_stays_out_of_the_workers: Source("searchspaces/ops/x.py", "from torchvision.transforms import v2\n"),
    imports_are_declared: Source("policysearch/x.py", "import pandas as pd\n"),
    files_are_short: Source("trials/x.py", "A = 1\n" * (MAX_FILE_LINES + 1)),
    functions_are_short: Source("trials/x.py", "def f() -> None:\n" + "    a = 1\n" * MAX_FUNCTION_LINES),
    names_say_something: Source("trials/utils.py", ""),
    no_global_randomness: Source("trials/x.py", "import numpy as np\nA = np.random.rand(3)\n"),
    nothing_read_is_run: Source("trials/x.py", "import torch\nA = torch.load('weights.pt')\n"),
}
MORE_BREACHES = [
    (imports_point_one_way, "policysearch/search.py", "import dashboards.report"),
    (imports_point_one_way, "searchspaces/x.py", "from trials import values"),
    (imports_point_one_way, "searchspaces/x.py", "from . import policy"),
    (imports_point_one_way, "dashboards/x.py", "from policysearch.drivers import local"),
    (imports_point_one_way, "dashboards/x.py", "import policysearch.search"),
    (imports_point_one_way, "dashboards/x.py", "from policysearch.samplers.tpe import TpeSampler"),
    (heavy_libraries_have_one_home, "trials/x.py", "if TYPE_CHECKING:\n    import ray\nelse:\n    import ray"),
    (heavy_libraries_have_one_home, "searchspaces/export/loading.py", "import albumentations"),
    (heavy_libraries_have_one_home, "searchspaces/ops/x.py", "from numba import njit"),
    (heavy_libraries_have_one_home, "searchspaces/families/x.py", "import yaml"),
    (names_say_something, "policysearch/helpers/text.py", ""),
    (no_global_randomness, "trials/x.py", "from random import shuffle"),
    (no_global_randomness, "trials/x.py", "np.random.default_rng()"),
    (no_global_randomness, "trials/x.py", "torch.randperm(9)"),
    (no_global_randomness, "trials/x.py", "weight.normal_(0, 1)"),
    (no_global_randomness, "trials/x.py", "torch.manual_seed(0)"),
    (nothing_read_is_run, "trials/x.py", "torch.load(path, weights_only=False)"),
    (nothing_read_is_run, "trials/x.py", "np.load(path, allow_pickle=True)"),
    (nothing_read_is_run, "trials/x.py", "eval('1')"),
    (nothing_read_is_run, "trials/x.py", "subprocess.run(line, shell=True)"),
]
LAWFUL = [
    (imports_point_one_way, "policysearch/cli/x.py", "from dashboards.report import write"),
    (imports_point_one_way, "dashboards/x.py", "from policysearch.ledger import Ledger"),
    (imports_point_one_way, "dashboards/x.py", "from policysearch.samplers.importance import importance"),
    (heavy_libraries_have_one_home, "policysearch/tracking/x.py", "import mlflow"),
    (heavy_libraries_have_one_home, "searchspaces/x.py", "if TYPE_CHECKING:\n    import optuna"),
    (torchvision_stays_out_of_the_workers, "searchspaces/ops/x.py", "def f() -> None:\n    import torchvision"),
    (imports_are_declared, "trials/x.py", "from PIL import Image"),
    (no_global_randomness, "trials/x.py", "np.random.default_rng(3)"),
    (no_global_randomness, "trials/x.py", "torch.randperm(9, generator=generator)"),
    (nothing_read_is_run, "trials/x.py", "model.eval()"),
    (nothing_read_is_run, "trials/x.py", "torch.load(path, weights_only=True)"),
]


def sources() -> list[Source]:
    paths = [path for room in (*PACKAGES, "tests", "benchmarks", ".ci") for path in sorted((ROOT / room).rglob("*.py"))]
    return [Source(path.relative_to(ROOT).as_posix(), path.read_text()) for path in paths]


@pytest.mark.parametrize("law", LAWS)
def test_the_house_keeps_the_law(law: Callable[[Source], Iterator[str]]) -> None:
    found = sources()
    assert {source.path.partition("/")[0] for source in found} >= set(PACKAGES), "the walk has missed a package"
    assert [breach for source in found for breach in law(source)] == []


@pytest.mark.parametrize("law", LAWS)
def test_a_planted_breach_is_caught_and_named(law: Callable[[Source], Iterator[str]]) -> None:
    breaches = list(law(LAWS[law]))
    assert breaches
    assert breaches[0].startswith(LAWS[law].path)


@pytest.mark.parametrize(("law", "path", "text"), MORE_BREACHES)
def test_other_ways_to_break_it_are_caught_too(law: Callable[[Source], Iterator[str]], path: str, text: str) -> None:
    assert list(law(Source(path, text)))


@pytest.mark.parametrize(("law", "path", "text"), LAWFUL)
def test_what_is_lawful_passes(law: Callable[[Source], Iterator[str]], path: str, text: str) -> None:
    assert list(law(Source(path, text))) == []
