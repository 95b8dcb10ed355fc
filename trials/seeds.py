"""Where all randomness of a trial comes from: generators derived by hash from what they are for.

Holds no state. The trial's number is never part of a seed, so every policy of a study meets the same weights and image order.
"""

import hashlib
import json
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # a trainer of the user's own may do without torch
    import torch


def derive_seed(*parts: int | str) -> int:
    """A whole number from 0 to 2**63 - 1: the first bytes of the SHA-256 of `parts`, told apart by type and place."""
    digest = hashlib.sha256(json.dumps(parts).encode("utf-8")).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def numpy_generator(*parts: int | str) -> np.random.Generator:
    """A fresh numpy generator seeded by `derive_seed`."""
    return np.random.Generator(np.random.PCG64(derive_seed(*parts)))


def torch_generator(*parts: int | str, device: str = "cpu") -> "torch.Generator":
    """A fresh torch generator on `device` seeded by `derive_seed`."""
    import torch

    return torch.Generator(device).manual_seed(derive_seed(*parts))
