"""Which shapes of a page are seen as a whole, where others may lie upon them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch_converter.djvu.kernels.compiling import kernel

if TYPE_CHECKING:
    from array import array


@kernel
def mark_whole(  # noqa: PLR0917  # buffers and integers, for a compiler
    bits: bytearray,
    offsets: array[int],
    widths: array[int],
    heights: array[int],
    numbers: array[int],
    lefts: array[int],
    tops: array[int],
    ink: bytearray,
    width: int,
    height: int,
    whole: bytearray,
) -> None:
    """Mark instances of which all lies on a picture, and every pixel is seen there; some has ink.

    Args:
        bits: Of `Shapes`, as what follows.
        offsets: In bytes.
        widths: In pixels.
        heights: In pixels.
        numbers: Of each instance, that of its shape.
        lefts: Columns of their left edges.
        tops: Rows of their upper edges.
        ink: What is seen, in packed rows.
        width: Of the picture, in pixels.
        height: The same.
        whole: Gets 1 for each instance, or 0.
    """
    stride = (width + 7) // 8
    for place in range(len(numbers)):
        shape = numbers[place]
        left = lefts[place]
        top = tops[place]
        whole[place] = 0
        if left < 0 or top < 0 or left + widths[shape] > width or top + heights[shape] > height:
            continue
        hidden = 0
        any_ink = 0
        row_bytes = (widths[shape] + 7) // 8
        shift = left % 8
        source = offsets[shape]
        for row in range(top, top + heights[shape]):
            target = row * stride + left // 8
            for column in range(row_bytes):
                any_ink |= bits[source]
                pixels = bits[source] * 256 >> shift
                source += 1
                hidden |= (pixels >> 8) & (255 - ink[target + column])
                if pixels & 255:
                    hidden |= pixels & 255 & (255 - ink[target + column + 1])
            if hidden:
                break
        if any_ink and not hidden:
            whole[place] = 1
