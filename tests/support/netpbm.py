"""Pictures of one bit a pixel as DjVuLibre's encoders take them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch_converter.djvu.draw.bilevel import Bitmap

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def pbm(pixels: NDArray[np.bool_]) -> bytes:
    """Return pixels, true for ink, as a file of the Netpbm kind, in which ink is black."""
    bitmap = Bitmap.of_pixels(pixels)
    return b"P4\n%d %d\n" % (bitmap.width, bitmap.height) + bitmap.rows.tobytes()
