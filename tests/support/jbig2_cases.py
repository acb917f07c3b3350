"""Pages of made-up symbols, and what is written of them; run as a program, its digest.

So one process with compiled kernels can be compared with one without.
"""

from __future__ import annotations

import hashlib
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from batch_converter.djvu.kernels.compiling import COMPILED
from batch_converter.djvu.kernels.equal_shapes import distinct
from batch_converter.djvu.kernels.jbig2_segments import (
    Placements,
    SymbolDictionary,
    encode_generic_page,
    globals_stream,
    page_stream,
)
from batch_converter.djvu.kernels.shape_visibility import mark_whole
from batch_converter.djvu.kernels.shapes import Shapes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from batch_converter.djvu.kernels.shapes import Picture

    Pixels = NDArray[np.bool_]
    Place = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page, its symbols, and how they are shared out.

    Attributes:
        size: Rows and columns.
        places: Number, left and top of each symbol placed.
        shared: How many of the symbols, from the first, are in the shared dictionary.
    """

    size: tuple[int, int]
    symbols: Sequence[Pixels]
    places: Sequence[Place]
    shared: int
    rest: Pixels | None = None


def packed(pixels: Pixels) -> bytes:
    return np.packbits(pixels, axis=1).tobytes()


def shapes_of(symbols: Sequence[Pixels]) -> Shapes:
    shapes = Shapes()
    for pixels in symbols:
        shapes.add(pixels.shape[1], pixels.shape[0], packed(pixels))
    return shapes


def of_pictures(pictures: Sequence[Picture]) -> Shapes:
    shapes = Shapes()
    for picture in pictures:
        shapes.add(*picture)
    return shapes


def streams_of(page: Page) -> tuple[bytes, bytes]:
    """What is shared, and the page."""
    shapes = shapes_of(page.symbols)
    numbers = range(len(page.symbols))
    shared = SymbolDictionary.of(shapes, numbers[: page.shared]) if page.shared else None
    private = numbers[page.shared :]
    placements = Placements()
    for place in page.places:
        placements.add(*place)
    height, width = page.size
    stream = page_stream(
        width,
        height,
        shapes=shapes,
        placements=placements,
        shared=shared,
        private=SymbolDictionary.of(shapes, private, shared) if private else None,
        rows=None if page.rest is None else packed(page.rest),
    )
    return globals_stream(shared) if shared else b"", stream


def noise(generator: np.random.Generator, height: int, width: int, ink: float) -> Pixels:
    return generator.random((height, width)) < ink


def blots(generator: np.random.Generator, height: int, width: int) -> Pixels:
    """Ink and paper in patches, as on a page."""
    coarse = noise(generator, -(-height // 7), -(-width // 7), 0.2)
    return np.kron(coarse, np.ones((7, 7), np.bool_))[:height, :width]


def variants(generator: np.random.Generator, pixels: Pixels, count: int) -> list[Pixels]:
    """A letter as it is found in a scan: of nearly the same size each time, with other edges."""
    found = []
    for _ in range(count):
        top, left, below, beside = generator.integers(0, 2, 4).tolist()
        grown = np.pad(pixels, ((top, below), (left, beside)))
        found.append(grown ^ noise(generator, grown.shape[0], grown.shape[1], 0.01))
    return found


def written_page(seed: int) -> Page:
    """Lines of symbols, some of which are wider than a buffer, or empty."""
    generator = np.random.default_rng(seed)
    sizes = [*generator.integers(1, 40, (30, 2)).tolist(), (1, 1), (3, 20_000), (0, 5), (200, 190)]
    symbols = [
        blots(generator, height, width) if number % 3 else noise(generator, height, width, 0.5)
        for number, (height, width) in enumerate(sizes)
    ]
    for letter in symbols[1:15:3]:
        symbols += variants(generator, letter, 12)
    size = (700, 900)
    places: list[Place] = []
    for line in range(30):
        for column in range(0, 880, 22):
            number = int(generator.integers(len(symbols)))
            height = symbols[number].shape[0]
            places.append((number, column, 20 * line + 50 - height + int(generator.integers(3))))
    return Page(
        size=size, symbols=symbols, places=places, shared=40, rest=noise(generator, *size, 0.01)
    )


def wide_page() -> Page:
    """Symbols whose rows are of all lengths that are compared, half of them shared."""
    generator = np.random.default_rng(3)
    symbols = []
    for width in (58, 60, 61, 124, 150, 188, 220, 250):
        symbols += variants(generator, blots(generator, 30, width), 9)
    generator.shuffle(symbols)
    places = [(number, 7 * number % 60, 5 * number) for number in range(len(symbols))]
    return Page(size=(400, 320), symbols=symbols, places=places, shared=len(symbols) // 2)


def seen_whole(page: Page, ink: Pixels) -> bytearray:
    """Which symbols of a page are whole where not all of it can be seen."""
    shapes = shapes_of(page.symbols)
    numbers, lefts, tops = (array("q", column) for column in zip(*page.places, strict=True))
    height, width = page.size
    whole = bytearray(len(numbers))
    laid_out = shapes.bits, shapes.offsets, shapes.widths, shapes.heights
    seen = bytearray(packed(ink))
    mark_whole(*laid_out, numbers, lefts, tops, seen, width, height, whole)
    return whole


def digest() -> str:
    generator = np.random.default_rng(7)
    found = hashlib.sha256()
    for page in (*map(written_page, range(3)), wide_page()):
        for stream in streams_of(page):
            found.update(stream)
        once, numbers = distinct(shapes_of([*page.symbols, *page.symbols[::2]]))
        found.update(once.bits + numbers.tobytes())
    for pixels in (blots(generator, 400, 333), noise(generator, 90, 20_001, 0.5)):
        height, width = pixels.shape
        found.update(encode_generic_page(packed(pixels), width, height))
    found.update(seen_whole(written_page(0), noise(generator, 700, 900, 0.998)))
    return found.hexdigest()


if __name__ == "__main__":
    print(COMPILED, digest())  # noqa: T201  # the answer to the process that asked
