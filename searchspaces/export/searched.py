"""What the images were like that a policy was searched on, and a word to those who use it on others. Changes no pixel."""

from searchspaces.policy_json import PolicyFile

Shape = tuple[int, int, int]
"""Channels, height, width."""


def searched_at(file: PolicyFile) -> Shape | None:
    """From the provenance's `channels` and `size` (height and width); None where it doesn't say."""
    channels, size = file.provenance.get("channels"), file.provenance.get("size")
    if isinstance(channels, int) and isinstance(size, list | tuple) and [type(side) for side in size] == [int, int]:
        return (channels, size[0], size[1])
    return None


def other_than_searched(searched: Shape, used: Shape) -> str:
    """The warning for images of another shape."""
    return (
        f"this policy was searched on images of {_size(searched)} and is used on {_size(used)}: "
        "what was best there need not be best here"
    )


def _size(shape: Shape) -> str:
    channels, height, width = shape
    return f"{width}x{height} pixels with {channels} channel{'s' if channels > 1 else ''}"
