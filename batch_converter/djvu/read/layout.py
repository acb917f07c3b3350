"""Where each page of a document stands: one reading of the directory for all who need it.

`inspect` measures the pages that are listed here and `document` reads them, so that they
cannot disagree about which there are. The directory decides what is a page, as it does in
DjVuLibre; where it and the components disagree that is told, page by page.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from batch_converter.djvu.read.directory import (
    Component,
    ComponentKind,
    Directory,
    read_components,
    read_directory,
)
from batch_converter.djvu.read.iff import FORM_BYTES, Chunk, read_chunk, read_top_form, walk
from batch_converter.djvu.read.page_form import CUT_OFF
from batch_converter.errors import NotDjvuError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from batch_converter.djvu.read.iff import ByteSource

PAGE_FORMS: Final = frozenset({"FORM:DJVU", "FORM:BM44", "FORM:PM44"})
LEADS_ELSEWHERE: Final = "the directory leads to page {} for it"
_HEAD_CHUNKS: Final = 4
_MAX_UNLISTED: Final = 1 << 16
_SIZE_LIMIT: Final = 1 << 24


@dataclass(frozen=True, slots=True, kw_only=True)
class PagePlace:
    """Where a page stands.

    Attributes:
        form: Its form, or what stands in its place; None where no form does.
        fault: Why the page cannot be read from there; empty where it can.
    """

    form: Chunk | None
    fault: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A document by its outermost form and its directory.

    Attributes:
        form: The outermost form.
        directory: None for a single page.
        pages: In reading order; none for an index, whose pages are other files.
        components: The directory's lines; none for a single page, and where its names
            are damaged.
        shared: The place of each component by what an `INCL` chunk may call it.
        outline: The table of contents.
        warnings: Where directory and components disagree and no page is lost by it.
        is_counted: False where the names are damaged and components are missing or not
            listed, so that what is a page is a guess.
    """

    form: Chunk
    directory: Directory | None = None
    pages: tuple[PagePlace, ...] = ()
    components: tuple[Component, ...] = ()
    shared: Mapping[str, Chunk | None] = field(default_factory=dict)
    outline: Chunk | None = None
    warnings: tuple[str, ...] = ()
    is_counted: bool = True

    @property
    def is_index(self) -> bool:
        """Whether the pages are other files."""
        return self.directory is not None and not self.directory.bundled


def read_layout(source: ByteSource) -> Layout:
    """Find out where the pages of a document are; their own headers are not looked at.

    Raises:
        NotDjvuError: It is no DjVu, is cut off, or its directory cannot be read.
        UnreadableError: The disk failed.
    """
    form = read_top_form(source)
    if form.kind in PAGE_FORMS:
        return Layout(form=form, pages=(PagePlace(form=form),))
    if form.kind != "FORM:DJVM":
        raise NotDjvuError(f"{source.name} is a {form.kind} and no document by itself")
    chunks = list(walk(source, form.start, form.end, max_chunks=_HEAD_CHUNKS))
    if not chunks or chunks[0].kind != "DIRM":
        raise NotDjvuError(f"{source.name} has no page directory")
    directory = read_directory(source, chunks[0])
    outline = next((c for c in chunks if c.kind == "NAVM"), None)
    if not directory.bundled:
        components = read_components(source, directory)
        return Layout(form=form, directory=directory, components=components, outline=outline)
    return _bundled(source, form, directory, outline)


def _bundled(
    source: ByteSource, form: Chunk, directory: Directory, outline: Chunk | None
) -> Layout:
    forms = [_form_at(source, offset, form.end) for offset in directory.offsets]
    unlisted = list(_unlisted(source, form, directory.names_end, forms))
    try:
        components = read_components(source, directory)
    except NotDjvuError:
        return _nameless(form, directory, outline, forms, unlisted)
    is_page = [component.kind is ComponentKind.PAGE for component in components]
    pages = _places([found for found, page in zip(forms, is_page, strict=True) if page])
    listed = {place.form for place in pages}
    others = [found for found, page in zip(forms, is_page, strict=True) if not page]
    hidden = [f for f in others if f is not None and f.kind in PAGE_FORMS and f not in listed]
    return Layout(
        form=form,
        directory=directory,
        pages=pages,
        components=components,
        shared=_shared(components, forms),
        outline=outline,
        warnings=tuple(_disagreements(len(unlisted) + len(hidden), components, forms)),
    )


