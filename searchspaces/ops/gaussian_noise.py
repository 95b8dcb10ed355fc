"""Adding noise of a normal distribution to every level: gaussian_noise. The image's seed decides all of it.

The noise of a place is counted out, not drawn: a hash (splitmix64) of the seed and the place's number picks two entries of a
table of the normal distribution, and so every engine and every device gives the same levels. It refuses a batch without seeds.
"""

from statistics import NormalDist
from typing import Any

import numpy as np
import torch
from torch import Tensor

from searchspaces.arrays import ImageBatch, PerImageSeeds, PerImageValues
from searchspaces.errors import BadInput
from searchspaces.ops.op import Op, Parameter, Setting
from searchspaces.ops.tables import rounded

_QUANTILES = np.array([NormalDist().inv_cdf((entry + 0.5) / 256) for entry in range(256)])
NORMAL = np.round(_QUANTILES * (2**16 / np.sqrt((_QUANTILES**2).mean()))).astype(np.int32)
"""256 equally likely normal numbers of variance 1, times 2 ** 16."""
UNIT = 5.0 * 2**16
"""What 1 is in 4 NORMAL[a] + 3 NORMAL[b], whose variance is 4 * 4 + 3 * 3; its distribution is within 0.001 of the normal one."""

# splitmix64's numbers as signed ones; sums and products of 64 bits wrap around.
_GOLDEN = 0x9E3779B97F4A7C15 - 2**64
_FIRST = 0xBF58476D1CE4E5B9 - 2**64
_SECOND = 0x94D049BB133111EB - 2**64
_LOW_34, _LOW_37, _LOW_33 = 2**34 - 1, 2**37 - 1, 2**33 - 1


def gaussian_noise(images: ImageBatch, values: PerImageValues, setting: Setting) -> ImageBatch:
    """Every level plus `sigma` times a standard normal number of its own, rounded.

    Raises BadInput where the setting has no seeds.
    """
    if setting.seeds is None:
        raise BadInput("op gaussian_noise: its seeds are missing; draw the plan anew, with this op in its policy")
    levels = images.flatten(1)
    factor = (values[:, :1] / UNIT).to(torch.float32)
    return rounded(levels.to(torch.float32) + _normal(setting.seeds, levels.shape[1]) * factor).view(images.shape)


def _normal(seeds: PerImageSeeds, count: int) -> Tensor:
    """`count` normal numbers for each seed, float32 (images, count), in units of 1 / UNIT."""
    quads = torch.arange((count + 3) // 4, dtype=torch.int64, device=seeds.device) + 1
    bits = hashed(seeds.view(-1, 1) + quads * _GOLDEN)
    table = torch.from_numpy(NORMAL).to(seeds.device)
    lanes = [4 * table[(bits >> shift) & 255] + 3 * table[(bits >> (shift + 8)) & 255] for shift in (0, 16, 32, 48)]
    return torch.stack(lanes, dim=2).flatten(1)[:, :count].to(torch.float32)


def hashed(state: Any) -> Any:
    """Splitmix64's output for its state: 64 bits that look like chance. For an int64 of torch, numpy or numba."""
    state = (state ^ ((state >> 30) & _LOW_34)) * _FIRST
    state = (state ^ ((state >> 27) & _LOW_37)) * _SECOND
    return state ^ ((state >> 31) & _LOW_33)


def gaussian_noise_fused(image: Any, out: Any, values: Any, fill: int, bilinear: bool, seed: int, scratch: Any) -> None:
    """`gaussian_noise` of one image."""
    levels, noisy = image.reshape(-1), out.reshape(-1)
    factor = np.float32(values[0] / UNIT)
    whole = len(levels) // 4
    for quad in range(whole):
        bits = hashed(seed + (quad + 1) * _GOLDEN)
        for lane in range(4):
            noisy[4 * quad + lane] = with_noise(levels[4 * quad + lane], bits >> (16 * lane), factor)
    bits = hashed(seed + (whole + 1) * _GOLDEN)
    for index in range(4 * whole, len(levels)):
        noisy[index] = with_noise(levels[index], bits, factor)
        bits >>= 16


def with_noise(level: Any, bits: int, factor: Any) -> Any:
    """The level plus the normal number of the lowest 16 bits times the factor, rounded half to even."""
    normal = np.int32(4) * NORMAL[bits & 255] + np.int32(3) * NORMAL[(bits >> 8) & 255]
    noisy = np.float32(level) + np.float32(normal) * factor
    return np.uint8(np.rint(min(max(noisy, np.float32(0.0)), np.float32(255.0))))


def gaussian_noise_in_numpy(image: Any, values: tuple[float, ...], fill: int, bilinear: bool, seed: int) -> Any:
    """`gaussian_noise` of one image in plain numpy."""
    quads = np.arange((image.size + 3) // 4, dtype=np.int64) + 1
    bits = hashed(quads * _GOLDEN + seed)
    shifts = np.array([0, 16, 32, 48])
    low, high = (NORMAL[(bits[:, None] >> (shifts + more)) & 255] for more in (0, 8))
    normal = (4 * low + 3 * high).reshape(-1)[: image.size].reshape(image.shape).astype(np.float32)
    noisy = image.astype(np.float32) + normal * np.float32(values[0] / UNIT)
    return np.clip(noisy, 0, 255).round().astype(np.uint8)


OPS = (
    Op(
        name="gaussian_noise",
        elsewhere={
            "torchvision": "`GaussianNoise`, sigma as a fraction of 255, fractions cut off",
            "Albumentations": "`GaussNoise`, sigma as a fraction of 255",
        },
        meaning=(
            "round(v + sigma z), z = (4 T[a] + 3 T[b]) / (5 2^16): T[k] is the standard normal quantile at (k + 1/2) / 256, "
            "scaled to variance 1 over all k, times 2^16, rounded; a and b are bits 16 m to 16 m + 7 and 16 m + 8 to 16 m + 15 "
            "of output floor(p / 4) of splitmix64 started with the image's seed, m = p mod 4; p counts the levels from 0 along "
            "rows, then rows, then channels"
        ),
        parameters=(Parameter("sigma", "levels", identity=0.0, low=0.0, high=128.0),),
        kind="texture",
        kernel=gaussian_noise,
        fused=gaussian_noise_fused,
        in_numpy=gaussian_noise_in_numpy,
        source="white noise as in torchvision 0.29 GaussianNoise; hash: Steele, Lea and Flood 2014, splitmix64",
        seeded=True,
    ),
)
