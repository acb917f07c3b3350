"""Objects of a store, or of a web server, as a `SourceStore`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch_converter.errors import ServiceUnavailableError, UsageError
from batch_converter.naming import is_djvu_name
from batch_converter.objects import ObjectAddress, ObjectClients, StoreError
from batch_converter.sources.object_inspector import ObjectInspector
from batch_converter.sources.object_walk import ObjectWalk, Place
from batch_converter.storage import SourceStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from batch_converter.config import Settings
    from batch_converter.discovery import Selection
    from batch_converter.djvu.work.inspection import DjvuInspector
    from batch_converter.objects import ObjectClient, ObjectStatus


class ObjectSources:
    """Objects under one scheme of addresses; see `SourceStore`.

    Args:
        settings: How stores are reached, and how often a request is tried.
        files: Reads copies.
        scratch: Returns the folder of copies, once one is made.

    Attributes:
        inspector: Looks inside copies.
    """

    def __init__(
        self, settings: Settings, files: DjvuInspector, scratch: Callable[[], Path]
    ) -> None:
        self._clients = ObjectClients(settings.remote, settings.retry)
        self._places: dict[str, Place] = {}
        self.inspector = ObjectInspector(self._clients.of, files, scratch)

    def check(self, given: str) -> None:
        """Make sure that an object is there, or anything below its address.

        A whole bucket may be empty, as a folder may.

        Raises:
            UsageError: Nothing is there, or the store refuses to tell.
            ServiceUnavailableError: The store cannot be reached.
        """
        address = ObjectAddress.parse(given)
        try:
            place = self._remembered(address)
        except StoreError as error:
            if error.is_passing:
                raise ServiceUnavailableError(f"{given}: {error.strerror}") from None
            raise UsageError(f"the source {given!r} cannot be used: {error.strerror}") from None
        except OSError as error:
            raise UsageError(f"the source {given!r} cannot be used: {error.strerror}") from None
        if place.is_nothing:
            raise UsageError(f"the source {given!r} cannot be used: nothing is there")

    def root(self, given: str) -> str | None:
        """Return the address that all below it begin with; None of an object."""
        address = ObjectAddress.parse(given)
        return str(address) if self._remembered(address).itself is None else None

    def walk(self, selection: Selection, *, excluded_dirs: Collection[str]) -> ObjectWalk:
        """Begin a search."""
        del excluded_dirs  # they are on the disk
        return ObjectWalk(selection, self._clients.of, self._place)

    def exists(self, path: str) -> bool:
        """Whether there is such an object; one that cannot be asked for may be there."""
        try:
            self.status(path)
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return True

    def status(self, path: str) -> SourceStatus:
        """Look at an object."""
        address = ObjectAddress.parse(path)
        return _source_status(self._clients.of(address).head(address.key))

    def open(self, path: str) -> ObjectBytes:
        """Open an object, to be read in pieces of the version that it has now."""
        address = ObjectAddress.parse(path)
        return ObjectBytes(self._clients.of(address), address.key)

    def give_up(self) -> None:
        """Copy no object to its end any more."""
        self.inspector.give_up()

    def _remembered(self, address: ObjectAddress) -> Place:
        """Return what stands at the address of a source that was named, asked for once."""
        path = str(address)
        if path not in self._places:
            self._places[path] = self._looked_up(address)
        return self._places[path]

    def _place(self, address: ObjectAddress) -> Place:
        """Return the same of any source; those of a list may be millions, and are not remembered.

        Raises:
            OSError: The store does not tell; or it has none, and lists nothing either.
        """
        return self._places.get(str(address)) or self._looked_up(address)

    def _looked_up(self, address: ObjectAddress) -> Place:
        """Look for an object where the name is that of a DjVu, else first below the address."""
        client = self._clients.of(address)
        if not address.is_listed:
            return Place(itself=client.head(address.key))
        is_checked = is_djvu_name(address.name) and bool(address.key)
        itself = _object(client, address) if is_checked else None
        if itself is not None or next(client.list(address.key), None):
            return Place(itself=itself)
        if address.key and not is_checked:
            itself = _object(client, address)
        return Place(itself=itself, is_nothing=bool(address.key) and itself is None)


def _object(client: ObjectClient, address: ObjectAddress) -> ObjectStatus | None:
    try:
        return client.head(address.key)
    except FileNotFoundError:
        return None


class ObjectBytes:
    """An object that is open; see `SourceBytes`."""

    def __init__(self, client: ObjectClient, key: str) -> None:
        self._client = client
        self._key = key
        self._status = client.head(key)

    def at(self, offset: int, count: int) -> bytes:
        """Return at most `count` bytes; none only at the end.

        Raises:
            ObjectChangedError: The object is another version by now.
        """
        count = min(count, self._status.size_bytes - offset)
        if count <= 0:
            return b""
        return self._client.read(self._key, offset, count, etag=self._status.etag)

    def status(self) -> SourceStatus:
        """Look at what has its key now."""
        return _source_status(self._client.head(self._key))

    def close(self) -> None:
        """Nothing is held."""


def _source_status(status: ObjectStatus) -> SourceStatus:
    return SourceStatus(status.size_bytes, status.mtime_ns, status.etag)
