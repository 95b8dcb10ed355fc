"""What was drawn for a batch of images: the whole of an augmentation's randomness, as plain arrays.

An engine only carries a plan out. It holds no image and no generator.
"""

from dataclasses import dataclass, replace

import numpy as np

from searchspaces.arrays import PlanCodes, PlanSeeds, PlanValues
from searchspaces.ops.op import Interpolation, Setting

NO_OP = 0


@dataclass(frozen=True)
class Plan:
    """For each image the ops to apply, in order.

    `codes[i, s]` names the op of step s on image i: `code_book[codes[i, s]]`; `code_book[0]` is "identity" and means: nothing.
    `values[i, s]` are that op's values in its physical units and its parameters' order, padded with 0 on the right. `seeds[i, s]`
    (0 to 2**63 - 1) is the seed of an op that is itself noise; None where the code book holds no such op. At last every image
    is resized to the fraction `resolution` of its sides (`engines.resizing`).

    `whole_step` is the step whose resized crop is meant for images of their own sizes, in fractions of which its window is; there
    an image whose code is 0 is shown whole. Who has such images takes that step himself, and leaves the plan of what follows it
    (`after_whole`) to an engine. None: the images are all that there is.
    """

    code_book: tuple[str, ...]
    codes: PlanCodes
    values: PlanValues
    fill: int = 0
    interpolation: Interpolation = "nearest"
    seeds: PlanSeeds | None = None
    resolution: float = 1.0
    whole_step: int | None = None

    def __len__(self) -> int:
        return len(self.codes)

    def rows(self, index: np.ndarray | slice) -> "Plan":
        """The plan for some of the images, in the order of `index`."""
        seeds = None if self.seeds is None else self.seeds[index]
        return replace(self, codes=self.codes[index], values=self.values[index], seeds=seeds)

    def before_whole(self) -> "Plan":
        """What precedes the `whole_step`, for images of any size, which keep it."""
        assert self.whole_step is not None
        return self._of_steps(np.arange(self.codes.shape[1]) < self.whole_step, 1.0)

    def after_whole(self) -> "Plan":
        """What follows the `whole_step`, for images that it has brought to one size."""
        assert self.whole_step is not None
        return self._of_steps(np.arange(self.codes.shape[1]) > self.whole_step, self.resolution)

    def _of_steps(self, kept: np.ndarray, resolution: float) -> "Plan":
        codes = np.where(kept, self.codes, NO_OP).astype(self.codes.dtype)
        return replace(self, codes=codes, resolution=resolution, whole_step=None)

    @property
    def setting(self) -> Setting:
        """What every op of the plan is given, but for the seeds of its images."""
        return Setting(self.fill, self.interpolation)
