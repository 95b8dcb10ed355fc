"""Counts, lists and lengths of time as a sentence has them: the same words on the screen, in the report and in MLflow."""

from collections.abc import Sequence


def counted(number: int, thing: str, things: str = "") -> str:
    """So many of a thing: "1 epoch", "30 epochs"; `things` where its plural is not made by an s."""
    return f"{number:,} {thing if number == 1 else things or thing + 's'}"


def listed(parts: Sequence[str]) -> str:
    """One after the other, "and" before the last: "a, b and c"."""
    return f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else "".join(parts)


def duration(seconds: float) -> str:
    """A length of time: "43 s", "12 min", "3.5 h"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
