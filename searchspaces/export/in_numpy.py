"""The engine of exported files that have neither torch nor numba: a plan carried out in plain numpy, one image after the other.

The same pixels as the other engines.
"""

import numpy as np

from searchspaces.arrays import Images
from searchspaces.engines.resizing import resized_in_numpy, resized_side
from searchspaces.errors import BadInput
from searchspaces.ops import find_op
from searchspaces.plan import NO_OP, Plan


def apply_in_numpy(images: Images, plan: Plan) -> Images:
    """New images, uint8 (images, channels, height, width), each changed as its row of the plan says.

    BadInput for other images, and for an op that has no numpy form or can't take so many channels.
    """
    if images.dtype != np.uint8 or images.ndim != 4 or len(images) != len(plan):
        raise BadInput(
            f"images: {images.dtype} of shape {images.shape}; allowed is uint8, {len(plan)} x channels x height x width"
        )
    if len(images) == 0:
        return np.empty((0, images.shape[1], *(resized_side(side, plan.resolution) for side in images.shape[2:])), np.uint8)
    return np.stack([resized_in_numpy(_changed(image, plan, row), plan.resolution) for row, image in enumerate(images)])


def _changed(image: np.ndarray, plan: Plan, row: int) -> np.ndarray:
    for step, code in enumerate(plan.codes[row]):
        if code == NO_OP:
            continue
        op = find_op(plan.code_book[code])
        if op.in_numpy is None or not op.accepts(len(image)):
            raise BadInput(f"op {op.name}: it has no form in numpy for {len(image)} channels; leave it out of the policy")
        seed = 0 if plan.seeds is None else int(plan.seeds[row, step])
        values = tuple(plan.values[row, step, : len(op.parameters)].tolist())
        image = op.in_numpy(image, values, plan.fill, plan.interpolation == "bilinear", seed)
    return image
