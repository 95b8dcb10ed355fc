"""Shares of images as people say them: percent and points, with one decimal."""

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
