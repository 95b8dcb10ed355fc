"""A net's stages, from the images to the head: which of them are frozen, and how fast what is left of the trunk learns.

A stage is a container of the net (a residual layer, a block), or the single layers before, between and after them, cut where a
pooling layer ends; a container that holds most of the net, or the head, is taken apart. Frozen stages learn nothing: no
gradients, batch norms and dropout as in evaluation, which is what fine-tuning with few images wants (Yosinski et al. 2014, arXiv
1411.1792). The head, which tells the classes apart, is in no stage. Refuses more stages than the net has.
"""

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

from torch import nn

from searchspaces.errors import BadInput
from trials.models.adapting import head_name
from trials.values import Recipe

MOST = 0.75
"""A container with more than this share of the trunk's tensors is taken apart, as all called `features`; no layer of a ResNet."""
FEATURES = "features"
_POOLS = (nn.MaxPool2d, nn.AvgPool2d)

Stage: TypeAlias = tuple[str, ...]
"""The names of a stage's modules."""


def stages(model: nn.Module, classes: int) -> tuple[Stage, ...]:
    """The stages that have weights, in the order in which the net has them."""
    head = head_name(model, classes)
    names = [name for name, _ in model.named_children()]
    while large := next((name for name in names if _is_large(model, name, head)), None):
        place = names.index(large)
        names[place : place + 1] = _children(model, large)
    return tuple(stage for stage in _cut(model, [name for name in names if name != head]) if _weights(model, stage))


def freeze(model: nn.Module, count: int, classes: int) -> None:
    """Freeze the first `count` stages: no gradients, and the mode of evaluation. BadInput where there are fewer."""
    found = stages(model, classes)
    if count > len(found):
        raise BadInput(f"frozen_stages {count}: the net has {len(found)}; allowed are 0 to {len(found)}")
    if not count:
        return
    for name in (name for stage in found[:count] for name in stage):
        model.get_submodule(name).eval().requires_grad_(False)
    staged = [f"{name}." for name in (*(name for stage in found for name in stage), head_name(model, classes))]
    for name, parameter in model.named_parameters():
        if not name.startswith(tuple(staged)):
            parameter.requires_grad_(False)  # in no stage, such as a class token: it goes into what the first stage hands on


def param_groups(model: nn.Module, recipe: Recipe, classes: int | None = None) -> list[dict[str, Any]]:
    """What an optimiser is to train, with each group's `weight_decay` and `learning_rate_factor`; frozen weights are in none.

    Weight decay is for matrices and kernels only, not for biases and the scales of norms. The factor, by which the schedule's
    rate is multiplied, is the recipe's `trunk_learning_rate_factor` for all but the head (found by its `classes`), whose is 1.
    """
    factor = recipe.trunk_learning_rate_factor
    trained = [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]
    head = None if factor == 1.0 else head_name(model, classes)
    trunk = [parameter for name, parameter in trained if head is None or name.rpartition(".")[0] != head]
    of_head = [parameter for name, parameter in trained if head is not None and name.rpartition(".")[0] == head]
    groups = _by_decay(trunk, recipe, factor)
    return groups + _by_decay(of_head, recipe, 1.0) if of_head else groups


def _by_decay(parameters: Sequence[nn.Parameter], recipe: Recipe, factor: float) -> list[dict[str, Any]]:
    kernels = [parameter for parameter in parameters if parameter.ndim > 1]
    others = [parameter for parameter in parameters if parameter.ndim <= 1]
    return [
        {"params": kernels, "weight_decay": recipe.weight_decay, "learning_rate_factor": factor},
        {"params": others, "weight_decay": 0.0, "learning_rate_factor": factor},
    ]


def _children(model: nn.Module, name: str) -> list[str]:
    return [f"{name}.{child}" for child, _ in model.get_submodule(name).named_children()]


def _is_large(model: nn.Module, name: str, head: str | None) -> bool:
    """Whether a module is to be taken apart, and can be; one with the head in it always is."""
    if head is not None and head.startswith(f"{name}."):
        return True
    trunk = [of for of, _ in model.named_parameters() if head is None or of.rpartition(".")[0] != head]
    share = sum(of.startswith(f"{name}.") for of in trunk) / max(1, len(trunk))
    return bool(_children(model, name)) and (name == FEATURES or share > MOST)


def _cut(model: nn.Module, names: Sequence[str]) -> Iterator[Stage]:
    single: list[str] = []
    for name in names:
        module = model.get_submodule(name)
        if any(module.children()):
            yield from _pending(single)
            yield (name,)
            continue
        single.append(name)
        if isinstance(module, _POOLS):
            yield from _pending(single)
    yield from _pending(single)


def _pending(single: list[str]) -> Iterator[Stage]:
    if single:
        yield tuple(single)
        single.clear()


def _weights(model: nn.Module, stage: Stage) -> bool:
    return any(any(True for _ in model.get_submodule(name).parameters()) for name in stage)
