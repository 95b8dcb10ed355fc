"""What must be true of a fuzzed policy file: it is accepted, then it comes back to the byte and runs; or refused in one line.

`judge` reads one file and says which; anything else is an AssertionError or whatever the code under test raised.
"""

import json
from pathlib import Path

import numpy as np
import torch

from searchspaces.draw import draw
from searchspaces.engines import apply
from searchspaces.errors import BadInput
from searchspaces.export.searched import other_than_searched, searched_at
from searchspaces.policy import Branch, Choice, Constant, Policy, Step
from searchspaces.policy_json import (
    PolicyFile,
    canonical_json,
    digest,
    policy_file_text,
    policy_from_dict,
    policy_to_dict,
    read_policy_file,
)
from searchspaces.words import policy_in_words

IMAGES = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, 3, 12, 16), dtype=np.uint8))
LONGEST_LINE = 800


def judge(path: Path) -> str:
    """ "accepted", or what it was refused for."""
    try:
        found = read_policy_file(path)
    except BadInput as refused:
        line = str(refused)
        assert line.isprintable() and len(line) <= LONGEST_LINE, f"not one line of {LONGEST_LINE}: {line[:900]!r}"
        assert line.startswith(f"policy file {path}: "), line
        return _reason(line.removeprefix(f"policy file {path}: "))
    _comes_back(found.policy, path)
    _runs(found.policy)
    searched = searched_at(found)
    assert searched is None or other_than_searched(searched, (3, 12, 16)).isprintable()
    words = policy_in_words(found.policy)
    assert words.isprintable() and words.endswith("."), words
    return "accepted"


def warm_up() -> None:
    """Load the compiled kernels and Albumentations, so that no case pays for them."""
    turn, shine = Choice("rotate", (Constant(9.0),)), Choice("albumentations:ToSepia", (Constant(1.0),))
    _runs(Policy(branches=(Branch((Step((turn,)), Step((shine,)))),)))


def _reason(line: str) -> str:
    """What the file was refused for, without the place and the value: for counting."""
    told = [reason for reason in REASONS if reason in line]
    assert told, f"a refusal that says not what is allowed: {line}"
    return told[0]


def _comes_back(policy: Policy, path: Path) -> None:
    text = canonical_json(policy_to_dict(policy))
    again = policy_from_dict(json.loads(text))
    assert again == policy
    assert canonical_json(policy_to_dict(again)) == text
    assert digest(again) == digest(policy)
    try:
        written = policy_file_text(PolicyFile(policy, {}))
    except BadInput as refused:  # ours is the longer form of what was just below the limit
        assert "allowed is at most 1 MiB" in str(refused) and path.stat().st_size > 2**18
        return
    path.write_text(written)
    assert policy_file_text(PolicyFile(read_policy_file(path).policy, {})) == written


def _runs(policy: Policy) -> None:
    """On colour images always; on grey ones it may be refused for an op that needs colours."""
    for images in (IMAGES, IMAGES[:, :1]):
        try:
            plan = draw(policy, (len(images), images.shape[1], *images.shape[2:]), np.random.default_rng(1))
        except BadInput as refused:
            assert images.shape[1] == 1 and "the images have 1 channels" in str(refused)
            continue
        out = apply(images, plan)
        assert out.dtype == torch.uint8 and out.shape[:2] == images.shape[:2]


REASONS = (
    *(
        "not JSON at line",
        "nested too deep",
        "given twice",
        "more than 1048576 bytes",
        "byte-order mark",
        "not UTF-8",
        "not a number JSON",
    ),
    *(
        "beyond what a float holds",
        "a whole number of",
        "there is none of this name",
        "unknown field",
        "missing; give",
        "this version reads",
    ),
    *(
        "of constant, uniform, levels given",
        "it has no sign to draw",
        "is above high",
        "nothing to choose from",
        "give levels instead",
    ),
    *(
        "branches; allowed",
        "steps; allowed",
        "values; allowed",
        "allowed are two",
        "numbers; allowed",
        "allowed is a list",
        "allowed is an object",
    ),
    *(
        "allowed is a number",
        "allowed is a finite number",
        "allowed are true and false",
        "allowed is the name of an op",
        "allowed are whole",
    ),
    *("; allowed ", "; give "),
)
