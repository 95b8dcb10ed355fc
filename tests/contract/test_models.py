"""What every net promises a trial, whoever wrote it: built in, torchvision's, timm's. One class, over a spread of them."""

import re
from copy import deepcopy
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path

import pytest
import torch
from torch import nn

from searchspaces.errors import BadInput
from trials.evaluate import placed, precision
from trials.lent import lent
from trials.models import build_model, fresh_model, model_table, param_groups, spoken_model
from trials.models.adapting import first_convolution, head_name
from trials.models.asked import read_model
from trials.models.building import shaped
from trials.models.fitting import check_fit
from trials.models.stages import freeze, stages
from trials.models.torchvision import names
from trials.seeds import torch_generator
from trials.values import Recipe
from trials.weights import load_weights, save_weights

CLASSES = 7
SIDE = 32
OURS = ["small", "small:width=8,norm=group", "resnet9:width=8", "wideresnet-16:k=1", "wideresnet-16:k=1,dropout=0.3,norm=group"]
LIGHT = [*OURS, "torchvision:squeezenet1_1", "torchvision:shufflenet_v2_x0_5", "timm:test_resnet", "timm:test_vit:img_size=32"]
HEAVY = [
    *(model.name for model in model_table() if model.name not in ("small", "wideresnet-28")),
    *("torchvision:resnet18", "torchvision:mnasnet0_5", "torchvision:googlenet", "torchvision:swin_t", "timm:resnet18"),
]
ALL = [*LIGHT, *(pytest.param(name, marks=pytest.mark.slow) for name in HEAVY)]
SMALLEST = {
    "convnext_tiny",
    "efficientnet_v2_s",
    "regnet_x_400mf",
    "regnet_y_400mf",
    "resnet18",
    "resnext50_32x4d",
    "swin_t",
    "swin_v2_t",
}
HUGE = 12_000_000  # weights; larger ones are only built without their values
AT_A_SIZE = {"inception_v3": 299}


def images(count: int, channels: int = 3, side: int = SIDE, seed: int = 1) -> torch.Tensor:
    return torch.randn(count, channels, side, side, generator=torch_generator("images", seed))


def gradients(model: nn.Module, dropped_by: torch.Generator) -> list[torch.Tensor]:
    model.zero_grad()
    with lent(dropped_by):
        torch.autograd.backward(model(images(4)).square().sum())
    return [parameter.grad.clone() for parameter in model.parameters() if parameter.grad is not None]


@lru_cache(maxsize=1)
def built_once(name: str) -> nn.Module:
    return build_model(name, 3, CLASSES, torch_generator(0))


def built(name: str) -> nn.Module:
    """The net of this name, with the first weights; drawing millions of them takes seconds, copying them none."""
    return deepcopy(built_once(name))


