"""A walk over object stores: listed in pages, filtered by name, nothing asked of an object."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import structlog

from batch_converter.config import STATE_DIR_NAME
from batch_converter.discovery import (
    HEAD_BYTES,
    UnreadableSource,
    is_head_of_document,
    wanted_output,
)
from batch_converter.errors import UsageError
from batch_converter.models import SourceFile
from batch_converter.naming import is_djvu_name, is_hidden_name
from batch_converter.objects import ObjectAddress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from batch_converter.discovery import Found, Selection
    from batch_converter.objects import ObjectClient, ObjectStatus

log = structlog.get_logger()


class Place(NamedTuple):
    """What stands at the address of a source: an object, or what lies below it.

    Attributes:
        itself: The object of just this address; None where it is what others begin with.
        is_nothing: There is neither.
    """

    itself: ObjectStatus | None = None
    is_nothing: bool = False


class ObjectWalk:
    """A walk over objects; see `SourceWalk`.

    Hidden names are passed over as on a disk, wherever they stand between slashes.

    Args:
        selection: What is meant.
        client_of: Returns who is asked.
        place_of: Looks what stands at an address.
    """

    def __init__(
        self,
        selection: Selection,
        client_of: Callable[[ObjectAddress], ObjectClient],
        place_of: Callable[[ObjectAddress], Place],
    ) -> None:
        self._selection = selection
        self._client_of = client_of
        self._place_of = place_of
        self._hidden = 0

    def source(self, given: str) -> Iterator[Found]:
        """Yield the object of this address, else those below it."""
        try:
            address = ObjectAddress.parse(given)
            place = self._place_of(address)
        except UsageError as error:
            yield _unreadable(given, given, str(error))
        except OSError as error:
            yield _unreadable(given, given, f"{given} cannot be read: {error.strerror}")
        else:
            yield from self._at(given, address, place)

    def _at(self, given: str, address: ObjectAddress, place: Place) -> Iterator[Found]:
        if place.is_nothing:
            yield _unreadable(given, str(address), f"{given} cannot be read: nothing is there")
        elif place.itself is None:
            yield from self._below(given, address)
        elif self._wants(address.name, place.itself):
            yield _file(given, address, address.name, place.itself)

    def rest(self) -> Iterator[Found]:
        """Yield nothing: stores have no links. Tells how much was passed over."""
        if self._hidden:
            log.debug("discovery.hidden_passed_over", count=self._hidden)
        return iter(())

    def _below(self, given: str, root: ObjectAddress) -> Iterator[Found]:
        try:
            for page in self._client_of(root).list(root.key):
                for status in page:
                    yield from self._taken(given, root, status)
        except OSError as error:
            message = f"{given} cannot be listed: {error.strerror}; see to it and run again"
            yield _unreadable(given, str(root), message)

    def _taken(self, given: str, root: ObjectAddress, status: ObjectStatus) -> Iterator[Found]:
        source = status.key[len(root.key) :].lstrip("/") if root.key else status.key
        is_named = is_djvu_name(source)
        if not (is_named or self._selection.by_content) or self._is_left_out(source):
            return
        if not self._wants(source, status):
            return
        found = _file(given, root.below(source), source, status)
        is_taken = self._is_there if is_named else self._begins_like_a_document
        if is_taken(root, status):
            yield found

    def _wants(self, source: str, status: ObjectStatus) -> bool:
        return self._selection.wants(source) and self._selection.wants_status(
            size_bytes=status.size_bytes, mtime_ns=status.mtime_ns
        )

    def _is_left_out(self, source: str) -> bool:
        names = source.split("/")
        if not self._selection.hidden and any(map(is_hidden_name, names)):
            self._hidden += STATE_DIR_NAME not in names
            return True
        folders = ("/".join(names[:count]) for count in range(1, len(names)))
        return STATE_DIR_NAME in names or any(map(self._selection.prunes, folders))

    def _is_there(self, root: ObjectAddress, status: ObjectStatus) -> bool:
        """Whether it is an object and not the mark of a folder, an empty one called `x.djvu/`.

        obstore leaves the slash at its end out.
        """
        if status.size_bytes:
            return True
        try:
            self._client_of(root).head(status.key)
        except FileNotFoundError:
            return False
        except OSError:
            return True  # who reads it tells what is amiss
        return True

    def _begins_like_a_document(self, root: ObjectAddress, status: ObjectStatus) -> bool:
        if not status.size_bytes:
            return False
        client = self._client_of(root)
        try:
            return is_head_of_document(client.read(status.key, 0, HEAD_BYTES, etag=status.etag))
        except OSError:
            return False  # gone or replaced since it was listed, and no DjVu by its name


def _file(given: str, address: ObjectAddress, source: str, status: ObjectStatus) -> SourceFile:
    return SourceFile(
        path=str(address),
        source_root=given,
        source=source,
        wanted_output=wanted_output(source),
        size_bytes=status.size_bytes,
        mtime_ns=status.mtime_ns,
        etag=status.etag,
    )


def _unreadable(given: str, path: str, message: str) -> UnreadableSource:
    return UnreadableSource(path=path, source_root=given, source=given, message=message)
