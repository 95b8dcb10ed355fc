"""Pictures as addresses that hold them whole (data:image/png), for pages that load nothing. Large ones are reduced."""

import base64
import io

import numpy as np

from dashboards.contact_sheet import as_image


def data_uri(pixels: np.ndarray, largest_px: int) -> str:
    """uint8 pixels (channels, height, width) as a PNG of at most `largest_px` on a side."""
    image = as_image(pixels)
    image.thumbnail((largest_px, largest_px))
    file = io.BytesIO()
    image.save(file, format="PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"
