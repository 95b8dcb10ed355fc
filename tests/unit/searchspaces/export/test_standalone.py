"""Standalone files do what we do, to the bit, where policysearch can't be imported; what can't be in one is refused by name."""

import os
import re
import subprocess
import sys
from functools import cache
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import Phase, find, given, settings
from PIL import Image
from strategies import points, policies

from searchspaces import load_policy, spaces
from searchspaces.draw import draw
from searchspaces.engines import apply
from searchspaces.errors import BadInput
from searchspaces.export.alone import Case, carried_out_alone
from searchspaces.export.loading import LoadedPolicy
from searchspaces.families import family_table
from searchspaces.ops import find_op, op_table
from searchspaces.policy import Base, Branch, Choice, Constant, PadCrop, Policy, Step
from searchspaces.zoo import zoo_names

SHAPE = (24, 3, 20, 33)


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)


def written(policy: Policy, form: str = "torchvision") -> str:
    return LoadedPolicy(policy, {}).written(form, standalone=True)


def case(policy: Policy, seed: int = 0, form: str = "torchvision", channels: int = 3) -> Case:
    shape = (SHAPE[0], channels, *SHAPE[2:])
    return Case(written(policy, form), noise(*shape), draw(policy, shape, np.random.default_rng(seed)))


def ours(case: Case) -> np.ndarray:
    return apply(torch.from_numpy(case.images), case.plan).numpy()


@cache
def some_policies() -> dict[str, Policy]:
    """One of every op alone at both of its ends, of every family a point, and all of the zoo."""
    found = {f"zoo:{name}": load_policy(f"zoo:{name}").policy for name in zoo_names()}
    for family in family_table():
        space = family.build(3, Base(PadCrop(0.125), hflip=0.5, fill=9))
        params = find(points(space), lambda params: True, settings=settings(phases=[Phase.generate], database=None))
        found[f"family {family.name}"] = space.decode(params)
    for op in op_table():
        if op.accepts(3) and not op.package:
            for end in (op.strength.low, op.strength.high):
                values = (Constant(end), *(Constant(parameter.identity) for parameter in op.parameters[1:]))
                found[f"{op.name} {end:g}"] = Policy(Base(fill=77), (Branch((Step((Choice(op.name, values),)),)),))
    return found


@cache
def random_policies(count: int, channels: int) -> list[Policy]:
    found: list[Policy] = []

    @settings(max_examples=count, database=None, phases=[Phase.generate])
    @given(policies(channels))
    def note(policy: Policy) -> None:
        if all(not find_op(name).package for name in policy.ops):  # the others are refused, which a test below shows
            found.append(policy)

    note()
    return found


FORMS = pytest.mark.parametrize("form", ["torchvision", "albumentations"])


@pytest.mark.slow
@FORMS
def test_the_same_draw_gives_the_same_pixels_for_every_op_family_and_zoo_entry(form: str) -> None:
    cases = {name: case(policy, 0, form) for name, policy in some_policies().items()}
    assert len(cases) > 50
    found = carried_out_alone(list(cases.values()))
    assert [name for (name, one), got in zip(cases.items(), found, strict=True) if not np.array_equal(got, ours(one))] == []
    assert sum(not np.array_equal(got, one.images) for one, got in zip(cases.values(), found, strict=True)) > len(cases) / 2


@pytest.mark.slow
@pytest.mark.parametrize("channels", [1, 3])
@FORMS
def test_random_policies_are_the_same_too(form: str, channels: int) -> None:
    cases = [case(policy, seed, form, channels) for seed, policy in enumerate(random_policies(100, channels)[:30])]
    assert len(cases) > 20
    for one, got in zip(cases, carried_out_alone(cases), strict=True):
        assert np.array_equal(got, ours(one))


USED = """
import runpy, sys
import numpy as np, torch
from PIL import Image


class Hide:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("searchspaces", "policysearch", "jaxtyping", "numba", "albumentations"):
            raise ModuleNotFoundError(name)


sys.meta_path.insert(0, Hide())
transform = runpy.run_path(sys.argv[1])["transform"]
torch.manual_seed(4)
batch = transform(torch.from_numpy(np.load(sys.argv[2])))
picture = transform(Image.fromarray(np.load(sys.argv[2])[0].transpose(1, 2, 0)))
np.savez(sys.argv[3], batch=batch.numpy(), picture=np.array(picture))
print(transform)
try:
    transform(torch.full((3, 4, 4), 7.0))
except Exception as error:
    print(error)
"""


