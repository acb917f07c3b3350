"""What a DjVu file is, for free: pages, sizes, resolutions, parts.

Only headers are read (some hundred bytes a page), so a gigabyte costs what a
kilobyte does. Nothing is decoded but the directory's names, and those only when
they are asked for or when the file is an index whose pages are other files.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from batch_converter.djvu.directory import (
    Component,
    ComponentKind,
    Directory,
    read_components,
    read_directory,
)
from batch_converter.djvu.iff import ByteSource, Chunk, open_source, read_chunk, read_top_form, walk
from batch_converter.errors import NotDjvuError, UnreadableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

DEFAULT_DPI: Final = 300
_SENSIBLE_DPI: Final = range(25, 6001)
_MAX_CHUNKS: Final = 1_000_000
_MIN_CHUNKS_A_PAGE: Final = 64
_SINGLE_PAGE_FORMS: Final = frozenset({"FORM:DJVU", "FORM:BM44", "FORM:PM44"})
_TEXT_KINDS: Final = frozenset({"TXTa", "TXTz"})
_ROTATIONS_DEG: Final = {6: 90, 2: 180, 5: 270}
_SHOWN_NAMES: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class PageInfo:
    """A page by its headers.

    Attributes:
        width: Pixels before rotation; 0 where the page has no usable header.
        height: Pixels before rotation.
        stated_dpi: What the file says, however senseless; 0 where it is silent.
        rotation_deg: How far the page is to be turned counter-clockwise.
        chunks: The kinds of its chunks, in order; `FORM:…` is cut to its type.
        whole: False where a chunk ends behind the page, or the page is missing.
    """

    width: int
    height: int
    stated_dpi: int
    rotation_deg: int
    chunks: tuple[str, ...]
    whole: bool

    @property
    def dpi(self) -> int:
        """Pixels an inch; 300 where the file states none or a senseless one."""
        return self.stated_dpi if self.stated_dpi in _SENSIBLE_DPI else DEFAULT_DPI

    @property
    def has_text(self) -> bool:
        """Whether a text layer stands in the page."""
        return not _TEXT_KINDS.isdisjoint(self.chunks)


@dataclass(frozen=True, slots=True, kw_only=True)
class DjvuInfo:
    """A document by its headers.

    Attributes:
        pages: In reading order.
        components: The directory, pages and others; empty unless asked for, for
            a single page, and where its names are damaged.
        parts: Paths of the other files that an indirect document consists of.
        size_bytes: Length of the file; of an indirect document, of the index.
        is_counted: False where the directory is damaged so that what is a page is a guess.
    """

    pages: tuple[PageInfo, ...]
    components: tuple[Component, ...]
    parts: tuple[str, ...]
    size_bytes: int
    is_counted: bool = True

    @property
    def bundled(self) -> bool:
        """False for an index whose components are other files."""
        return not self.parts

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

    @property
    def page_components(self) -> tuple[Component, ...]:
        """The directory's lines that are pages, in reading order."""
        return tuple(c for c in self.components if c.kind is ComponentKind.PAGE)


def inspect(path: str | os.PathLike[str], *, names: bool = False) -> DjvuInfo:
    """Look at a file's headers; blocking, some milliseconds.

    Args:
        path: The file; of an indirect document, its index.
        names: Whether to decode the directory's ids and titles too.

    Raises:
        NotDjvuError: It is no DjVu, is cut off, or lacks parts (named in the message).
        UnreadableError: It cannot be opened or read.
    """
    with open_source(path) as source:
        return inspect_source(source, os.path.dirname(os.fspath(path)), names=names)  # noqa: PTH120  # a path as str, its bytes kept


def inspect_bytes(data: bytes) -> DjvuInfo:
    """Look at a document in memory, names included.

    Raises:
        NotDjvuError: As `inspect`.
    """
    return inspect_source(ByteSource.of_bytes(data), "", names=True)


def inspect_source(source: ByteSource, folder: str, *, names: bool = False) -> DjvuInfo:
    """Look at what is open already; see `inspect`.

    Args:
        source: The file; of an indirect document, its index.
        folder: Where the parts of an indirect document lie.
        names: Whether to decode the directory's ids and titles too.
    """
    form = read_top_form(source)
    if form.kind in _SINGLE_PAGE_FORMS:
        return _info(source, [_page(source, form)])
    if form.kind != "FORM:DJVM":
        raise NotDjvuError(f"{source.name} is a {form.kind} and no document by itself")
    first = read_chunk(source, form.start, form.end)
    if first is None or first.kind != "DIRM":
        raise NotDjvuError(f"{source.name} has no page directory")
    directory = read_directory(source, first)
    if directory.bundled:
        return _inspect_bundled(source, form, directory, names=names)
    components = read_components(source, directory)
    parts = part_paths(source.name, folder, components)
    return _info(source, list(_part_pages(components, parts)), components, parts)


