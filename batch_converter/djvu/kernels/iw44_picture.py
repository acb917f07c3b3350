"""A wavelet layer as a picture, whose rows are made when they are asked for.

Nothing but the coefficients is there of the whole picture: a scan of 35 million pixels takes
60 MB instead of 310. Each scale's rows are rebuilt out of as many of the coarser scale's as
take part in them, a few more than half.
"""

from __future__ import annotations

import sys
from array import array
from typing import TYPE_CHECKING, Final

from batch_converter.djvu.kernels.iw44_colors import COLORS, put_color_rows, put_gray_rows
from batch_converter.djvu.kernels.iw44_layer import BLOCK_PIXELS, Layer
from batch_converter.djvu.kernels.iw44_rows import EVEN_REACH, MARGIN, ODD_REACH, raise_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

_BAND_ROWS: Final = 128
"""Made at once: of a scan, twice as many take a sixth less time, and half as many a fifth more."""


class _Scale:
    """One component at one scale.

    Attributes:
        values: The rows last made.
        pitch: How many values a row has; as many as whole blocks have.
    """

    def __init__(
        self, layer: Layer, component: int, side: int, *, most_rows: int, window: array[int]
    ) -> None:
        """Prepare to make rows.

        Args:
            layer: The coefficients.
            component: Whose.
            side: How many rows and columns of a block the scale has: 2, 4, 8, 16 or 32.
            most_rows: How many rows are asked for at once.
            window: Room for them and all that take part in them; whoever makes rows uses it.
        """
        head = layer.head
        step = BLOCK_PIXELS // side
        self._layer = layer
        self._first_block = component * head.blocks
        self._half = side // 2
        self._width = -(-head.width // step)
        self._height = -(-head.height // step)
        self._window = window
        self.pitch = side * head.columns
        self.values = array("h", [0]) * (self.pitch * min(most_rows, self._height))
        self._coarser: _Scale | None = None
        if self._half > 1:
            coarser_rows = (most_rows + 2 * EVEN_REACH) // 2 + 1
            self._coarser = _Scale(
                layer, component, self._half, most_rows=coarser_rows, window=window
            )

    def make(self, top: int, bottom: int) -> None:
        """Make rows, counted from the bottom of the picture."""
        first = (max(0, top - EVEN_REACH) + 1) // 2
        if self._coarser is not None:
            self._coarser.make(first, (min(self._height, bottom + EVEN_REACH) + 1) // 2)
        raise_rows(
            self._layer.reached,
            self._layer.slots,
            self._layer.pool,
            self._first_block,
            self._layer.head.columns,
            self._half,
            self._width,
            self._height,
            self.values if self._coarser is None else self._coarser.values,
            first,
            self._window,
            top,
            bottom,
            self.values,
        )


class WaveletPicture:
    """A wavelet layer, decoded; its pixels are made when asked for, some rows at a time.

    Attributes:
        overrun_bytes: By how much the coder read on beyond the end of a chunk, at the most.
        width: In pixels.
        height: In pixels.
        is_gray: Whether a pixel is one byte, not four.
    """

    def __init__(self, chunks: Sequence[bytes]) -> None:
        """Decode all coefficients; nothing is refused. Memory: see `Layer`.

        Args:
            chunks: Of a wavelet layer, in their order, with their heads.
        """
        layer = Layer(chunks)
        self.overrun_bytes = layer.overrun_bytes
        self.width, self.height = layer.head.width, layer.head.height
        self.is_gray = layer.head.components == 1
        self._sharing = 2 if layer.head.is_half else 1
        sides = [BLOCK_PIXELS] + [BLOCK_PIXELS // self._sharing] * (layer.head.components - 1)
        window_rows = 1 + min(_BAND_ROWS + 2 * ODD_REACH, self.height)
        pitch = BLOCK_PIXELS * layer.head.columns + 2 * MARGIN
        window = array("h", [0]) * (pitch * window_rows)
        self._luminance, *self._chrominance = (
            _Scale(layer, component, side, most_rows=_BAND_ROWS, window=window)
            for component, side in enumerate(sides)
        )
        self._added = array("h", [0]) * (0 if self.is_gray else COLORS * COLORS * (self.width + 1))

    def rows(self, top: int, bottom: int) -> memoryview:
        """Return rows from the top of the picture as it is shown.

        Colours are as they are stored: no gamma has been applied.

        Args:
            top: The first row.
            bottom: The row behind the last.

        Returns:
            A byte a gray pixel; else red, green, blue and 255.
        """
        pixels = array("B" if self.is_gray else "I", [0]) * (self.width * (bottom - top))
        for upper in range(top, bottom, _BAND_ROWS):
            self._put_band(pixels, top, upper, min(bottom, upper + _BAND_ROWS))
        if sys.byteorder == "big":
            pixels.byteswap()
        return memoryview(pixels).cast("B")

    def _put_band(self, pixels: array[int], top: int, upper: int, lower: int) -> None:
        """Put some rows where they belong in those that begin with the top one."""
        luminance, sharing, width = self._luminance, self._sharing, self.width
        first, behind = self.height - lower, self.height - upper
        at = width * (upper - top)
        luminance.make(first, behind)
        for one in self._chrominance:
            one.make(first // sharing, (behind - 1) // sharing + 1)
        if self.is_gray:
            put_gray_rows(luminance.values, luminance.pitch, behind - first, pixels, at, width)
            return
        blue, red = self._chrominance
        put_color_rows(
            luminance.values,
            luminance.pitch,
            blue.values,
            red.values,
            blue.pitch,
            sharing,
            self._added,
            first,
            behind,
            pixels,
            at,
            width,
        )
