"""Writes a policy as one Python file that does without policysearch: our own code, collected, with the policy as a literal.

The file draws as we draw and applies as the collected engine applies, because it is the same source. Refuses policies with ops
whose code can't be collected, and names them.
"""

from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields, is_dataclass
from importlib.metadata import version
from pprint import pformat
from textwrap import fill
from typing import Any

import numpy as np

from searchspaces.draw import draw
from searchspaces.errors import BadInput
from searchspaces.export.collecting import Collection
from searchspaces.export.searched import channels_for
from searchspaces.ops import find_op
from searchspaces.ops.op import Op
from searchspaces.policy import Policy
from searchspaces.policy_json import PolicyFile, policy_file_text
from searchspaces.words import policy_in_words

WIDTH = 120
_FILE = '''"""{title}

{words}

{use}

Made by policysearch {version} from its own source; the code below is under the Apache License 2.0.
"""

from __future__ import annotations

{imports}


{code}


OPS = {ops}


def find_op(name):
    """The op called `name`."""
    return OPS[name]


def policy_in_words(policy):
    """The policy in one or two sentences."""
    return WORDS


WORDS = {words_literal}
POLICY = {policy}
PROVENANCE = {provenance}

{ending}
'''
_OWN_NAMES = frozenset({"OPS", "WORDS", "POLICY", "PROVENANCE", "transform", "collate", "carried_out"})


@dataclass(frozen=True)
class Kind:
    """A kind of standalone file: its first line, how to use it, what it may import, and its last lines.

    `collect(collection)` collects all that is not an op, `kernel` is the field of `Op` that the file's engine calls. The last
    lines make `transform`, and `carried_out(images, plan)`, for uint8 arrays (images, channels, height, width).
    """

    title: str
    use: str
    libraries: frozenset[str]
    collect: Callable[[Collection], None]
    kernel: str
    ending: Callable[[PolicyFile, Collection], str]


def standalone_text(file: PolicyFile, kind: Kind) -> str:
    """The Python file. BadInput names an op that can't be in it."""
    policy_file_text(file)  # refuses what could not be read again
    collection = Collection(kind.libraries, _OWN_NAMES)
    collection.stand_in("searchspaces.ops", "find_op", "find_op")
    collection.stand_in("searchspaces.words", "policy_in_words", "policy_in_words")
    kind.collect(collection)
    ops = {name: _op(find_op(name), kind, collection) for name in ops_drawn(file.policy)}
    policy = as_source(file.policy, collection)
    ending = kind.ending(file, collection)
    words = policy_in_words(file.policy)
    return _FILE.format(
        title=kind.title,
        words=fill(words, WIDTH, break_long_words=False, break_on_hyphens=False),
        use=kind.use,
        version=version("policysearch"),
        imports=collection.imports,
        code=collection.text,
        ops=_bracketed("{", [f'"{name}": {text}' for name, text in ops.items()], "}", 0),
        words_literal=repr(words),
        policy=policy,
        provenance=pformat(dict(file.provenance), width=WIDTH, compact=True, sort_dicts=False),
        ending=ending,
    )


def ops_drawn(policy: Policy) -> tuple[str, ...]:
    """All ops that a plan of the policy can name: those of its branches and those of its base."""
    return draw(policy, (1, channels_for(policy), 32, 32), np.random.default_rng(0)).code_book


def as_source(value: Any, collection: Collection, indent: int = 0) -> str:
    """A value of ours as Python source: dataclasses by their constructors, fields at their defaults left out."""
    if is_dataclass(value) and not isinstance(value, type):
        name = collection.add(type(value).__module__, type(value).__name__)
        given = [
            f"{field.name}={as_source(getattr(value, field.name), collection, indent + 4)}"
            for field in fields(value)
            if getattr(value, field.name) != _default(field)
        ]
        return _bracketed(f"{name}(", given, ")", indent)
    if isinstance(value, tuple):
        items = [as_source(item, collection, indent + 4) for item in value]
        return f"({items[0]},)" if len(items) == 1 and "\n" not in items[0] else _bracketed("(", items, ")", indent)
    return repr(value)


def _default(field: Any) -> Any:
    return field.default if field.default is not MISSING else MISSING


def _bracketed(opening: str, items: list[str], closing: str, indent: int) -> str:
    """Items between brackets, on one line where they fit there."""
    line = f"{opening}{', '.join(items)}{closing}"
    if "\n" not in line and indent + len(line) <= WIDTH:
        return line
    inner = " " * (indent + 4)
    return "\n".join([opening, *(f"{inner}{item}," for item in items), " " * indent + closing])


def _op(op: Op, kind: Kind, collection: Collection) -> str:
    """The op's entry in the file's table, once its kernel is collected."""
    function = getattr(op, kind.kernel)
    if op.package:
        raise BadInput(
            f"op {op.name}: {op.package} applies it through policysearch, so no file without that can; leave out --standalone"
        )
    if function is None:
        raise BadInput(f"op {op.name}: it has no {kind.kernel}, which this standalone file needs; leave out --standalone")
    if function.__name__ != function.__qualname__ or function.__name__ == "<lambda>":
        raise BadInput(f"op {op.name}: its {kind.kernel} is no function at the top of a module, so it can't be collected")
    try:
        kernel = collection.add(function.__module__, function.__name__)
    except BadInput as error:
        raise BadInput(f"op {op.name}: it can't be in this standalone file ({error}); leave out --standalone") from None
    given: dict[str, Any] = {
        "name": op.name,
        "parameters": op.parameters,
        "kind": op.kind,
        "source": op.source,
        "meaning": op.meaning,
    }
    given |= {"channels": op.channels, "signed": op.signed, "seeded": op.seeded, "resamples": op.resamples}
    name = collection.add(Op.__module__, Op.__name__)
    entries = [f"{key}={as_source(value, collection, 8)}" for key, value in given.items() if value not in (None, False, "")]
    kernels = dict.fromkeys(("kernel", kind.kernel), kernel)
    return _bracketed(f"{name}(", [*entries, *(f"{key}={text}" for key, text in kernels.items())], ")", 4)
