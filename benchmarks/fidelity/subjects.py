"""The documents that are measured, and the PDFs that are made of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from batch_converter.djvu.read.document import open_djvu
from batch_converter.djvu.read.inspect import DjvuInfo, inspect

if TYPE_CHECKING:
    from pathlib import Path

BOOK_PAGES: Final = 10
_SCAN_PIXELS: Final = 4_000_000


@dataclass(frozen=True)
class Subject:
    """One document.

    Attributes:
        folder: Where its PDFs are.
        is_made: Whether the benchmark made it; such are no part of the corpus's sums.
    """

    path: Path
    folder: Path
    is_made: bool = False

    @property
    def name(self) -> str:
        """Its file's, without the suffix."""
        return self.path.stem

    @cached_property
    def info(self) -> DjvuInfo:
        """Sizes and turns of its pages."""
        return inspect(self.path)

    @cached_property
    def kinds(self) -> tuple[frozenset[str], ...]:
        """Of each page, the kinds of its chunks."""
        with open_djvu(self.path) as reader:
            pages = (reader.page(index) for index in range(self.info.page_count))
            return tuple(frozenset(kind for kind, _ in page.chunks) for page in pages)

    @cached_property
    def jb2_bytes(self) -> int:
        """Length of its masks as JB2: each page's, and each dictionary once; 0 with other masks."""
        dictionaries: set[bytes] = set()
        total = 0
        with open_djvu(self.path) as reader:
            for index in range(self.info.page_count):
                page = reader.page(index)
                dictionaries.update(page.of("Djbz"))
                total += sum(map(len, page.of("Sjbz")))
        return total + sum(map(len, dictionaries))

    @property
    def is_book(self) -> bool:
        """Whether it has so many pages of print that letters repeat."""
        return sum("Sjbz" in kinds for kinds in self.kinds) >= BOOK_PAGES

    @property
    def is_scan(self) -> bool:
        """Whether it is a page that is one large wavelet picture."""
        page = self.info.pages[0]
        is_large = page.width * page.height >= _SCAN_PIXELS
        return is_large and self.kinds[0] >= {"BG44"} and not self.kinds[0] & {"Sjbz", "Smmr"}

    @property
    def djvu_bytes(self) -> int:
        """The file's length."""
        return self.path.stat().st_size

    def pdf(self, variant: str) -> Path:
        """Return where the PDF of a variant is."""
        return self.folder / f"{self.name}.{variant}.pdf"

    @property
    def ours(self) -> str:
        """The PDF that is compared in words, links and pictures."""
        return str(self.pdf("jbig2"))

    @property
    def theirs(self) -> str:
        """DjVuLibre's."""
        return str(self.pdf("ddjvu"))

    @property
    def rotations(self) -> list[int]:
        """How far each page is turned."""
        return [page.rotation_deg for page in self.info.pages]
