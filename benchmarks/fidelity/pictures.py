"""How far a PDF's pages are from what DjVuLibre shows, in decibels."""

from __future__ import annotations

import io
import math
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image, ImageChops, ImageStat

if TYPE_CHECKING:
    from collections.abc import Iterator

_QUALITY = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class PageFidelity:
    """Peak signal to noise ratio of a page against `ddjvu -format=ppm`; inf for equal.

    Attributes:
        ours: Our PDF as poppler shows it at the page's own resolution.
        theirs: `ddjvu -format=pdf -quality=80`, shown the same way.
        their_pixels: What that PDF embeds, compared without a renderer between:
            JPEG for colours, lossless for black and white.
    """

    page: int
    ours: float
    theirs: float
    their_pixels: float


def compare_pages(
    djvu: str, ours: str, theirs: str, dpis: list[int], pages: list[int]
) -> Iterator[PageFidelity]:
    """Compare some pages, numbered from 1."""
    for page in pages:
        reference = _ddjvu(djvu, page)
        dpi = dpis[page - 1]
        yield PageFidelity(
            page=page,
            ours=psnr(_poppler(ours, page, dpi, reference.size), reference),
            theirs=psnr(_poppler(theirs, page, dpi, reference.size), reference),
            their_pixels=psnr(_as_embedded(reference), reference),
        )


def psnr(first: Image.Image, second: Image.Image) -> float:
    squares = ImageStat.Stat(ImageChops.difference(first, second)).sum2
    error = sum(squares) / (3 * first.width * first.height)
    return math.inf if error == 0 else 10 * math.log10(255 * 255 / error)


def _ddjvu(path: str, page: int) -> Image.Image:
    command = ["ddjvu", "-format=ppm", f"-page={page}", path]
    data = subprocess.run(command, check=True, capture_output=True).stdout
    return Image.open(io.BytesIO(data)).convert("RGB")


def _poppler(path: str, page: int, dpi: int, size: tuple[int, int]) -> Image.Image:
    command = ["pdftoppm", "-f", str(page), "-l", str(page), "-r", str(dpi), path]
    data = subprocess.run(command, check=True, capture_output=True).stdout
    shown = Image.open(io.BytesIO(data)).convert("RGB")
    if shown.size == size:
        return shown
    # A renderer may add a row or a column: the lower left corner is the page's.
    canvas = Image.new("RGB", size, "white")
    canvas.paste(shown, (0, size[1] - shown.height))
    return canvas


def _as_embedded(reference: Image.Image) -> Image.Image:
    colors = reference.convert("L").histogram()
    if sum(colors[1:255]) == 0:
        return reference
    file = io.BytesIO()
    reference.save(file, "JPEG", quality=_QUALITY)
    return Image.open(file).convert("RGB")
