"""Dropout before a net's last linear layer, whatever the net: Srivastava et al. 2014, with the masks' generator passed in.

A net in evaluation mode is untouched, and so are its weights' names. Refuses nets that have no linear layer.
"""

import torch
from torch import Tensor, nn

from searchspaces.errors import BadInput


class HeadDropout:
    """Leaves each input of the last linear layer out with probability `share` (0 to below 1) while the net trains, and divides
    the others by what is left, so that their mean stays.

    `generator` draws the masks, on the net's device; whoever trains puts the epoch's own there.
    """

    def __init__(self, model: nn.Module, share: float) -> None:
        self._share = share
        self.generator: torch.Generator | None = None
        heads = [module for module in model.modules() if isinstance(module, nn.Linear)]
        if not heads:
            raise BadInput(f"dropout: {share:g}, but the net has no linear layer to leave inputs of out; allowed is 0")
        heads[-1].register_forward_pre_hook(lambda head, inputs: (self._thinned(head, inputs[0]),))

    def _thinned(self, head: nn.Module, inputs: Tensor) -> Tensor:
        if not head.training:
            return inputs
        assert self.generator is not None, "an epoch brings its generator"
        kept = torch.empty_like(inputs).bernoulli_(1 - self._share, generator=self.generator)
        return inputs * kept / (1 - self._share)
