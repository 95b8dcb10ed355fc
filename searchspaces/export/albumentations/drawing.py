"""What our two Albumentations transforms share: they draw once a call, and refuse what a policy can't be used on.

Standalone files hold a copy of this code, so it needs numpy and Albumentations alone.
"""

import sys
import warnings
from typing import Any

import albumentations as A
import numpy as np

from searchspaces.draw import draw
from searchspaces.errors import BadInput
from searchspaces.export.in_numpy import apply_in_numpy
from searchspaces.export.searched import other_than_searched
from searchspaces.ops import find_op
from searchspaces.plan import NO_OP, Plan
from searchspaces.policy import Base, Policy
from searchspaces.words import policy_in_words

Drawn = list[tuple[str, list[float], int]]
"""The ops of one image in order, each with its values in physical units and its seed (0 for all but noise): a row of a plan as
plain values, to be replayed."""

MUST_FOLLOW = ("mask", "masks", "mask3d", "masks3d", "bboxes", "keypoints")
"""Targets that have to move with the image's pixels."""


class DrawingTransform(A.ImageOnlyTransform):  # type: ignore[misc]  # Albumentations has no types
    """A policy as one Albumentations transform: `policy`, `searched_at` and `carried_out` are its subclass's.

    Takes one number from the pipeline's generator for each call, so `A.Compose(..., seed=...)` and `set_random_seed` reproduce
    it. In a worker of a DataLoader the number is mixed with the worker's seed, because every worker has a copy of that
    generator: there `torch.manual_seed` is needed too. `images` and `volume` get one draw for all their slices, as is the
    custom in Albumentations.
    """

    policy: Policy
    searched_at: tuple[int, int, int] | None = None
    told = False

    def __repr__(self) -> str:
        return f"PolicyTransform(p={self.p}, policy={policy_in_words(self.policy)!r})"

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
        channels, height, width = image_shape(params["shape"])
        self._tell_once((channels, height, width))
        number, seed = int(self.random_generator.integers(2**63 - 1)), worker_seed()
        generator = np.random.default_rng([number] if seed is None else [number, seed])
        return {"drawn": plain_row(draw(self.policy, (1, channels, height, width), generator))}

    def apply(self, img: np.ndarray, drawn: Drawn, **params: Any) -> np.ndarray:
        """Carry out what was drawn on an image (H, W), (H, W, 1) or (H, W, 3); gives a new one, resized if the policy says so."""
        channels, height, width = image_shape(img.shape)
        if img.dtype != np.uint8:
            raise BadInput(
                f"transform: image of {img.dtype}; allowed is uint8, 0 to 255: put it before A.Normalize and A.ToFloat"
            )
        pixels = np.ascontiguousarray(img.reshape(height, width, channels).transpose(2, 0, 1))
        augmented = self.carried_out(pixels[None], plan_of_row(drawn, self.policy.base))[0].transpose(1, 2, 0)
        return np.ascontiguousarray(augmented if img.ndim == 3 else augmented[..., 0])

    def carried_out(self, images: np.ndarray, plan: Plan) -> np.ndarray:
        """New images, uint8 (images, channels, height, width), each changed as its row of the plan says."""
        return apply_in_numpy(images, plan)

    def _check_target(self, key: str, target: str) -> None:
        if target in MUST_FOLLOW and self.policy.moves_pixels:
            raise BadInput(
                f"transform: {key} given; this policy moves pixels and knows images only, so {key} would not fit: leave it out"
            )

    def _tell_once(self, shape: tuple[int, int, int]) -> None:
        if self.searched_at is None or shape == self.searched_at or self.told:
            return
        self.told = True
        warnings.warn(other_than_searched(self.searched_at, shape), stacklevel=2)


def worker_seed() -> int | None:
    """The seed that torch gave this worker of a DataLoader; None in other processes, and where torch is not used."""
    loading = sys.modules.get("torch.utils.data")
    worker = loading.get_worker_info() if loading is not None else None
    return None if worker is None else int(worker.seed)


def image_shape(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Channels, height and width of an image in Albumentations' order."""
    height, width, channels = (*shape, 1) if len(shape) == 2 else shape if len(shape) == 3 else (0, 0, 0)
    if channels not in (1, 3):
        raise BadInput(f"transform: image of shape {tuple(shape)}; allowed are (H, W), (H, W, 1) and (H, W, 3)")
    return channels, height, width


def plain_row(plan: Plan) -> Drawn:
    """The first row of a plan, without the steps that do nothing."""
    steps = np.flatnonzero(plan.codes[0] != NO_OP)
    seeds = np.zeros(len(plan.codes[0]), np.int64) if plan.seeds is None else plan.seeds[0]
    names = [plan.code_book[code] for code in plan.codes[0, steps]]
    values = [plan.values[0, step, : len(find_op(name).parameters)].tolist() for name, step in zip(names, steps, strict=True)]
    return list(zip(names, values, seeds[steps].tolist(), strict=True))


def plan_of_row(drawn: Drawn, base: Base) -> Plan:
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
