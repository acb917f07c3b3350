"""Objects looked up in a listing, where many are asked for in about its order.

A page of the listing answers for a thousand keys, be they there or not. Only the last
pages are remembered, so that memory does not grow with the store.
"""

from __future__ import annotations

import threading
from collections import deque
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from batch_converter.objects.client import ObjectClient, ObjectStatus

_REMEMBERED_PAGES: Final = 8
_PAGES_AHEAD: Final = 4
"""What lies further on is not waited for: a listing is begun there."""


class _Page(NamedTuple):
    """What a listing told of the keys behind `after`, up to `last`; None is the end of all.

    Stores list in the order of the keys' UTF-8.
    """

    after: bytes
    last: bytes | None
    found: Mapping[str, ObjectStatus]

    def covers(self, key: bytes) -> bool:
        return self.after < key and (self.last is None or key <= self.last)


class ObjectLookup:
    """Looks up objects below a prefix; blocks, for threads.

    Args:
        client: Of the store.
        prefix: What all keys begin with, without the slash at its end.
    """

    def __init__(self, client: ObjectClient, prefix: str) -> None:
        self._client = client
        self._prefix = prefix
        self._pages: deque[_Page] = deque(maxlen=_REMEMBERED_PAGES)
        self._listing: Iterator[Sequence[ObjectStatus]] | None = None
        self._reached = b""
        self._is_ordered = True
        self._lock = threading.Lock()

    def find(self, key: str) -> ObjectStatus | None:
        """Return an object as the listing has it; None where it has none.

        Raises:
            OSError: The store does not tell.
            ServiceUnavailableError: It has not answered for long.
        """
        with self._lock:
            raw = key.encode()
            while self._is_ordered:
                page = next((page for page in self._pages if page.covers(raw)), None)
                if page is not None:
                    return page.found.get(key)
                self._go_to(key)
        return self._head(key)

    def forget(self) -> None:
        """Forget what was listed: it is not like that any more."""
        with self._lock:
            self._pages.clear()
            self._listing = None

    def _go_to(self, key: str) -> None:
        """List on until a page covers the key, from shortly before it where that is far."""
        raw = key.encode()
        for _ in range(_PAGES_AHEAD):
            if self._listing is None or raw <= self._reached:
                break
            if self._take_page().covers(raw):
                return
        before = key[:-1]
        self._listing, self._reached = (
            self._client.list(self._prefix, after=before),
            before.encode(),
        )
        while self._is_ordered and not self._take_page().covers(raw):
            pass

    def _take_page(self) -> _Page:
        listed = self._listed_page()
        keys = [status.key.encode() for status in listed]
        after, last = self._reached, keys[-1] if keys else None
        self._is_ordered &= all(one < other for one, other in pairwise((after, *keys)))
        page = _Page(after, last, {status.key: status for status in listed})
        self._pages.append(page)
        if last is None:
            self._listing = None
        else:
            self._reached = last
        return page

    def _listed_page(self) -> Sequence[ObjectStatus]:
        """Return the next page, an empty one at the end; a listing that breaks off is no end."""
        if self._listing is None:
            return ()
        try:
            return next(self._listing, ())
        except BaseException:
            self._listing = None
            raise

    def _head(self, key: str) -> ObjectStatus | None:
        try:
            return self._client.head(key)
        except FileNotFoundError:
            return None
