"""What a rehearsal is: a trial ended after a few optimiser steps, to learn what a whole one takes, and whether it fits.

Its spans are true times: `setup`, `draw` (the augmentation of one epoch is drawn), `warm_up` (the first `WARM_UP_STEPS` steps,
in which kernels are compiled), `augment` and `step` (all the others), `score` (each epoch's), `score_views` (the last epoch's,
where the recipe has several views) and `total`. Refuses fewer steps than leave one to be timed.
"""

from collections.abc import Mapping

from searchspaces.errors import BadInput
from trials.train import batches_per_epoch

WARM_UP_STEPS = 2


def check_steps(budget_steps: int | None) -> None:
    """Raise BadInput for a rehearsal of too few steps; None is none."""
    if budget_steps is not None and budget_steps <= WARM_UP_STEPS:
        allowed = f"allowed is {WARM_UP_STEPS + 1} or more (the first {WARM_UP_STEPS} only warm up), or None for whole epochs"
        raise BadInput(f"budget_steps: {budget_steps}; {allowed}")


def step_seconds(span_seconds: Mapping[str, float], budget_steps: int) -> float:
    """What one optimiser step takes, augmentation included, by a rehearsal of so many steps."""
    return (span_seconds["step"] + span_seconds["augment"]) / (budget_steps - WARM_UP_STEPS)


def trial_seconds(
    span_seconds: Mapping[str, float], budget_steps: int, train_images: int, batch_images: int, epochs: int
) -> float:
    """What a whole trial of so many epochs over so many images will take, by a rehearsal of the same recipe.

    Without compiling kernels and starting processes, which happen once for many trials, and without keeping the weights.
    """
    steps = batches_per_epoch(train_images, batch_images)
    score = span_seconds["score"]
    training = epochs * (span_seconds["draw"] + steps * step_seconds(span_seconds, budget_steps))
    return span_seconds["setup"] + training + (epochs - 1) * score + span_seconds.get("score_views", score)
