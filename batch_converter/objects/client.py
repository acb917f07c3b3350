"""One client for a bucket, a container or a web server: obstore, asked in threads.

obstore repeats what may be repeated (5xx, resets, answers that break off), with backoff.
All methods block. What is amiss is an `OSError` without any address or secret in it.
"""

from __future__ import annotations

import errno
import threading
import time
from contextlib import contextmanager, suppress
from datetime import timedelta
from math import ceil
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from batch_converter.errors import ServiceUnavailableError
from batch_converter.objects.address import ObjectAddress
from batch_converter.objects.failures import (
    ObjectChangedError,
    ObjectExistsError,
    StoreError,
    failure,
)
from batch_converter.objects.mapped_file import mapped_pieces
from batch_converter.objects.opening import load_obstore, open_store

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from types import ModuleType

    from batch_converter.config import RemoteSettings, RetrySettings

_PIECE_BYTES: Final = 1 << 17
_LISTED_AT_ONCE: Final = 1_000
_MOST_BYTES_AT_ONCE: Final = 5_000 << 20
"""S3 and GCS take 5 GiB, Azure 5,000 MiB."""

_PART_BYTES: Final = 64 << 20
_PARTS_AT_ONCE: Final = 2
_FINISHES_WITHIN_S: Final = 120
_SLOWEST_BYTES_PER_S: Final = 1 << 15
"""An upload is given time for its bytes at this rate: that it stalls cannot be seen."""


class ObjectStatus(NamedTuple):
    """An object as a listing, or a look at it, tells of it."""

    key: str
    size_bytes: int
    mtime_ns: int
    etag: str | None


