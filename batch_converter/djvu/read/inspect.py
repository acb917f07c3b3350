"""What a DjVu file is, for free: pages, sizes, resolutions, parts.

Only headers are read (some hundred bytes a page), so a gigabyte costs what a
kilobyte does. Nothing is decoded but the directory's names: they say what is a page.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from batch_converter.djvu.read.iff import ByteSource, Chunk, open_source, read_top_form
from batch_converter.djvu.read.index_parts import IndexPart, find_parts, shown_names
from batch_converter.djvu.read.layout import PagePlace, read_layout
from batch_converter.djvu.read.page_form import read_page_form
from batch_converter.errors import NotDjvuError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batch_converter.djvu.read.directory import Component

DEFAULT_DPI: Final = 300
_SENSIBLE_DPI: Final = range(25, 6001)
_MAX_CHUNKS: Final = 1_000_000
_MIN_CHUNKS_A_PAGE: Final = 64
_SIZE_KINDS: Final = {
    "FORM:DJVU": ("INFO",),
    "FORM:BM44": ("BM44", "PM44"),
    "FORM:PM44": ("BM44", "PM44"),
}
_NO_SIZE: Final = "it has no size"
_WAVELET_DPI: Final = 100
_TEXT_KINDS: Final = frozenset({"TXTa", "TXTz"})
_POINTS_AN_INCH: Final = 72
_ON_ITS_SIDE_DEG: Final = frozenset({90, 270})
_ROTATIONS_DEG: Final = {6: 90, 2: 180, 5: 270}


@dataclass(frozen=True, slots=True, kw_only=True)
class PageInfo:
    """A page by its headers.

    Attributes:
        width: Pixels before rotation; 0 where the page has no usable header.
        height: Pixels before rotation.
        stated_dpi: What the file says, however senseless; 0 where it is silent.
        rotation_deg: How far the page is to be turned counter-clockwise.
        chunks: The kinds of its chunks, in order; `FORM:…` is cut to its type.
        fault: Why the page cannot be decoded, as far as headers tell; else empty.
    """

    width: int
    height: int
    stated_dpi: int
    rotation_deg: int
    chunks: tuple[str, ...]
    fault: str = ""

    @property
    def whole(self) -> bool:
        """Whether nothing in its headers is amiss."""
        return not self.fault

    @property
    def dpi(self) -> int:
        """Pixels an inch; 300 where the file states none or a senseless one."""
        return self.stated_dpi if self.stated_dpi in _SENSIBLE_DPI else DEFAULT_DPI

    @property
    def shown_size(self) -> tuple[float, float, bool] | None:
        """Width and height as the page is shown, and whether they are points.

        Where it states no sensible resolution they are pixels, good as a proportion;
        None where it has no usable header.
        """
        if not (self.width and self.height):
            return None
        is_to_scale = self.dpi == self.stated_dpi
        scale = _POINTS_AN_INCH / self.dpi if is_to_scale else 1.0
        width, height = self.width * scale, self.height * scale
        is_turned = self.rotation_deg in _ON_ITS_SIDE_DEG
        return (height, width, is_to_scale) if is_turned else (width, height, is_to_scale)

    @property
    def has_text(self) -> bool:
        """Whether a text layer stands in the page."""
        return not _TEXT_KINDS.isdisjoint(self.chunks)


@dataclass(frozen=True, slots=True, kw_only=True)
class DjvuInfo:
    """A document by its headers.

    Attributes:
        pages: In reading order.
        components: The directory, pages and others; empty for a single page, and where
            its names are damaged.
        parts: Paths of the other files that an indirect document consists of, those that
            are there.
        size_bytes: Length of the file; of an indirect document, of the index.
        warnings: Where the directory and its components disagree and no page is lost by it.
        is_counted: False where the directory is so damaged that what is a page is a guess.
    """

    pages: tuple[PageInfo, ...]
    components: tuple[Component, ...]
    parts: tuple[str, ...]
    size_bytes: int
    warnings: tuple[str, ...] = ()
    is_counted: bool = True

    @property
    def bundled(self) -> bool:
        """False for an index whose components are other files."""
        return not self.parts

    @property
    def all_parts_whole(self) -> bool:
        """Whether no part of an indirect document is missing, and no page of it damaged."""
        return not self.warnings and not any(page.fault for page in self.pages)

    @property
    def page_count(self) -> int:
        """Pages of the document."""
        return len(self.pages)

    @property
    def certain_page_count(self) -> int | None:
        """Pages of the document; None where nobody can tell for sure."""
        return self.page_count if self.is_counted else None

    @property
    def has_text(self) -> bool:
        """Whether any page has a text layer."""
        return any(page.has_text for page in self.pages)


def inspect(path: str | os.PathLike[str], *, bundled_only: bool = False) -> DjvuInfo:
    """Look at a file's headers; blocking, some milliseconds.

    Args:
        path: The file; of an indirect document, its index.
        bundled_only: Whether an index is refused before any of its parts is looked for:
            where files of others lie beside it, not even whether they are there is told.

    Raises:
        NotDjvuError: It is no DjVu, is cut off, or lacks parts (named in the message).
        UnreadableError: It cannot be opened or read.
    """
    with open_source(path) as source:
        return inspect_source(source, folder_of(path, bundled_only=bundled_only))


def folder_of(path: str | os.PathLike[str], *, bundled_only: bool) -> str | None:
    """Return where what belongs to a file is looked for; None where nothing is."""
    return None if bundled_only else os.path.dirname(os.fspath(path))  # noqa: PTH120  # a path as str, its bytes kept


def inspect_source(source: ByteSource, folder: str | None) -> DjvuInfo:
    """Look at what is open already; see `inspect`.

    Args:
        source: The file; of an indirect document, its index.
        folder: Where the parts of an indirect document lie; None refuses one.
    """
    layout = read_layout(source)
    if layout.is_index:
        if folder is None:
            raise NotDjvuError(
                f"{source.name} is an index, and its pages are other files: bundle them into one"
                " (djvmcvt -b)"
            )
        return _inspect_index(source, find_parts(source.name, folder, layout.components))
    pages = [_page(source, place, pages=len(layout.pages)) for place in layout.pages]
    info = _info(source, pages, layout.components, layout.warnings)
    return info if layout.is_counted else replace(info, is_counted=False)


def _inspect_index(source: ByteSource, parts: Sequence[IndexPart]) -> DjvuInfo:
    missing = [part.component for part in parts if not part.path]
    told = [f"parts are missing or damaged that no page's picture needs: {shown_names(missing)}"]
    info = _info(
        source,
        [_part_page(part) for part in parts if part.is_page],
        [part.component for part in parts],
        told if missing else (),
    )
    return replace(info, parts=tuple(part.path for part in parts if part.path))


def _info(
    source: ByteSource,
    pages: Sequence[PageInfo],
    components: Sequence[Component],
    warnings: Sequence[str],
) -> DjvuInfo:
    if not pages:
        raise NotDjvuError(f"{source.name} has no pages")
    return DjvuInfo(
        pages=tuple(pages),
        components=tuple(components),
        parts=(),
        size_bytes=source.size,
        warnings=tuple(warnings),
    )


def _part_page(part: IndexPart) -> PageInfo:
    if part.fault:
        return _page_without_headers(part.fault)
    with open_source(part.path) as source:
        return _page(source, PagePlace(form=read_top_form(source)))


def _page_without_headers(fault: str) -> PageInfo:
    return PageInfo(width=0, height=0, stated_dpi=0, rotation_deg=0, chunks=(), fault=fault)


def _page(source: ByteSource, place: PagePlace, *, pages: int = 1) -> PageInfo:
    if place.form is None:
        return _page_without_headers(place.fault)
    most_chunks = max(_MIN_CHUNKS_A_PAGE, _MAX_CHUNKS // pages)
    found = read_page_form(source, place.form, max_chunks=most_chunks)
    size_kinds = _SIZE_KINDS.get(place.form.kind, ())
    info = next((c for c in found.chunks if c.kind in size_kinds), None)
    width, height, dpi, rotation = (0, 0, 0, 0) if info is None else _dimensions(source, info)
    return PageInfo(
        width=width,
        height=height,
        stated_dpi=dpi,
        rotation_deg=rotation,
        chunks=tuple(c.kind.removeprefix("FORM:") for c in found.chunks),
        fault=place.fault or found.fault or ("" if width and height else _NO_SIZE),
    )


def _dimensions(source: ByteSource, info: Chunk) -> tuple[int, int, int, int]:
    """Width, height, dpi and rotation; a short `INFO` leaves out the last ones."""
    data = source.at(info.start, min(10, info.end - info.start))
    if info.kind != "INFO":
        return (*_big_endian_pair(data[4:]), _WAVELET_DPI, 0)
    dpi = int.from_bytes(data[6:8], "little")
    rotation = _ROTATIONS_DEG.get(data[9] & 7, 0) if len(data) > 9 else 0  # noqa: PLR2004  # the byte of the flags
    return (*_big_endian_pair(data), dpi, rotation)


def _big_endian_pair(data: bytes) -> tuple[int, int]:
    if len(data) < 4:  # noqa: PLR2004  # two 16-bit numbers
        return 0, 0
    return int.from_bytes(data[:2], "big"), int.from_bytes(data[2:4], "big")
