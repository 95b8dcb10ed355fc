"""A policy as a transform for Albumentations pipelines: draws, then applies, with the engine that the search used.

Albumentations' own Sharpen, Equalize, AutoContrast and shear are other ops than ours, so none of its transforms stands in for
one: our ops run inside. Takes uint8 numpy images (H, W), (H, W, 1) and (H, W, 3); refuses floats, other channel counts, and
masks, boxes and keypoints beside a policy that moves pixels, for they would no longer fit the image.

Importing this module loads Albumentations, which asks the network for a newer version unless told not to: here it is told.
It also registers the transform, which `A.load` and `A.from_dict` need before they read one.
"""

import os
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch.utils.data import get_worker_info

from searchspaces.draw import draw
from searchspaces.engines import apply
from searchspaces.errors import BadInput
from searchspaces.export.searched import other_than_searched, searched_at
from searchspaces.json_text import pretty_json
from searchspaces.ops import find_op
from searchspaces.plan import NO_OP, Plan
from searchspaces.policy import Base
from searchspaces.policy_json import PolicyFile, policy_file_from_dict, policy_file_to_dict
from searchspaces.words import policy_in_words

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
import albumentations as A
from albumentations.core.transforms_interface import BaseTransformInitSchema

Drawn = list[tuple[str, list[float], int]]
"""The ops of one image in order, each with its values in physical units and its seed (0 for all but noise): a row of a plan as
plain values, to be replayed."""

MUST_FOLLOW = ("mask", "masks", "mask3d", "masks3d", "bboxes", "keypoints")
"""Targets that have to move with the image's pixels."""


class PolicyTransform(A.ImageOnlyTransform):  # type: ignore[misc]  # Albumentations has no types
    """A policy as one Albumentations transform. `policy_file` is the content of a policy file, and all there is to save.

    Takes one number from the pipeline's generator for each call, so `A.Compose(..., seed=...)` and `set_random_seed` reproduce
    it. In a worker of a DataLoader the number is mixed with the worker's seed, because every worker has a copy of that
    generator: there `torch.manual_seed` is needed too. `images` and `volume` get one draw for all their slices, as is the
    custom in Albumentations.
    """

    class InitSchema(BaseTransformInitSchema):  # type: ignore[misc]
        """What Albumentations checks; the policy is checked by our own reader, which says more."""

        policy_file: Any

    def __init__(self, policy_file: Mapping[str, Any], p: float = 1.0) -> None:
        super().__init__(p=p)
        self._file = policy_file_from_dict(policy_file)
        self._told = False

    @property
    def policy_file(self) -> dict[str, Any]:
        """The content of the policy file, for `A.to_dict`."""
        return policy_file_to_dict(self._file)

    def __repr__(self) -> str:
        return f"PolicyTransform(p={self.p}, policy={policy_in_words(self._file.policy)!r})"

    def add_targets(self, additional_targets: dict[str, str]) -> None:
        """Albumentations' way to say that a key is another image or mask. BadInput for a mask that could not follow."""
        for key, target in additional_targets.items():
            self._check_target(key, target)
        super().add_targets(additional_targets)

    def get_params_dependent_on_data(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        """The draw: the parameters that `apply` gets and that ReplayCompose records, plain JSON values."""
        for key, value in data.items():
            if value is not None:
                self._check_target(key, key)
        channels, height, width = _image_shape(params["shape"])
        self._tell_once((channels, height, width))
        plan = draw(self._file.policy, (1, channels, height, width), np.random.default_rng(self._entropy()))
        return {"drawn": _drawn(plan)}

    def apply(self, img: np.ndarray, drawn: Drawn, **params: Any) -> np.ndarray:
        """Carry out what was drawn on an image (H, W), (H, W, 1) or (H, W, 3); gives a new one, resized if the policy says so."""
        channels, height, width = _image_shape(img.shape)
        if img.dtype != np.uint8:
            raise BadInput(
                f"transform: image of {img.dtype}; allowed is uint8, 0 to 255: put it before A.Normalize and A.ToFloat"
            )
        pixels = torch.from_numpy(img.reshape(height, width, channels).transpose(2, 0, 1).copy())
        augmented = apply(pixels[None], _plan(drawn, self._file.policy.base))[0].permute(1, 2, 0)
        return np.ascontiguousarray((augmented if img.ndim == 3 else augmented[..., 0]).numpy())

    def _entropy(self) -> list[int]:
        number, worker = int(self.random_generator.integers(2**63 - 1)), get_worker_info()
        return [number] if worker is None else [number, worker.seed]

    def _check_target(self, key: str, target: str) -> None:
        if target in MUST_FOLLOW and self._file.policy.moves_pixels:
            raise BadInput(
                f"transform: {key} given; this policy moves pixels and knows images only, so {key} would not fit: leave it out"
            )

    def _tell_once(self, shape: tuple[int, int, int]) -> None:
        searched = searched_at(self._file)
        if searched is None or shape == searched or self._told:
            return
        self._told = True
        warnings.warn(other_than_searched(searched, shape), stacklevel=2)


def to_albumentations(file: PolicyFile) -> PolicyTransform:
    """The transform of a policy file. Its provenance (`channels`, `size`: height and width) only says when to warn."""
    return PolicyTransform(policy_file_to_dict(file))


def pipeline_text(transform: PolicyTransform) -> str:
    """An `A.Compose` of the transform as `A.load` reads it from a file."""
    return pretty_json(A.to_dict(A.Compose([transform]))) + "\n"


def _image_shape(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Channels, height and width of an image in Albumentations' order."""
    height, width, channels = (*shape, 1) if len(shape) == 2 else shape if len(shape) == 3 else (0, 0, 0)
    if channels not in (1, 3):
        raise BadInput(f"transform: image of shape {tuple(shape)}; allowed are (H, W), (H, W, 1) and (H, W, 3)")
    return channels, height, width


def _drawn(plan: Plan) -> Drawn:
    """The first row of a plan, without the steps that do nothing."""
    steps = np.flatnonzero(plan.codes[0] != NO_OP)
    seeds = np.zeros(len(plan.codes[0]), np.int64) if plan.seeds is None else plan.seeds[0]
    names = [plan.code_book[code] for code in plan.codes[0, steps]]
    values = [plan.values[0, step, : len(find_op(name).parameters)].tolist() for name, step in zip(names, steps, strict=True)]
    return list(zip(names, values, seeds[steps].tolist(), strict=True))


def _plan(drawn: Drawn, base: Base) -> Plan:
    """The plan of one image that carries these ops out."""
    longest = max((len(values) for _, values, _ in drawn), default=1)
    padded = [[*values, *[0.0] * (longest - len(values))] for _, values, _ in drawn]
    codes = np.arange(1, 1 + len(drawn), dtype=np.int16).reshape(1, -1)
    return Plan(
        ("identity", *(name for name, _, _ in drawn)),
        codes,
        np.array(padded, dtype=np.float64).reshape(1, -1, longest),
        base.fill,
        base.interpolation,
        np.array([[seed for _, _, seed in drawn]], dtype=np.int64),
        base.resolution,
    )
