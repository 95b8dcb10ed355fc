"""What every engine asks of images and plan before any pixel is touched."""

from torch import Tensor

from searchspaces.arrays import Images
from searchspaces.errors import BadInput
from searchspaces.json_text import shown
from searchspaces.plan import Plan
from searchspaces.refusals import check_book, check_images, check_ops, check_plan


def check(images: Tensor | Images, plan: Plan, rows: int | None = None) -> None:
    """Raise BadInput where the images, or the plan for them, are not what an engine takes: see `refusals`.

    `rows` is how many rows the plan is to have, and then images may be a numpy array too; None: one for each image of a tensor.
    """
    check_images(images, arrays=rows is not None)
    check_book(plan.code_book)
    check_ops(plan.code_book, images.shape[1])
    check_plan(plan, len(images) if rows is None else rows)


def check_threads(threads: int) -> None:
    """Raise BadInput unless there is at least one."""
    if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
        raise BadInput(f"threads: {shown(threads)}; allowed is 1 or more")