def test_its_transform_draws_as_ours_does_and_refuses_what_ours_refuses(tmp_path: Path) -> None:
    policy = spaces.randaugment().decode({"ops": 2, "level": 15})
    (tmp_path / "alone.py").write_text(written(policy))
    np.save(tmp_path / "images.npy", noise(*SHAPE))
    paths = [str(tmp_path / name) for name in ("alone.py", "images.npy", "out.npz")]
    ran = subprocess.run([sys.executable, "-P", "-c", USED, *paths], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "2 ops an image, each one of 14" in ran.stdout
    assert "transform: floats from 7 to 7; allowed are 0 to 1: put it before Normalize, or give uint8" in ran.stdout
    torch.manual_seed(4)
    transform = LoadedPolicy(policy, {}).to_torchvision()
    found = np.load(tmp_path / "out.npz")
    assert np.array_equal(found["batch"], transform(torch.from_numpy(noise(*SHAPE))).numpy())
    picture = Image.fromarray(noise(*SHAPE)[0].transpose(1, 2, 0))
    assert np.array_equal(found["picture"], np.array(transform(picture)))


IN_A_PIPELINE = """
import runpy, sys
import numpy as np


class Hide:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("searchspaces", "policysearch", "jaxtyping", "numba", "torch", "torchvision"):
            raise ModuleNotFoundError(name, name=name)


sys.meta_path.insert(0, Hide())
import albumentations as A
pipeline = A.Compose([runpy.run_path(sys.argv[1])["transform"]], seed=4)
np.save(sys.argv[3], np.stack([pipeline(image=image)["image"] for image in np.load(sys.argv[2])]))
replayed = A.ReplayCompose([runpy.run_path(sys.argv[1])["transform"]])
done = replayed(image=np.load(sys.argv[2])[0])
assert (A.ReplayCompose.replay(done["replay"], image=np.load(sys.argv[2])[0])["image"] == done["image"]).all()
try:
    pipeline(image=np.load(sys.argv[2])[0], mask=np.zeros((20, 33), np.uint8))
except Exception as error:
    print(error)
"""


def test_its_albumentations_transform_is_ours_without_torch(tmp_path: Path) -> None:
    policy = spaces.randaugment().decode({"ops": 2, "level": 15})
    (tmp_path / "alone.py").write_text(written(policy, "albumentations"))
    images = np.ascontiguousarray(noise(*SHAPE).transpose(0, 2, 3, 1))
    np.save(tmp_path / "images.npy", images)
    paths = [str(tmp_path / name) for name in ("alone.py", "images.npy", "out.npy")]
    environment = os.environ | {"NO_ALBUMENTATIONS_UPDATE": "1"}
    command = [sys.executable, "-P", "-c", IN_A_PIPELINE, *paths]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert ran.returncode == 0, ran.stderr
    assert "mask given; this policy moves pixels" in ran.stdout
    transform = LoadedPolicy(policy, {}).to_albumentations()
    pipeline = import_module("albumentations").Compose([transform], seed=4)
    assert np.array_equal(np.load(tmp_path / "out.npy"), np.stack([pipeline(image=image)["image"] for image in images]))


@FORMS
def test_an_op_of_another_library_is_refused(form: str) -> None:
    borrowed = next(op for op in op_table() if op.package)
    values = tuple(Constant(parameter.high) for parameter in borrowed.parameters)
    with pytest.raises(BadInput, match=rf"^op {borrowed.name}: .* so no file without that can; leave out --standalone$"):
        written(Policy(branches=(Branch((Step((Choice(borrowed.name, values),)),)),)), form)


def test_it_imports_only_what_it_says() -> None:
    text = written(load_policy("zoo:trivialaugment-wide").policy, "albumentations")
    packages = {name.partition(".")[0] for name in re.findall(r"^ *(?:from|import) ([\w.]+)", text, re.MULTILINE)}
    assert packages - set(sys.stdlib_module_names) == {"numpy", "albumentations"}
    text = written(load_policy("zoo:trivialaugment-wide").policy)
    packages = {name.partition(".")[0] for name in re.findall(r"^ *(?:from|import) ([\w.]+)", text, re.MULTILINE)}
    assert packages - set(sys.stdlib_module_names) == {"numpy", "torch", "torchvision", "PIL"}
    assert max(map(len, text.splitlines()[:12])) <= 130


def test_jpeg_is_told_to_need_pillow() -> None:
    policy = Policy(branches=(Branch((Step((Choice("jpeg", (Constant(50.0),)),)),)),))
    assert written(policy, "albumentations").splitlines()[0].endswith("needs Albumentations 2.0, and Pillow for its op jpeg.")


def test_a_file_holds_what_its_policy_needs_and_no_more() -> None:
    text = written(Policy(branches=(Branch((Step((Choice("solarize", (Constant(100.0),)),)),)),)))
    assert "def solarize(" in text
    assert "def rotate(" not in text
    assert "torchvision.transforms" not in text


FOREIGN = """
from searchspaces.ops.op import Op, Parameter
from searchspaces.export.loading import LoadedPolicy
{imports}
LEVEL = 5

def kernel(images, values, setting):
    return {body}

OPS = (Op("foreign", (Parameter("amount", "0 or 1", 0, 0, 1, whole=True),), "tone", {kernel}, "here"),)
"""


@pytest.mark.parametrize(
    ("imports", "body", "kernel", "message"),
    [
        (
            "import matplotlib",
            "matplotlib.done(images)",
            "kernel",
            "kernel imports matplotlib; a standalone file may import PIL, ",
        ),
        ("", "images", "lambda images, *given: images", "op foreign: its kernel is no function at the top of a module"),
        ("", "images + NOWHERE", "kernel", "kernel needs NOWHERE, which is not defined at its top"),
    ],
)
def test_an_op_that_can_not_be_in_one_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, imports: str, body: str, kernel: str, message: str
) -> None:
    from searchspaces import ops

    name = f"foreign_{abs(hash(message))}"
    (tmp_path / f"{name}.py").write_text(FOREIGN.format(imports=imports, body=body, kernel=kernel))
    monkeypatch.setattr(ops, "__path__", [*ops.__path__, str(tmp_path)])
    ops._table.cache_clear()
    try:
        policy = Policy(branches=(Branch((Step((Choice("foreign", (Constant(1.0),)),)),)),))
        with pytest.raises(BadInput, match=r"^op foreign: ") as refused:
            written(policy)
        assert message in str(refused.value)
        assert "\n" not in str(refused.value)
    finally:
        ops._table.cache_clear()
