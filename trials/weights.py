"""A trained net's weights as a file: written whole or not at all, named by its SHA-256, read back only if that still agrees.

Refuses a file that is missing, changed, or holds other tensors than the net has. Never unpickles more than plain tensors.
"""

import hashlib
import io
from collections import OrderedDict
from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor, nn

from searchspaces.errors import BadInput
from trials.failpoints import reach
from trials.places import Location, write_at


def save_weights(model: nn.Module, path: Location) -> str:
    """Write the net's state to `path`, whole or not at all (`trials.places`); returns the file's SHA-256 in hex."""
    buffer = io.BytesIO()
    torch.save({name: tensor.cpu() for name, tensor in model.state_dict().items()}, buffer)
    data = buffer.getvalue()
    write_at(path, data, halfway=partial(reach, "checkpoint_half_written"))
    reach("checkpoint_renamed")
    return hashlib.sha256(data).hexdigest()


def load_weights(model: nn.Module, path: Location, sha256: str) -> None:
    """Put the weights of `path` into `model`. Raises BadInput when the file is missing, isn't the one hashed, or doesn't fit."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadInput(f"weights {path}: can't be read ({error.strerror}); run the search again to train them anew") from error
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise BadInput(
            f"weights {path}: SHA-256 {found[:12]}... is not the recorded {sha256[:12]}...; put the recorded file back"
        )
    state = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    try:
        model.load_state_dict(of_the_nets_version(model, state))
    except RuntimeError as error:
        raise BadInput(f"weights {path}: they belong to another net; give the recipe they were trained with") from error


def of_the_nets_version(model: nn.Module, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """The state with the versions of the net's modules, which some (torchvision's mnasnet) refuse to load without."""
    found = OrderedDict(state)
    vars(found)["_metadata"] = vars(model.state_dict()).get("_metadata")
    return found
