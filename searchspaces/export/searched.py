"""What the images were like that a policy was searched on, and a word to those who use it on others. Changes no pixel."""

from searchspaces.errors import BadInput
from searchspaces.ops import find_op
from searchspaces.policy import Policy
from searchspaces.policy_json import PolicyFile

Shape = tuple[int, int, int]
"""Channels, height, width."""


def searched_at(file: PolicyFile) -> Shape | None:
    """From the provenance's `channels` and `size` (height and width); None where it doesn't say."""
    channels, size = file.provenance.get("channels"), file.provenance.get("size")
    if isinstance(channels, int) and isinstance(size, list | tuple) and [type(side) for side in size] == [int, int]:
        return (channels, size[0], size[1])
    return None


def channels_for(policy: Policy) -> int:
    """How many channels images can have that all ops of the policy take, 3 if they do. BadInput where there is no such number."""
    ops = [find_op(name) for name in policy.ops]
    counts = dict.fromkeys([3, 1, 2, 4, *sorted(count for op in ops for count in op.channels or ())])
    for count in counts:
        if all(op.accepts(count) for op in ops):
            return count
    raise BadInput(f"policy: no images have channels that all of its ops take ({', '.join(policy.ops)}); leave some out")


def other_than_searched(searched: Shape, used: Shape) -> str:
    """The warning for images of another shape."""
    return (
        f"this policy was searched on images of {_size(searched)} and is used on {_size(used)}: "
        "what was best there need not be best here"
    )


def _size(shape: Shape) -> str:
    channels, height, width = shape
    return f"{width}x{height} pixels with {channels} channel{'s' if channels > 1 else ''}"
