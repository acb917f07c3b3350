"""A DjVu file as a PDF file, in parts of a fixed number of pages.

Each part stands for itself, so a long document needs the memory of one part and
several workers can share it; the cuts depend on nothing but page numbers, so
the bytes are the same whoever did the work.
"""

from __future__ import annotations

import io
import os
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final

from pikepdf import Array, Dictionary, Name, ObjectStreamMode, OutlineItem, Pdf, String

from batch_converter.djvu.annotations import annotations_of
from batch_converter.djvu.decoder import PageError
from batch_converter.djvu.document import DjvuReader
from batch_converter.djvu.geometry import Geometry
from batch_converter.djvu.iff import open_source
from batch_converter.djvu.inspect import inspect
from batch_converter.djvu.metadata import write_metadata
from batch_converter.djvu.ocr import forget_origin, recognise, settle_names, text_name
from batch_converter.djvu.options import Converted, ConvertOptions
from batch_converter.djvu.outline import Destinations, OutlineError, labels, read_outline
from batch_converter.djvu.pages import PageWriter
from batch_converter.errors import EngineError, OutputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import Buffer

    from batch_converter.djvu.inspect import DjvuInfo, PageInfo
    from batch_converter.djvu.outline import Bookmark

PAGES_A_PART: Final = 16
_MOST_PARTS: Final = 128
_SHOWN_PAGES: Final = 10
_KNOWN_DAMAGE: Final = "it is cut off or has no size"
_MAX_OUTLINE_DEPTH: Final = 12
_WRITE_BYTES: Final = 256 << 10
_LETTER: Final = Geometry(width=2550, height=3300, dpi=300)