class ObjectClient:
    """What is asked of one store.

    Args:
        base: Its address without any key.
        remote: How it is reached.
        retry: How often a request is tried, and how long the store may be away.

    Attributes:
        base: The address.
        most_bytes_at_once: What is longer is put there in parts.
    """

    def __init__(self, base: ObjectAddress, remote: RemoteSettings, retry: RetrySettings) -> None:
        self.base = base
        self.most_bytes_at_once = _MOST_BYTES_AT_ONCE
        self._remote = remote
        self._retry = retry
        self._obstore: ModuleType = load_obstore(base)
        self._stores: dict[int, Any] = {}
        self._lock = threading.Lock()
        self._answered_s = time.monotonic()
        self._reader = self._store(0)

    def _store(self, sent_bytes: int) -> Any:  # noqa: ANN401  # obstore's own, of several types
        """Return obstore's store; one of its own for bodies of so many bytes, for their time."""
        kind = sent_bytes.bit_length()
        with self._lock:
            if kind not in self._stores:
                seconds = _FINISHES_WITHIN_S + ceil((1 << kind) / _SLOWEST_BYTES_PER_S)
                self._stores[kind] = open_store(
                    self.base,
                    self._remote,
                    self._retry,
                    upload_timeout=timedelta(seconds=seconds) if sent_bytes else None,
                )
            return self._stores[kind]

    def head(self, key: str) -> ObjectStatus:
        """Look at an object.

        Raises:
            FileNotFoundError: There is none.
            OSError: The store does not tell.
        """
        try:
            with self._asking():
                return _status(self._obstore.head(self._reader, key))
        except FileNotFoundError:
            if self.base.is_listed:
                raise
        with self._asking():  # some web servers do not answer HEAD
            return _status(self._obstore.get(self._reader, key).meta)

    def list(self, prefix: str, *, after: str | None = None) -> Iterator[Sequence[ObjectStatus]]:
        """Yield what lies below a prefix in pages, in the order of UTF-8; all of it for none.

        Args:
            prefix: Without the slash at its end.
            after: A key that all that are listed come behind.

        Raises:
            OSError: The store does not tell, or holds what cannot be reached.
        """
        with self._asking():
            pages = iter(
                self._obstore.list(
                    self._reader, prefix or None, offset=after, chunk_size=_LISTED_AT_ONCE
                )
            )
        while True:
            with self._asking():
                page = next(pages, None)
            if page is None:
                return
            yield [_status(found) for found in page]

    def read(self, key: str, offset: int, count: int, *, etag: str | None = None) -> bytes:
        """Return a piece of an object, of this version where one is named; less only at its end.

        Raises:
            ObjectChangedError: It is another version.
            OSError: It cannot be read.
        """
        options: dict[str, Any] = {"range": (offset, offset + count)}
        if etag is not None:
            options["if_match"] = etag
        with self._asking():
            return bytes(self._obstore.get(self._reader, key, options=options).bytes())

    @contextmanager
    def opened(self, key: str) -> Iterator[tuple[ObjectStatus, Iterator[memoryview]]]:
        """Open an object; gives its status, and its bytes in pieces, all of one version.

        Raises:
            OSError: It cannot be read; also while its pieces are taken.
        """
        with self._asking():
            result = self._obstore.get(self._reader, key)
            status = _status(result.meta)
        yield status, self._pieces(result, status)

    def put(
        self, key: str, file: Path, *, replaces: str | None = None, overwrite: bool = False
    ) -> str | None:
        """Put a file there whole, where nothing is, in one request; returns its ETag.

        The file is mapped, not read: memory does not grow with it, and nothing of an upload
        that is broken off stays behind, as parts of a multipart upload would. One that is
        longer than stores take at once (5 GiB) goes in parts all the same, which are called
        off where one of them fails; whether anything is there is looked at before.

        Args:
            key: Of the object.
            file: Not empty; it must stay as it is meanwhile.
            replaces: The ETag of a version that may be there, and is replaced.
            overwrite: Anything that is there is replaced.

        Raises:
            ObjectExistsError: There is an object.
            ObjectChangedError: There is another version than the one to be replaced.
            OSError: It was not put there; where `is_passing`, perhaps it was.
        """
        size_bytes = file.stat().st_size
        mode = "overwrite" if overwrite else self._mode(key, replaces)
        if size_bytes > self.most_bytes_at_once:
            return self._put_in_parts(key, file, mode)
        with mapped_pieces(file) as pieces, self._asking():
            result = self._obstore.put(
                self._store(size_bytes), key, pieces, mode=mode, use_multipart=False
            )
        return result["e_tag"] or None

    def _mode(self, key: str, replaces: str | None) -> str | dict[str, str]:
        """Return obstore's word for what may be there; some want a version beside the ETag."""
        if replaces is None:
            return "create"
        try:
            with self._asking():
                meta = self._obstore.head(self._reader, key)
        except FileNotFoundError:
            return "create"
        if meta["e_tag"] != replaces:
            raise ObjectChangedError("there is another version", number=errno.ESTALE)
        version = {"version": meta["version"]} if meta["version"] is not None else {}
        return {"e_tag": replaces, **version}

    def _put_in_parts(self, key: str, file: Path, mode: str | dict[str, str]) -> str | None:
        if mode == "create":
            with suppress(FileNotFoundError):
                self.head(key)
                raise ObjectExistsError("there is such an object already", number=errno.EEXIST)
        with self._asking():
            result = self._obstore.put(
                self._store(_PART_BYTES),
                key,
                file,
                use_multipart=True,
                chunk_size=_PART_BYTES,
                max_concurrency=_PARTS_AT_ONCE,
            )
        return result["e_tag"] or None

    def _pieces(self, result: Any, status: ObjectStatus) -> Iterator[memoryview]:  # noqa: ANN401  # obstore's
        left = status.size_bytes
        stream = iter(result.stream(min_chunk_size=_PIECE_BYTES))
        while True:
            with self._asking():
                piece = next(stream, None)
            if piece is None:
                break
            left -= len(piece)
            yield memoryview(piece)
        if left:
            raise StoreError(
                "it is cut off: fewer or more bytes came than were told", is_passing=True
            )

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """Map what obstore raises; a store that is away for long ends the run.

        Raises:
            OSError: The request failed.
            ServiceUnavailableError: No request has succeeded for `retry.unavailable_after_s`.
        """
        try:
            yield
        except (self._obstore.exceptions.BaseError, FileNotFoundError, ValueError) as error:
            meant = failure(error)
        else:
            self._answered_s = time.monotonic()
            return
        if isinstance(meant, StoreError) and meant.is_passing:
            self._check_patience(meant)
        else:
            self._answered_s = time.monotonic()
        raise meant from None

    def _check_patience(self, meant: StoreError) -> None:
        silent_s = time.monotonic() - self._answered_s
        if silent_s >= self._retry.unavailable_after_s:
            raise ServiceUnavailableError(
                f"{self.base} did not answer one request in {silent_s:.0f} s: {meant.strerror}"
            ) from None


def _status(meta: Any) -> ObjectStatus:  # noqa: ANN401  # obstore's, a typed dictionary
    """Return what is told of an object; where nothing tells its version, it is a new one."""
    etag, seconds = meta["e_tag"] or None, int(meta["last_modified"].timestamp())
    is_told = bool(etag or seconds)
    return ObjectStatus(
        key=meta["path"],
        size_bytes=meta["size"],
        mtime_ns=seconds * 10**9 if is_told else time.time_ns(),
        etag=etag,
    )


class ObjectClients:
    """The clients of a run, one a store, made when they are first asked for; for threads."""

    def __init__(self, remote: RemoteSettings, retry: RetrySettings) -> None:
        self._remote = remote
        self._retry = retry
        self._clients: dict[str, ObjectClient] = {}
        self._lock = threading.Lock()

    def of(self, address: ObjectAddress) -> ObjectClient:
        """Return the client of a store.

        Raises:
            UsageError: The extra is not installed, or a setting makes no sense.
        """
        with self._lock:
            if address.base not in self._clients:
                base = ObjectAddress(scheme=address.scheme, place=address.place, key="")
                self._clients[address.base] = ObjectClient(base, self._remote, self._retry)
            return self._clients[address.base]
