"""The light core: what must work without the search extra. `make core` runs this in an environment that lacks it.

Elsewhere the extra's libraries are made unimportable first, so that the quick tests notice too.
"""

import json
import subprocess
import sys

HIDE = """
import sys
HIDDEN = {"albumentations", "ray", "mlflow", "optuna", "sqlalchemy", "click", "rich", "matplotlib", "platformdirs", "yaml"}
class Hide:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in HIDDEN:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Hide())
"""


def python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter that can't import the search extra, and looks for ours where it is installed."""
    return subprocess.run([sys.executable, "-P", "-c", HIDE + code, *arguments], capture_output=True, text=True, check=False)


def printed(code: str) -> object:
    ran = python("import json\n" + code)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_the_extra_is_hidden() -> None:
    assert "No module named 'optuna'" in python("import optuna").stderr


def test_importing_the_packages_brings_no_library() -> None:
    loaded = printed("import searchspaces, trials, policysearch\nprint(json.dumps(sorted(sys.modules)))")
    assert isinstance(loaded, list)
    assert {"searchspaces", "trials", "policysearch"} <= set(loaded)
    assert {"torch", "torchvision", "numpy", "PIL"} & set(loaded) == set()


def test_every_module_of_a_policy_and_of_a_trial_imports() -> None:
    count = printed("""
import importlib, pkgutil, searchspaces, trials
found = [m.name for p in (searchspaces, trials) for m in pkgutil.walk_packages(p.__path__, p.__name__ + ".")]
for name in found:
    if name != "searchspaces.export.albumentations":  # the one that is made of the library it is for
        importlib.import_module(name)
print(json.dumps(found))""")
    assert isinstance(count, list)
    assert {"searchspaces.draw", "searchspaces.space", "trials.run", "trials.data"} <= set(count)


def test_albumentations_is_asked_for_in_one_line() -> None:
    said = printed("""
from searchspaces import BadInput, load_policy
try:
    load_policy("zoo:trivialaugment-wide").to_albumentations()
except BadInput as error:
    print(json.dumps(str(error)))""")
    assert said == 'albumentations: it is not installed; install it with: pip install "policysearch[search]"'


def test_a_space_file_asks_for_what_reads_it_and_its_content_needs_nothing() -> None:
    said = printed("""
import tempfile
from searchspaces import BadInput, spaces
with tempfile.NamedTemporaryFile(suffix=".yaml") as file:
    try:
        spaces.from_file(file.name)
    except BadInput as error:
        print(json.dumps([str(error), spaces.build_space({"space": "randaugment", "parameters": {"level": 9}}).dimensions]))""")
    assert said == ['pyyaml: it is not installed; install it with: pip install "policysearch[search]"', 1]


def test_borrowed_ops_are_listed_and_told_but_refused_with_their_cure() -> None:
    facts = printed("""
import numpy as np, torch
from searchspaces import BadInput
from searchspaces.draw import draw
from searchspaces.engines import apply
from searchspaces.ops import find_op
from searchspaces.plan import Plan
from searchspaces.policy_json import policy_from_dict, policy_to_dict
from searchspaces.policy import Policy
from searchspaces.words import policy_in_words
content = policy_to_dict(Policy())
values = {"clip_limit": {"constant": 4.0}, "tiles": {"constant": 8.0}}
content["branches"][0]["steps"] = [{"probability": 1, "choices": [{"op": "albumentations:CLAHE", "weight": 1, "values": values}]}]
policy = policy_from_dict(content)
said = []
def refused(action):
    try:
        action()
    except BadInput as error:
        said.append(str(error))
images = torch.zeros(1, 3, 8, 8, dtype=torch.uint8)
plan = Plan(("identity", "albumentations:CLAHE"), np.ones((1, 1), np.int16), np.array([[[4.0, 8.0]]]))
refused(lambda: draw(policy, (1, 3, 8, 8), np.random.default_rng(0)))
refused(lambda: apply(images, plan))
print(json.dumps([policy_in_words(policy), said]))""")
    cure = "albumentations, which is not installed; install it with: pip install"
    assert isinstance(facts, list)
    words, said = facts
    assert words.startswith("On every image: albumentations:CLAHE clip limit 4 and tiles 8.")
    assert said == [f'op albumentations:CLAHE: it needs {cure} "policysearch[search]"'] * 2


def test_drawing_and_applying_does_without_torchvision() -> None:
    loaded = printed("""
import numpy as np, torch
from searchspaces.draw import draw
from searchspaces.engines import apply
from searchspaces.families.fixed import baselines
from searchspaces.policy import Base
images = torch.zeros(4, 3, 8, 8, dtype=torch.uint8)
for policy in baselines(3, Base()).values():
    apply(images, draw(policy, (4, 3, 8, 8), np.random.default_rng(0)))
print(json.dumps(sorted(sys.modules)))""")
    assert isinstance(loaded, list)
    assert "torch" in loaded
    assert "torchvision" not in loaded


def test_a_policy_file_becomes_a_transform() -> None:
    facts = printed("""
import pathlib, searchspaces, torch
from PIL import Image
from policysearch import load_policy
path = pathlib.Path(searchspaces.__file__).parent / "zoo" / "trivialaugment-wide.json"
transform = load_policy(path).to_torchvision()
picture = transform(Image.new("RGB", (40, 30), (200, 90, 10)))
tensor = transform(torch.zeros(3, 30, 40, dtype=torch.uint8))
print(json.dumps([picture.mode, picture.size, str(tensor.dtype), list(tensor.shape)]))""")
    assert facts == ["RGB", [40, 30], "torch.uint8", [3, 30, 40]]


def test_the_command_says_in_one_line_how_to_get_it() -> None:
    ran = python("from policysearch.cli import main\nmain()", "--help")
    assert ran.returncode == 2
    assert ran.stdout == ""
    assert ran.stderr.count("\n") == 1
    assert 'pip install "policysearch[search]"' in ran.stderr
