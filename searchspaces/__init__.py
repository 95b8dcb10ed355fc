"""What a policy is: ops, policies, search spaces, draw and apply, export. Importing it loads nothing; names load on first use.

from searchspaces import load_policy, spaces
from searchspaces.draw import draw
from searchspaces.engines import apply
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from searchspaces import spaces
    from searchspaces.errors import BadInput
    from searchspaces.export.loading import load_policy
    from searchspaces.policy import Policy
    from searchspaces.space import SearchSpace

__all__ = ["BadInput", "Policy", "SearchSpace", "load_policy", "spaces"]

_HOMES = {
    "BadInput": "searchspaces.errors",
    "Policy": "searchspaces.policy",
    "SearchSpace": "searchspaces.space",
    "load_policy": "searchspaces.export.loading",
}


def __getattr__(name: str) -> Any:
    if name == "spaces":
        return import_module("searchspaces.spaces")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
