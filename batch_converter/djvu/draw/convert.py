"""A DjVu file as a PDF file: a short one at once, a long one in parts that are put together."""

from __future__ import annotations

import errno
import io
import math
import os
from contextlib import ExitStack
from functools import cache, partial
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from pikepdf import Array, Dictionary, ObjectStreamMode, Pdf, String

from batch_converter.djvu.draw.geometry import Geometry
from batch_converter.djvu.draw.metadata import write_metadata
from batch_converter.djvu.draw.ocr import forget_origin, recognise, settle_names
from batch_converter.djvu.draw.page_loss import merge_part_results, refuse_known_damage
from batch_converter.djvu.draw.pages import PageWriter
from batch_converter.djvu.jobs.options import Converted, ConvertOptions
from batch_converter.djvu.jobs.part_files import part_names, remove_parts
from batch_converter.djvu.jobs.parts import SPARE_BYTES_A_PART, PartResult, parts_of
from batch_converter.djvu.read.decoder import PageError
from batch_converter.djvu.read.document import open_djvu
from batch_converter.djvu.read.encodings import Letters
from batch_converter.djvu.read.facts import document_facts
from batch_converter.djvu.read.inspect import inspect
from batch_converter.djvu.read.links import Destinations
from batch_converter.djvu.read.outline import MAX_DEPTH, OutlineError, read_outline, write_outline
from batch_converter.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager

    from typing_extensions import Buffer

    from batch_converter.djvu.read.document import DjvuReader
    from batch_converter.djvu.read.inspect import DjvuInfo, PageInfo

_WRITE_BYTES: Final = 256 << 10
_SAVE_OPTIONS: Final[Mapping[str, Any]] = {
    "deterministic_id": True,
    "object_stream_mode": ObjectStreamMode.generate,
    "fix_metadata_version": False,  # or it parses the XMP and writes it anew
}
_ARCHIVED_DEPTH: Final = 60
"""Levels of bookmarks that the checker of PDF/A follows, and a few to spare."""

_LETTER: Final = Geometry(width=2550, height=3300, dpi=300)


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
    info = inspect(source, bundled_only=options.bundled_only)
    refuse_known_damage(info, options)
    parts = parts_of(info.page_count)
    if len(parts) == 1 and not _wants_ocr(info, options):
        warnings = _convert_at_once(source, target, info, options)
    else:
        warnings = _convert_in_parts(source, target, parts, options)
    return Converted(pages=info.page_count, warnings=tuple(warnings))


def _opened(
    source: str | os.PathLike[str], options: ConvertOptions
) -> AbstractContextManager[DjvuReader]:
    return open_djvu(source, bundled_only=options.bundled_only)


def _wants_ocr(info: DjvuInfo, options: ConvertOptions) -> bool:
    return bool(options.ocr) and not info.has_text


def _convert_at_once(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    info: DjvuInfo,
    options: ConvertOptions,
) -> list[str]:
    with _opened(source, options) as reader, Pdf.new() as pdf:
        result = _add_pages(pdf, reader, info, range(info.page_count), options)
        warnings = merge_part_results([result], options) + _complete(pdf, reader, options)
        warnings += _publishable(pdf, target, options)
    return warnings


def _convert_in_parts(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    parts: Sequence[range],
    options: ConvertOptions,
) -> list[str]:
    paths = part_names(target, len(parts))
    try:
        results = [
            convert_part(source, path, pages, options)
            for path, pages in zip(paths, parts, strict=True)
        ]
        return merge_part_results(results, options) + assemble(source, paths, target, options)
    finally:
        remove_parts(paths)


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
    info = inspect(source, bundled_only=options.bundled_only)
    with _opened(source, options) as reader, Pdf.new() as pdf:
        result = _add_pages(pdf, reader, info, pages, options)
        spare_bytes = SPARE_BYTES_A_PART if options.max_pdf_bytes else 0
        _save(pdf, target, _SAVE_OPTIONS, max_bytes=options.max_pdf_bytes + spare_bytes)
    if _wants_ocr(info, options):
        recognise(target, options.ocr)
    return result


def _add_pages(
    pdf: Pdf, reader: DjvuReader, info: DjvuInfo, pages: range, options: ConvertOptions
) -> PartResult:
    lost: list[tuple[int, str]] = []
    warnings: list[str] = []
    destinations = Destinations(reader.components, info.page_count, options.encoding)
    facts = cache(partial(document_facts, reader, options.encoding))
    writer = PageWriter(pdf, options, destinations, facts)
    for index in pages:
        geometry = Geometry.of(info.pages[index])
        try:
            _refuse_damage(info.pages[index])
            told = writer.add(reader.page(index), geometry, index)
            warnings += [f"page {index + 1}: {loss}" for loss in dict.fromkeys(told)]
        except PageError as error:
            writer.add_blank(geometry if geometry.width and geometry.height else _LETTER)
            lost.append((index + 1, str(error)))
    writer.finish()
    return PartResult(pages=len(pages), lost=lost, warnings=warnings)


