"""How far the order of policies by a cheaper training is their order by a whole one: Kendall's tau, with an interval.

Small proxies mislead: a policy that regularises strongly is the worst of a short training and the best of a long one. Of policies
that were trained both ways tau is the share of pairs in the same order less that in the other; 1 is the same order, 0 none, -1
the reverse. Noise of images and seeds lowers it, and so does it that only the better policies are trained on. Reads no ledger.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

ENOUGH_TAU = 0.5
"""Below this the cheaper training is said to mislead: of two policies it then takes more than one pair in four wrong."""
FEWEST = 5
"""Of fewer policies nothing is said but how many they are."""
MOST = 1000
_SURE = 1.96


@dataclass(frozen=True)
class RankAgreement:
    """A rung of so many epochs' work, called `rung`: over `policies` trained by it and whole, tau and its 95 % interval.

    tau, low and high are None where there are fewer than five policies, or no two of them differ. `enough`: whether tau is not
    below `ENOUGH_TAU`; None where nothing is known.
    """

    epochs: int
    rung: str
    policies: int
    tau: float | None
    low: float | None
    high: float | None
    enough: bool | None
    sentence: str

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


def rank_agreement(epochs: int, rung: str, cheap: Sequence[float], whole: Sequence[float]) -> RankAgreement:
    """What the errors of the same policies by the rung and by a whole training say of each other; of many the last thousand."""
    cheap, whole, count = cheap[-MOST:], whole[-MOST:], len(cheap)
    tau = kendall_tau(cheap, whole) if len(cheap) >= FEWEST else None
    if tau is None:
        known = f"{count} trained both ways, {FEWEST} that differ are needed"
        sentence = f"Whether the order after {rung} is that of whole trainings is not known: policies {known}."
        return RankAgreement(epochs, rung, count, None, None, None, None, sentence)
    low, high = tau_interval(tau, len(cheap))
    enough = tau >= ENOUGH_TAU
    order = f"Kendall's tau {tau:.2f} ({low:.2f} to {high:.2f}, {count} policies trained both ways)"
    sentence = f"The order after {rung} agrees with that of whole trainings by {order}."
    if not enough:
        sentence += f" That is below {ENOUGH_TAU:g}: this rung misleads and may have stopped the best policies; give larger ones."
    return RankAgreement(epochs, rung, count, tau, low, high, enough, sentence)


def kendall_tau(one: Sequence[float], other: Sequence[float]) -> float | None:
    """Kendall's tau-b (1945, Biometrika 33:239), which counts ties as neither; None where all values of one are the same."""
    first, second = (np.sign(np.subtract.outer(values, values)) for values in (np.asarray(one), np.asarray(other)))
    untied = math.sqrt(float((first != 0).sum())) * math.sqrt(float((second != 0).sum()))
    return None if untied == 0 else max(-1.0, min(1.0, float((first * second).sum()) / untied))


def tau_interval(tau: float, count: int) -> tuple[float, float]:
    """The 95 % interval by Fieller, Hartley and Pearson (1957, Biometrika 44:470): the inverse hyperbolic tangent of tau has the
    variance 0.437 / (n - 4). `count` is above 4; at -1 and 1, where that is of no width, 1 pair of all counts as undecided.
    """
    inside = 1 - 2 / (count * (count - 1))
    middle, half = math.atanh(max(-inside, min(inside, tau))), _SURE * math.sqrt(0.437 / (count - 4))
    return min(tau, math.tanh(middle - half)), max(tau, math.tanh(middle + half))
