"""The service of the polling benchmark: its PDFs are such as a run publishes."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pikepdf
import pytest

from batch_converter.djvu.read.inspect import inspect
from benchmarks import simulated_service

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("pages", [1, 2, 300])
def test_a_pdf_has_as_many_pages_as_its_document(pages: int, tmp_path: Path) -> None:
    document = tmp_path / "a.djvu"
    simulated_service.write_document(document, 7, pages)
    assert simulated_service.number_of(document.read_bytes()) == 7
    with pikepdf.open(io.BytesIO(simulated_service.blank_pdf(pages))) as pdf:
        assert len(pdf.pages) == inspect(document).page_count == pages
