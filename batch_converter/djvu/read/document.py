"""A DjVu file page by page: the chunks that belong to a page, with what it includes.

Nothing is decoded here, and no more than a page is held.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from batch_converter.djvu.read.decoder import PageError
from batch_converter.djvu.read.directory import ComponentKind
from batch_converter.djvu.read.iff import ByteSource, Chunk, chunk_data, open_source, read_top_form
from batch_converter.djvu.read.index_parts import is_beside
from batch_converter.djvu.read.inspect import folder_of
from batch_converter.djvu.read.layout import read_layout
from batch_converter.djvu.read.page_form import (
    MAX_CHUNKS,
    PICTURE_KINDS,
    TOO_MANY_CHUNKS,
    asks_for_shapes,
    included_name,
    read_page_form,
)
from batch_converter.errors import FileError, NotDjvuError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from batch_converter.djvu.read.directory import Component

_MAX_INCLUDES: Final = 64
_CACHED_INCLUDES: Final = 8
_PART_MISSING: Final = "a part that it shares with other pages is missing"
_PART_DAMAGED: Final = "a part that it shares with other pages is damaged"
_ANNOTATION_KINDS: Final = frozenset({"ANTa", "ANTz"})
_WAVELET_FORMS: Final = frozenset({"FORM:BM44", "FORM:PM44"})
_WAVELET_KINDS: Final = {"BM44": "BG44", "PM44": "BG44"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PageChunks:
    """The chunks of a page in order, includes put in their place.

    Attributes:
        chunks: Kind and data of each.
        losses: What of the page could not be read, although its picture may be whole.
        lack: Which part that it shares could not be read, and why: where the picture
            cannot be drawn, that is the cause. Empty where nothing is lacking.
    """

    chunks: tuple[tuple[str, bytes], ...]
    losses: tuple[str, ...] = ()
    lack: str = ""

    def of(self, *kinds: str) -> list[bytes]:
        """Return the data of all chunks of these kinds, in order."""
        return [data for kind, data in self.chunks if kind in kinds]

    def has(self, *kinds: str) -> bool:
        """Whether any chunk is of these kinds."""
        return any(kind in kinds for kind, _ in self.chunks)


@contextmanager
def open_djvu(path: str | os.PathLike[str], *, bundled_only: bool = False) -> Iterator[DjvuReader]:
    """Open a bundled or single-page document.

    Args:
        path: Its file.
        bundled_only: Whether what a single page shares is missing, whatever lies beside it.

    Raises:
        NotDjvuError: It is no DjVu, or is cut off.
        UnreadableError: It cannot be opened or read.
    """
    with open_source(path) as source:
        yield DjvuReader(source, folder_of(path, bundled_only=bundled_only))


def needs_others(path: str | os.PathLike[str]) -> bool:
    """Whether a document is a single page that includes what lies in files beside it.

    Raises:
        NotDjvuError: It is no DjVu, or is cut off.
        UnreadableError: It cannot be opened or read.
    """
    with open_source(path) as source:
        layout = read_layout(source)
        form = layout.pages[0].form if layout.directory is None and layout.pages else None
        return form is not None and any(
            chunk.kind == "INCL" for chunk in read_page_form(source, form).chunks
        )


class DjvuReader:
    """Reads the pages of a bundled or single-page document from `source`.

    What a single page shares with others, as a page of an indirect document does,
    is looked for in `folder`, if there is one.
    """

    def __init__(self, source: ByteSource, folder: str | None) -> None:
        self._source = source
        self._folder = folder
        self._layout = read_layout(source)
        if self._layout.is_index:
            raise NotDjvuError(f"{source.name} is an index and has to be bundled first")
        self._parts: dict[str, _Part] = {}

    @property
    def components(self) -> tuple[Component, ...]:
        """The directory's lines."""
        return self._layout.components

    @property
    def warnings(self) -> tuple[str, ...]:
        """Where the directory and its components disagree and no page is lost by it."""
        return self._layout.warnings

    @property
    def outline(self) -> bytes:
        """The data of the table of contents; empty where there is none."""
        outline = self._layout.outline
        if outline is None:
            return b""
        return chunk_data(self._source, outline)

    def page(self, index: int) -> PageChunks:
        """Read a page by its 0-based number.

        Raises:
            PageError: It is not where it should be, is cut off, or has no picture without
                what it includes and is not there.
            UnreadableError: The disk failed.
        """
        place = self._layout.pages[index]
        if place.form is None or place.fault:
            raise PageError(place.fault)
        own = _read_part(self._source, place.form)
        if own.fault:
            raise PageError(own.fault)
        resolving = _Resolving(self._part)
        chunks = tuple(resolving.resolved(own))
        found = PageChunks(
            chunks=chunks,
            losses=tuple(dict.fromkeys(resolving.losses)),
            lack=resolving.lack,
        )
        if found.lack and not _can_be_drawn(found):
            raise PageError(found.lack)
        return found

    def shared_annotations(self) -> Iterator[tuple[tuple[str, bytes], ...]]:
        """Yield the annotation chunks of each shared part, those made for annotations last.

        They tell facts about the document, whichever pages include them.
        """
        for kind in (ComponentKind.SHARED, ComponentKind.SHARED_ANNOTATIONS):
            for component in self.components:
                form = self._layout.shared.get(component.id) if component.kind is kind else None
                if form is not None and form.kind == "FORM:DJVI":
                    yield tuple(self._annotation_chunks(form))

    def _annotation_chunks(self, form: Chunk) -> Iterator[tuple[str, bytes]]:
        for chunk in read_page_form(self._source, form).chunks:
            if chunk.kind in _ANNOTATION_KINDS:
                yield chunk.kind, chunk_data(self._source, chunk)

    def _part(self, name: str) -> _Part:
        """Read what an `INCL` chunk names; the last few are kept, for pages share them."""
        if name not in self._parts:
            while len(self._parts) >= _CACHED_INCLUDES:
                self._parts.pop(next(iter(self._parts)))
            self._parts[name] = self._read_part(name)
        return self._parts[name]

    def _read_part(self, name: str) -> _Part:
        if self._layout.directory is not None:
            return _read_shared(self._source, self._layout.shared.get(name))
        if self._folder is None or not is_beside(self._folder, name):
            return _Part(fault=_PART_MISSING)
        try:
            with open_source(os.path.join(self._folder, name)) as source:  # noqa: PTH118  # surrogates
                return _read_shared(source, read_top_form(source))
        except FileError:
            return _Part(fault=_PART_DAMAGED)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """A form's own chunks, `INCL` among them.

    Attributes:
        fault: Why there are none.
        loss: What is missing among them.
    """

    chunks: tuple[tuple[str, bytes], ...] = ()
    fault: str = ""
    loss: str = ""


