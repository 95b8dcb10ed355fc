"""The one-cycle learning rate: a linear rise to the peak, then a linear fall to zero.

Refuses steps outside the run: a run stopped early has no annealed end, so it can't be judged (plan whole short runs instead).
After Smith and Topin 2017, arXiv 1708.07120.
"""


def learning_rate(step: int, steps: int, peak: float, warmup_fraction: float) -> float:
    """The rate for optimiser step `step` (0 to `steps` - 1): highest at `warmup_fraction` of the run, almost zero at its end."""
    if not 0 <= step < steps:
        raise ValueError(f"step {step} is outside the run's 0 to {steps - 1}")
    middle = (step + 0.5) / steps
    if middle < warmup_fraction:
        return min(peak, peak * middle / warmup_fraction)
    return min(peak, peak * (1.0 - middle) / (1.0 - warmup_fraction))  # at the very top a product rounds up