def parts_of(page_count: int) -> list[range]:
    """Cut a document into runs of 0-based page numbers.

    Each part looks at the whole directory, so there are not too many of them.
    """
    size = max(PAGES_A_PART, -(-page_count // _MOST_PARTS))
    return [range(start, min(start + size, page_count)) for start in range(0, page_count, size)]


def refuse_known_damage(info: DjvuInfo, options: ConvertOptions) -> None:
    """Raise if the headers alone tell that pages are lost and that is not wanted.

    Raises:
        EngineError: They do; or no page is left.
    """
    lost = [(i + 1, _KNOWN_DAMAGE) for i, page in enumerate(info.pages) if not page.whole]
    _refuse_loss(lost, info.page_count, options)


@dataclass(frozen=True, slots=True, kw_only=True)
class PartResult:
    """What became of the pages of one part.

    Attributes:
        pages: How many it has.
        lost: Page number (from 1) and reason of each page that cannot be decoded.
        warnings: What else was lost, one sentence each.
    """

    pages: int
    lost: Sequence[tuple[int, str]] = ()
    warnings: Sequence[str] = ()


def part_names(target: str | os.PathLike[str], count: int) -> list[str]:
    """Where the parts of a document lie until they are put together: beside `target`."""
    return [f"{os.fspath(target)}.{number}.part" for number in range(count)]


def convert(
    source: str | os.PathLike[str], target: str | os.PathLike[str], options: ConvertOptions
) -> Converted:
    """Convert a whole document in this process; blocking.

    `target` is written and not synced; on an error it may be there, in part.
    Parts of a long document are written beside it and removed.

    Raises:
        NotDjvuError: It is no DjVu, or is cut off.
        UnreadableError: It cannot be read.
        EngineError: Pages cannot be decoded; the message names them.
        OutputError: `target` cannot be written.
    """
    info = inspect(source)
    refuse_known_damage(info, options)
    parts = parts_of(info.page_count)
    paths = part_names(target, len(parts))
    try:
        results = [
            convert_part(source, path, pages, options)
            for path, pages in zip(paths, parts, strict=True)
        ]
        warnings = settle(results, options)
        warnings += assemble(source, paths, target)
    finally:
        remove_parts(paths)
    return Converted(pages=info.page_count, warnings=tuple(warnings))


def convert_part(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    pages: range,
    options: ConvertOptions,
) -> PartResult:
    """Convert some pages into a PDF that only `assemble` understands; blocking.

    A page that cannot be decoded becomes a blank one, and is told.

    Raises:
        FileError: As `convert`, but no `EngineError`.
    """
    info = inspect(source)
    lost: list[tuple[int, str]] = []
    warnings: list[str] = []
    with open_source(source) as file, Pdf.new() as pdf:
        reader = DjvuReader(file)
        writer = PageWriter(pdf, options, Destinations(reader.components, info.page_count))
        for index in pages:
            geometry = _geometry(info.pages[index])
            try:
                told = writer.add(reader.page(index), geometry, index)
                warnings += [f"page {index + 1}: {loss}" for loss in dict.fromkeys(told)]
            except PageError as error:
                writer.add_blank(geometry if info.pages[index].whole else _LETTER)
                lost.append((index + 1, str(error)))
        writer.finish()
        _save(pdf, target)
    if options.ocr and not info.has_text:
        recognise(target, options.ocr)
    return PartResult(pages=len(pages), lost=lost, warnings=warnings)


def _geometry(page: PageInfo) -> Geometry:
    return Geometry(
        width=page.width, height=page.height, dpi=page.dpi, rotation_deg=page.rotation_deg
    )


def settle(results: Sequence[PartResult], options: ConvertOptions) -> list[str]:
    """Decide what lost pages mean; returns all warnings.

    Raises:
        EngineError: Pages are lost and that is not wanted, or none is left.
    """
    lost = [loss for result in results for loss in result.lost]
    _refuse_loss(lost, sum(result.pages for result in results), options)
    told = [f"page {number} is blank: {reason}" for number, reason in lost]
    return told + [warning for result in results for warning in result.warnings]


def _refuse_loss(lost: Sequence[tuple[int, str]], page_count: int, options: ConvertOptions) -> None:
    if lost and (not options.keep_damaged or len(lost) == page_count):
        raise EngineError(_told(lost))


def _told(lost: Sequence[tuple[int, str]]) -> str:
    numbers = ", ".join(str(number) for number, _ in lost[:_SHOWN_PAGES])
    more = f" and {len(lost) - _SHOWN_PAGES} more" if len(lost) > _SHOWN_PAGES else ""
    noun = "page" if len(lost) == 1 else "pages"
    told = f"{noun} {numbers}{more} cannot be decoded: {lost[0][1]}"
    return f"{told} (local.on_damage = keep converts the rest)"


def assemble(
    source: str | os.PathLike[str],
    parts: Sequence[str],
    target: str | os.PathLike[str],
) -> list[str]:
    """Put parts together and add what belongs to the whole document; blocking.

    Returns:
        What was lost of the navigation, one sentence each.

    Raises:
        FileError: As `convert`.
    """
    with ExitStack() as stack, open_source(source) as file:
        # Opened here: pikepdf takes no name that is not UTF-8.
        files = [stack.enter_context(open(path, "rb")) for path in parts]  # noqa: PTH123  # a path as str, its bytes kept
        pdf, *others = [stack.enter_context(Pdf.open(part)) for part in files]
        for other in others:
            pdf.pages.extend(other.pages)
        forget_origin(pdf)
        settle_names(pdf)
        reader = DjvuReader(file)
        _lead_to_pages(pdf)
        destinations = Destinations(reader.components, len(pdf.pages))
        warnings = _write_outline(pdf, reader, destinations)
        _write_labels(pdf, reader)
        write_metadata(pdf, _facts(reader))
        _save(pdf, target)
    return warnings


def _lead_to_pages(pdf: Pdf) -> None:
    """Put pages in the place of page numbers in the links between them."""
    for page in pdf.pages:
        for annotation in page.obj.get("/Annots", []):
            place = annotation.A.get("/D")
            if place is not None:
                place[0] = pdf.pages[int(place[0])].obj


def _write_outline(pdf: Pdf, reader: DjvuReader, destinations: Destinations) -> list[str]:
    warnings: list[str] = []
    try:
        bookmarks = read_outline(reader.outline)
    except OutlineError as error:
        bookmarks = error.found
        warnings.append("the bookmarks are damaged")
    if bookmarks:
        with pdf.open_outline() as outline:
            open_items = [outline.root]
            for bookmark in bookmarks:
                item = _outline_item(bookmark, destinations)
                del open_items[min(bookmark.depth, _MAX_OUTLINE_DEPTH) + 1 :]
                open_items[-1].append(item)
                open_items.append(item.children)
    return warnings


def _outline_item(bookmark: Bookmark, destinations: Destinations) -> OutlineItem:
    if bookmark.url and not bookmark.url.startswith("#"):
        address = bookmark.url.encode("utf-8", "replace")
        return OutlineItem(bookmark.title, action=Dictionary(S=Name.URI, URI=address))
    target = destinations.page_index(bookmark.url) if bookmark.url else None
    return OutlineItem(bookmark.title, target)


def _write_labels(pdf: Pdf, reader: DjvuReader) -> None:
    numbers = Array()
    for index, label in labels(reader.components, len(pdf.pages)):
        numbers.append(index)
        numbers.append(Dictionary(P=String(label)))
    if len(numbers):
        pdf.Root.PageLabels = Dictionary(Nums=numbers)


def _facts(reader: DjvuReader) -> tuple[tuple[str, str], ...]:
    """What the first page says of the document; shared annotations are included there."""
    try:
        return annotations_of(reader.page(0)).facts
    except PageError:
        return ()


class _Disk(io.RawIOBase):
    """A file that qpdf writes to; qpdf aborts the process on an error, so none may reach it."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file
        self.error: OSError | None = None

    def writable(self) -> bool:
        """Yes."""
        return True

    def write(self, data: Buffer, /) -> int:
        """Write, or remember why not."""
        if self.error is None:
            try:
                self._file.write(data)
            except OSError as error:
                self.error = error
        return memoryview(data).nbytes


def _save(pdf: Pdf, target: str | os.PathLike[str]) -> None:
    try:
        with open(target, "wb") as file:  # noqa: PTH123  # surrogates and PathLike alike
            disk = _Disk(file)
            with io.BufferedWriter(disk, _WRITE_BYTES) as out:
                pdf.save(out, deterministic_id=True, object_stream_mode=ObjectStreamMode.generate)
        if disk.error is not None:
            raise disk.error
    except OSError as error:
        raise OutputError(f"the PDF cannot be written: {error.strerror or error}") from error


def remove_parts(paths: Sequence[str]) -> None:
    """Remove part files, and what OCR began beside them; what is not there is no error."""
    for name in (name for path in paths for name in (path, text_name(path))):
        with suppress(OSError):
            os.unlink(name)  # noqa: PTH108  # surrogates
