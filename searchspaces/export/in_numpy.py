"""The engine of exported files that have neither torch nor numba: a plan carried out in plain numpy, one image after the other.

The same pixels as the other engines, but for a resolution below 1: there a level may be one off, where a mean lies half-way.
"""

import numpy as np

from searchspaces.arrays import Images
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
    done = [_changed(image, plan, row) for row, image in enumerate(images)]
    return _resized(np.stack(done) if done else images.copy(), plan.resolution)


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


def _resized(images: Images, resolution: float) -> Images:
    """Both sides brought to that fraction of themselves, bilinear with antialiasing, rounded to whole levels."""
    sides = images.shape[2:]
    wanted = [max(1, int(np.floor(resolution * side + 0.5))) for side in sides]
    if list(sides) == wanted:
        return images
    rows, columns = (_weights(side, side_wanted) for side, side_wanted in zip(sides, wanted, strict=True))
    mixed = np.einsum("yh,nchw,xw->ncyx", rows, images.astype(np.float64), columns, optimize=["einsum_path", (1, 2), (0, 1)])
    resized: Images = np.rint(np.clip(mixed, 0, 255)).astype(np.uint8)
    return resized


def _weights(side: int, wanted: int) -> np.ndarray:
    """How much of each old pixel is in each new one, (wanted, side): a triangle as wide as two new pixels, and two old ones."""
    scale = side / wanted
    reach = max(scale, 1.0)
    centres = scale * (np.arange(wanted) + 0.5)
    distance = np.abs(np.arange(side)[None, :] + 0.5 - centres[:, None]) / reach
    triangle = np.maximum(1 - distance, 0)
    weights: np.ndarray = triangle / triangle.sum(axis=1, keepdims=True)
    return weights
