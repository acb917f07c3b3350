"""JBIG2 streams as masks of a PDF, a pixel a point, and what viewers make of them."""

from __future__ import annotations

import io
import subprocess
from typing import TYPE_CHECKING

import numpy as np
import pikepdf
import pypdfium2
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Pixels = NDArray[np.bool_]


def write_pdf(target: Path, pages: Sequence[tuple[tuple[int, int], bytes, bytes]]) -> None:
    """Write pages, each of its size in rows and columns, its stream and what it shares."""
    with pikepdf.new() as pdf:
        for (height, width), stream, shared in pages:
            mask = pdf.make_stream(
                stream,
                Type=pikepdf.Name.XObject,
                Subtype=pikepdf.Name.Image,
                Width=width,
                Height=height,
                ImageMask=True,
                BitsPerComponent=1,
                Filter=pikepdf.Name.JBIG2Decode,
            )
            if shared:
                mask.DecodeParms = pikepdf.Dictionary(JBIG2Globals=pdf.make_stream(shared))
            page = pdf.add_blank_page(page_size=(width, height))
            page.Resources = pikepdf.Dictionary(XObject=pikepdf.Dictionary(Mask=mask))
            page.Contents = pdf.make_stream(b"%d 0 0 %d 0 0 cm /Mask Do" % (width, height))
        pdf.save(target)


def poppler_ink(source: Path, number: int) -> Pixels:
    """The ink of a page, from 0, as poppler draws it."""
    command = ["pdftoppm", "-mono", "-r", "72", "-f", str(number + 1), "-l", str(number + 1)]
    shown = subprocess.run([*command, str(source)], capture_output=True, check=True)
    assert not shown.stderr
    return ~np.asarray(Image.open(io.BytesIO(shown.stdout)))


def pdfium_ink(source: Path, number: int) -> Pixels:
    """The ink of a page, from 0, as pdfium draws it."""
    with pypdfium2.PdfDocument(source) as pdf:
        shown = np.asarray(pdf[number].render(scale=1, grayscale=True).to_numpy()).squeeze()
    assert set(np.unique(shown)) <= {0, 255}
    ink: Pixels = shown == 0
    return ink
