"""What `policysearch doctor` finds out about this machine and home.

It looks and changes nothing, but for kernels that are not compiled yet: it compiles them where there is a home to keep them in.
"""

import os
import platform
import time
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from policysearch.home import Home

PACKAGES = (
    "policysearch",
    "torch",
    "torchvision",
    "numpy",
    "numba",
    "ray",
    "optuna",
    "mlflow",
    "sqlalchemy",
    "albumentations",
    "timm",
    "psycopg",
)


def examine(home: Home) -> dict[str, dict[str, str]]:
    """Facts by section (packages, machine, engines, home), each a short text."""
    with home.keeping_kernels():
        return {"packages": _packages(), "machine": _machine(), "engines": _engines(home), "home": _home(home)}


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


def _engines(home: Home) -> dict[str, str]:
    """Which engine augments, where its machine code is, and whether all engines give the same pixels here."""
    import torch

    from searchspaces.engines import FUSED, GROUPED, agreement, fused_here
    from searchspaces.engines.fused.keeping import anything_kept, kernel_home

    facts = {"on the CPU": FUSED if fused_here() else GROUPED, "kernels": str(kernel_home())}
    if fused_here() and not (anything_kept() or home.root.is_dir()):
        facts["compiled"] = "not yet; the first trial does it, in about half a minute"
    elif fused_here():
        facts |= _compiled()
        facts["fused and torch"] = str(agreement.fused_with_grouped())
    if torch.cuda.is_available():
        facts["GPU and CPU"] = str(agreement.gpu_with_cpu())
    return facts


def _compiled() -> dict[str, str]:
    """The compiled kernels: where, and how long it took. They are loaded, and compiled before if need be."""
    from searchspaces.engines.fused import keeping
    from searchspaces.engines.fused.loading import kernels

    found = kernels()
    how_long = keeping.compile_seconds(found.directory)
    when = "just now" if found.compiled else "before"
    return {
        "compiled": f"{when}, in {how_long:.1f} s: {len(found.numbers)} ops; loaded in {found.seconds:.1f} s",
        "machine code": str(found.directory),
    }


def _home(home: Home) -> dict[str, str]:
    facts = {"directory": str(home.root)} | ({"ledger": home.storage} if home.storage else {})
    if not home.root.exists():
        return facts | {"size": "nothing there yet"}
    if not home.root.is_dir():
        return facts | {"size": "it is no directory; give another with --home"}
    facts["size"] = _readable(_size_bytes(home.root))
    for entry in sorted(home.root.iterdir()):
        facts[entry.name] = _readable(_size_bytes(entry))
    return facts | _prepared(home)


def _prepared(home: Home) -> dict[str, str]:
    """What prepared images take, of what they may, and each set of them, the longest unused first: it is the next to go."""
    from trials.data.room import VARIABLE, kept_sets, limit_bytes

    sets = kept_sets(home.root)
    takes = sum(one.size_bytes for one in sets)
    facts = {"prepared images": f"{_readable(takes)} of at most {_readable(limit_bytes())} (${VARIABLE})"}
    for one in sets:
        used = "in use" if one.is_used else time.strftime("last used %Y-%m-%d", time.localtime(one.used_at))
        facts[f"  {one.key}"] = f"{_readable(one.size_bytes)}, {used}"
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
