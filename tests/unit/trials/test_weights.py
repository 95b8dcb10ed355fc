"""Weights on disk: read back bit for bit, or refused in one line that names the file."""

import hashlib
import stat
from pathlib import Path

import pytest
import torch
from torch import nn

from searchspaces.errors import BadInput
from trials.models import build_model
from trials.seeds import torch_generator
from trials.weights import load_weights, save_weights


def net(seed: int = 0, classes: int = 3) -> nn.Module:
    return build_model("small", 1, classes, torch_generator(seed))


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "w.pt"
    sha256 = save_weights(net(0), path)
    loaded = net(1)
    load_weights(loaded, path, sha256)
    wanted = net(0).state_dict()
    assert all(torch.equal(tensor, wanted[name]) for name, tensor in loaded.state_dict().items())
    assert sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_same_weights_have_the_same_hash_whatever_the_file_is_called(tmp_path: Path) -> None:
    assert (
        save_weights(net(0), tmp_path / "a.pt")
        == save_weights(net(0), tmp_path / "b.pt")
        != save_weights(net(1), tmp_path / "c.pt")
    )


@pytest.mark.parametrize("place", [0, 1000, -1])
def test_one_changed_byte_is_refused(tmp_path: Path, place: int) -> None:
    path = tmp_path / "w.pt"
    sha256 = save_weights(net(), path)
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)
    with pytest.raises(BadInput, match=r"w\.pt: SHA-256"):
        load_weights(net(), path, sha256)


def test_a_missing_file_and_another_net_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"nowhere\.pt: can't be read"):
        load_weights(net(), tmp_path / "nowhere.pt", "0" * 64)
    sha256 = save_weights(net(classes=4), tmp_path / "w.pt")
    with pytest.raises(BadInput, match="belong to another net"):
        load_weights(net(classes=3), tmp_path / "w.pt", sha256)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    path.mkdir()  # a rename onto a directory fails after the data were written
    with pytest.raises(OSError):
        save_weights(net(), path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["w.pt"]


def test_files_are_the_users_own(tmp_path: Path) -> None:
    save_weights(net(), tmp_path / "w.pt")
    assert stat.S_IMODE((tmp_path / "w.pt").stat().st_mode) == 0o600
