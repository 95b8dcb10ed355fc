"""Searches augmentation policies: `Study(...).run(...)`, and `load_policy(...)` for what came of it.

Both are imported when they are first asked for: loading a policy needs neither Ray, Optuna nor MLflow.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from policysearch.study import Study
    from searchspaces.export.loading import load_policy

__all__ = ["Study", "load_policy"]

_HOMES = {"Study": "policysearch.study", "load_policy": "searchspaces.export.loading"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