def _info(
    source: ByteSource,
    pages: Sequence[PageInfo],
    components: tuple[Component, ...] = (),
    parts: Sequence[str] = (),
    *,
    is_counted: bool = True,
) -> DjvuInfo:
    if not pages:
        raise NotDjvuError(f"{source.name} has no pages")
    return DjvuInfo(
        pages=tuple(pages),
        components=components,
        parts=tuple(parts),
        size_bytes=source.size,
        is_counted=is_counted,
    )


def _inspect_bundled(
    source: ByteSource, form: Chunk, directory: Directory, *, names: bool
) -> DjvuInfo:
    forms = [read_chunk(source, offset, form.end) for offset in directory.offsets]
    broken = any(f is None or not f.kind.startswith("FORM:") for f in forms)
    components = _components_or_none(source, directory) if names or broken else ()
    pages = [
        _page(source, f, pages=len(forms))
        for i, f in enumerate(forms)
        if _is_page(f, components[i] if i < len(components) else None)
    ]
    return _info(source, pages, components, is_counted=not broken or bool(components))


def _components_or_none(source: ByteSource, directory: Directory) -> tuple[Component, ...]:
    """A bundled file is whole without its names: links to them are lost, no page is."""
    try:
        return read_components(source, directory)
    except NotDjvuError:
        return ()


def _is_page(form: Chunk | None, component: Component | None) -> bool:
    if form is not None and form.kind.startswith("FORM:"):
        return form.kind == "FORM:DJVU"
    return component is None or component.kind is ComponentKind.PAGE


def part_paths(name: str, folder: str, components: Sequence[Component]) -> list[str]:
    """Where the parts of an indirect document are: beside its index, nowhere else.

    Raises:
        NotDjvuError: Some are missing; the message names them.
    """
    missing = [c.name for c in components if not is_beside(folder, c.name)]
    if missing:
        shown = ", ".join(ascii(n)[1:-1] for n in missing[:_SHOWN_NAMES])
        more = f" and {len(missing) - _SHOWN_NAMES} more" if len(missing) > _SHOWN_NAMES else ""
        raise NotDjvuError(f"{name} is an index; put its parts beside it: {shown}{more}")
    return [os.path.join(folder, c.name) for c in components]  # noqa: PTH118  # surrogates


def is_beside(folder: str, name: str) -> bool:
    """Whether a part of that name lies in the folder; a name that leads elsewhere never does."""
    plain = bool(name) and name not in {".", ".."} and not {"/", "\\"}.intersection(name)
    return plain and os.path.isfile(os.path.join(folder, name))  # noqa: PTH113, PTH118  # a path as str, its bytes kept


def _part_pages(components: Sequence[Component], parts: Sequence[str]) -> Iterator[PageInfo]:
    for component, part in zip(components, parts, strict=True):
        if component.kind is ComponentKind.PAGE:
            yield _part_page(part)


def _part_page(path: str) -> PageInfo:
    try:
        with open_source(path) as source:
            return _page(source, read_top_form(source))
    except (NotDjvuError, UnreadableError) as error:
        raise type(error)(f"a part is unusable: {error}") from error


def _page(source: ByteSource, form: Chunk | None, *, pages: int = 1) -> PageInfo:
    chunks = [] if form is None else list(_page_chunks(source, form, pages))
    info = next((c for c in chunks if c.kind in {"INFO", "BM44", "PM44"}), None)
    width, height, dpi, rotation = (0, 0, 0, 0) if info is None else _dimensions(source, info)
    return PageInfo(
        width=width,
        height=height,
        stated_dpi=dpi,
        rotation_deg=rotation,
        chunks=tuple(c.kind.removeprefix("FORM:") for c in chunks),
        whole=form is not None and form.whole and all(c.whole for c in chunks) and width > 0,
    )


def _page_chunks(source: ByteSource, form: Chunk, pages: int) -> Iterator[Chunk]:
    """A page's chunks, as many as the whole document's share of headers allows."""
    return walk(
        source,
        form.start,
        form.end,
        max_chunks=max(_MIN_CHUNKS_A_PAGE, _MAX_CHUNKS // pages),
    )


def _dimensions(source: ByteSource, info: Chunk) -> tuple[int, int, int, int]:
    """Width, height, dpi and rotation; a short `INFO` leaves out the last ones."""
    data = source.at(info.start, min(10, info.end - info.start))
    if info.kind != "INFO":
        return (*_big_endian_pair(data[4:]), 0, 0)
    dpi = int.from_bytes(data[6:8], "little")
    rotation = _ROTATIONS_DEG.get(data[9] & 7, 0) if len(data) > 9 else 0  # noqa: PLR2004  # the byte of the flags
    return (*_big_endian_pair(data), dpi, rotation)


def _big_endian_pair(data: bytes) -> tuple[int, int]:
    if len(data) < 4:  # noqa: PLR2004  # two 16-bit numbers
        return 0, 0
    return int.from_bytes(data[:2], "big"), int.from_bytes(data[2:4], "big")
