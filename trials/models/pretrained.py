"""Weights that a net starts from: a file's, or torchvision's, known by their SHA-256. The head is always drawn anew.

Reads what `torch.save(model.state_dict(), FILE)` writes, also inside {"state_dict": ...} or {"model": ...} and with "module."
before the names, and safetensors. Refuses pickles of anything but plain tensors, another file than the recorded one, and another
net's weights; the first convolution is fitted to the images' channels (`trials.models.adapting`).
"""

import hashlib
import io
import pickle
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from searchspaces.errors import BadInput
from searchspaces.json_text import one_line
from trials.models import torchvision
from trials.models.adapting import first_convolution, for_channels, head_name
from trials.models.asked import Asked
from trials.weights import of_the_nets_version

TORCHVISION = "torchvision"
_WRAPPERS = ("state_dict", "model", "model_state_dict")
_PREFIXES = ("module.", "_orig_mod.")
_AUXILIARY = ("aux1.", "aux2.", "AuxLogits.")  # heads of googlenet and inception_v3 that are left out here
_COUNTED = "num_batches_tracked"
_NAMED = 3

State = Mapping[str, Tensor]


def weights_file(wish: str, asked: Asked) -> Path:
    """Where the weights lie: the file, or torchvision's for the net ("torchvision" or "torchvision:TAG"), fetched if need be."""
    source, _, tag = wish.partition(":")
    if source != TORCHVISION or Path(wish).exists():
        return Path(wish).expanduser()
    if asked.source != TORCHVISION:
        raise BadInput(f"weights {wish}: torchvision has none for {asked.text}; give a file: --weights FILE")
    return torchvision.fetched(asked.name, tag)


def weights_sha256(wish: str, asked: Asked) -> str:
    """The SHA-256 of the weights that are wished for, in hex. BadInput where they can't be read."""
    return hashlib.sha256(_bytes(weights_file(wish, asked))).hexdigest()


def read_state(wish: str, sha256: str, asked: Asked) -> dict[str, Tensor]:
    """Tensors by name, on the CPU. BadInput where the file is another than the one recorded, or is not of plain tensors."""
    file = weights_file(wish, asked)
    data = _bytes(file)
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise BadInput(
            f"weights {file}: SHA-256 {found[:12]}... is not the study's {sha256[:12]}...; put that file back, or begin another"
            " study"
        )
    state = _safetensors(data, file) if file.suffix == ".safetensors" else _saved_by_torch(data, file)
    while wrapped := next(
        (name for name in _WRAPPERS if isinstance(state, Mapping) and isinstance(state.get(name), Mapping)), None
    ):
        state = state[wrapped]
    if not isinstance(state, Mapping) or not any(isinstance(value, Tensor) for value in state.values()):
        raise BadInput(f"weights {file}: holds no tensors by name; save it with torch.save(model.state_dict(), FILE)")
    return {_plain(name): value for name, value in state.items() if isinstance(value, Tensor)}


def start_from(model: nn.Module, state: State, channels: int, classes: int, thing: str) -> None:
    """Put `state` into `model`, but for its head, which stays as it was drawn. BadInput where it is another net's state.

    `thing` is what a message calls the weights.
    """
    ready = fitted(model, state, channels, classes, thing)
    model.load_state_dict(of_the_nets_version(model, ready), strict=False)


def fitted(model: nn.Module, state: State, channels: int, classes: int, thing: str) -> dict[str, Tensor]:
    """What of `state` goes into `model` (on the meta device, too), in the shapes that it has. BadInput as `start_from`."""
    own = {name: tensor for name, tensor in model.state_dict().items() if not name.endswith(_COUNTED)}
    head = head_name(model, classes)
    of_head = {name for name in own if head is not None and name.rpartition(".")[0] == head}
    ready = _for_the_channels(model, state, channels)
    wrong = [name for name in own if name not in of_head and (name not in ready or ready[name].shape != own[name].shape)]
    of_others = [name for name in state if name not in own and not name.startswith(_AUXILIARY) and not name.endswith(_COUNTED)]
    if wrong or of_others:
        raise BadInput(f"weights {thing}: they belong to another net ({_differing(wrong, of_others)}); give its --model")
    return {name: ready[name] for name in own if name not in of_head}


def _differing(wrong: list[str], of_others: list[str]) -> str:
    parts = [("it lacks, or has in another shape,", wrong), ("it has besides", of_others)]
    return "; ".join(
        f"{words} {', '.join(names[:_NAMED])}{f' and {len(names) - _NAMED} more' if len(names) > _NAMED else ''}"
        for words, names in parts
        if names
    )


def _for_the_channels(model: nn.Module, state: State, channels: int) -> dict[str, Tensor]:
    """The state with the first convolution's weight made for the channels that the net has, where it meets these as they are."""
    name, first = first_convolution(model) or ("", None)
    weight, cells = f"{name}.weight", getattr(model, "stem_cells", 1)
    if first is None or first.in_channels != cells * channels or weight not in state or state[weight].ndim != 4:
        return dict(state)
    return {**state, weight: for_channels(state[weight], channels, cells)}


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise BadInput(f"weights {file}: can't be read ({error.strerror}); it must lie where the trials run") from error


def _saved_by_torch(data: bytes, file: Path) -> Any:
    try:
        return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        if "weights_only" in str(error) or "Unsupported" in str(error):
            raise BadInput(
                f"weights {file}: it is a pickle of more than tensors, which could run code, and is refused; where you trust it,"
                " load it yourself and write torch.save(model.state_dict(), FILE)"
            ) from error
        reason = one_line(f"{type(error).__name__}: {error}", 80)
        raise BadInput(f"weights {file}: is no file that torch.save has written, or is damaged ({reason})") from error


def _safetensors(data: bytes, file: Path) -> Any:
    if find_spec("safetensors") is None:
        raise BadInput(f"weights {file}: safetensors is not installed here; pip install 'policysearch[timm]'")
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        return load(data)
    except (SafetensorError, ValueError, KeyError) as error:
        raise BadInput(f"weights {file}: is no safetensors file, or is damaged ({one_line(str(error), 80)})") from error


def _plain(name: str) -> str:
    """The name without what DDP and torch.compile put before it."""
    while prefix := next((prefix for prefix in _PREFIXES if name.startswith(prefix)), None):
        name = name.removeprefix(prefix)
    return name
