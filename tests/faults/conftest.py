"""Scenes for the tests of what survives."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from faults.pretended import Wishes
from faults.scenes import Scene, prepare_drivers


@pytest.fixture(scope="session", autouse=True)
def _drivers() -> None:
    prepare_drivers()


@pytest.fixture
def scene(tmp_path: Path) -> Callable[..., Scene]:
    """A new scene with these wishes; one a name."""

    def made(name: str = "scene", **wishes: Any) -> Scene:
        return Scene(Wishes(str(tmp_path / name), **wishes))

    return made
