"""Pages of a PDF as other programs show them, at the pages' own resolution.

They decode fax and JBIG2 images with code of their own each: poppler, pdfium, MuPDF (AGPL, so
a program that is run and nothing else) and pdf.js (Apache 2.0, Debian's package in Debian's
Chromium, since it draws on a browser's canvas).
"""

from __future__ import annotations

import base64
import io
import shutil
import subprocess
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
import pypdfium2
from PIL import Image

from tests.support.chromium import chromium

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from numpy.typing import NDArray
    from playwright.sync_api import Page

    Pixels = NDArray[np.uint8]
    """Rows of RGB."""

NAMES: Final = ("poppler", "pdfium", "mutool", "pdf.js")

_PACKAGES: Final = {
    "poppler": "poppler-utils",
    "mutool": "mupdf-tools",
    "pdf.js": "libjs-pdf and chromium",
}
_POINTS_AN_INCH: Final = 72
_PDFJS: Final = Path("/usr/share/javascript/pdf/build")


class Renderer(Protocol):
    """Shows pages of PDFs."""

    def __call__(self, pdf: Path, page: int, dpi: int) -> Pixels:
        """Return a page, numbered from 1, in rows of RGB."""


def lacking(name: str) -> str:
    """Say what has to be installed; nothing where all is there."""
    there = {
        "poppler": shutil.which("pdftoppm"),
        "pdfium": True,
        "mutool": shutil.which("mutool"),
        "pdf.js": _PDFJS.is_dir() and shutil.which("chromium"),
    }
    return "" if there[name] else f"{name} is not installed (Debian: apt install {_PACKAGES[name]})"


def opened(name: str) -> AbstractContextManager[Renderer]:
    """Start a renderer by its name."""
    if name == "pdf.js":
        return _pdfjs()
    return nullcontext({"poppler": _poppler, "pdfium": _pdfium, "mutool": _mutool}[name])


def _poppler(pdf: Path, page: int, dpi: int) -> Pixels:
    return _output_of("pdftoppm", "-f", str(page), "-l", str(page), "-r", str(dpi), str(pdf))


def _mutool(pdf: Path, page: int, dpi: int) -> Pixels:
    return _output_of(
        *("mutool", "draw", "-q", "-F", "ppm", "-o", "-", "-r", str(dpi)), str(pdf), str(page)
    )


def _pdfium(pdf: Path, page: int, dpi: int) -> Pixels:
    with pypdfium2.PdfDocument(pdf) as document:
        shown = document[page - 1].render(scale=_scale(dpi)).to_pil()
        return np.asarray(shown.convert("RGB"))


@contextmanager
def _pdfjs() -> Iterator[Renderer]:
    with chromium() as browser:
        tab = browser.new_page()
        for script in ("pdf.js", "pdf.worker.js"):  # the latter in the tab: it has no server
            tab.add_script_tag(path=_PDFJS / script)
        yield _PdfJs(tab)


class _PdfJs:
    _DRAW: Final = """async ([data, number, scale]) => {
        const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
        const task = pdfjsLib.getDocument({data: bytes, stopAtErrors: true});
        const page = await (await task.promise).getPage(number);
        const viewport = page.getViewport({scale});
        const canvas = document.createElement("canvas");
        canvas.width = Math.ceil(viewport.width);
        canvas.height = Math.ceil(viewport.height);
        await page.render({canvasContext: canvas.getContext("2d"), viewport}).promise;
        await task.destroy();
        return canvas.toDataURL("image/png");
    }"""

    def __init__(self, tab: Page) -> None:
        self._tab = tab

    def __call__(self, pdf: Path, page: int, dpi: int) -> Pixels:
        data = base64.b64encode(pdf.read_bytes()).decode("ascii")
        png = self._tab.evaluate(self._DRAW, [data, page, _scale(dpi)])
        return _pixels(base64.b64decode(png.partition(",")[2]))


def _scale(dpi: int) -> float:
    """Pixels a point, less a hair: a rounding error would make a page a pixel larger."""
    return dpi / _POINTS_AN_INCH * (1 - 1e-9)


def _output_of(*command: str) -> Pixels:
    return _pixels(subprocess.run(command, check=True, capture_output=True).stdout)


def _pixels(picture: bytes) -> Pixels:
    with Image.open(io.BytesIO(picture)) as image:
        return np.asarray(image.convert("RGB"))
