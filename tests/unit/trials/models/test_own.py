"""A net of the user's own: imported from where the command runs, and refused in one line before a study begins."""

import sys
from pathlib import Path

import pytest
import torch

from searchspaces.errors import BadInput
from trials.models import build_model, spoken_model
from trials.models.fitting import check_fit
from trials.models.own import bring
from trials.seeds import torch_generator
from trials.values import Recipe

MODULE = """
import torch
from torch import nn

def build(channels, classes, width=4):
    return nn.Sequential(
        nn.Conv2d(channels, width, 3), nn.BatchNorm2d(width), nn.ReLU(), nn.Dropout(0.5),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, classes),
    )

class Two(nn.Module):
    def __init__(self, channels, classes):
        super().__init__()
        self.net = build(channels, classes)
    def forward(self, images):
        return self.net(images), self.net(images)

def fails(channels, classes):
    raise KeyError("no\\nsuch\\nthing")

def lazy(channels, classes):
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(classes))

def text(channels, classes):
    return "a net"

def squeezed(channels, classes):
    return nn.Sequential(build(channels, classes), nn.Flatten(0))

def deep(channels, classes):
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), build_deep(channels, classes))

def build_deep(channels, classes):
    return nn.Sequential(nn.Conv2d(channels, 4, 1), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, classes))

def computes(channels, classes):
    net = build(channels, classes)
    net.scale = float(net[0].weight.std())  # no meta device can tell
    return net
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    name = f"nets_of_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    return name


def test_it_is_found_in_the_folder_of_the_command_and_given_its_options(module: str) -> None:
    name = spoken_model(f"{module}:build:width=6")
    before = torch.get_rng_state()
    one, same, other = (build_model(name, 2, 3, torch_generator(seed)) for seed in (0, 0, 1))
    assert one.eval()(torch.zeros(2, 2, 8, 8)).shape == (2, 3) and one.get_parameter("0.weight").shape[0] == 6
    assert torch.equal(one.get_parameter("0.weight"), same.get_parameter("0.weight"))
    assert not torch.equal(one.get_parameter("0.weight"), other.get_parameter("0.weight"))
    assert torch.equal(before, torch.get_rng_state())
    check_fit(Recipe(model=name), 2, 8, 8, 3)


@pytest.mark.parametrize(
    ("function", "said"),
    [
        ("fails", r"it failed for 3 channels and 4 classes \(KeyError: .*no.nsuch"),
        ("text", "it returned a str; allowed is a torch.nn.Module"),
        ("lazy", "it has lazy layers"),
        ("Two", "it gives a tuple; allowed is one tensor of logits, images x classes"),
        ("squeezed", "it gives 8 of 2 images; allowed is 2 x 4, a logit a class"),
        ("build:height=3", "it failed .*unexpected keyword"),
    ],
)
def test_what_is_no_classifier_is_refused(module: str, function: str, said: str) -> None:
    with pytest.raises(BadInput, match=said) as refused:
        check_fit(Recipe(model=f"{module}:{function}"), 3, 8, 8, 4)
    assert "\n" not in str(refused.value)


def test_images_that_are_too_small_are_refused_with_the_cure(module: str) -> None:
    with pytest.raises(BadInput, match=r"can't take images of 2 x 2 px, 3 channels \(RuntimeError: .*give another --image-size"):
        check_fit(Recipe(model=f"{module}:build"), 3, 2, 2, 4)


def test_batches_that_may_leave_one_image_are_refused_where_a_net_needs_two(module: str) -> None:
    with pytest.raises(BadInput, match=r"batch_images 2: one image may be left for the last batch.*give 3 or more"):
        check_fit(Recipe(model=f"{module}:deep", batch_images=2), 3, 8, 8, 4)
    check_fit(Recipe(model=f"{module}:deep", batch_images=3), 3, 8, 8, 4)
    check_fit(Recipe(model="resnet9:width=4,norm=group", batch_images=2), 3, 8, 8, 4)


def test_a_constructor_that_computes_with_values_is_tried_on_the_cpu(module: str) -> None:
    check_fit(Recipe(model=f"{module}:computes"), 3, 8, 8, 4)


def test_a_function_that_was_brought_needs_no_module() -> None:
    bring("nowhere_to_be_found:net", lambda channels, classes: torch.nn.Conv2d(channels, classes, 1))
    assert spoken_model("nowhere_to_be_found:net") == "nowhere_to_be_found:net"