@pytest.mark.parametrize("name", ALL, scope="class")  # one net after the other, so that each is built once
class TestEveryNet:
    def test_its_weights_come_from_the_generator_alone(self, name: str) -> None:
        before = torch.get_rng_state()
        build = partial(build_model, name, 3, CLASSES)
        generator = torch_generator(0)
        one, same, next_one = (build(drawn).state_dict() for drawn in (torch_generator(0), generator, generator))
        assert all(torch.equal(one[tensor], same[tensor]) for tensor in one)
        assert any(not torch.equal(one[tensor], next_one[tensor]) for tensor in one)
        assert torch.equal(before, torch.get_rng_state())

    @pytest.mark.parametrize("channels", [1, 3, 5])
    def test_it_is_fitted_to_channels_and_classes(self, name: str, channels: int) -> None:
        recipe = Recipe(model=spoken_model(name), precision="bfloat16")
        check_fit(recipe, channels, SIDE, SIDE, CLASSES)
        model = placed(build_model(recipe.model, channels, CLASSES, torch_generator(0)), recipe)
        with lent(torch_generator("dropout")), precision(recipe):
            logits = model(images(2, channels))
        assert model.training and logits.shape == (2, CLASSES) and bool(torch.isfinite(logits).all())

    def test_scoring_is_the_same_each_time_and_for_each_image_alone(self, name: str) -> None:
        model = built(name).eval()
        with torch.inference_mode():
            together, again = model(images(4)), model(images(4))
            alone = model(images(4)[:1])
        assert torch.equal(together, again)
        assert torch.allclose(together[:1], alone, atol=1e-4)

    def test_a_training_step_repeats_whatever_the_global_generator_is_at(self, name: str) -> None:
        model = built(name)
        one = gradients(model, torch_generator("epoch", 1))
        with torch.random.fork_rng(devices=[]):
            torch.set_rng_state(torch_generator("somewhere else").get_state())
            same = gradients(model, torch_generator("epoch", 1))
        assert one and all(torch.equal(gradient, again) for gradient, again in zip(one, same, strict=True))

    def test_kept_weights_are_the_whole_of_it(self, name: str, tmp_path: Path) -> None:
        model, other = built(name), build_model(name, 3, CLASSES, torch_generator(1))
        load_weights(other, tmp_path / "w.pt", save_weights(model, tmp_path / "w.pt"))
        with torch.inference_mode():
            assert torch.equal(model.eval()(images(2)), other.eval()(images(2)))

    def test_it_starts_from_weights_of_other_classes_and_channels(self, name: str, tmp_path: Path) -> None:
        source = build_model(name, 3, CLASSES + 2, torch_generator(0))
        sha256 = save_weights(source, tmp_path / "w.pt")
        recipe = Recipe(model=spoken_model(name), weights=str(tmp_path / "w.pt"), weights_sha256=sha256)
        check_fit(recipe, 1, SIDE, SIDE, CLASSES)
        model = fresh_model(recipe, 1, CLASSES, torch_generator(1))
        head, first = head_name(model, CLASSES), first_convolution(model)
        assert head is not None and first is not None
        for tensor, value in source.state_dict().items():
            if tensor != f"{first[0]}.weight" and not tensor.startswith(f"{head}."):
                assert torch.equal(model.state_dict()[tensor], value), tensor
        if "norm=group" in name:
            return  # the first layer's kernels are standardised anew, each by its own length
        heads = [net.get_submodule(head) for net in (source, model)]
        met = list[torch.Tensor]()
        for net, layer in zip((source, model), heads, strict=True):
            layer.register_forward_pre_hook(lambda _, inputs: met.append(inputs[0]))
            with torch.inference_mode():
                net.eval()(images(2, 1).expand(-1, 3 if net is source else 1, -1, -1))
        assert torch.allclose(met[0], met[1], rtol=1e-3, atol=1e-4), (
            "a grey image must mean what it meant in three equal channels"
        )

    def test_its_stages_are_all_of_it_but_the_head(self, name: str) -> None:
        model = built(name)
        found = stages(model, CLASSES)
        assert len(found) >= 3
        with pytest.raises(BadInput, match=f"the net has {len(found)}; allowed are 0 to {len(found)}"):
            freeze(model, len(found) + 1, CLASSES)
        freeze(model, len(found), CLASSES)
        head = head_name(model, CLASSES)
        assert {of.rpartition(".")[0] for of, parameter in model.named_parameters() if parameter.requires_grad} == {head}
        before = {tensor: value.clone() for tensor, value in model.state_dict().items() if not tensor.startswith(f"{head}.")}
        with lent(torch_generator("dropout")):
            model(images(4))
        assert all(torch.equal(value, model.state_dict()[tensor]) for tensor, value in before.items()), "statistics have moved"

    def test_an_optimiser_is_given_each_trained_weight_once(self, name: str) -> None:
        model = built(name)
        usual = param_groups(model, Recipe(), CLASSES)
        assert [group["learning_rate_factor"] for group in usual] == [1.0, 1.0]
        split = param_groups(model, replace(Recipe(), trunk_learning_rate_factor=0.1), CLASSES)
        for groups in (usual, split):
            given = [id(parameter) for group in groups for parameter in group["params"]]
            assert len(given) == len(set(given)) == len(list(model.parameters()))
        head = head_name(model, CLASSES)
        fast = {id(parameter) for group in split if group["learning_rate_factor"] == 1.0 for parameter in group["params"]}
        assert fast == {id(parameter) for of, parameter in model.named_parameters() if of.rpartition(".")[0] == head}


@pytest.mark.parametrize("name", [*OURS, "torchvision:resnet18"])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (8, 8), (27, 31)])
def test_nets_of_any_size_take_it(name: str, height: int, width: int) -> None:
    check_fit(Recipe(model=spoken_model(name)), 3, height, width, CLASSES)


def kind(name: str) -> str:
    """What torchvision's classifiers of one paper have in common: `resnet`, `efficientnet_v2`."""
    return re.sub(r"(?<!_v)[0-9].*|_(?!v[0-9]).*", "", name)


def one_of_each_kind() -> list[str]:
    """The first of each: all of them take ten minutes, and differ in depth and width alone."""
    return list(
        {kind(name): name for name in sorted(names(), key=lambda name: (name not in SMALLEST, name), reverse=True)}.values()
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", one_of_each_kind())
def test_classifiers_of_every_kind_that_torchvision_has(name: str) -> None:
    recipe = Recipe(model=f"torchvision:{name}")
    side = AT_A_SIZE.get(name, 224)
    check_fit(recipe, 5, side, side, CLASSES)
    model = shaped(read_model(recipe.model), 5, CLASSES)
    assert len(stages(model, CLASSES)) >= 3 and head_name(model, CLASSES) is not None
    try:
        check_fit(recipe, 3, 64, 64, CLASSES)
    except BadInput as refused:
        assert "it can't take images of 64 x 64 px" in str(refused) and "\n" not in str(refused)
        return
    if sum(parameter.numel() for parameter in model.parameters()) < HUGE:
        net = build_model(recipe.model, 3, CLASSES, torch_generator(0))
        assert torch.isfinite(net(images(2, side=64))).all()