def _refuse_damage(page: PageInfo) -> None:
    if page.fault:
        raise PageError(page.fault)


def assemble(
    source: str | os.PathLike[str],
    parts: Sequence[str],
    target: str | os.PathLike[str],
    options: ConvertOptions,
) -> list[str]:
    """Put parts together and add what belongs to the whole document; blocking.

    Returns:
        What was lost of what belongs to the whole document, one sentence each.

    Raises:
        FileError: As `convert`.
    """
    with ExitStack() as stack, _opened(source, options) as reader:
        # Opened here: pikepdf takes no name that is not UTF-8.
        files = [stack.enter_context(open(path, "rb")) for path in parts]  # noqa: PTH123  # a path as str, its bytes kept
        pdf, *others = [stack.enter_context(Pdf.open(part)) for part in files]
        for other in others:
            pdf.pages.extend(other.pages)
        forget_origin(pdf)
        settle_names(pdf)
        warnings = _complete(pdf, reader, options)
        warnings += _publishable(pdf, target, options)
    return warnings


def _publishable(pdf: Pdf, target: str | os.PathLike[str], options: ConvertOptions) -> list[str]:
    """Write a finished document as what it is wanted; returns what was lost by it."""
    if not options.pdfa:
        _save(pdf, target, _SAVE_OPTIONS, max_bytes=options.max_pdf_bytes)
        return []
    from batch_converter.djvu.draw import archival  # noqa: PLC0415  # a checker, for who wants it

    lost = archival.make_archival(pdf)
    _save(pdf, target, archival.SAVE_OPTIONS, max_bytes=options.max_pdf_bytes)
    archival.check_archival(target)
    return lost


def _complete(pdf: Pdf, reader: DjvuReader, options: ConvertOptions) -> list[str]:
    """Add what belongs to the whole document; returns what was lost of it."""
    _lead_to_pages(pdf)
    destinations = Destinations(reader.components, len(pdf.pages), options.encoding)
    warnings = [*reader.warnings, *destinations.warnings()]
    warnings += _write_outline(pdf, reader, destinations, options)
    _write_labels(pdf, destinations)
    facts = document_facts(reader, options.encoding)
    warnings += facts.warnings
    lost = write_metadata(pdf, facts.entries, facts.packets)
    return warnings + [f"the document's facts: {loss}" for loss in lost]


def _lead_to_pages(pdf: Pdf) -> None:
    """Put pages in the place of page numbers in the links between them."""
    for page in pdf.pages:
        for annotation in page.obj.get("/Annots", []):
            place = annotation.get("/A", Dictionary()).get("/D")
            if place is not None:
                place[0] = pdf.pages[int(place[0])].obj


def _write_outline(
    pdf: Pdf, reader: DjvuReader, destinations: Destinations, options: ConvertOptions
) -> list[str]:
    letters = Letters(options.encoding)
    warnings: list[str] = []
    try:
        bookmarks = read_outline(reader.outline, letters)
    except OutlineError as error:
        bookmarks = error.found
        warnings.append(str(error))
    max_depth = _ARCHIVED_DEPTH if options.pdfa else MAX_DEPTH
    warnings += write_outline(pdf, bookmarks, destinations, max_depth=max_depth)
    return warnings + [f"the bookmarks hold {told}" for told in letters.warnings()]


def _write_labels(pdf: Pdf, destinations: Destinations) -> None:
    numbers = Array()
    for index, label in destinations.labels():
        numbers.append(index)
        numbers.append(Dictionary(P=String(label)))
    if len(numbers):
        pdf.Root.PageLabels = Dictionary(Nums=numbers)


class _Disk(io.RawIOBase):
    """A file that qpdf writes to; qpdf aborts the process on an error, so none may reach it.

    Args:
        file: Open for writing.
        max_bytes: How long it may become; 0 is no limit.
    """

    def __init__(self, file: BinaryIO, max_bytes: int) -> None:
        super().__init__()
        self._file = file
        self._left_bytes = max_bytes or math.inf
        self.error: OSError | None = None

    def writable(self) -> bool:
        """Yes."""
        return True

    def write(self, data: Buffer, /) -> int:
        """Write, or remember why not."""
        if self.error is None:
            try:
                self._write(data)
            except OSError as error:
                self.error = error
        return memoryview(data).nbytes

    def _write(self, data: Buffer) -> None:
        self._left_bytes -= memoryview(data).nbytes
        if self._left_bytes < 0:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
        self._file.write(data)


def _save(
    pdf: Pdf,
    target: str | os.PathLike[str],
    save_options: Mapping[str, Any],
    *,
    max_bytes: int,
) -> None:
    try:
        with open(target, "wb") as file:  # noqa: PTH123  # surrogates and PathLike alike
            disk = _Disk(file, max_bytes)
            with io.BufferedWriter(disk, _WRITE_BYTES) as out:
                pdf.save(out, **save_options)
        if disk.error is not None:
            raise disk.error
    except OSError as error:
        raise OutputError(f"the PDF cannot be written: {error.strerror or error}") from error
