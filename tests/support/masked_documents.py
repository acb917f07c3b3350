"""DjVu documents whose masks differ in kind, made on the spot for comparisons of their pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from batch_converter.djvu.jobs.parts import PAGES_A_PART
from tests.support.bundles import SHARED, Part, bundle_of, coded_by, form
from tests.support.djvu_files import SAMPLES, chunk, info, page
from tests.support.djvu_layers import fax_mask, mask, palette, shaded, wavelets
from tests.support.jb2_coding import Jb2Writer
from tests.support.netpbm import pbm

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Bits = NDArray[np.bool_]

_WIDTH, _HEIGHT = 400, 300
_QUARTER_TURN: Final = 6
"""Of a page's INFO: shown turned by 90 degrees."""


def _glyphs(count: int, seed: int = 0) -> list[Bits]:
    """Blobs as large as letters, no two alike."""
    random = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        width, height = random.integers(3, 9, 2)
        rough = random.random((height, width)) < 0.6
        rough[0, 0] = rough[-1, -1] = True
        found.append(np.kron(rough, np.ones((3, 2), np.bool_)))
    return found


def _typed_page(library: list[Bits], seed: int) -> bytes:
    """Lines of shared letters, and some of its own: new, refined, upon another, at an edge."""
    random = np.random.default_rng(seed)
    writer = Jb2Writer(library=library).start(_WIDTH, _HEIGHT)
    for bottom in range(_HEIGHT - 30, 20, -32):
        left = 12
        while left < _WIDTH - 30:
            number = int(random.integers(0, len(library)))
            writer.copy(number, left, bottom - 2 * (number % 3), new_line=left == 12)
            left += library[number].shape[1] + 3
    own = _glyphs(1, seed)[0]
    writer.direct(own, 40, 40)
    flipped = own.copy()
    flipped[1, 1] ^= True
    writer.refined(len(library), flipped, 90, 41)
    writer.copy(len(library), 95, 45)
    writer.copy(0, _WIDTH - library[0].shape[1], _HEIGHT - len(library[0]))
    writer.copy(1, _WIDTH - 5, _HEIGHT - 4)
    writer.copy(2, 0, 0)
    return writer.end()


def _typed() -> bytes:
    """More pages than are converted together; two dictionaries, the second for two pages."""
    parts = []
    first, all_pages = range(PAGES_A_PART), range(PAGES_A_PART + 2)
    for name, count, pages in (("one", 24, first), ("two", 7, all_pages[PAGES_A_PART:])):
        library = _glyphs(count, count)
        shared = Jb2Writer().start(0, 0)
        for glyph in library:
            shared.direct(glyph, image=False)
        dictionary = form("DJVI", chunk("Djbz", shared.end()))
        parts.append(Part(form=dictionary, id=f"{name}.djbz", kind=SHARED))
        size = info(width=_WIDTH, height=_HEIGHT)
        for number in pages:
            included = chunk("INCL", f"{name}.djbz".encode())
            letters = chunk("Sjbz", _typed_page(library, number))
            parts.append(Part(form=form("DJVU", size, included, letters), id=f"p{number}.djvu"))
    return bundle_of(parts)


def _bilevel_form(pixels: Bits, **entries: int) -> bytes:
    height, width = pixels.shape
    coded = next(chunk(k, d) for k, d in coded_by("cjb2", pbm(pixels)) if k == "Sjbz")
    return form("DJVU", info(width=width, height=height, **entries), coded)


def _bundle(forms: list[bytes]) -> bytes:
    return bundle_of([Part(form=one, id=f"p{n}.djvu") for n, one in enumerate(forms, 1)])


def _corners() -> bytes:
    """Ink in all corners, widths that end anywhere in a byte."""
    forms = []
    for width in range(32, 42):
        pixels = np.zeros((27, width), np.bool_)
        pixels[0, 0] = pixels[0, -1] = pixels[-1, 0] = pixels[-1, -3:] = True
        forms.append(_bilevel_form(pixels))
    return _bundle(forms)


def _odd() -> bytes:
    """What is no text: nothing, a pixel, all ink, noise, a pattern, lines, islands in a ring."""
    random = np.random.default_rng(1)
    blank, pixel, full = (np.zeros((150, 203), np.bool_) for _ in range(3))
    pixel[-1, -1] = True
    full[:] = True
    noise = random.random((150, 203)) < 0.5
    specks = random.random((150, 203)) < 0.02
    pattern = np.indices((150, 203)).sum(axis=0) % 4 == 0
    lines = blank.copy()
    lines[70:73] = lines[:, 100:102] = True
    ring = blank.copy()
    ring[20:130, 20:180] = True
    ring[30:120, 30:170] = False
    ring[60:90, 60:140] = specks[60:90, 60:140]
    ring[50, 50:150:7] = True
    shapes = (blank, pixel, full, noise, specks, pattern, lines, ring)
    return _bundle([_bilevel_form(pixels) for pixels in shapes])


def _turned() -> bytes:
    pixels = np.zeros((90, 131), np.bool_)
    pixels[:11, :40] = pixels[80:, 120:] = True
    flags = (1, _QUARTER_TURN, 2, 5)
    return _bundle(
        [_bilevel_form(pixels, flags=flag, dpi=dpi) for flag in flags for dpi in (72, 600)]
    )


def _fax() -> bytes:
    return page(info(width=_WIDTH, height=_HEIGHT), fax_mask(_WIDTH, _HEIGHT))


def _palette() -> bytes:
    colors = [(200, 0, 0), (0, 0, 200), (0, 0, 0)]
    shapes = mask(_WIDTH, _HEIGHT), palette(colors, [0, 1, 2, 1, 0])
    return page(info(width=_WIDTH, height=_HEIGHT), *shapes)


def _shaded() -> bytes:
    """Ink that changes its colour, over a picture."""
    layers = wavelets(shaded(134, 100, dark=True), "FG44"), wavelets(shaded(134, 100))
    return page(info(width=_WIDTH, height=_HEIGHT), mask(_WIDTH, _HEIGHT), *layers)


MADE: Final[dict[str, Callable[[], bytes]]] = {
    "typed": _typed,
    "corners": _corners,
    "odd": _odd,
    "turned": _turned,
    "fax": _fax,
    "palette": _palette,
    "shaded": _shaded,
}
NAMES: Final = (*MADE, *sorted(sample.stem for sample in SAMPLES.glob("*.djvu")))


def document(name: str) -> bytes:
    """Return one of the documents above, or a sample."""
    return MADE[name]() if name in MADE else (SAMPLES / f"{name}.djvu").read_bytes()
