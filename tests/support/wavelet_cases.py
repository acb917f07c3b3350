"""Wavelet layers of every kind that `c44` makes, and what the kernel and the drawing say of them.

As a program it prints what this process says of all cases: whether kernels are compiled,
and a digest.
"""

from __future__ import annotations

import hashlib
import io
from functools import cache

from PIL import Image

from batch_converter.djvu.draw.rasters import strips
from batch_converter.djvu.draw.wavelets import render_iw44
from batch_converter.djvu.jobs.options import ConvertOptions
from batch_converter.djvu.kernels.compiling import COMPILED
from batch_converter.djvu.kernels.iw44_layer import Layer
from batch_converter.djvu.read.decoder import PageError
from tests.support.bundles import coded_by
from tests.support.djvu_files import chunk, page

Chunks = list[bytes]

_MISSING = (1, 5, 9, 11, 13, 17, 25, 60)

KINDS = {
    "gray": ("L", (70, 45), ["-slice", "74,89,99"]),
    "colour": ("RGB", (70, 45), ["-slice", "74,89,99"]),
    "one chunk": ("RGB", (64, 64), ["-slice", "100"]),
    "few slices": ("RGB", (65, 33), ["-slice", "3"]),
    "all slices": ("RGB", (40, 40), ["-slice", "10+130"]),
    "a slice a chunk": ("RGB", (33, 31), ["-slice", "+".join(["1"] * 30 + ["2"] * 30)]),
    "full chrominance": ("RGB", (70, 45), ["-crcbfull"]),
    "half chrominance": ("RGB", (70, 45), ["-crcbhalf"]),
    "late chrominance": ("RGB", (70, 45), ["-crcbdelay", "60"]),
    "no chrominance": ("RGB", (70, 45), ["-crcbnone"]),
    "by size": ("RGB", (90, 60), ["-size", "200,900"]),
    "by bits": ("L", (90, 60), ["-bpp", "0.25,1,3"]),
    "by decibels": ("L", (90, 60), ["-decibel", "20,30,45"]),
    "two pixels": ("RGB", (2, 1), []),
    "a row": ("L", (300, 1), []),
    "a column": ("RGB", (1, 300), []),
    "a block": ("RGB", (32, 32), []),
    "plain": ("RGB", (200, 300), []),
}
"""Mode, size and the options of `c44`."""


@cache
def layer(kind: str) -> Chunks:
    """The `BG44` chunks of a picture of noise over a slope; of "plain" one without either."""
    mode, size, options = KINDS[kind]
    return encoded(picture(mode, size, noise=kind != "plain"), *options)


def picture(mode: str, size: tuple[int, int], *, noise: bool = True) -> Image.Image:
    image = Image.linear_gradient("L").resize(size)
    if noise:
        grain = Image.frombytes("L", size, hashlib.shake_256(b"grain").digest(size[0] * size[1]))
        image = Image.blend(image, grain, 0.4)
    else:
        image = Image.new("L", size, 200)
    return image if mode == "L" else Image.merge("RGB", (image, image.rotate(180), image))


def encoded(image: Image.Image, *options: str) -> Chunks:
    plain = io.BytesIO()
    image.save(plain, "PPM")
    return [body for name, body in coded_by("c44", plain.getvalue(), *options) if name == "BG44"]


def cut(chunks: Chunks, number: int, missing: int) -> Chunks:
    """Take bytes from the end of one of them."""
    shorter = chunks[number][: len(chunks[number]) - missing]
    return [*chunks[:number], shorter, *chunks[number + 1 :]]


def with_other_heads() -> dict[str, Chunks]:
    """A layer's chunks, of which some have other heads, are missing or in another order."""
    first, second, third = layer("colour")
    old = first[:3] + b"\1" + first[4:]
    return {
        "a first head alone": [first[:9], second, third],
        "a first head too short": [first[:8], second, third],
        "an old first head alone": [old[:8], second, third],
        "an old first head too short": [old[:7], second, third],
        "a head alone": [first, second[:2], third],
        "a head too short": [first, second[:1], third],
        "nothing": [first, b"", third],
        "no first": [b"\1" + first[1:], second, third],
        "another order": [first, third, second],
        "one missing": [first, third],
        "the first one missing": [second, third],
        "the first one twice": [first, first, second, third],
        "the last one missing": [first, second],
        "another major version": [first[:2] + b"\7" + first[3:], second, third],
        "another minor version": [first[:3] + b"\7" + first[4:], second, third],
    }


def cuts(chunks: Chunks) -> list[Chunks]:
    """Cut off the ends of each, as far as leaves its head: some bytes, or some more."""
    return [
        cut(chunks, number, missing)
        for number, chunk_ in enumerate(chunks)
        for missing in _MISSING
        if missing < len(chunk_) - 9
    ]


def document(chunks: Chunks, dpi: int = 100) -> bytes:
    info = chunk("INFO", chunks[0][4:8] + bytes([26, 0, *dpi.to_bytes(2, "little"), 22, 1]))
    return page(info, *(chunk("BG44", data) for data in chunks))


def drawn(chunks: Chunks, strip_rows: int | None = None) -> bytes | None:
    """What is drawn of a layer, at once or in strips; None where it is refused."""
    try:
        raster = render_iw44(chunks, b"", ConvertOptions())
        height = raster.size[1]
        return b"".join(strip.tobytes() for strip in strips(raster, strip_rows or height))
    except PageError:
        return None


def digest() -> str:
    """Sum up what is said of all cases, sound and cut."""
    found = hashlib.sha256()
    for kind in KINDS:
        for case in [layer(kind), *cuts(layer(kind))]:
            found.update(repr((Layer(case).overrun_bytes, drawn(case))).encode())
    return found.hexdigest()


if __name__ == "__main__":
    print(COMPILED, digest())  # noqa: T201  # the answer to the process that asked
