"""What a library draws from torch's global generator, drawn from one that is passed in.

torchvision's and timm's nets draw their first weights from the global generator, and dropout draws from it (on a GPU: from the
GPU's own). Inside `lent` those draws are the passed generator's; afterwards the global state is as it was. Refuses nothing.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def lent(generator: torch.Generator, device: str = "cpu") -> Iterator[None]:
    """Inside, draws from torch's global generators come from `generator` (one on the CPU), which goes on where they ended.

    Those on a GPU come from a generator of the GPU's kind, seeded by a draw from it.
    """
    before = torch.get_rng_state()
    on_gpu = torch.cuda.get_rng_state() if device == "cuda" else None
    if on_gpu is not None:
        seed = int(torch.randint(2**62, (), generator=generator))
        torch.cuda.set_rng_state(torch.Generator("cuda").manual_seed(seed).get_state())
    torch.set_rng_state(generator.get_state())
    try:
        yield
    finally:
        generator.set_state(torch.get_rng_state())
        torch.set_rng_state(before)
        if on_gpu is not None:
            torch.cuda.set_rng_state(on_gpu)
