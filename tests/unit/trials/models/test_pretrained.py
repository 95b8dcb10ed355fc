"""Weights to start from: read from what people have, known by their hash, refused in one line where they are not the net's."""

import hashlib
import os
from pathlib import Path

import pytest
import safetensors.torch
import torch

from searchspaces.errors import BadInput
from trials.models import build_model, fresh_model
from trials.models.asked import read_model
from trials.models.pretrained import read_state, weights_file, weights_sha256
from trials.seeds import torch_generator
from trials.values import Recipe

NAME = "small:width=8"
ASKED = read_model(NAME)


class Opens:
    """What an attacker puts into a file of weights."""

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, ("true",)


def state() -> dict[str, torch.Tensor]:
    return build_model(NAME, 3, 4, torch_generator(0)).state_dict()


def saved(path: Path, content: object) -> Recipe:
    torch.save(content, path)
    return Recipe(model=NAME, weights=str(path), weights_sha256=weights_sha256(str(path), ASKED))


@pytest.mark.parametrize("wrapped", ["plain", "state_dict", "lightning", "ddp", "compiled"])
def test_the_files_that_people_have_are_read(tmp_path: Path, wrapped: str) -> None:
    plain = state()
    content = {
        "plain": plain,
        "state_dict": {"state_dict": plain, "epoch": 3},
        "lightning": {"model": {"state_dict": plain}},
        "ddp": {f"module.{name}": tensor for name, tensor in plain.items()},
        "compiled": {f"_orig_mod.module.{name}": tensor for name, tensor in plain.items()},
    }[wrapped]
    model = fresh_model(saved(tmp_path / "w.pth", content), 3, 9, torch_generator(1))
    assert torch.equal(model.get_parameter("features.0.weight"), plain["features.0.weight"])
    assert torch.equal(model.get_buffer("features.1.running_mean"), plain["features.1.running_mean"])


def test_the_head_is_drawn_anew_even_where_there_are_as_many_classes(tmp_path: Path) -> None:
    recipe = saved(tmp_path / "w.pth", state())
    model, drawn = fresh_model(recipe, 3, 4, torch_generator(1)), build_model(NAME, 3, 4, torch_generator(1))
    assert torch.equal(model.get_parameter("head.weight"), drawn.get_parameter("head.weight"))
    assert not torch.equal(model.get_parameter("head.weight"), state()["head.weight"])


def test_safetensors_are_read(tmp_path: Path) -> None:
    file = tmp_path / "w.safetensors"
    safetensors.torch.save_file(state(), file)
    sha256 = weights_sha256(str(file), ASKED)
    assert sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    found = read_state(str(file), sha256, ASKED)
    assert all(torch.equal(found[name], tensor) for name, tensor in state().items())
    file.write_bytes(b"none")
    with pytest.raises(BadInput, match="is no safetensors file, or is damaged"):
        read_state(str(file), weights_sha256(str(file), ASKED), ASKED)


def test_a_pickle_of_more_than_tensors_is_refused_and_never_run(tmp_path: Path) -> None:
    for content in ({"state_dict": state(), "hook": Opens()}, build_model(NAME, 3, 4, torch_generator(0))):
        with pytest.raises(BadInput, match=r"pickle of more than tensors, which could run code, and is refused; .*torch.save"):
            fresh_model(saved(tmp_path / "w.pth", content), 3, 4, torch_generator(0))


@pytest.mark.parametrize("content", [b"", b"no weights", b"PK\x03\x04 torn", b"\x80\x02torn"])
def test_a_damaged_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "w.pth").write_bytes(content)
    wish = str(tmp_path / "w.pth")
    with pytest.raises(BadInput, match=r"weights .*w.pth: ") as refused:
        read_state(wish, weights_sha256(wish, ASKED), ASKED)
    assert "\n" not in str(refused.value)


def test_a_torn_file_that_torch_once_wrote_is_refused(tmp_path: Path) -> None:
    recipe = saved(tmp_path / "w.pth", state())
    (tmp_path / "w.pth").write_bytes((tmp_path / "w.pth").read_bytes()[:3000])
    with pytest.raises(BadInput, match=r"damaged"):
        read_state(recipe.weights, weights_sha256(recipe.weights, ASKED), ASKED)


def test_another_file_than_the_recorded_one_is_refused(tmp_path: Path) -> None:
    recipe = saved(tmp_path / "w.pth", state())
    torch.save(build_model(NAME, 3, 4, torch_generator(5)).state_dict(), tmp_path / "w.pth")
    with pytest.raises(BadInput, match=r"is not the study's .*; put that file back, or begin another study"):
        fresh_model(recipe, 3, 4, torch_generator(0))
    (tmp_path / "w.pth").unlink()
    with pytest.raises(BadInput, match=r"can't be read \(No such file or directory\); it must lie where the trials run"):
        fresh_model(recipe, 3, 4, torch_generator(0))


def test_another_nets_weights_are_refused_with_what_differs(tmp_path: Path) -> None:
    other = build_model("small:width=16", 3, 4, torch_generator(0)).state_dict()
    with pytest.raises(
        BadInput, match=r"belong to another net \(it lacks, or has in another shape, features.0.weight, .* more\)"
    ):
        fresh_model(saved(tmp_path / "w.pth", other), 3, 4, torch_generator(0))
    with pytest.raises(BadInput, match="it has besides extra"):
        fresh_model(saved(tmp_path / "w.pth", state() | {"extra": torch.zeros(1)}), 3, 4, torch_generator(0))
    with pytest.raises(BadInput, match="holds no tensors by name"):
        fresh_model(saved(tmp_path / "w.pth", [1, 2]), 3, 4, torch_generator(0))


def test_torchvisions_weights_are_its_file_of_that_tag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    asked = read_model("torchvision:resnet18")
    file = tmp_path / "hub" / "checkpoints" / "resnet18-f37072fd.pth"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"as if it had been fetched")
    assert weights_file("torchvision:IMAGENET1K_V1", asked) == weights_file("torchvision", asked) == file
    with pytest.raises(BadInput, match="torchvision:resnet18 has IMAGENET1K_V1"):
        weights_file("torchvision:IMAGENET1K_V9", asked)
    with pytest.raises(BadInput, match="torchvision has none for small:width=8; give a file: --weights FILE"):
        weights_file("torchvision:IMAGENET1K_V1", ASKED)


def test_offline_the_refusal_says_how_to_give_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nobody listens there
    with pytest.raises(
        BadInput, match=r"can't be fetched \(.*\); fetch resnet18-f37072fd.pth where there is a network"
    ) as refused:
        weights_file("torchvision:IMAGENET1K_V1", read_model("torchvision:resnet18"))
    assert "--weights FILE" in str(refused.value) and "\n" not in str(refused.value)
