"""From what net is asked for to the net. Built-in ones come through the door `policysearch.models`: a new one is one new file.

A built-in net is made on the meta device and drawn, module by module, from the generator passed in; all others draw from torch's
global generator, which is lent them. Refuses unknown names and options, with those there are.
"""

import torch
from torch import nn

from searchspaces.errors import BadInput
from searchspaces.registry import Door, looked_up, table
from trials.lent import lent
from trials.models import own, timm, torchvision
from trials.models.asked import Asked
from trials.models.model import Model

DOOR = Door("policysearch.models", "MODEL", "model", "trials.models", Model)


def model_table() -> tuple[Model, ...]:
    """The built-in nets, sorted by name."""
    return tuple(found.item for found in table(DOOR).values())


def find_model(name: str) -> Model:
    """The built-in net of that name. BadInput names those there are, and the other ways to give one."""
    try:
        return looked_up(DOOR, name, table(DOOR)).item
    except BadInput as error:
        raise BadInput(f"{error}; also torchvision:NAME, timm:NAME and module:function") from None


def checked(asked: Asked) -> str:
    """The net in text, as a recipe has it: one text for one net. BadInput where there is none of that name and options."""
    if asked.source == "built-in":
        with_name = find_model(asked.name)
        try:
            return with_name.spoken(asked.options)
        except BadInput as error:
            raise BadInput(f"model {asked.name}: {error}") from None
    if asked.source == "torchvision":
        torchvision.check_name(asked.name)
    elif asked.source == "timm":
        timm.check_name(asked.name)
    else:
        own.find(asked.name)
    return asked.text


def built(asked: Asked, channels: int, classes: int) -> nn.Module:
    """The net, its weights as its library draws them from torch's global generator; a built-in one's are torch's usual ones."""
    if asked.source == "built-in":
        model = find_model(asked.name)
        return model.build(channels, classes, **model.chosen(asked.options))
    source = {"torchvision": torchvision.built, "timm": timm.built, "own": own.built}[asked.source]
    return source(asked.name, asked.options, channels, classes)


def shaped(asked: Asked, channels: int, classes: int) -> nn.Module:
    """The net without its weights' values, on the meta device; on the CPU where it can't be built there."""
    generator = torch.Generator()
    try:
        with lent(generator), torch.device("meta"):
            return built(asked, channels, classes)
    except BadInput:
        raise
    except Exception:  # a constructor that computes with values
        with lent(generator):
            return built(asked, channels, classes)


def drawn(asked: Asked, channels: int, classes: int, generator: torch.Generator) -> nn.Module:
    """The net on the CPU in training mode, its weights drawn from `generator` alone."""
    if asked.source != "built-in":
        with lent(generator):
            return built(asked, channels, classes).train()
    with torch.device("meta"):
        model = built(asked, channels, classes)
    model.to_empty(device="cpu")
    for module in model.modules():
        find_model(asked.name).initialise(module, generator)
    return model
