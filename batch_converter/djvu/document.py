"""A DjVu file page by page: the chunks that belong to a page, with what it includes.

Nothing is decoded here, and no more than a page is held.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from batch_converter.djvu.decoder import PageError
from batch_converter.djvu.directory import (
    Component,
    ComponentKind,
    read_components,
    read_directory,
)
from batch_converter.djvu.iff import (
    ByteSource,
    Chunk,
    open_source,
    read_chunk,
    read_top_form,
    walk,
)
from batch_converter.djvu.inspect import is_beside
from batch_converter.errors import NotDjvuError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_MAX_CHUNKS: Final = 4096
_HEAD_CHUNKS: Final = 4
_MAX_INCLUDE_DEPTH: Final = 4
_CACHED_INCLUDES: Final = 8
_NOT_SHARED: Final = "a part that it shares with other pages is missing"
_ANNOTATION_KINDS: Final = frozenset({"ANTa", "ANTz"})
_SINGLE_LAYER_KINDS: Final = {"BM44": "BG44", "PM44": "BG44"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PageChunks:
    """The chunks of a page in order, includes put in their place."""

    chunks: tuple[tuple[str, bytes], ...]

    def of(self, *kinds: str) -> list[bytes]:
        """Return the data of all chunks of these kinds, in order."""
        return [data for kind, data in self.chunks if kind in kinds]

    def has(self, *kinds: str) -> bool:
        """Whether any chunk is of these kinds."""
        return any(kind in kinds for kind, _ in self.chunks)


@contextmanager
def open_djvu(path: str | os.PathLike[str]) -> Iterator[DjvuReader]:
    """Open a bundled or single-page document.

    Raises:
        NotDjvuError: It is no DjVu, or is cut off.
        UnreadableError: It cannot be opened or read.
    """
    with open_source(path) as source:
        yield DjvuReader(source, os.path.dirname(os.fspath(path)))  # noqa: PTH120  # a path as str, its bytes kept


class DjvuReader:
    """Reads the pages of a bundled or single-page document from `source`.

    What a single page shares with others, as a page of an indirect document does,
    is looked for in `folder`.
    """

    def __init__(self, source: ByteSource, folder: str) -> None:
        self._source = source
        self._folder = folder
        self._form = read_top_form(source)
        self._includes: dict[str, tuple[tuple[str, bytes], ...]] = {}
        self._offsets: dict[str, int] = {}
        self._pages: list[int] = [4]
        self.components: tuple[Component, ...] = ()
        self.outline: bytes = b""
        if self._form.kind == "FORM:DJVM":
            self._open_directory()

    def _open_directory(self) -> None:
        source, form = self._source, self._form
        chunks = list(walk(source, form.start, form.end, max_chunks=_HEAD_CHUNKS))
        if not chunks or chunks[0].kind != "DIRM":
            raise NotDjvuError(f"{source.name} has no page directory")
        directory = read_directory(source, chunks[0])
        if not directory.bundled:
            raise NotDjvuError(f"{source.name} is an index and has to be bundled first")
        navigation = next((c for c in chunks if c.kind == "NAVM"), None)
        if navigation is not None:
            self.outline = source.at(navigation.start, navigation.end - navigation.start)
        try:
            self.components = read_components(source, directory)
        except NotDjvuError:
            self.components = ()
        kinds = [c.kind for c in self.components] or [None] * directory.count
        self._offsets = dict(zip((c.id for c in self.components), directory.offsets, strict=False))
        self._pages = [
            offset
            for offset, kind in zip(directory.offsets, kinds, strict=True)
            if self._is_page(offset, kind)
        ]

    def _is_page(self, offset: int, kind: ComponentKind | None) -> bool:
        form = read_chunk(self._source, offset, self._form.end)
        if form is not None and form.kind.startswith("FORM:"):
            return form.kind == "FORM:DJVU"
        return kind in {None, ComponentKind.PAGE}

    def page(self, index: int) -> PageChunks:
        """Read a page by its 0-based number.

        Raises:
            PageError: It is cut off, or includes what is not there.
            UnreadableError: The disk failed.
        """
        form = read_chunk(self._source, self._pages[index], self._form.end)
        if form is None or not form.kind.startswith("FORM:") or not form.whole:
            raise PageError("it is cut off")
        return PageChunks(chunks=tuple(self._resolved(self._source, form, _MAX_INCLUDE_DEPTH)))

    def shared_annotations(self) -> Iterator[tuple[tuple[str, bytes], ...]]:
        """Yield the annotation chunks of each shared part, those made for annotations last.

        They tell facts about the document, whichever pages include them.
        """
        for kind in (ComponentKind.SHARED, ComponentKind.SHARED_ANNOTATIONS):
            for component in self.components:
                offset = self._offsets.get(component.id) if component.kind is kind else None
                form = None if offset is None else self._form_at(offset)
                if form is not None and form.kind == "FORM:DJVI":
                    yield tuple(self._annotation_chunks(form))

    def _form_at(self, offset: int) -> Chunk | None:
        return read_chunk(self._source, offset, self._form.end)

    def _annotation_chunks(self, form: Chunk) -> Iterator[tuple[str, bytes]]:
        for chunk in walk(self._source, form.start, form.end, max_chunks=_MAX_CHUNKS):
            if chunk.kind in _ANNOTATION_KINDS:
                yield chunk.kind, self._source.at(chunk.start, chunk.end - chunk.start)

    def _resolved(self, source: ByteSource, form: Chunk, depth: int) -> Iterable[tuple[str, bytes]]:
        for chunk in walk(source, form.start, form.end, max_chunks=_MAX_CHUNKS):
            if not chunk.whole:
                raise PageError("it is cut off")
            data = source.at(chunk.start, chunk.end - chunk.start)
            if chunk.kind == "INCL":
                yield from self._included(data, depth)
            else:
                yield _SINGLE_LAYER_KINDS.get(chunk.kind, chunk.kind), data

    def _included(self, name: bytes, depth: int) -> tuple[tuple[str, bytes], ...]:
        key = name.rstrip(b"\0\n").decode("utf-8", "surrogateescape")
        if key not in self._includes:
            while len(self._includes) >= _CACHED_INCLUDES:
                self._includes.pop(next(iter(self._includes)))
            self._includes[key] = self._read_include(key, depth)
        return self._includes[key]

    def _read_include(self, key: str, depth: int) -> tuple[tuple[str, bytes], ...]:
        if depth > 0:
            if key in self._offsets:
                form = read_chunk(self._source, self._offsets[key], self._form.end)
                return self._shared(self._source, form, depth)
            if self._form.kind != "FORM:DJVM" and is_beside(self._folder, key):
                return self._neighbour(os.path.join(self._folder, key), depth)  # noqa: PTH118  # surrogates
        raise PageError(_NOT_SHARED)

    def _neighbour(self, path: str, depth: int) -> tuple[tuple[str, bytes], ...]:
        with open_source(path) as source:
            try:
                form = read_top_form(source)
            except NotDjvuError as error:
                raise PageError(_NOT_SHARED) from error
            return self._shared(source, form, depth)

    def _shared(
        self, source: ByteSource, form: Chunk | None, depth: int
    ) -> tuple[tuple[str, bytes], ...]:
        if form is None or form.kind != "FORM:DJVI" or not form.whole:
            raise PageError(_NOT_SHARED)
        return tuple(self._resolved(source, form, depth - 1))
