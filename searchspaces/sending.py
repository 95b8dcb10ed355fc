"""Arrays on their way from the host to where images are worked on. Refuses nothing; changes no array."""

import numpy as np
import torch
from torch import Tensor


def sent(array: np.ndarray, device: torch.device) -> Tensor:
    """The array on `device`, in its own dtype; on a CPU it may be the very memory of `array`.

    A GPU gets it through pinned memory, so that the host goes on at once: a plain copy would first wait for all that the GPU has
    still to do, and then the GPU for the host.
    """
    tensor = torch.from_numpy(array)
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)
