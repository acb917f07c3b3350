"""Where an address of a DjVu leads: to a page of it, or out of it.

The order of what a name may be is that of DjVuLibre's `ddjvu_document_search_pageno`
and djview4: a page's id, its title, its file's name, and only then its number.
"""

from __future__ import annotations

import re
import string
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote_to_bytes

from pikepdf import Dictionary, Name

from batch_converter.djvu.read.directory import ComponentKind
from batch_converter.djvu.read.encodings import Letters

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from batch_converter.djvu.read.directory import Component

_NUMBER: Final = re.compile(r"([-+$]?)0*([0-9]{1,6})", re.ASCII)
_ARGUMENTS: Final = re.compile("[&;]")
_PAGE_ARGUMENTS: Final = {"page": "", "pageno": "$"}
_SHOWN_ADDRESSES: Final = 3
_SHOWN_LETTERS: Final = 40


class Destinations:
    """Finds the page that an address within the document names."""

    def __init__(self, components: Iterable[Component], page_count: int, encoding: str) -> None:
        pages = [c for c in components if c.kind is ComponentKind.PAGE][:page_count]
        letters = Letters(encoding)
        self._page_count = page_count
        self._letters = Letters(encoding)
        self._titles = [letters.name(c.title) for c in pages]
        self._unsure = letters.warnings()
        self._named = [
            _indices(letters.name(c.id) for c in pages),
            _indices(self._titles),
            _indices(letters.name(c.name) for c in pages),
        ]
        self._has_label = [c.title not in {c.id, c.name} for c in pages]

    def is_inside(self, url: str) -> bool:
        """Whether an address is one within the document, though it may lead nowhere."""
        return url.startswith("#") or _page_argument(url) is not None or self._is_page_id(url)

    def page_index(self, url: str, *, current: int = 0) -> int | None:
        """Return the 0-based page that an address within the document leads to, or None.

        `#name`, `#number`, `#$number`, `#+n`, `#-n`, `?page=name` with other arguments of
        djview4 before or behind it, and a page's file by its name. Of pages with one
        title that is meant which comes next after `current`.
        """
        argument = _page_argument(url)
        if argument is not None:
            return self._page(argument, current)
        name = url.removeprefix("#")
        found = self._page(name, current)
        if found is None and url.startswith("#"):
            short = name.split("?", 1)[0]
            found = self._page(short.removeprefix("page="), current)
        return found

    def labels(self) -> Iterator[tuple[int, str]]:
        """Yield index and label of each page, where the document labels its pages at all.

        A title that is the page's id, as every page has one by default, is no label.
        """
        if len(self._titles) == self._page_count and any(self._has_label):
            for index, (title, is_label) in enumerate(
                zip(self._titles, self._has_label, strict=True)
            ):
                yield index, title if is_label and title else str(index + 1)

    def warnings(self) -> list[str]:
        """Tell of page titles in no known encoding."""
        return [f"the page titles hold {told}" for told in self._unsure]

    def _is_page_id(self, url: str) -> bool:
        ids, _, names = self._named
        return bool(url) and not url.isdecimal() and (url in ids or url in names)

    def _page(self, name: str, current: int) -> int | None:
        for spelling in filter(None, (name, self._letters.text(unquote_to_bytes(name)))):
            for names in self._named:
                if indices := names.get(spelling):
                    return next((i for i in indices if i >= current), indices[0])
        return self._numbered(name, current)

    def _numbered(self, name: str, current: int) -> int | None:
        match = _NUMBER.fullmatch(name)
        if match is None:
            return None
        sign, number = match[1], int(match[2])
        if sign in {"+", "-"}:  # the next page of the last one is the last one, as in djview4
            index = current + (number if sign == "+" else -number)
            return min(max(index, 0), self._page_count - 1)
        return number - 1 if 1 <= number <= self._page_count else None


def _indices(names: Iterable[str]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for index, name in enumerate(names):
        found.setdefault(name, []).append(index)
    return found


def _page_argument(url: str) -> str | None:
    """Return what page `?djvuopts&page=3&zoom=100` names, or None; `pageno` is a number always."""
    if not url.startswith("?"):
        return None
    for part in _ARGUMENTS.split(url[1:]):
        key, _, value = part.partition("=")
        if key.lower() in _PAGE_ARGUMENTS:
            return _PAGE_ARGUMENTS[key.lower()] + value
    return None


def uri_action(url: str) -> Dictionary:
    """Return what opens an address elsewhere; a PDF has them in ASCII (ISO 32000-1, 12.6.4.7)."""
    return Dictionary(S=Name.URI, URI=quote(url, safe=string.punctuation, errors="replace"))


def dead_ends(kind: str, urls: Sequence[str]) -> list[str]:
    """Say how many bookmarks or links lead nowhere, and where the first were to lead."""
    if not urls:
        return []
    shown = ", ".join(ascii(url[:_SHOWN_LETTERS])[1:-1] for url in urls[:_SHOWN_ADDRESSES])
    more = ", …" if len(urls) > _SHOWN_ADDRESSES else ""
    if len(urls) == 1:
        return [f"a {kind} leads to a page that is not there ({shown})"]
    return [f"{len(urls)} {kind}s lead to pages that are not there ({shown}{more})"]
