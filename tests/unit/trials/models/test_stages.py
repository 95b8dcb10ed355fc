"""A net's stages: what they are for nets people know, and what freezing them does while the net trains."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from trials.models import build_model
from trials.models.asked import read_model
from trials.models.building import shaped
from trials.models.stages import freeze, param_groups, stages
from trials.seeds import torch_generator
from trials.values import Recipe


@pytest.mark.parametrize(
    ("name", "firsts"),
    [
        ("torchvision:resnet18", ["conv1", "layer1", "layer2", "layer3", "layer4"]),
        ("torchvision:resnet152", ["conv1", "layer1", "layer2", "layer3", "layer4"]),
        ("torchvision:alexnet", ["features.0", "features.3", "features.6", "avgpool"]),
        ("torchvision:vgg11", ["features.0", "features.3", "features.6", "features.11", "features.16", "avgpool"]),
        ("torchvision:vit_b_16", ["conv_proj", *(f"encoder.layers.encoder_layer_{n}" for n in range(12)), "encoder.ln"]),
        ("small", ["features.0", "features.7", "features.14"]),
        ("resnet9", ["stem", "layer1", "layer2", "layer3"]),
        ("wrn-16-2", ["stem", "group1", "group2", "group3", "norm"]),
    ],
)
def test_stages_of_known_nets(name: str, firsts: list[str]) -> None:
    assert [stage[0] for stage in stages(shaped(read_model(name), 3, 7), 7)] == firsts


def test_what_is_in_no_stage_is_frozen_with_the_first_one() -> None:
    model = shaped(read_model("torchvision:vit_b_16"), 3, 7)
    freeze(model, 1, 7)
    frozen = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
    assert frozen == {"class_token", "conv_proj.weight", "conv_proj.bias", "encoder.pos_embedding"}


def test_none_frozen_changes_nothing() -> None:
    model = build_model("small", 3, 7, torch_generator(0))
    freeze(model, 0, 7)
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert all(module.training for module in model.modules())


def test_the_usual_groups_are_those_of_old() -> None:
    model = build_model("small", 3, 7, torch_generator(0))
    kernels, others = param_groups(model, Recipe(), 7)
    assert [id(p) for p in kernels["params"]] == [id(p) for p in model.parameters() if p.ndim > 1]
    assert [id(p) for p in others["params"]] == [id(p) for p in model.parameters() if p.ndim <= 1]
    assert (kernels["weight_decay"], others["weight_decay"]) == (Recipe().weight_decay, 0.0)


def test_frozen_weights_are_in_no_group_and_the_head_learns_at_the_whole_rate() -> None:
    model = build_model("small", 3, 7, torch_generator(0))
    freeze(model, 2, 7)
    groups = param_groups(model, replace(Recipe(), trunk_learning_rate_factor=0.1), 7)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    given = [([names[id(p)] for p in group["params"]], group["weight_decay"], group["learning_rate_factor"]) for group in groups]
    decay = Recipe().weight_decay
    assert given == [
        (["features.14.weight"], decay, 0.1),
        (["features.15.weight", "features.15.bias"], 0.0, 0.1),
        (["head.weight"], decay, 1.0),
        (["head.bias"], 0.0, 1.0),
    ]


def test_a_net_without_a_head_to_be_found_learns_at_one_rate() -> None:
    model = nn.Sequential(nn.Flatten())
    model.register_parameter("scale", nn.Parameter(torch.ones(3)))
    groups = param_groups(model, replace(Recipe(), trunk_learning_rate_factor=0.1), 3)
    assert [len(group["params"]) for group in groups] == [0, 1]
