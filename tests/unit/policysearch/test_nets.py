"""From wishes for a net to the recipe and the identity: the usual one leaves both as they were, and all others are in them."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from torch import nn

from policysearch.cli.nets import models
from policysearch.nets import check_net, lasting_model, lasting_weights, net_fields, packed_model
from policysearch.study import Study
from searchspaces.errors import BadInput
from trials.models import build_model
from trials.seeds import torch_generator
from trials.values import Recipe
from trials.weights import save_weights

MODULE = """
from torch import nn
from the_layers import HIDDEN

def build(channels, classes, depth=1):
    pooled = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, HIDDEN * depth)
    return nn.Sequential(*pooled, nn.Linear(HIDDEN * depth, classes))
"""
RECEIVED = """
import sys
from policysearch.packing import receive
from trials.models import build_model
from trials.seeds import torch_generator
assert receive(sys.argv[1]) is None
print(build_model("the_nets:build:depth=2", 3, 5, torch_generator(0))[3].in_features)
"""


def own_net(channels: int, classes: int) -> nn.Module:
    return nn.Conv2d(channels, classes, 1)


def test_the_usual_wishes_leave_the_recipe_as_it_was() -> None:
    assert net_fields(Study("sample"), {}) == {"model": "small"}
    assert not {"model", "weights", "batch_images"} & set(Study("sample").wishes())


def test_all_others_are_in_the_recipe_in_one_text(tmp_path: Path) -> None:
    sha256 = save_weights(build_model("wrn-16-1", 3, 2, torch_generator(0)), tmp_path / "w.pt")
    study = Study("sample", model="wrn-16-1", weights=tmp_path / "w.pt", batch_images=128)
    fields = net_fields(study, {})
    assert fields == {
        "model": "wideresnet-16:k=1",
        "batch_images": 128,
        "weights": str(tmp_path / "w.pt"),
        "weights_sha256": sha256,
    }
    kept = study.wishes()
    assert (kept["model"], kept["weights"], kept["batch_images"]) == ("wrn-16-1", str(tmp_path / "w.pt"), 128)
    assert net_fields(Study(**{name: kept[name] for name in ("data", "model", "weights", "batch_images")}), {}) == fields


def test_a_file_is_kept_by_its_whole_path_and_torchvisions_by_their_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert lasting_weights(Study("sample", weights="w.pt")) == str(tmp_path / "w.pt")
    assert lasting_weights(Study("sample", weights="torchvision:IMAGENET1K_V1")) == "torchvision:IMAGENET1K_V1"


def test_a_function_is_known_by_its_name_and_used_as_it_is() -> None:
    study = Study("sample", model=own_net)
    fields = net_fields(study, {})
    assert fields["model"] == lasting_model(study) == f"{own_net.__module__}:own_net"
    assert isinstance(build_model(fields["model"], 3, 4, torch_generator(0)), nn.Conv2d)


@pytest.mark.parametrize(
    ("wishes", "fixed", "said"),
    [
        ({"model": "resnet8"}, {}, "did you mean 'resnet9'"),
        ({"model": "resnet9"}, {"model": "small"}, "model: resnet9, and small in the recipe; leave one of the two out"),
        ({"batch_images": 8}, {"batch_images": 9}, "batch_images: 8, and 9 in the recipe"),
        ({"weights": "no/such/file"}, {}, "can't be read"),
        ({"weights": "torchvision:IMAGENET1K_V1"}, {}, "torchvision has none for small; give a file"),
        ({"model": 3}, {}, "model 3: allowed is a net's name, or a function of channels and classes"),
    ],
)
def test_what_cannot_be_is_refused_before_images_are_prepared(wishes: dict[str, Any], fixed: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        net_fields(Study("sample", **wishes), fixed)
    if not fixed:
        with pytest.raises(BadInput, match=said):
            check_net(Study("sample", **wishes))


@pytest.mark.parametrize("wishes", [{"model": "resnet9"}, {"weights": "w.pt"}, {"batch_images": 8}])
def test_a_trainer_of_ones_own_has_its_own_net(wishes: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="your function has a net of its own"):
        Study(objective=print, **wishes)
    with pytest.raises(BadInput, match="batch_images 1: allowed is a whole number from 2"):
        Study("sample", batch_images=1)


def test_only_a_net_of_ones_own_travels() -> None:
    assert packed_model(Recipe()) is None and packed_model(Recipe(model="torchvision:resnet18")) is None


def test_it_travels_to_a_machine_without_its_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "the_nets.py").write_text(MODULE)
    (tmp_path / "the_layers.py").write_text("HIDDEN = 3\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    packed = packed_model(Recipe(model="the_nets:build:depth=2"))
    assert packed is not None
    for name in ("the_nets.py", "the_layers.py"):
        (tmp_path / name).unlink()
    path = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    ran = subprocess.run(
        [sys.executable, "-c", RECEIVED, packed], capture_output=True, text=True, cwd=elsewhere, env=os.environ | path
    )
    assert ran.stdout == "6\n", ran.stderr


def test_the_command_lists_nets_and_what_one_is_made_of() -> None:
    listed = CliRunner().invoke(models, []).output
    for words in ("small (the usual one)", "resnet9:norm=group", "Zagoruyko and Komodakis 2016", "resnet18", "module:function"):
        assert words in listed
    facts = json.loads(CliRunner().invoke(models, ["wrn-16-1", "--channels", "1", "--classes", "2", "--json"]).output)
    assert facts["name"] == "wideresnet-16:k=1" and facts["stages"][0]["modules"] == ["stem"]
    told = CliRunner().invoke(models, ["small"]).output
    assert "small: 143,626 weights, for 3 channels and 10 classes" in told and "features.14 to features.16" in told
