"""What `policysearch doctor` finds out about this machine and home. It looks, and changes nothing."""

import os
import platform
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from policysearch.home import Home

PACKAGES = (
    "policysearch",
    "torch",
    "torchvision",
    "numpy",
    "ray",
    "optuna",
    "mlflow",
    "sqlalchemy",
    "albumentations",
    "timm",
    "psycopg",
)


def examine(home: Home) -> dict[str, dict[str, str]]:
    """Facts by section (packages, machine, home), each a short text."""
    return {"packages": _packages(), "machine": _machine(), "home": _home(home)}


def _packages() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def _machine() -> dict[str, str]:
    import torch

    from policysearch.drivers.execution import usable_cores
    from trials.recipes import default_recipe

    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    recipe = default_recipe("cuda" if gpus else "cpu")
    return {
        "system": platform.platform(),
        "cores": str(usable_cores()),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "gpus": ", ".join(gpus) or "none: trials run on the CPU",
        "trial precision": f"{recipe.precision}{', channels last' if recipe.channels_last else ''}",
    }


def _home(home: Home) -> dict[str, str]:
    facts = {"directory": str(home.root)}
    if not home.root.exists():
        return facts | {"size": "nothing there yet"}
    if not home.root.is_dir():
        return facts | {"size": "it is no directory; give another with --home"}
    facts["size"] = _readable(_size_bytes(home.root))
    for entry in sorted(home.root.iterdir()):
        facts[entry.name] = _readable(_size_bytes(entry))
    return facts


def _size_bytes(path: Path) -> int:
    files = [path] if path.is_file() else [Path(folder) / name for folder, _, names in os.walk(path) for name in names]
    size_bytes = 0
    for file in files:
        with suppress(FileNotFoundError):  # a search at work makes and removes files all the time
            size_bytes += file.lstat().st_size
    return size_bytes


def _readable(size_bytes: float) -> str:
    for unit in ("B", "kB", "MB"):
        if size_bytes < 1000:
            return f"{size_bytes:.0f} {unit}"
        size_bytes /= 1000
    return f"{size_bytes:.1f} GB"
