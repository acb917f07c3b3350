"""JB2, the coding of bilevel pages as shapes and their places: DjVu 3 specification, appendix 2.

A stream is taken apart into what it is made of: shapes, and where each is put. So whoever
draws the page composes them, and whoever codes shapes again has them. One kernel decodes a
whole stream; here is what it cannot do: find dictionaries, and get memory within the limit.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from mmap import mmap
from typing import TYPE_CHECKING, Final

from batch_converter.djvu.kernels import jb2_layout as layout
from batch_converter.djvu.kernels.jb2_kinds import FLAG_CONTEXTS
from batch_converter.djvu.kernels.jb2_pixels import DIRECT_CONTEXTS, REFINED_CONTEXTS
from batch_converter.djvu.kernels.jb2_records import decode_records, number_contexts
from batch_converter.djvu.kernels.jb2_rows import row_bytes
from batch_converter.djvu.kernels.jb2_shapes import look_for_ink
from batch_converter.djvu.kernels.shapes import Shapes
from batch_converter.djvu.kernels.zp import bytes_used, padded, start

if TYPE_CHECKING:
    from collections.abc import Sequence

# Whole streams of all encoders tried need one to three bytes more than there are. Of short
# ones nothing to speak of is lost, and DjVuLibre draws them as long as it needs no more.
_TOLERATED_BYTES: Final = 8
_TOLERATED_OF_SHORT_BYTES: Final = 24
_SHORT_BYTES: Final = 48

_FIRST_BITS: Final = 1 << 14
_FIRST_ENTRIES: Final = 256
_ENTRY_BYTES: Final = 8
_LEAST_TABLE_BYTES: Final = 1 << 24
"""What the numbers of shapes and blits may take where the limit of shapes is lower."""

_REASONS: Final = {
    layout.BREAKS_OFF: "breaks off",
    layout.NO_SENSE: "makes no sense",
    layout.BEGINS_TWICE: "begins twice",
    layout.NO_SUCH_SHAPE: "repeats a shape that is not there",
    layout.IMPOSSIBLE_SIZE: "has a shape of impossible size",
    layout.TOO_LARGE: "has shapes that exceed the memory limit",
}


class Jb2Error(ValueError):
    """A stream breaks off, makes no sense or asks for too much; the message follows "the mask"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Jb2Image:
    """What a page's stream says.

    A shape's place among the blits is what a palette counts.

    Attributes:
        width: In pixels.
        height: In pixels.
        shapes: All that are put somewhere, and those of the library: those of the shared
            dictionary first.
        blit_shapes: Of each blit, in the order of the stream: the number of its shape,
        blit_lefts: the column of its left edge, from 0, which may be outside of the page,
        blit_bottoms: the row of its lower edge, from 0 at the page's bottom.
    """

    width: int
    height: int
    shapes: Shapes
    blit_shapes: array[int]
    blit_lefts: array[int]
    blit_bottoms: array[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Jb2Dictionary:
    """Shapes that pages share.

    Attributes:
        bits: As `Shapes` has them.
        table: Their numbers, as `jb2_layout` has them.
    """

    bits: bytearray
    table: array[int]

    def __len__(self) -> int:
        return len(self.table) // layout.SHAPE_SIZE

    @property
    def shapes(self) -> Shapes:
        """What they look like."""
        return _shapes(self.bits, self.table)


def decode_image(
    data: bytes,
    dictionaries: Sequence[Jb2Dictionary] = (),
    *,
    uncropped: bool = False,
    max_bytes: int,
) -> Jb2Image:
    """Decode a page's stream.

    Args:
        data: Of its `Sjbz`.
        dictionaries: The shapes that it may share with other pages; it says how many it
            needs, and the last dictionary of that size is taken.
        uncropped: Whether the stream counts places from the edge of a copied shape, empty
            columns and rows included, and not from its ink: encoders did so up to DjVu
            version 18, and decoders have to know.
        max_bytes: What all shapes may take together, eight pixels a byte.

    Raises:
        Jb2Error: It is damaged or too large.
    """
    decoder = _Decoder(data, dictionaries, max_bytes=max_bytes)
    decoder.state[layout.IS_UNCROPPED] = uncropped
    decoder.run()
    width, height = decoder.state[layout.WIDTH], decoder.state[layout.HEIGHT]
    if not width or not height:
        raise Jb2Error("has no size")
    return Jb2Image(
        width=width,
        height=height,
        shapes=_shapes(decoder.bits, decoder.shapes),
        blit_shapes=decoder.blits[layout.BLIT_SHAPE :: layout.BLIT_SIZE],
        blit_lefts=decoder.blits[layout.BLIT_LEFT :: layout.BLIT_SIZE],
        blit_bottoms=decoder.blits[layout.BLIT_BOTTOM :: layout.BLIT_SIZE],
    )


def page_size(data: bytes) -> tuple[int, int] | None:
    """Return width and height as a page's stream says at its beginning; nothing else is decoded.

    None where the stream makes no sense before it says so.
    """
    decoder = _Decoder(data, (), max_bytes=0)
    while not decoder.state[layout.STARTED]:
        if decoder.decode_more() != layout.NEEDS_DICTIONARY:  # its shapes matter to no size
            break
    state = decoder.state
    return (state[layout.WIDTH], state[layout.HEIGHT]) if state[layout.STARTED] else None


def decode_dictionary(
    data: bytes, dictionaries: Sequence[Jb2Dictionary] = (), *, max_bytes: int
) -> Jb2Dictionary:
    """Decode the shapes that pages share; these may build upon those of another dictionary.

    Raises:
        Jb2Error: It is damaged or too large.
    """
    decoder = _Decoder(data, dictionaries, max_bytes=max_bytes)
    decoder.state[layout.IS_DICTIONARY] = True
    decoder.run()
    if decoder.state[layout.WIDTH] or decoder.state[layout.HEIGHT]:
        raise Jb2Error("is no shape dictionary")
    found = Jb2Dictionary(bits=decoder.bits, table=decoder.shapes)
    for number in range(len(found)):
        look_for_ink(found.bits, found.table, number)
    return found


def _shapes(bits: bytearray, table: array[int]) -> Shapes:
    return Shapes(
        bits=bits,
        offsets=table[layout.SHAPE_OFFSET :: layout.SHAPE_SIZE],
        widths=table[layout.SHAPE_WIDTH :: layout.SHAPE_SIZE],
        heights=table[layout.SHAPE_HEIGHT :: layout.SHAPE_SIZE],
    )


def _entries(count: int) -> array[int]:
    return array("q", bytes(_ENTRY_BYTES * count))


def _contexts(count: int) -> memoryview[int]:
    """Return memory of which only the pages are there that are used: few of megabytes."""
    return memoryview(mmap(-1, count))


class _Decoder:
    """The buffers of a stream, which grow as it asks for it."""

    def __init__(
        self, data: bytes, dictionaries: Sequence[Jb2Dictionary], *, max_bytes: int
    ) -> None:
        self._size = len(data)
        self._data = padded(data)
        self._coder = start(self._data)
        self._dictionaries = dictionaries
        self._max_bytes = max_bytes
        short = self._size <= _SHORT_BYTES
        self.state = _entries(layout.STATE_SIZE)
        self.state[layout.BITS_LIMIT] = max_bytes
        self.state[layout.LAST_BYTE] = self._size + (
            _TOLERATED_OF_SHORT_BYTES if short else _TOLERATED_BYTES
        )
        self.bits = bytearray(min(_FIRST_BITS, max_bytes))
        self.shapes = _entries(_FIRST_ENTRIES * layout.SHAPE_SIZE)
        self.library = _entries(_FIRST_ENTRIES)
        self.blits = _entries(_FIRST_ENTRIES * layout.BLIT_SIZE)
        self._numbers = _contexts(number_contexts(0))
        self._flags = bytearray(FLAG_CONTEXTS)
        self._direct = bytearray(DIRECT_CONTEXTS)
        self._refined = bytearray(REFINED_CONTEXTS)

    def run(self) -> None:
        """Decode all records.

        Raises:
            Jb2Error: They are damaged or too large.
        """
        while status := self.decode_more():
            if status == layout.NEEDS_ROOM:
                self._make_room()
            elif status == layout.NEEDS_DICTIONARY:
                self._take_dictionary()
            elif status == layout.FORGETS_NUMBERS:
                self._numbers = _contexts(len(self._numbers))
            else:
                raise Jb2Error(_REASONS[status])
        self._refuse_rest()
        del self.bits[self.state[layout.BITS_USED] :]
        del self.shapes[self.state[layout.SHAPES] * layout.SHAPE_SIZE :]
        del self.blits[self.state[layout.BLITS] * layout.BLIT_SIZE :]

    def decode_more(self) -> int:
        """Decode until something is needed; returns a status of `jb2_layout`."""
        return decode_records(
            self.state,
            self._coder,
            self._data,
            self._numbers,
            self._flags,
            self._direct,
            self._refined,
            self.bits,
            self.shapes,
            self.library,
            self.blits,
        )

    def _make_room(self) -> None:
        """Enlarge what is too small for one more record.

        Raises:
            Jb2Error: Its numbers take more than all its shapes may.
        """
        state = self.state
        width = state[layout.NEW_WIDTH]
        bits = state[layout.BITS_USED] + row_bytes(width) * state[layout.NEW_HEIGHT]
        if bits > len(self.bits):
            largest = min(2 * bits, state[layout.BITS_LIMIT])
            self.bits += bytes(largest - len(self.bits))
        for entries, used, size in (
            (self.shapes, state[layout.SHAPES], layout.SHAPE_SIZE),
            (self.library, state[layout.LIBRARY], 1),
            (self.blits, state[layout.BLITS], layout.BLIT_SIZE),
        ):
            if (used + 1) * size > len(entries):
                entries.extend(_entries(len(entries)))
        entries_bytes = _ENTRY_BYTES * sum(map(len, (self.shapes, self.library, self.blits)))
        if entries_bytes > max(self._max_bytes, _LEAST_TABLE_BYTES):
            raise Jb2Error(_REASONS[layout.TOO_LARGE])
        if number_contexts(state[layout.LIBRARY] + 1) > len(self._numbers):
            self._widen_contexts()

    def _widen_contexts(self) -> None:
        wider = _contexts(number_contexts(2 * self.state[layout.LIBRARY]))
        wider[: len(self._numbers)] = self._numbers
        self._numbers = wider

    def _take_dictionary(self) -> None:
        """Begin with the shapes that the stream asks for.

        Raises:
            Jb2Error: They are not there, or already more than there may be.
        """
        size = self.state[layout.DICTIONARY_SIZE]
        found = next((one for one in reversed(self._dictionaries) if len(one) == size), None)
        if found is None:
            raise Jb2Error("needs another shape dictionary")
        if len(found.bits) > self._max_bytes:
            raise Jb2Error(_REASONS[layout.TOO_LARGE])
        self.bits = bytearray(found.bits)
        self.shapes = found.table[:]
        self.library = array("q", range(size))
        self.state[layout.BITS_USED] = len(found.bits)
        self.state[layout.SHAPES] = self.state[layout.LIBRARY] = size

    def _refuse_rest(self) -> None:
        """Raise if much is left, as where damage made it end too early; padding is no matter.

        Raises:
            Jb2Error: So it is.
        """
        rest = self._data[bytes_used(self._coder) : self._size]
        if len(rest.rstrip(rest[-1:])) > _SHORT_BYTES:
            raise Jb2Error(_REASONS[layout.BREAKS_OFF])
