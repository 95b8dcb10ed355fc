"""A user's function, objective or net, on its way to a worker: text that a driver hands over, and back to the function.

Functions of a script travel by value, so a script needs no main guard. What they use of other modules of the user's own is
imported there, from the directories of this process's path; where a machine lacks these modules, copies that travel along stand
in. The text goes over a driver's own pipe or Ray's object store and is never stored: nothing read from a file is ever run.
"""

import base64
import importlib
import io
import sys
import sysconfig
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from searchspaces.errors import BadInput
from searchspaces.json_text import one_line

OURS = ("searchspaces", "trials", "policysearch", "dashboards")
_ALLOWED = {
    "objective": "a function of one argument, the trial's context",
    "model": "a net's name, or a function of channels and classes",
}
CURE = "open files, connections and locks inside the function"


def name_of(fn: Callable[..., Any], thing: str = "objective") -> str:
    """What a study calls the function: "module:name", with the script's name for what was defined there.

    BadInput for what can't be called.
    """
    if not callable(fn):
        raise BadInput(f"{thing} {one_line(repr(fn), 60)}: allowed is {_ALLOWED[thing]}")
    inner = getattr(fn, "func", fn)  # of functools.partial
    named = inner if hasattr(inner, "__qualname__") else type(inner)
    return f"{_module_name(named.__module__)}:{named.__qualname__}"


def _module_name(name: str) -> str:
    if name != "__main__":
        return name
    main = sys.modules["__main__"]
    spec, file = getattr(main, "__spec__", None), getattr(main, "__file__", None)
    if spec is not None:  # python -m package.module
        return str(spec.name)
    return Path(file).stem if file else name


def _pickled(value: Any) -> bytes:
    """As `cloudpickle.dumps`, which stumbles over modules of a kind of their own: `torch.classes`, where one says `.classes`."""
    import cloudpickle

    class Pickler(cloudpickle.Pickler):  # type: ignore[misc]  # the base has no types
        def reducer_override(self, obj: Any) -> Any:
            if isinstance(obj, ModuleType) and type(obj) is not ModuleType:
                return importlib.import_module, (obj.__name__,)
            return super().reducer_override(obj)

    file = io.BytesIO()
    Pickler(file).dump(value)
    return file.getvalue()


class _Model:
    """A function that builds a net, under the name that recipes call it by, on its way."""

    def __init__(self, name: str, fn: Callable[..., Any]) -> None:
        self.name, self.fn = name, fn

    def __call__(self, channels: int, classes: int) -> Any:
        return self.fn(channels, classes)


def pack_model(name: str, fn: Callable[..., Any]) -> str:
    """A function that builds a net as text for `receive`."""
    return pack(_Model(name, fn), f"model {name}")


def pack(fn: Callable[..., Any], thing: str | None = None) -> str:
    """The function as text for `unpack`. BadInput, which calls it `thing`, where it, or something it uses, can't travel."""
    try:
        imported = _pickled(fn)
    except Exception as error:  # whatever the user's objects raise when they are asked to be pickled
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        named = thing or f"objective {name_of(fn)}"
        raise BadInput(f"{named}: it can't be sent to workers ({one_line(reason, 200)}); {CURE}") from error
    with _by_value(_own_modules()):
        try:
            copied = _pickled(fn)
        except Exception:  # modules that can't be copied must be where the workers are
            copied = None
    return base64.b64encode(_pickled((_own_path(), imported, copied))).decode("ascii")


def receive(text: str) -> Callable[..., Any] | None:
    """What a worker runs in place of trainings; None where the text brings a net, which its trials find by name from now on."""
    fn = unpack(text)
    if not isinstance(fn, _Model):
        return fn
    from trials.models.own import bring

    bring(fn.name, fn.fn)
    return None


def unpack(text: str) -> Callable[..., Any]:
    """The function again, in another process. Raises ModuleNotFoundError where it needs what this machine has not."""
    import cloudpickle

    path, imported, copied = cloudpickle.loads(base64.b64decode(text))
    sys.path[:0] = [place for place in path if place not in sys.path and Path(place).is_dir()]
    try:
        fn: Callable[..., Any] = cloudpickle.loads(imported)
    except ModuleNotFoundError:
        if copied is None:
            raise
        fn = cloudpickle.loads(copied)
    return fn


@cache
def _installed() -> tuple[Path, ...]:
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    return tuple(dict.fromkeys(Path(path).resolve() for name, path in sysconfig.get_paths().items() if name in names))


@cache
def _is_own(place: Path) -> bool:
    """Whether a file or directory is the user's own: not of Python's library, of no installed package."""
    place = place.resolve()
    return not any(place.is_relative_to(root) for root in _installed()) and "site-packages" not in place.parts


def _own_path() -> list[str]:
    return [str(Path(place).absolute()) for place in sys.path if Path(place).is_dir() and _is_own(Path(place))]


def _own_modules() -> list[ModuleType]:
    """The modules of the user's own that are loaded; a script's functions travel by value anyway."""
    found = []
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if name.partition(".")[0] in (*OURS, "__main__", "__mp_main__") or not isinstance(file, str):
            continue
        if isinstance(module, ModuleType) and _is_own(Path(file).parent):
            found.append(module)
    return found


@contextmanager
def _by_value(modules: list[ModuleType]) -> Iterator[None]:
    """Inside, what these modules define is copied; what somebody registered before stays registered."""
    import cloudpickle

    known = cloudpickle.list_registry_pickle_by_value()
    # By name: a module that is loaded under a second name stands in the list twice.
    named = {module.__name__: module for module in modules if sys.modules.get(module.__name__) is module}
    new = [module for name, module in named.items() if name not in known]
    for module in new:
        cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        for module in new:
            cloudpickle.unregister_pickle_by_value(module)