def _read_part(source: ByteSource, form: Chunk) -> _Part:
    found = read_page_form(source, form)
    if found.fault or len(found.chunks) >= MAX_CHUNKS:
        return _Part(fault=found.fault or TOO_MANY_CHUNKS)
    kinds = _WAVELET_KINDS if form.kind in _WAVELET_FORMS else {}
    return _Part(
        chunks=tuple(
            (kinds.get(chunk.kind, chunk.kind), chunk_data(source, chunk))
            for chunk in found.chunks
            if not chunk.kind.startswith("FORM:")
        ),
        loss=found.loss,
    )


def _read_shared(source: ByteSource, form: Chunk | None) -> _Part:
    if form is None or form.kind != "FORM:DJVI":
        return _Part(fault=_PART_MISSING)
    part = _read_part(source, form)
    return _Part(fault=_PART_DAMAGED) if part.fault else part


class _Resolving:
    """Puts includes into a page, each once: so none can include itself, or make pages huge."""

    def __init__(self, part: Callable[[str], _Part]) -> None:
        self._part = part
        self._seen: set[str] = set()
        self.losses: list[str] = []
        self.lack = ""

    def resolved(self, form: _Part) -> Iterator[tuple[str, bytes]]:
        """Yield a form's chunks and those of what it includes."""
        if form.loss:
            self.losses.append(form.loss)
        for kind, data in form.chunks:
            if kind == "INCL":
                yield from self._included(included_name(data))
            else:
                yield kind, data

    def _included(self, name: str) -> Iterator[tuple[str, bytes]]:
        if name in self._seen:
            return
        self._seen.add(name)
        if len(self._seen) > _MAX_INCLUDES:
            raise PageError("it shares more parts than any page needs")
        part = self._part(name)
        if part.fault:
            self.lack = f"{part.fault}: {ascii(name)[1:-1]}"
            self.losses.append(self.lack)
        yield from self.resolved(part)


def _can_be_drawn(page: PageChunks) -> bool:
    """Whether a page that lacks a part has a picture that does without it."""
    lacks_shapes = not page.has("Djbz") and any(map(asks_for_shapes, page.of("Sjbz")))
    return page.has(*PICTURE_KINDS) and not lacks_shapes
