"""Masks as poppler, pdfium, MuPDF and pdf.js show them, against DjVuLibre's, to the pixel."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

import numpy as np
import pytest

from batch_converter.djvu.draw.convert import convert
from batch_converter.djvu.jobs.options import ConvertOptions
from batch_converter.djvu.read.inspect import inspect
from tests.support import renderers
from tests.support.djvulibre import mask_of
from tests.support.masked_documents import NAMES, document
from tests.support.masks_in_black import write_masks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Executor
    from pathlib import Path

    from numpy.typing import NDArray

    from tests.support.renderers import Pixels, Renderer

CODINGS: Final = {"g4": ConvertOptions(masks="g4"), "jbig2": ConvertOptions(masks="jbig2")}

COLOURED: Final = ("palette", "shaded", "book", "mixed")
_HARDLY: Final = 16
"""Levels that the edge of a stencil may be lighter: it stands a hair inside its pixels."""


class Documents:
    """Each is made, converted and shown by DjVuLibre once.

    PDFs are written in a thread: where Playwright runs, tests do in a greenlet, from whose
    stack qpdf's exceptions find no way out, and the process aborts.
    """

    def __init__(self, folder: Path, thread: Executor) -> None:
        self._folder = folder
        self._thread = thread

    def djvu(self, name: str) -> Path:
        source = self._folder / f"{name}.djvu"
        if not source.exists():
            source.write_bytes(document(name))
        return source

    def masks(self, name: str, coding: str) -> Path:
        target = self._folder / f"{name}.{coding}.masks.pdf"
        if not target.exists():
            self._thread.submit(write_masks, self.pdf(name, coding), target).result()
        return target

    def pdf(self, name: str, coding: str) -> Path:
        target = self._folder / f"{name}.{coding}.pdf"
        if not target.exists():
            self._thread.submit(convert, self.djvu(name), target, CODINGS[coding]).result()
        return target


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Documents]:
    with ThreadPoolExecutor(1) as thread:
        yield Documents(tmp_path_factory.mktemp("documents"), thread)


@pytest.fixture(scope="module", params=renderers.NAMES)
def renderer(request: pytest.FixtureRequest) -> Iterator[Renderer]:
    if lack := renderers.lacking(request.param):
        pytest.fail(lack) if os.environ.get("CI") else pytest.skip(lack)
    with renderers.opened(request.param) as opened:
        yield opened


def other_pixels(shown: Pixels, ink: NDArray[np.bool_]) -> int:
    """How many pixels are not black, or not white, as they should be."""
    levels = np.where(ink, 0, 255)[:, :, None]
    return int(np.count_nonzero((abs(shown - levels) >= _HARDLY).any(axis=2)))


@pytest.mark.slow
@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("name", NAMES)
def test_a_mask_is_the_djvu_s_to_the_pixel(
    documents: Documents, renderer: Renderer, name: str, coding: str
) -> None:
    source, pdf = documents.djvu(name), documents.masks(name, coding)
    for number, page in enumerate(inspect(source).pages, 1):
        expected = mask_of(source, page=number)
        assert expected is not None
        shown = renderer(pdf, number, page.dpi)
        assert shown.shape[:2] == expected.shape
        assert other_pixels(shown, expected) == 0, f"page {number}"


@pytest.mark.slow
@pytest.mark.parametrize("coding", sorted(CODINGS.keys() - {"g4"}))
@pytest.mark.parametrize("name", COLOURED)
def test_a_page_looks_the_same_however_its_mask_is_coded(
    documents: Documents, renderer: Renderer, name: str, coding: str
) -> None:
    for number, page in enumerate(inspect(documents.djvu(name)).pages, 1):
        first, second = (
            renderer(documents.pdf(name, each), number, page.dpi).astype(int)
            for each in ("g4", coding)
        )
        assert first.shape == second.shape
        assert abs(first - second).max() < _HARDLY, f"page {number}"
