"""The table of contents of a DjVu, and what its links lead to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from batch_converter.djvu.bzz import BzzError, decompress
from batch_converter.djvu.directory import ComponentKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from batch_converter.djvu.directory import Component

_MAX_BYTES: Final = 4 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Bookmark:
    """A line of the table of contents.

    Attributes:
        depth: 0 for the top level.
    """

    depth: int
    title: str
    url: str


class OutlineError(ValueError):
    """The table of contents is damaged; `found` is what stood before the flaw."""

    def __init__(self, found: Sequence[Bookmark]) -> None:
        super().__init__("damaged")
        self.found = tuple(found)


def read_outline(data: bytes) -> tuple[Bookmark, ...]:
    """Read the bookmarks of a `NAVM` chunk in reading order.

    Raises:
        OutlineError: It is damaged.
    """
    found: list[Bookmark] = []
    if not data:
        return ()
    try:
        plain = decompress(data, max_bytes=_MAX_BYTES)
    except BzzError as error:
        raise OutlineError(found) from error
    remaining = [int.from_bytes(plain[:2], "big")]
    place = 2
    while len(found) < int.from_bytes(plain[:2], "big"):
        if place >= len(plain):
            raise OutlineError(found)
        children = plain[place]
        title, place = _text(plain, place + 1)
        url, place = _text(plain, place)
        while len(remaining) > 1 and remaining[-1] == 0:
            remaining.pop()
        remaining[-1] -= 1
        found.append(Bookmark(depth=len(remaining) - 1, title=title, url=url))
        remaining.append(children)
    return tuple(found)


def _text(plain: bytes, place: int) -> tuple[str, int]:
    start = place + 3
    end = start + int.from_bytes(plain[place:start], "big")
    return plain[start:end].decode("utf-8", "replace"), end


class Destinations:
    """Finds the page that an address within the document names."""

    def __init__(self, components: Iterable[Component], page_count: int) -> None:
        pages = [c for c in components if c.kind is ComponentKind.PAGE]
        self._page_count = page_count
        self._by_id = {c.id: i for i, c in reversed(list(enumerate(pages)))}
        self._by_title = {c.title: i for i, c in reversed(list(enumerate(pages)))}
        self._by_name = {c.name: i for i, c in reversed(list(enumerate(pages)))}

    def page_index(self, url: str, *, current: int = 0) -> int | None:
        """Return the 0-based page of `#id`, `#number`, `#+n`, `#-n` or `#title`, or None.

        Ids win over numbers, numbers over titles, as in DjVuLibre's viewers.
        """
        name = url.removeprefix("#").split("?", 1)[0]
        if name in self._by_id:
            return self._by_id[name]
        number = self._number(name, current)
        if number is not None:
            return number
        return self._by_title.get(name, self._by_name.get(name))

    def _number(self, name: str, current: int) -> int | None:
        digits = name.lstrip("+-")
        if not (digits.isascii() and digits.isdecimal()) or len(digits) > len("65535"):
            return None
        sign = {"+": 1, "-": -1}.get(name[0])
        index = int(digits) - 1 if sign is None else current + sign * int(digits)
        return index if 0 <= index < self._page_count else None


def labels(components: Iterable[Component], page_count: int) -> Iterator[tuple[int, str]]:
    """Yield index and label of each page, where the document labels its pages at all.

    A title that is the page's id, as every page has one by default, is no label.
    """
    pages = [c for c in components if c.kind is ComponentKind.PAGE]
    named = [c.title if c.title not in {c.id, c.name} else "" for c in pages]
    if len(pages) != page_count or not any(named):
        return
    for index, label in enumerate(named):
        yield index, label or str(index + 1)
