"""Published policies as policy files, with their sources in `provenance`. It holds resolved physical values only, no levels.

The files are made by benchmarks/make_zoo.py.
"""

from difflib import get_close_matches
from pathlib import Path

from searchspaces.errors import BadInput
from searchspaces.policy_json import PolicyFile, read_policy_file

ZOO_DIRECTORY = Path(__file__).parent


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
