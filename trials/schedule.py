"""The learning rate of each step: a linear rise to the peak, then a fall by the recipe's schedule.

Refuses steps outside the run: a run stopped early has no annealed end, so it can't be judged (plan whole short runs instead).
"""

import math
from collections.abc import Callable, Mapping

from searchspaces.recipe_fields import milestones
from trials.values import Recipe


def learning_rate(step: int, steps: int, recipe: Recipe) -> float:
    """The rate for optimiser step `step` (0 to `steps` - 1), above 0: highest at `warmup_fraction` of the run.

    A step is read at its middle. BadInput for an unknown schedule or milestones.
    """
    if not 0 <= step < steps:
        raise ValueError(f"step {step} is outside the run's 0 to {steps - 1}")
    peak, warmup, middle = recipe.peak_learning_rate, recipe.warmup_fraction, (step + 0.5) / steps
    if middle < warmup:
        return min(peak, peak * middle / warmup)
    return min(peak, SCHEDULES[recipe.schedule](recipe, middle))  # at the very top a product rounds up


def _one_cycle(recipe: Recipe, middle: float) -> float:
    """A linear fall to zero, after Smith and Topin 2017, arXiv 1708.07120."""
    return recipe.peak_learning_rate * (1.0 - middle) / (1.0 - recipe.warmup_fraction)


def _cosine(recipe: Recipe, middle: float) -> float:
    """Half a cosine to zero, after Loshchilov and Hutter 2016, arXiv 1608.03983, without restarts."""
    done = (middle - recipe.warmup_fraction) / (1.0 - recipe.warmup_fraction)
    return recipe.peak_learning_rate * 0.5 * (1.0 + math.cos(math.pi * done))


def _steps(recipe: Recipe, middle: float) -> float:
    """Multiplied by a factor at each milestone, as in He et al. 2015, arXiv 1512.03385; from the warm-up's end on."""
    passed = sum(middle >= share for share in milestones(recipe.step_milestones))
    return recipe.peak_learning_rate * recipe.step_factor**passed


SCHEDULES: Mapping[str, Callable[[Recipe, float], float]] = {"one-cycle": _one_cycle, "cosine": _cosine, "step": _steps}
"""The rate after the warm-up, by a recipe and the share of the run that is over."""
