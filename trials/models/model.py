"""What a built-in net is: one value, declared by one file of this package, or of another one, as `MODEL`. It builds nothing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from searchspaces.errors import BadInput
from searchspaces.families.option import Option


@dataclass(frozen=True)
class Model:
    """A net that can be asked for by `name`.

    `build(channels, classes, **options)` makes it, without drawing: it is called on the meta device. `initialise(module,
    generator)` is then called for each of its modules in order and draws from the generator alone. `options` are the keywords of
    `build`. It takes images of any size from 1 pixel; `source` is the paper.
    """

    name: str
    summary: str
    source: str
    build: Callable[..., nn.Module]
    initialise: Callable[[nn.Module, torch.Generator], None]
    options: tuple[Option, ...] = ()

    def chosen(self, given: Mapping[str, str]) -> dict[str, Any]:
        """All options by name, the given ones checked. BadInput for an unknown one, or a value that can't be."""
        known = {option.name: option for option in self.options}
        for name in given:
            if name not in known:
                raise BadInput(f"option {name}: there is none; allowed are {', '.join(known) or 'none'}")
        return {name: option.checked(given[name]) if name in given else option.default for name, option in known.items()}

    def spoken(self, given: Mapping[str, str]) -> str:
        """The net in text: its name and the options that are not as usual, in the table's order. BadInput as `chosen`."""
        chosen = self.chosen(given)
        unusual = (f"{option.name}={chosen[option.name]}" for option in self.options if chosen[option.name] != option.default)
        return ":".join((self.name, *([text] if (text := ",".join(unusual)) else [])))
