"""The part of one process in a training that several share: which images are its own, and how what all have made is put together.

Gradients are added up before each step and running statistics averaged when an epoch ends, so that all nets stay alike. Knows
nothing of how the processes were started or meet (`trials.sharing`). Refuses to go on from unlike beginnings.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn


@dataclass(frozen=True)
class Share:
    """The part of one process, the `rank`-th from 0 of `count`, in a training. Of `ALONE` everything is its own."""

    rank: int = 0
    count: int = 1

    def part(self, images: int) -> slice:
        """Which of a batch's images are this process's: parts are alike to within one."""
        return slice(images * self.rank // self.count, images * (self.rank + 1) // self.count)

    def is_mine(self, number: int) -> bool:
        """Whether the batch of that number is this process's to score."""
        return number % self.count == self.rank

    def add_up(self, tensor: Tensor) -> Tensor:
        """The sum over all processes, in place."""
        if self.count > 1:
            distributed.all_reduce(tensor)
        return tensor

    def add_up_gradients(self, net: nn.Module) -> None:
        """Have every process's net hold the sum of all gradients."""
        gradients = [parameter.grad for parameter in net.parameters() if parameter.grad is not None]
        if self.count == 1 or not gradients:
            return
        flat = self.add_up(torch.cat([gradient.reshape(-1) for gradient in gradients]))
        for gradient, summed in zip(gradients, torch.split(flat, [gradient.numel() for gradient in gradients]), strict=True):
            gradient.copy_(summed.view_as(gradient))

    def agree(self, nets: Iterable[nn.Module]) -> None:
        """Average what the nets hold besides weights over all processes: batch norm's running statistics."""
        for net in nets if self.count > 1 else ():
            for buffer in net.buffers():
                if buffer.is_floating_point():
                    self.add_up(buffer).div_(self.count)

    def require_alike(self, number: int, device: str) -> None:
        """Raise RuntimeError unless all processes say the same number."""
        if self.count > 1:
            said = torch.tensor([number, -number], dtype=torch.int64, device=device)
            distributed.all_reduce(said, distributed.ReduceOp.MAX)
            if int(said[0]) != -int(said[1]):
                raise RuntimeError("the processes of a trial have begun unlike; it is tried again")


ALONE = Share()
