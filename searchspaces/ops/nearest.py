"""Taking each pixel from another place of its image, the nearest one: what every geometric op shares. Declares no op.

Places outside the image give `fill`; nothing is interpolated.
"""

from torch import Tensor

from searchspaces.arrays import ImageBatch


def take_nearest(images: ImageBatch, source_y: Tensor, source_x: Tensor, fill: int) -> ImageBatch:
    """Images whose pixel (y, x) comes from row `source_y` and column `source_x`, or is `fill` where that lies outside.

    Both sources are whole numbers (in a tensor of any dtype) that broadcast to (images, height, width); row 0 is the upper
    one, column 0 the left one.
    """
    count, channels, height, width = images.shape
    # Every place outside clamps to a border of fill one pixel wide, so no mask is needed.
    bordered = images.new_full((count, channels, height + 2, width + 2), fill)
    bordered[:, :, 1:-1, 1:-1] = images
    rows = source_y.clamp(-1, height).long() + 1
    columns = source_x.clamp(-1, width).long() + 1
    index = (rows * (width + 2) + columns).expand(count, height, width).reshape(count, 1, height * width)
    taken = bordered.view(count, channels, -1).gather(2, index.expand(-1, channels, -1))
    return taken.view(count, channels, height, width)
