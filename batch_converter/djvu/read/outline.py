"""The table of contents of a DjVu, read and written without recursion, however deep it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pikepdf import Array, Dictionary, Name, Object, Pdf, String

from batch_converter.djvu.read.bzz import BzzError, BzzTooLargeError, decompress
from batch_converter.djvu.read.links import dead_ends, uri_action

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batch_converter.djvu.read.encodings import Letters
    from batch_converter.djvu.read.links import Destinations

_MAX_BYTES: Final = 32 << 20
_MAX_PACKED_BYTES: Final = 6 << 20
MAX_DEPTH: Final = 500
_MAX_BOOKMARKS: Final = 200_000
_LENGTH_BYTES: Final = 3


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
    """A part of the table of contents is lost; `found` is what stood before it."""

    def __init__(self, message: str, found: Sequence[Bookmark]) -> None:
        super().__init__(message)
        self.found = tuple(found)


def read_outline(data: bytes, letters: Letters) -> tuple[Bookmark, ...]:
    """Read the bookmarks of a `NAVM` chunk in reading order.

    Their number has 16 bits: of 100,000 bookmarks DjVuLibre writes all, counts 34,464, and
    shows no more. So whole ones behind the last that is counted are bookmarks too.

    Raises:
        OutlineError: It is damaged, or too large; the message is a sentence.
    """
    if not data:
        return ()
    flaw = "too large" if len(data) > _MAX_PACKED_BYTES else ""
    try:
        plain = b"" if flaw else decompress(data, max_bytes=_MAX_BYTES)
    except BzzTooLargeError as error:
        plain, flaw = error.found, "too large"
    except BzzError as error:
        plain, flaw = error.found, "damaged"
    count = int.from_bytes(plain[:2], "big")
    found, end = _bookmarks(plain, letters)
    if flaw or len(found) < count or len(plain) < 2:  # noqa: PLR2004  # the count itself
        lost = f"the bookmarks are {flaw or 'damaged'}"
        raise OutlineError(f"{lost}: {len(found)} of {count} are kept" if found else lost, found)
    if plain[end:].strip(b"\0"):
        raise OutlineError(f"the bookmarks are damaged behind the first {len(found)}", found)
    return tuple(found)


def _bookmarks(plain: bytes, letters: Letters) -> tuple[list[Bookmark], int]:
    """Read all whole bookmarks, each with how many children follow it; tells where they end."""
    count = int.from_bytes(plain[:2], "big")
    last = len(plain.rstrip(b"\0"))  # zeros alone are no bookmarks, but what fills up
    found: list[Bookmark] = []
    remaining = [count]
    place = 2
    while place < (len(plain) if len(found) < count else last) and len(found) < _MAX_BOOKMARKS:
        children = plain[place]
        title, end = _text(plain, place + 1)
        url, end = _text(plain, end)
        if end > len(plain):
            break
        place = end
        while len(remaining) > 1 and remaining[-1] == 0:
            remaining.pop()
        remaining[-1] -= 1
        depth = len(remaining) - 1
        found.append(Bookmark(depth=depth, title=letters.text(title), url=letters.text(url)))
        remaining.append(children)
    return found, place


def _text(plain: bytes, place: int) -> tuple[bytes, int]:
    start = place + _LENGTH_BYTES
    end = start + int.from_bytes(plain[place:start], "big")
    return plain[start:end], end


def write_outline(
    pdf: Pdf,
    bookmarks: Sequence[Bookmark],
    destinations: Destinations,
    *,
    max_depth: int = MAX_DEPTH,
) -> list[str]:
    """Add the table of contents, all of it unfolded; returns what was lost of it.

    Bookmarks deeper than `max_depth` levels stand beside each other there: viewers read
    outlines by recursion, and would overflow.
    """
    if not bookmarks:
        return []
    root = pdf.make_indirect(Dictionary(Type=Name.Outlines))
    tree = _Tree(root)
    pages = [page.obj for page in pdf.pages]
    dead: list[str] = []
    for bookmark in bookmarks:
        item = pdf.make_indirect(Dictionary(Title=String(bookmark.title)))
        if not _lead(item, bookmark.url, destinations, pages):
            dead.append(bookmark.url)
        tree.add(item, min(bookmark.depth, max_depth))
    tree.close()
    pdf.Root.Outlines = root
    lost = dead_ends("bookmark", dead)
    flat = sum(bookmark.depth > max_depth for bookmark in bookmarks)
    if flat:
        lost.append(f"{flat} bookmarks deeper than {max_depth} levels are kept at that depth")
    return lost


def _lead(item: Object, url: str, destinations: Destinations, pages: Sequence[Object]) -> bool:
    """Let a bookmark lead to its target; tells whether there is one, or none is wanted."""
    if not url:
        return True
    if not destinations.is_inside(url):
        item.A = uri_action(url)
        return True
    index = destinations.page_index(url)
    if index is None:
        return False
    item.Dest = Array([pages[index], Name.Fit])
    return True


class _Tree:
    """Links outline items as they come, each with its depth."""

    def __init__(self, root: Object) -> None:
        self._open = [root]
        self._last: list[Object | None] = [None]
        self._counts = [0]

    def add(self, item: Object, depth: int) -> None:
        """Append an item; no deeper than one below the item before it."""
        while len(self._open) > depth + 1:
            self._close_one()
        parent, before = self._open[-1], self._last[-1]
        item.Parent = parent
        if before is None:
            parent.First = item
        else:
            before.Next, item.Prev = item, before
        parent.Last = item
        self._last[-1] = item
        self._counts[-1] += 1
        self._open.append(item)
        self._last.append(None)
        self._counts.append(0)

    def close(self) -> None:
        """Write what is still open."""
        while self._open:
            self._close_one()

    def _close_one(self) -> None:
        item = self._open.pop()
        self._last.pop()
        count = self._counts.pop()
        if count:
            item.Count = count
        if self._counts:
            self._counts[-1] += count
