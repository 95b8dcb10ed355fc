"""Published policies as policy files, with their sources in `provenance`. It holds resolved physical values only, no levels.

The files are made by benchmarks/make_zoo.py.
"""

from difflib import get_close_matches
from pathlib import Path

from searchspaces.errors import BadInput
from searchspaces.policy_json import PolicyFile, read_policy_file

ZOO_DIRECTORY = Path(__file__).parent
PREFIX = "zoo:"


def zoo_names() -> tuple[str, ...]:
    """The names of all policies in the zoo, sorted."""
    return tuple(sorted(path.stem for path in ZOO_DIRECTORY.glob("*.json")))


def read_zoo(name: str) -> PolicyFile:
    """The published policy called `name`."""
    if name not in zoo_names():
        closest = get_close_matches(name, zoo_names(), n=1)
        hint = f"did you mean {closest[0]!r}? " if closest else ""
        raise BadInput(f"zoo: no policy is called {name!r}; {hint}known are {', '.join(zoo_names())}")
    return read_policy_file(ZOO_DIRECTORY / f"{name}.json")


def read_source(source: Path | str) -> PolicyFile:
    """A published policy by "zoo:NAME", or the one in a file. A published name without "zoo:" is refused with the right one."""
    name = str(source)
    if name.startswith(PREFIX):
        return read_zoo(name.removeprefix(PREFIX))
    refuse_bare_name(name)
    return read_policy_file(source)


def refuse_bare_name(name: str) -> None:
    """BadInput for the name of a published policy that lacks "zoo:", where there is no file of that name."""
    if name in zoo_names() and not Path(name).exists():
        raise BadInput(f"policy {name!r}: there is no such file; the published policy is called {PREFIX}{name}")
