"""What every engine asks of images and plan before any pixel is touched."""

from torch import Tensor

from searchspaces.arrays import Images
from searchspaces.errors import BadInput
from searchspaces.ops import find_op
from searchspaces.plan import Plan


def check(images: Tensor | Images, plan: Plan, rows: int | None = None) -> None:
    """Raise BadInput where the images are not uint8 of four dimensions, or the plan is not for them.

    `rows` is how many rows the plan is to have; None: one for each image.
    """
    if str(images.dtype).removeprefix("torch.") != "uint8" or images.ndim != 4:
        raise BadInput(
            f"images: {images.dtype} of shape {tuple(images.shape)}; allowed is torch.uint8, images x channels x height x width"
        )
    wanted = len(images) if rows is None else rows
    if wanted != len(plan):
        raise BadInput(f"plan: {len(plan)} rows for {wanted} images; draw it for this batch")
    for name in plan.code_book:
        op = find_op(name)
        if not op.accepts(images.shape[1]):
            raise BadInput(f"op {op.name}: the images have {images.shape[1]} channels; leave it out of the policy")
        if op.seeded and plan.seeds is None:
            raise BadInput(f"plan: it has no seeds for op {op.name}, which is noise; draw it from the policy")
