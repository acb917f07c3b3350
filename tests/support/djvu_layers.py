"""Layers of a page made on the spot, by Pillow and DjVuLibre's encoders."""

from __future__ import annotations

import io
import struct
from functools import cache
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

from tests.support.bundles import bzz, coded_by
from tests.support.djvu_files import chunk

if TYPE_CHECKING:
    from collections.abc import Sequence

Rgb = tuple[int, int, int]
MARKS = 5
"""Shapes of `mask`, each in a column of its own."""


def info_with_gamma(tenths: int, *, width: int, height: int, dpi: int = 300) -> bytes:
    size = struct.pack(">HHBB", width, height, 26, 0)
    return chunk("INFO", size + struct.pack("<HBB", dpi, tenths, 1))


def marks(width: int, height: int) -> list[tuple[int, int, int, int]]:
    """Boxes of `mask`'s shapes from the upper left corner."""
    step = width // MARKS
    return [(n * step + 4, height // 4, n * step + step // 2, height // 2) for n in range(MARKS)]


@cache
def mask(width: int, height: int) -> bytes:
    """An `Sjbz` chunk of black boxes."""
    image = Image.new("1", (width, height), 1)
    for box in marks(width, height):
        ImageDraw.Draw(image).rectangle(box, fill=0)
    return _encoded(image, "cjb2", "Sjbz")[0]


def fax_mask(width: int, height: int) -> bytes:
    """The same as an `Smmr` chunk, coded by libtiff."""
    image = Image.new("1", (width, height), 1)
    for box in marks(width, height):
        ImageDraw.Draw(image).rectangle(box, fill=0)
    file = io.BytesIO()
    image.save(file, "TIFF", compression="group4", strip_size=1 << 30)
    with Image.open(io.BytesIO(file.getvalue())) as tiff:
        (place,), (size,) = tiff.tag_v2[273], tiff.tag_v2[279]  # type: ignore[attr-defined]  # Pillow types only what all formats have
    head = b"MMR\x00" + struct.pack(">HH", width, height)
    return chunk("Smmr", head + file.getvalue()[place : place + size])


def wavelets(image: Image.Image, kind: str = "BG44") -> bytes:
    """`BG44` or `FG44` chunks of a picture."""
    packed = _encoded(image, "c44", "BG44")
    chosen = packed if kind == "BG44" else packed[:1]
    return b"".join(kind.encode() + piece[4:] for piece in chosen)


def jpeg(image: Image.Image, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", **({"quality": 95} | options))
    return file.getvalue()


def palette(
    colors: Sequence[Rgb], numbers: Sequence[int], *, version: int = 0x80, said: int | None = None
) -> bytes:
    """An `FGbz` chunk: colours, and which of them each shape has; `said` many if not as many."""
    raw = b"".join(struct.pack(">h", number) for number in numbers)
    packed = bzz(raw)
    entries = b"".join(bytes(color[::-1]) for color in colors)
    head = bytes([version]) + struct.pack(">H", len(colors)) + entries
    count = len(numbers) if said is None else said
    mapped = count.to_bytes(3, "big") + packed if version & 0x80 else b""
    return chunk("FGbz", head + mapped)


def plain(color: Rgb, width: int, height: int) -> Image.Image:
    return Image.new("RGB", (width, height), color)


def shaded(width: int, height: int, *, dark: bool = False) -> Image.Image:
    """A picture that changes slowly, alike in any size."""
    across = Image.linear_gradient("L").rotate(90)
    down = Image.linear_gradient("L")
    picture = Image.merge("RGB", (across, down, across.rotate(180)))
    picture = picture.resize((width, height), Image.Resampling.BICUBIC)
    return picture.point(lambda level: level // (4 if dark else 2) + (0 if dark else 110))


def _encoded(image: Image.Image, program: str, kind: str) -> list[bytes]:
    picture = io.BytesIO()
    image.save(picture, "PPM")  # of its mode: PBM, PGM or PPM
    slices = ["-slice", "74,89,99"] if program == "c44" else []
    coded = coded_by(program, picture.getvalue(), *slices)
    return [chunk(name, body) for name, body in coded if name == kind]
