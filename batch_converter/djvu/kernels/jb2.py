"""JB2, the coding of bilevel pages as shapes and their places: DjVu 3 specification, appendix 2.

A stream is taken apart into what it is made of: shapes, and where each is put. So whoever
draws the page composes them, and whoever codes shapes again has them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from batch_converter.djvu.kernels.jb2_stream import (
    SMALLEST,
    Flag,
    InkBox,
    Jb2Error,
    Jb2Stream,
    Number,
    Shape,
)

if TYPE_CHECKING:
    from collections.abc import Container, Sequence


class Blit(NamedTuple):
    """A shape on the page; its place among the blits is what a palette counts.

    Attributes:
        shape: Number of the shape in the image's `shapes`.
        left: Column of its left edge, from 0; may be outside of the page.
        bottom: Row of its lower edge, from 0 at the page's bottom.
    """

    shape: int
    left: int
    bottom: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Jb2Image:
    """What a page's stream says.

    Attributes:
        shapes: All that are put somewhere, and those of the library.
        blits: In the order of the stream.
    """

    width: int
    height: int
    shapes: Sequence[Shape]
    blits: Sequence[Blit]


class _Record(IntEnum):
    """The types of records (table 6 of the specification)."""

    START = 0
    DIRECT = 1
    DIRECT_LIBRARY_ONLY = 2
    DIRECT_IMAGE_ONLY = 3
    REFINED = 4
    REFINED_LIBRARY_ONLY = 5
    REFINED_IMAGE_ONLY = 6
    COPY = 7
    NON_SYMBOL = 8
    DICTIONARY_OR_RESET = 9
    COMMENT = 10
    END = 11


_NEW: Final = (_Record.DIRECT, _Record.DIRECT_LIBRARY_ONLY, _Record.DIRECT_IMAGE_ONLY)
_REFINED: Final = (_Record.REFINED, _Record.REFINED_LIBRARY_ONLY, _Record.REFINED_IMAGE_ONLY)
_SYMBOLS: Final = (*_NEW, *_REFINED, _Record.COPY, _Record.NON_SYMBOL)
_IN_IMAGES: Final = frozenset(_Record)
_IN_DICTIONARIES: Final = frozenset(
    {
        *(_Record.START, _Record.DIRECT_LIBRARY_ONLY, _Record.REFINED_LIBRARY_ONLY),
        *(_Record.DICTIONARY_OR_RESET, _Record.COMMENT),
    }
)
_TO_LIBRARY: Final = (
    *(_Record.DIRECT, _Record.DIRECT_LIBRARY_ONLY),
    *(_Record.REFINED, _Record.REFINED_LIBRARY_ONLY),
)
_TO_IMAGE: Final = (
    *(_Record.DIRECT, _Record.DIRECT_IMAGE_ONLY),
    *(_Record.REFINED, _Record.REFINED_IMAGE_ONLY, _Record.COPY),
)


def decode_image(
    data: bytes,
    dictionaries: Sequence[Sequence[Shape]] = (),
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
    decoder = _Decoder(data, dictionaries, uncropped=uncropped, max_bytes=max_bytes)
    decoder.run(_IN_IMAGES)
    if not decoder.width or not decoder.height:
        raise Jb2Error("has no size")
    return Jb2Image(
        width=decoder.width, height=decoder.height, shapes=decoder.shapes, blits=decoder.blits
    )


def decode_dictionary(
    data: bytes, dictionaries: Sequence[Sequence[Shape]] = (), *, max_bytes: int
) -> Sequence[Shape]:
    """Decode the shapes that pages share; these may build upon those of another dictionary.

    Raises:
        Jb2Error: It is damaged or too large.
    """
    decoder = _Decoder(data, dictionaries, uncropped=False, max_bytes=max_bytes)
    decoder.run(_IN_DICTIONARIES)
    if decoder.width or decoder.height:
        raise Jb2Error("is no shape dictionary")
    return [decoder.shapes[number] for number in decoder.library]


class _Decoder:
    def __init__(
        self,
        data: bytes,
        dictionaries: Sequence[Sequence[Shape]],
        *,
        uncropped: bool,
        max_bytes: int,
    ) -> None:
        self._stream = Jb2Stream(data, max_bytes=max_bytes)
        self._dictionaries = dictionaries
        self._uncropped = uncropped
        self._started = False
        self.width = 0
        self.height = 0
        self.shapes: list[Shape] = []
        self.library: list[int] = []
        self.blits: list[Blit] = []
        self._line_left = -1
        self._line_bottom = 0
        self._right = -1
        self._bottoms = (-1, -1, -1)

    def run(self, allowed: Container[_Record]) -> None:
        """Decode all records."""
        while (record := self._record()) is not _Record.END:
            if record not in allowed or (record in _SYMBOLS and not self._started):
                raise Jb2Error("makes no sense")
            self._read(record)
            self._stream.refuse_overrun()
        if not self._started:
            raise Jb2Error("makes no sense")
        self._stream.refuse_overrun()
        self._stream.refuse_rest()

    def _record(self) -> _Record:
        return _Record(self._stream.number(Number.RECORD, 0, _Record.END))

    def _read(self, record: _Record) -> None:
        match record:
            case _Record.START:
                self._start()
            case _Record.DICTIONARY_OR_RESET:
                self._dictionary_or_reset()
            case _Record.COMMENT:
                self._comment()
            case _Record.NON_SYMBOL:
                self._non_symbol()
            case _:
                self._symbol(record)

    def _start(self) -> None:
        if self._started:
            raise Jb2Error("begins twice")
        self._started = True
        self.width = self._stream.number(Number.IMAGE_SIZE)
        self.height = self._stream.number(Number.IMAGE_SIZE)
        self._stream.flag(Flag.REFINEMENT)
        self._line_bottom = self.height - 1

    def _dictionary_or_reset(self) -> None:
        if self._started:
            self._stream.forget_numbers()
            return
        size = self._stream.number(Number.DICTIONARY_SIZE)
        if not size:
            return
        for dictionary in reversed(self._dictionaries):
            if len(dictionary) == size:
                self.shapes = list(dictionary)
                self.library = list(range(size))
                return
        raise Jb2Error("needs another shape dictionary")

    def _comment(self) -> None:
        for _ in range(self._stream.number(Number.COMMENT_LENGTH)):
            self._stream.number(Number.COMMENT_OCTET, 0, 255)

    def _absolute_size(self) -> tuple[int, int]:
        return self._stream.number(Number.WIDTH), self._stream.number(Number.HEIGHT)

    def _non_symbol(self) -> None:
        shape = self._stream.direct_shape(*self._absolute_size())
        left = self._stream.number(Number.COLUMN, 1, self.width) - 1
        top = self._stream.number(Number.ROW, 1, self.height) - 1
        self.shapes.append(shape)
        self.blits.append(Blit(len(self.shapes) - 1, left, top + 1 - shape.height))

    def _symbol(self, record: _Record) -> None:
        if record in _NEW:
            shape = self._stream.direct_shape(*self._absolute_size())
            number = self._added(shape)
        elif record is _Record.COPY:
            number = self._match()
        else:
            number = self._added(self._refined())
        shape = self.shapes[number]
        if record in _TO_IMAGE:
            whole = InkBox(0, 0, shape.width, shape.height)
            box = shape.ink if record is _Record.COPY else whole
            counted = whole if self._uncropped else box
            left, bottom = self._place(counted.width, counted.height)
            self.blits.append(Blit(number, left - box.left, bottom - box.bottom))
        if record in _TO_LIBRARY:
            self.library.append(number)

    def _added(self, shape: Shape) -> int:
        self.shapes.append(shape)
        return len(self.shapes) - 1

    def _match(self) -> int:
        if not self.library:
            raise Jb2Error("repeats a shape that is not there")
        return self.library[self._stream.number(Number.MATCH, 0, len(self.library) - 1)]

    def _refined(self) -> Shape:
        like = self.shapes[self._match()]
        box = like.ink
        width = box.width + self._stream.number(Number.WIDTH_DIFFERENCE, SMALLEST)
        height = box.height + self._stream.number(Number.HEIGHT_DIFFERENCE, SMALLEST)
        if width < 0 or height < 0:
            raise Jb2Error("has a shape of impossible size")
        return self._stream.refined_shape(width, height, like, box)

    def _place(self, width: int, height: int) -> tuple[int, int]:
        """Decode where the lower left corner of a shape is: 11.5.8 of the specification."""
        if self._stream.flag(Flag.NEW_LINE):
            left = self._line_left + self._stream.number(Number.LINE_COLUMN, SMALLEST)
            top = self._line_bottom + self._stream.number(Number.LINE_ROW, SMALLEST)
            bottom = top + 1 - height
            self._line_left, self._line_bottom = left, bottom
            self._bottoms = (bottom, bottom, bottom)
        else:
            left = self._right + self._stream.number(Number.COLUMN_OFFSET, SMALLEST)
            bottom = sorted(self._bottoms)[1] + self._stream.number(Number.ROW_OFFSET, SMALLEST)
            self._bottoms = (*self._bottoms[1:], bottom)
        self._right = left + width - 1
        return left, bottom
