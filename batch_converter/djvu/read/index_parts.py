"""The files that an indirect DjVu consists of, beside its index and nowhere else.

A page that is missing is asked for. What no page's picture needs may be gone: thumbnails,
annotations, and shapes that no page includes.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from batch_converter.djvu.read.directory import ComponentKind
from batch_converter.djvu.read.iff import chunk_data, open_source, read_top_form
from batch_converter.djvu.read.layout import LEADS_ELSEWHERE, PAGE_FORMS
from batch_converter.djvu.read.page_form import (
    PICTURE_KINDS,
    asks_for_shapes,
    included_name,
    read_page_form,
)
from batch_converter.errors import NotDjvuError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from batch_converter.djvu.read.directory import Component

_SHOWN_NAMES: Final = 5
_NO_PICTURES: Final = frozenset(
    {ComponentKind.PAGE, ComponentKind.THUMBNAILS, ComponentKind.SHARED_ANNOTATIONS}
)
"""Kinds that hold nothing that another page's picture needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexPart:
    """A component of an indirect document.

    Attributes:
        path: Its file; empty where there is none, or where it is damaged and no page.
        fault: What is the matter with a page's file; empty where it can be read.
    """

    component: Component
    path: str
    fault: str = ""

    @property
    def is_page(self) -> bool:
        """Whether the directory lists it as a page."""
        return self.component.kind is ComponentKind.PAGE


def find_parts(
    index_name: str, folder: str, components: Sequence[Component]
) -> tuple[IndexPart, ...]:
    """Find the file of each component: by its id as DjVuLibre does, or by its name.

    Raises:
        NotDjvuError: A page is missing, or what a page cannot be drawn without; the
            message names them.
    """
    parts = tuple(_once_each(_found(folder, component) for component in components))
    missing = [part.component for part in parts if part.is_page and not part.path]
    missing += _needed(parts)
    if missing:
        raise NotDjvuError(
            f"{index_name} is an index; put its parts beside it: {shown_names(missing)}"
        )
    return parts


def shown_names(components: Sequence[Component]) -> str:
    """Name components for people, the first few of them."""
    shown = ", ".join(ascii(c.name)[1:-1] for c in components[:_SHOWN_NAMES])
    more = len(components) - _SHOWN_NAMES
    return f"{shown} and {more} more" if more > 0 else shown


def is_beside(folder: str, name: str) -> bool:
    """Whether a part of that name lies in the folder; a name that leads elsewhere never does."""
    return is_plain(name) and os.path.isfile(os.path.join(folder, name))  # noqa: PTH113, PTH118  # a path as str, its bytes kept


def is_plain(name: str) -> bool:
    """Whether a name is that of a file, and leads to no other folder."""
    return bool(name) and name not in {".", ".."} and not {"/", "\\", "\0"}.intersection(name)


def _found(folder: str, component: Component) -> IndexPart:
    name = next((n for n in (component.id, component.name) if is_beside(folder, n)), None)
    if name is None:
        return IndexPart(component=component, path="")
    path = os.path.join(folder, name)  # noqa: PTH118  # surrogates
    fault = _fault(path, is_page=component.kind is ComponentKind.PAGE)
    if fault and component.kind is not ComponentKind.PAGE:
        return IndexPart(component=component, path="")
    return IndexPart(component=component, path=path, fault=fault)


def _once_each(parts: Iterable[IndexPart]) -> Iterator[IndexPart]:
    """Mark pages whose file stands for an earlier page, as `layout` does in a bundle."""
    first: dict[str, int] = {}
    number = 0
    for part in parts:
        number += part.is_page
        owner = first.setdefault(part.path, number) if part.is_page and part.path else number
        yield part if owner == number else replace(part, fault=LEADS_ELSEWHERE.format(owner))


def _fault(path: str, *, is_page: bool) -> str:
    try:
        with open_source(path) as source:
            form = read_top_form(source)
            if is_page and form.kind not in PAGE_FORMS:
                return f"{source.name} is a {ascii(form.kind)[1:-1]} and no page"
    except NotDjvuError as error:
        return str(error)
    return ""


def _needed(parts: Sequence[IndexPart]) -> list[Component]:
    """Return what is gone although a page needs it for its picture."""
    gone = [p.component for p in parts if not p.path and p.component.kind not in _NO_PICTURES]
    if not gone:
        return []
    paths = {name: part.path for part in parts if part.path for name in _names(part.component)}
    pages = [part.path for part in parts if part.is_page and not part.fault]
    needs = {name for path in pages for name in _needs(path, paths)}
    return [component for component in gone if not needs.isdisjoint(_names(component))]


def _names(component: Component) -> tuple[str, str, str]:
    return component.id, component.name, component.title


def _needs(page: str, paths: Mapping[str, str]) -> set[str]:
    """Return what a page includes and is not there, where its picture may be in it."""
    looks: list[_Look] = []
    waiting, seen = [page], {page}
    while waiting:
        looks.append(_look_into(waiting.pop()))
        further = {paths[name] for name in looks[-1].includes & paths.keys()} - seen
        waiting += further
        seen |= further
    kinds = set().union(*(look.kinds for look in looks))
    asks = any(look.asks_for_shapes for look in looks) and "Djbz" not in kinds
    absent = set().union(*(look.includes for look in looks)) - paths.keys()
    return absent if asks or kinds.isdisjoint(PICTURE_KINDS) else set()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """What a part is made of: its chunks' kinds, the names that it includes, its mask's need."""

    kinds: frozenset[str]
    includes: frozenset[str]
    asks_for_shapes: bool


def _look_into(path: str) -> _Look:
    with open_source(path) as source:
        chunks = read_page_form(source, read_top_form(source)).chunks
        return _Look(
            kinds=frozenset(chunk.kind for chunk in chunks),
            includes=frozenset(
                included_name(chunk_data(source, c)) for c in chunks if c.kind == "INCL"
            ),
            asks_for_shapes=any(
                asks_for_shapes(source.at(c.start, 1)) for c in chunks if c.kind == "Sjbz"
            ),
        )
