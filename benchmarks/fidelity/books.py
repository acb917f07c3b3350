"""Documents that the measurements want and no folder has to hold: typed books and large scans.

Their pages are this project's own documentation, printed. Encoders of DjVu make them as
people do: `cjb2` page by page (its dictionaries are a page's own), `minidjvu`, where it is
installed, with dictionaries that pages share, and `c44` for scans.
"""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from benchmarks.results import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DPI: Final = 300
PAGES: Final = 24
SCAN_DPI: Final = (300, 600)
_PAGE_INCH: Final = (5.8, 8.3)
_SHEET_INCH: Final = (8.27, 11.69)
_FONT: Final = "DejaVuSerif.ttf"
_SIZE_PX: Final = 46
_LINE_PX: Final = 62
_MARGIN_PX: Final = 150
_PAPER, _BLUR_PX, _NOISE, _TILT_DEG = 235, 1.1, 16.0, 0.3


def books(folder: Path) -> list[Path]:
    """Make the typed books: one printed by a computer, and one scanned, coded in three ways.

    Nothing is made where there are no encoders, or no font.
    """
    try:
        face = ImageFont.truetype(_FONT, _SIZE_PX, layout_engine=ImageFont.Layout.BASIC)
    except OSError:
        return []
    printed = list(_printed(face))
    random = np.random.default_rng(16)
    scanned = [_scanned(page, random) for page in printed]
    made = [
        _by_cjb2(folder, "typed", printed),
        _by_cjb2(folder, "scanned-lossless", scanned),
        _by_cjb2(folder, "scanned-lossy", scanned, "-lossy"),
    ]
    if shutil.which("minidjvu"):
        made.append(_by_minidjvu(folder, "scanned-shared", scanned))
    return made


def scans(folder: Path) -> list[Path]:
    """Make the scans: a sheet of paper with a picture and print on it, all wavelets."""
    return [_by_c44(folder, f"scan-{dpi}dpi", _sheet(dpi), dpi) for dpi in SCAN_DPI]


def _printed(face: ImageFont.FreeTypeFont) -> Iterator[Image.Image]:
    width, height = (round(inch * DPI) for inch in _PAGE_INCH)
    lines = _lines(face, width - 2 * _MARGIN_PX)
    for _ in range(PAGES):
        page = Image.new("L", (width, height), 255)
        drawing = ImageDraw.Draw(page)
        for top in range(_MARGIN_PX, height - _MARGIN_PX, _LINE_PX):
            drawing.text((_MARGIN_PX, top), next(lines), font=face, fill=0)
        yield page.point(lambda level: 255 * (level >= 128))


def _lines(face: ImageFont.FreeTypeFont, width: int) -> Iterator[str]:
    """Yield our documentation, broken into lines, again and again."""
    texts = [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md"]
    words = " ".join(path.read_text(encoding="utf-8") for path in texts).split()
    line = ""
    while True:
        for word in words:
            longer = f"{line} {word}".strip()
            if line and face.getlength(longer) > width:
                yield line
                longer = word
            line = longer


def _scanned(page: Image.Image, random: np.random.Generator) -> Image.Image:
    """Print and scan a page: no letter looks like another to the pixel."""
    turned = page.rotate(
        float(random.normal(0, _TILT_DEG)), Image.Resampling.BICUBIC, fillcolor=255
    ).filter(ImageFilter.GaussianBlur(_BLUR_PX))
    gray = np.asarray(turned, np.float64) + random.normal(0, _NOISE, turned.size[::-1])
    return Image.fromarray(np.where(gray < 128, 0, 255).astype(np.uint8))


def _sheet(dpi: int) -> Image.Image:
    """A sheet of yellowish paper: clouds at every scale, with lines of print over them."""
    width, height = (round(inch * dpi) for inch in _SHEET_INCH)
    random = np.random.default_rng(dpi)
    levels = np.full((height, width, 3), (236.0, 226.0, 200.0), np.float32)
    for cell, strength in ((640, 40.0), (160, 25.0), (40, 12.0), (8, 6.0), (1, 3.0)):
        size = (-(-height // cell) + 1, -(-width // cell) + 1, 3)
        rough = Image.fromarray((random.random(size) * 255).astype(np.uint8))
        smooth = rough.resize((width, height), Image.Resampling.BICUBIC)
        levels += (np.asarray(smooth, np.float32) - 128) * (strength / 128)
    sheet = Image.fromarray(levels.clip(0, 255).astype(np.uint8))
    drawing = ImageDraw.Draw(sheet)
    step = dpi // 5
    for top in range(2 * step, height - 2 * step, step):
        for left in range(2 * step, width - 2 * step, step // 2):
            if random.random() < 0.8:
                box = (left, top, left + step // 3, top + step // 2)
                drawing.rectangle(box, outline=(60, 50, 40), width=max(1, step // 12))
    return sheet


def _by_cjb2(folder: Path, name: str, pages: list[Image.Image], *options: str) -> Path:
    parts = []
    for number, page in enumerate(pages, 1):
        bitmap, part = folder / f"{name}-{number}.pbm", folder / f"{name}-{number}.djvu.part"
        page.convert("1").save(bitmap)
        _run("cjb2", "-dpi", str(DPI), *options, str(bitmap), str(part))
        bitmap.unlink()
        parts.append(str(part))
    made = folder / f"{name}.djvu"
    _run("djvm", "-c", str(made), *parts)
    return made


def _by_minidjvu(folder: Path, name: str, pages: list[Image.Image]) -> Path:
    bitmaps = []
    for number, page in enumerate(pages, 1):
        bitmap = folder / f"{name}-{number:02}.pbm"
        page.convert("1").save(bitmap)
        bitmaps.append(str(bitmap))
    made = folder / f"{name}.djvu"
    _run("minidjvu", "-d", str(DPI), "-l", "-p", "12", *bitmaps, str(made))
    return made


def _by_c44(folder: Path, name: str, picture: Image.Image, dpi: int) -> Path:
    source, made = folder / f"{name}.ppm", folder / f"{name}.djvu"
    picture.save(source)
    _run("c44", "-dpi", str(dpi), str(source), str(made))
    source.unlink()
    return made


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
