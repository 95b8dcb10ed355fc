"""A net of the user's own: `module:function`, called with channels, classes and the options that were asked for.

The function is imported where the user's modules are: on Python's path, or in the folder that the command runs in. In a worker it
is the one that the driver has brought along (`bring`). It may draw its first weights from torch's global generator. Its name is
part of a study's identity, its code is not. Refuses what can't be imported, and what does not return a net.
"""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from torch import nn

from searchspaces.errors import BadInput
from searchspaces.json_text import one_line
from trials.models.asked import as_value

_BROUGHT: dict[str, Callable[..., Any]] = {}


def bring(name: str, fn: Callable[..., Any]) -> None:
    """From now on `name` ("module:function") means this function, in this process."""
    _BROUGHT[name] = fn


def find(name: str) -> Callable[..., Any]:
    """The function of that name: the one that was brought, else the module's. BadInput where there is none."""
    if name in _BROUGHT:
        return _BROUGHT[name]
    module_name, _, path = name.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)  # last, so that nothing of an installed package is hidden by it; as `python -m` has it first
    try:
        found: Any = import_module(module_name)
    except Exception as error:  # whatever a stranger's module does while it is imported
        reason = one_line(f"{type(error).__name__}: {error}", 160)
        raise BadInput(
            f"model {name!r}: module {module_name} can't be imported ({reason}); run this in its folder, or put it on PYTHONPATH"
        ) from error
    for part in path.split("."):
        found = getattr(found, part, None)
    if not callable(found):
        raise BadInput(f"model {name!r}: {module_name} has no function {path}; give module:function")
    return found  # type: ignore[no-any-return]  # any callable will do; what it returns is checked


def built(name: str, options: Mapping[str, str], channels: int, classes: int) -> nn.Module:
    """What the function returns for so many channels and classes. BadInput where it raises, or returns something else."""
    fn = find(name)
    try:
        model = fn(channels, classes, **{option: as_value(value) for option, value in options.items()})
    except Exception as error:  # whatever a stranger's function raises
        reason = one_line(f"{type(error).__name__}: {error}", 200)
        raise BadInput(f"model {name!r}: it failed for {channels} channels and {classes} classes ({reason})") from error
    if not isinstance(model, nn.Module):
        raise BadInput(f"model {name!r}: it returned a {type(model).__name__}; allowed is a torch.nn.Module")
    return model
