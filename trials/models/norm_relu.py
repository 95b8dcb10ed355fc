"""Normalisation and the ReLU behind it as one layer; on a CPU in bfloat16 one compiled pass there and one back.

torch takes four passes for that, half of them slow: a third of a small net's training time on a CPU. The compiled ones round as
torch's do, once at their end, and differ from them by the order of their sums: most values are the same, others are the next
bfloat16 number. Names and values of weights are those of the plain layers, whichever way they are run. Refuses nothing.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from trials.models.compiled import compiled_kernels


class BatchNormReLU(nn.BatchNorm2d):
    """`nn.BatchNorm2d` and `nn.ReLU`."""

    def forward(self, images: Tensor) -> Tensor:
        """The same shape, nothing below 0."""
        kernels = compiled_kernels() if _is_for_kernels(images) else None
        needs_gradient = torch.is_grad_enabled() and (images.requires_grad or self.weight.requires_grad)
        if kernels is None or (self.training and len(images) * images.shape[2] * images.shape[3] < 2):
            return functional.relu(super().forward(images), inplace=True)
        if self.training:
            clipped, mean, variance = _NormReLU.apply(images, self.weight, self.bias, self.eps)
            self._keep(mean, variance, images.numel() // images.shape[1])
            return clipped  # type: ignore[no-any-return]
        if needs_gradient:
            return functional.relu(super().forward(images), inplace=True)
        return self._by_running_statistics(images, kernels)

    def _keep(self, mean: Tensor, variance: Tensor, pixels: int) -> None:
        """Have the running statistics follow, as torch does: that of the variance is of the unbiased one."""
        assert self.running_mean is not None and self.running_var is not None
        assert self.num_batches_tracked is not None and self.momentum is not None
        with torch.no_grad():
            self.num_batches_tracked.add_(1)
            self.running_mean.mul_(1 - self.momentum).add_(mean, alpha=self.momentum)
            self.running_var.mul_(1 - self.momentum).add_(variance, alpha=self.momentum * pixels / (pixels - 1))

    def _by_running_statistics(self, images: Tensor, kernels: Any) -> Tensor:
        assert self.running_mean is not None and self.running_var is not None
        inverse = torch.rsqrt(self.running_var + self.eps)
        given = (_numbers(tensor) for tensor in (self.weight, self.bias, self.running_mean, inverse))
        clipped = torch.empty_like(images)
        kernels["normalise"](_bits(images), *given, _bits(clipped))
        return clipped


class GroupNormReLU(nn.GroupNorm):
    """`nn.GroupNorm` and `nn.ReLU`."""

    def forward(self, images: Tensor) -> Tensor:
        """The same shape, nothing below 0."""
        return functional.relu(super().forward(images), inplace=True)


class _NormReLU(torch.autograd.Function):
    """The compiled passes; gives the batch's mean and biased variance beside."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, weight: Tensor, bias: Tensor, epsilon: float) -> tuple[Tensor, Tensor, Tensor]:
        kernels = compiled_kernels()
        assert kernels is not None
        clipped, (mean, variance, inverse) = torch.empty_like(images), (torch.empty_like(weight) for _ in range(3))
        numbers = (mean.numpy(), variance.numpy(), inverse.numpy())
        kernels["train"](_bits(images), _numbers(weight), _numbers(bias), epsilon, _bits(clipped), *numbers)
        ctx.save_for_backward(images, clipped, weight, mean, inverse)
        ctx.mark_non_differentiable(mean, variance)
        return clipped, mean, variance

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, above: Tensor, *beside: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        kernels = compiled_kernels()
        assert kernels is not None
        images, clipped, weight, mean, inverse = ctx.saved_tensors
        above = above.contiguous(memory_format=torch.channels_last)
        below, of_weight, of_bias = torch.empty_like(images), torch.empty_like(weight), torch.empty_like(weight)
        given = (_bits(images), _bits(above), _bits(clipped), _numbers(weight), mean.numpy(), inverse.numpy())
        kernels["backward"](*given, _bits(below), of_weight.numpy(), of_bias.numpy())
        return below, of_weight, of_bias, None


def _is_for_kernels(images: Tensor) -> bool:
    """Whether these are images that the kernels take: some, bfloat16, on a CPU, the channels of a pixel together."""
    return (
        images.dtype == torch.bfloat16
        and images.device.type == "cpu"
        and images.numel() > 0
        and images.is_contiguous(memory_format=torch.channels_last)
    )


def _bits(images: Tensor) -> np.ndarray:
    """The bits of bfloat16 images, pixel after pixel: a view."""
    flat: np.ndarray = images.detach().permute(0, 2, 3, 1).view(-1).view(torch.int16).numpy()
    return flat.view(np.uint16)


def _numbers(tensor: Tensor) -> np.ndarray:
    array: np.ndarray = tensor.detach().numpy()
    return array
