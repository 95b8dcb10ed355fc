"""A policy as a transform for Albumentations pipelines: draws, then applies, with the engine that the search used.

Albumentations' own Sharpen, Equalize, AutoContrast and shear are other ops than ours, so none of its transforms stands in for
one: our ops run inside. Takes uint8 numpy images (H, W), (H, W, 1) and (H, W, 3); refuses floats, other channel counts, and
masks, boxes and keypoints beside a policy that moves pixels, for they would no longer fit the image.

Importing this module loads Albumentations, which asks the network for a newer version unless told not to: here it is told.
It also registers the transform, which `A.load` and `A.from_dict` need before they read one.
"""

import os
from collections.abc import Mapping
from typing import Any

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
import albumentations as A
import numpy as np
import torch

from searchspaces.engines import apply
from searchspaces.export.albumentations.drawing import DrawingTransform
from searchspaces.export.searched import searched_at
from searchspaces.json_text import pretty_json
from searchspaces.plan import Plan
from searchspaces.policy_json import PolicyFile, policy_file_from_dict, policy_file_to_dict


class PolicyTransform(DrawingTransform):
    """A policy as one Albumentations transform. `policy_file` is the content of a policy file, and all there is to save."""

    class InitSchema(A.BasicTransform.InitSchema):  # type: ignore[misc]  # Albumentations has no types
        """What Albumentations checks; the policy is checked by our own reader, which says more."""

        policy_file: Any

    def __init__(self, policy_file: Mapping[str, Any], p: float = 1.0) -> None:
        super().__init__(p=p)
        self._file = policy_file_from_dict(policy_file)
        self.policy = self._file.policy
        self.searched_at = searched_at(self._file)

    @property
    def policy_file(self) -> dict[str, Any]:
        """The content of the policy file, for `A.to_dict`."""
        return policy_file_to_dict(self._file)

    def carried_out(self, images: np.ndarray, plan: Plan) -> np.ndarray:
        """As the search did it."""
        return apply(torch.from_numpy(images), plan).numpy()


def to_albumentations(file: PolicyFile) -> PolicyTransform:
    """The transform of a policy file. Its provenance (`channels`, `size`: height and width) only says when to warn."""
    return PolicyTransform(policy_file_to_dict(file))


def pipeline_text(transform: PolicyTransform) -> str:
    """An `A.Compose` of the transform as `A.load` reads it from a file."""
    return pretty_json(A.to_dict(A.Compose([transform]))) + "\n"
