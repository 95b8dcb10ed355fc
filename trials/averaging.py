"""A running mean of a net's weights over the steps of its training (EMA): the net that is scored and kept in its place.

The statistics of batch norm are averaged like the weights, for those of the net in training belong to other weights; whole
numbers (how many batches have been counted) are taken over as they are. Changes nothing of the net that trains.
"""

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

EARLY = 10


class WeightMean:
    """The mean of a net in training: `update` after each step, then `model` is the averaged net, on the same device.

    A step leaves `decay` (0 to below 1) of the mean, and at first less: step t at most (1 + t) / (EARLY + t), as in TensorFlow's
    ExponentialMovingAverage, so that a short run is not the mean of where it began.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self._decay, self.steps = decay, 0
        self.model = copy.deepcopy(model).requires_grad_(False)

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Take the net's state, as it is after a step, into the mean."""
        self.steps += 1
        share = 1 - min(self._decay, (1 + self.steps) / (EARLY + self.steps))
        means, now = self.model.state_dict(), model.state_dict()
        for name, mean in means.items():
            _approach(mean, now[name], share)

    def state(self) -> dict[str, Any]:
        """What the mean goes on from: plain values and tensors, the live ones."""
        return {"model": self.model.state_dict(), "steps": self.steps}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` said."""
        self.model.load_state_dict(state["model"])
        self.steps = state["steps"]


def _approach(mean: Tensor, now: Tensor, share: float) -> None:
    if mean.is_floating_point():
        mean.lerp_(now, share)
    else:
        mean.copy_(now)
