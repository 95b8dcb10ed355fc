"""Shares of images as people say them: percent and points with one decimal, whole numbers with their things."""

import math


def percent(share: float) -> str:
    """A share in percent, without the sign: "12.9"; never "-0.0". A half goes away from 0, however the share came about."""
    text = f"{math.copysign(math.floor(round(1000 * abs(share), 6) + 0.5) / 10, share):.1f}"
    return "0.0" if text == "-0.0" else text


def points(share: float) -> str:
    """A difference of two shares: "1.2 points"."""
    return f"{percent(share)} points"


def against(gain: float) -> str:
    """A difference of two errors (0 to 1) in words that go on with a name: "0.8 points better than"."""
    told = points(abs(gain))
    if gain == 0 or told == points(0):
        return "as good as"
    return f"{told} {'better' if gain > 0 else 'worse'} than"


def counted(number: int, thing: str, things: str = "") -> str:
    """So many of a thing: "1 epoch", "30 epochs"; `things` where its plural is not made by an s."""
    return f"{number:,} {thing if number == 1 else things or thing + 's'}"


def listed(parts: list[str]) -> str:
    """What a sentence has one after the other, "and" before the last."""
    return f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else "".join(parts)