def _nameless(
    form: Chunk,
    directory: Directory,
    outline: Chunk | None,
    forms: Sequence[Chunk | None],
    unlisted: Sequence[Chunk],
) -> Layout:
    """Take whatever looks like a page: without its names a directory tells nothing of kinds."""
    pages = [found for found in forms if found is None or found.kind in PAGE_FORMS]
    return Layout(
        form=form,
        directory=directory,
        pages=_places([*pages, *unlisted]),
        outline=outline,
        warnings=("the page directory is damaged: names and titles of pages are lost",),
        is_counted=not unlisted and None not in forms,
    )


def _form_at(source: ByteSource, offset: int, limit: int) -> Chunk | None:
    chunk = read_chunk(source, offset, limit)
    return chunk if chunk is not None and chunk.kind.startswith("FORM:") else None


def _places(forms: Iterable[Chunk | None]) -> tuple[PagePlace, ...]:
    """Judge each page's place; a place that was given away already is nobody else's.

    DjVuLibre would show such a page again. But no program writes that, one flipped bit
    does, and it makes a small file a huge document.
    """
    first: dict[int, int] = {}
    places = []
    for number, form in enumerate(forms, 1):
        owner = number if form is None else first.setdefault(form.start, number)
        fault = _fault(form) if owner == number else LEADS_ELSEWHERE.format(owner)
        places.append(PagePlace(form=form, fault=fault))
    return tuple(places)


def _fault(form: Chunk | None) -> str:
    if form is None:
        return "nothing is where the directory says it is"
    if form.kind not in PAGE_FORMS:
        return f"a {ascii(form.kind)[1:-1]}, which is no page, is in its place"
    return "" if form.whole else CUT_OFF


def _unlisted(
    source: ByteSource, top: Chunk, start: int, forms: Sequence[Chunk | None]
) -> Iterator[Chunk]:
    """Yield the pages between the components that the directory leads to."""
    place = start
    known = sorted((form.start, form.end) for form in forms if form is not None)
    for begin, end in [*known, (top.end + FORM_BYTES, top.end)]:
        for chunk in walk(source, _even(place), begin - FORM_BYTES, max_chunks=_MAX_UNLISTED):
            if chunk.kind in PAGE_FORMS:
                yield chunk
        place = max(place, end)


def _even(place: int) -> int:
    return place + (place & 1)


def _shared(
    components: Sequence[Component], forms: Sequence[Chunk | None]
) -> dict[str, Chunk | None]:
    """Map what `INCL` may say to a place: ids first, then file names, titles last.

    A name that several components bear leads nowhere: shapes of another page would draw
    wrong letters.
    """
    found: dict[str, Chunk | None] = {}
    for names in (
        [component.id for component in components],
        [component.name for component in components],
        [component.title for component in components],
    ):
        level: dict[str, Chunk | None] = {}
        for name, form in zip(names, forms, strict=True):
            level[name] = form if level.get(name, form) == form else None
        found = level | found
    return found


def _disagreements(
    unlisted: int, components: Sequence[Component], forms: Sequence[Chunk | None]
) -> Iterator[str]:
    if unlisted:
        noun = "1 page" if unlisted == 1 else f"{unlisted} pages"
        yield f"{noun} in the file that the directory does not list as such: left out"
    names = [{component.id, component.name} for component in components]
    if len(set[str]().union(*names)) < sum(map(len, names)):
        yield "the directory gives several parts the same name: links may lead to the wrong one"
    if any(
        form is not None and _is_longer(form, component.size_bytes)
        for component, form in zip(components, forms, strict=True)
    ):
        yield "the directory gives parts a shorter length than they have"


def _is_longer(form: Chunk, size_bytes: int) -> bool:
    """Whether a component is longer than told; 0 says nothing, nor do 24 bits of a large one."""
    actual = form.end - form.start + FORM_BYTES
    return 0 < size_bytes < actual < _SIZE_LIMIT
