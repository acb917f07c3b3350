"""Pixels out of rows of a wavelet layer's components: DjVu 3 specification, 10.7.

The rows of a picture are stored from its bottom up, and put here from the top down.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from batch_converter.djvu.kernels.compiling import kernel

if TYPE_CHECKING:
    from collections.abc import MutableSequence, Sequence

COLORS: Final = 3
"""For which there is room in `added`."""

_LEAST: Final = -128
_MOST: Final = 127
_FULL: Final = 255


@kernel
def _rounded(value: int) -> int:
    """Return a value of 16 bits as one of 8, both signed."""
    return min(max((value + 32) >> 6, _LEAST), _MOST)


@kernel
def _level(value: int) -> int:
    return min(max(value, 0), _FULL)


@kernel
def _add_chrominance(
    blue: Sequence[int], red: Sequence[int], start: int, added: MutableSequence[int], count: int
) -> None:
    """Put what a row of chrominance adds to red, then what to green, then what to blue."""
    if start < 0 or count < 0:
        return
    for x in range(count):
        b = _rounded(blue[start + x])
        r = _rounded(red[start + x])
        red_share = r + (r >> 1)
        added[x] = red_share
        added[count + x] = -(b >> 2) - (red_share >> 1)
        added[2 * count + x] = 2 * b - (b >> 2)


@kernel
def _double(values: MutableSequence[int], at: int, count: int) -> None:
    """Put each of the first values twice, from a place behind them on."""
    if at < 0:
        return
    for x in range(count):
        values[at + 2 * x] = values[x]
        values[at + 2 * x + 1] = values[x]


@kernel
def _put_colors(  # noqa: PLR0917  # buffers and integers, for a compiler
    luminance: Sequence[int],
    start: int,
    added: Sequence[int],
    first: int,
    apart: int,
    pixels: MutableSequence[int],
    at: int,
    width: int,
) -> None:
    """Put a row of pixels as numbers: the lowest byte the red one, the highest one full."""
    if start < 0 or first < 0 or apart < 0 or at < 0:
        return
    for x in range(width):
        gray = _rounded(luminance[start + x]) + 128
        red = _level(gray + added[first + x])
        green = _level(gray + added[first + apart + x])
        blue = _level(gray + added[first + 2 * apart + x])
        pixels[at + x] = red + 0x100 * green + 0x10000 * blue + 0xFF000000


@kernel
def put_color_rows(  # noqa: PLR0917  # buffers and integers, for a compiler
    luminance: Sequence[int],
    pitch: int,
    blue: Sequence[int],
    red: Sequence[int],
    chrominance_pitch: int,
    sharing: int,
    added: MutableSequence[int],
    first: int,
    behind: int,
    pixels: MutableSequence[int],
    at: int,
    width: int,
) -> None:
    """Put rows of pixels, a number each: from the lowest byte red, green, blue and 255.

    Args:
        luminance: Its values.
        pitch: How many a row has.
        blue: Those of blue chrominance.
        red: Those of red chrominance.
        chrominance_pitch: How many of each a row has.
        sharing: How many pixels of a row, and of a column, share theirs: 1 or 2.
        added: Room for nine numbers for each pixel of a row, and nine more.
        first: The first row, from the bottom; it is the first of luminance and chrominance.
        behind: The row behind the last.
        pixels: Where they are put.
        at: Where the last row is, which comes first.
        width: How many pixels a row has.
    """
    count = (width + sharing - 1) // sharing
    shares = 0 if sharing == 1 else COLORS * count
    for row in range(first, behind):
        if row == first or row % sharing == 0:
            start = chrominance_pitch * (row // sharing - first // sharing)
            _add_chrominance(blue, red, start, added, count)
            if shares:
                _double(added, shares, shares)
        _put_colors(
            luminance,
            pitch * (row - first),
            added,
            shares,
            sharing * count,
            pixels,
            at + width * (behind - 1 - row),
            width,
        )


@kernel
def _put_gray(
    luminance: Sequence[int], start: int, pixels: MutableSequence[int], at: int, width: int
) -> None:
    if start < 0 or at < 0:
        return
    for x in range(width):
        pixels[at + x] = _MOST - _rounded(luminance[start + x])


@kernel
def put_gray_rows(  # noqa: PLR0917  # buffers and integers, for a compiler
    luminance: Sequence[int],
    pitch: int,
    count: int,
    pixels: MutableSequence[int],
    at: int,
    width: int,
) -> None:
    """Put rows of gray pixels, a byte each.

    Args:
        luminance: Its values.
        pitch: How many a row has.
        count: How many rows.
        pixels: Where they are put.
        at: Where the last row is, which comes first.
        width: How many pixels a row has.
    """
    for row in range(count):
        _put_gray(luminance, pitch * row, pixels, at + width * (count - 1 - row), width)
