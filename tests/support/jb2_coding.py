"""A Z'-coder and a JB2 writer: streams with records that no public encoder writes.

The coder keeps its interval as exact integers, the contexts are named by their paths:
as slow as it is plain, and nothing shared with what it is to test but the adaptation table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from batch_converter.djvu.kernels.zp_table import DELTA, DOWN, THETA, UP

if TYPE_CHECKING:
    from collections.abc import Hashable

    from numpy.typing import NDArray

    Pixels = NDArray[np.bool_]

LARGEST, SMALLEST = 262142, -262143


class Encoder:
    """Decisions become bits: the scaled code value stays between `a` and 1, less an offset."""

    def __init__(self) -> None:
        self._a = 0
        self._offset = 0
        self._open_bits = 16
        self._bits: list[str] = []
        self._states: dict[Hashable, int] = {}

    def forget(self, contexts: str) -> None:
        """Set the contexts of a kind back, as if never used."""
        for context in [c for c in self._states if isinstance(c, tuple) and c[0] == contexts]:
            del self._states[context]

    def bit(self, bit: int, context: Hashable) -> None:
        state = self._states.get(context, 0)
        z = self._a + DELTA[state]
        z = min(z, 0x6000 + ((z + self._a) >> 2))
        if bit == state & 1:
            if z >= 0x8000 and self._a >= THETA[state]:
                self._states[context] = UP[state]
            self._a = z
        else:
            self._a += 0x10000 - z
            self._offset -= 0x10000 - z
            self._states[context] = DOWN[state]
        while self._a >= 0x8000:
            self._a = 2 * self._a - 0x10000
            self._offset = 2 * self._offset + 0x10000
            self._open_bits += 1
            self._settle()

    def _settle(self) -> None:
        """Give out the leading bits that can change no more."""
        while self._open_bits > 16:
            place = self._open_bits - 1
            lowest, highest = (self._a + self._offset) >> place, (0xFFFF + self._offset) >> place
            if lowest != highest:
                return
            self._bits.append(str(lowest))
            self._offset -= lowest << place
            self._open_bits = place

    def finish(self) -> bytes:
        """The shortest stream, behind which all is read as ones."""
        low, high = self._a + self._offset, 0xFFFF + self._offset
        for count in range(self._open_bits + 1):
            rest = self._open_bits - count
            ones = (1 << rest) - 1
            for top in (high >> rest, (high >> rest) - 1):
                if top >= 0 and low <= (top << rest | ones) <= high:
                    text = "".join(self._bits) + (f"{top:0{count}b}" if count else "")
                    text += "1" * (-len(text) % 8)
                    return bytes(int(text[i : i + 8], 2) for i in range(0, len(text), 8))
        raise AssertionError("an empty interval")

    def number(self, value: int, kind: str, low: int = 0, high: int = LARGEST) -> None:
        assert low <= value <= high
        path = ""
        negative = value < 0
        if low < 0 <= high:
            self.bit(int(not negative), ("number", kind, path))
        path = "-" if negative else "+"
        if negative:
            value, low, high = -value - 1, -high - 1, -low - 1
        size = 1
        while value >= 2 * size - 1:
            if low < 2 * size - 1:
                self.bit(1, ("number", kind, path))
            path += ">"
            size *= 2
        if low < 2 * size - 1 <= high:
            self.bit(0, ("number", kind, path))
        path += "="
        base = size - 1
        while size > 1:
            size //= 2
            upper = value >= base + size
            if low < base + size <= high:
                self.bit(int(upper), ("number", kind, path))
            path += str(int(upper))
            base += size * upper


class Jb2Writer:
    """Writes a JB2 stream record by record; places are of the lower left corner, from 0."""

    def __init__(self, *, library: list[Pixels] | None = None, crops: bool = True) -> None:
        self.coder = Encoder()
        self.library = list(library or [])
        self._crops = crops
        self.width = self.height = 0
        if library is not None:
            self._record(9)
            self.coder.number(len(library), "dictionary size")

    def _record(self, kind: int) -> None:
        self.coder.number(kind, "record", 0, 11)

    def start(self, width: int, height: int, *, flag: int = 0) -> Jb2Writer:
        self.width, self.height = width, height
        self._record(0)
        self.coder.number(width, "image size")
        self.coder.number(height, "image size")
        self.coder.bit(flag, "refinement flag")
        self._line_left, self._line_bottom = -1, height - 1
        self._right, self._bottoms = -1, [-1, -1, -1]
        self._begun = False
        return self

    def direct(
        self,
        pixels: Pixels,
        left: int = 0,
        bottom: int = 0,
        *,
        image: bool = True,
        library: bool = True,
        new_line: bool | None = None,
    ) -> Jb2Writer:
        self._record({(True, True): 1, (False, True): 2, (True, False): 3}[image, library])
        self._absolute_size(pixels)
        self._direct_pixels(pixels)
        if image:
            self._place(left, bottom, pixels.shape[1], pixels.shape[0], new_line=new_line)
        if library:
            self.library.append(pixels)
        return self

    def begin_direct(self, width: int, height: int) -> None:
        """Write no more of a shape than its size."""
        self._record(1)
        self.coder.number(width, "width")
        self.coder.number(height, "height")

    def refined(
        self,
        match: int,
        pixels: Pixels,
        left: int = 0,
        bottom: int = 0,
        *,
        image: bool = True,
        library: bool = True,
        new_line: bool | None = None,
    ) -> Jb2Writer:
        self._record({(True, True): 4, (False, True): 5, (True, False): 6}[image, library])
        self._match(match)
        like, _, _ = self._cropped(match)
        height, width = pixels.shape
        self.coder.number(width - like.shape[1], "width difference", SMALLEST)
        self.coder.number(height - like.shape[0], "height difference", SMALLEST)
        self._refined_pixels(pixels, like)
        if image:
            self._place(left, bottom, width, height, new_line=new_line)
        if library:
            self.library.append(pixels)
        return self

    def copy(
        self, match: int, left: int, bottom: int, *, new_line: bool | None = None
    ) -> Jb2Writer:
        """Place a shape; `left` and `bottom` are those of its ink, where shapes are cropped."""
        self._record(7)
        self._match(match)
        height, width = (self._cropped(match)[0] if self._crops else self.library[match]).shape
        self._place(left, bottom, width, height, new_line=new_line)
        return self

    def non_symbol(self, pixels: Pixels, left: int, bottom: int) -> Jb2Writer:
        self._record(8)
        self._absolute_size(pixels)
        self._direct_pixels(pixels)
        self.coder.number(left + 1, "column", 1, self.width)
        self.coder.number(bottom + len(pixels), "row", 1, self.height)
        return self

    def reset(self) -> Jb2Writer:
        self._record(9)
        self.coder.forget("number")
        return self

    def comment(self, data: bytes) -> Jb2Writer:
        self._record(10)
        self.coder.number(len(data), "comment length")
        for byte in data:
            self.coder.number(byte, "comment octet", 0, 255)
        return self

    def end(self) -> bytes:
        self._record(11)
        return self.coder.finish()

    def _cropped(self, match: int) -> tuple[Pixels, int, int]:
        pixels = self.library[match]
        rows, columns = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
        if not rows.size:
            return pixels[:0, :0], 0, 0
        left, low = int(columns[0]), int(rows[-1])
        return pixels[rows[0] : low + 1, left : columns[-1] + 1], left, len(pixels) - 1 - low

    def _match(self, match: int) -> None:
        self.coder.number(match, "match", 0, len(self.library) - 1)

    def _absolute_size(self, pixels: Pixels) -> None:
        self.coder.number(pixels.shape[1], "width")
        self.coder.number(pixels.shape[0], "height")

    def _direct_pixels(self, pixels: Pixels) -> None:
        near = np.pad(pixels, ((2, 0), (2, 2))).astype(int).tolist()
        for y, row in enumerate(pixels.tolist(), 2):
            for x, bit in enumerate(row, 2):
                around = near[y - 2][x - 1 : x + 2] + near[y - 1][x - 2 : x + 3]
                around += near[y][x - 2 : x]
                self.coder.bit(int(bit), ("direct", *around))

    def _refined_pixels(self, pixels: Pixels, like: Pixels) -> None:
        height, width = pixels.shape
        # The leftmost and lowermost of two centres count.
        down = (like.shape[0] // 2) - (height // 2)
        right = (like.shape[1] - 1) // 2 - (width - 1) // 2
        far_down, far_right = abs(down) + height + 2, abs(right) + width + 2
        model = np.pad(like, ((far_down,) * 2, (far_right,) * 2)).astype(int).tolist()
        near = np.pad(pixels, 1).astype(int).tolist()
        for y, row in enumerate(pixels.tolist()):
            for x, bit in enumerate(row):
                v, u = y + down + far_down, x + right + far_right
                around = near[y][x : x + 3] + near[y + 1][x : x + 1] + model[v - 1][u : u + 1]
                around += model[v][u - 1 : u + 2] + model[v + 1][u - 1 : u + 2]
                self.coder.bit(int(bit), ("refined", *around))

    def _place(
        self, left: int, bottom: int, width: int, height: int, *, new_line: bool | None
    ) -> None:
        first = new_line or (new_line is None and not self._begun)
        self.coder.bit(int(first), "offset type")
        top = bottom + height - 1
        if first:
            self.coder.number(left - self._line_left, "line column", SMALLEST)
            self.coder.number(top - self._line_bottom, "line row", SMALLEST)
            self._line_left, self._line_bottom = left, bottom
            self._bottoms = [bottom] * 3
        else:
            self.coder.number(left - self._right, "column offset", SMALLEST)
            self.coder.number(bottom - sorted(self._bottoms)[1], "row offset", SMALLEST)
            self._bottoms = [*self._bottoms[1:], bottom]
        self._right = left + width - 1
        self._begun = True
