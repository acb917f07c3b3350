"""An object store as an `OutputStore`: parts lie on this disk, and are put there whole."""

from __future__ import annotations

import errno
import hashlib
import os
import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import structlog

from batch_converter.errors import OutputError, ServiceUnavailableError, UsageError
from batch_converter.objects import (
    ObjectAddress,
    ObjectChangedError,
    ObjectExistsError,
    ObjectLookup,
    StoreError,
    key_fault,
)
from batch_converter.output.checking import check_pdf
from batch_converter.output.files import sha256_of, temporary_folder, write_all, writing
from batch_converter.output.new_folders import NewFolders
from batch_converter.output.part_on_disk import PartOnDisk, PartPaths
from batch_converter.output.pdf_writer import PdfWriter
from batch_converter.output.store import OutputLook
from batch_converter.output.writability import check_writable, is_disk_failure
from batch_converter.threads import DiskThreads, LimitedThreads

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator
    from pathlib import Path

    from batch_converter.config import RetrySettings
    from batch_converter.models import StoredPdf
    from batch_converter.objects import ObjectClient
    from batch_converter.output.checking import CheckedPdf, Verify

log = structlog.get_logger()

_PUT_AT_ONCE: Final = 8
_LONGEST_KEY_BYTES: Final = 1024  # of S3, GCS and Azure alike
_DIGEST_LETTERS: Final = 32


class ObjectPdfs:
    """Objects below an address as PDFs; see `OutputStore`.

    An object appears whole: it is put there by one request, on the condition that nothing is
    there, or still the version that this ledger has put there. Where the answer is lost, or
    says that something is there, it is looked at: bytes with the same digest are the PDF.

    Args:
        root: Where they go.
        client: Puts them there.
        scratch_dir: Where parts lie; cleared by who holds it.
        state_dir: The ledger is there.
        threads: Where the disk is asked.
        retry: How often a PDF is put there where nobody knows what came of it.
        verify: How closely a PDF is looked at before it is put there.
        overwrite: Whether objects that this ledger did not write are replaced.
    """

    def __init__(
        self,
        *,
        root: ObjectAddress,
        client: ObjectClient,
        scratch_dir: Path,
        state_dir: Path,
        threads: DiskThreads,
        retry: RetrySettings,
        verify: Verify = "full",
        overwrite: bool = False,
    ) -> None:
        self._root = root
        self._client = client
        self._scratch_dir = scratch_dir
        self._state_dir = state_dir
        self._threads = threads
        self._retry = retry
        self._verify = verify
        self._overwrite = overwrite
        self._lookup = ObjectLookup(client, root.key)
        self._folders = NewFolders(scratch_dir)
        self._requests = LimitedThreads(DiskThreads(_PUT_AT_ONCE), at_once=_PUT_AT_ONCE)
        self._given_up = threading.Event()

    @property
    def location(self) -> str:
        """The address."""
        return str(self._root)

    def address(self, output: str) -> str:
        """Return a PDF's address."""
        return str(self._root.below(output))

    async def prepare(self) -> None:
        """Make sure that the store answers; a bucket is never made. Says where the ledger is.

        Raises:
            UsageError: There is no such bucket, or these credentials may not list it.
            ServiceUnavailableError: It cannot be reached.
        """
        await self._requests.run(self._prepare)
        log.info("run.state_dir", path=os.fspath(self._state_dir))

    def _prepare(self) -> None:
        try:
            next(self._client.list(self._root.key), None)
        except OSError as error:
            message = f"the output {self._root} cannot be used: {error.strerror}"
            if isinstance(error, StoreError) and error.is_passing:
                raise ServiceUnavailableError(message) from None
            raise UsageError(message) from None

    async def clear_parts(self, run_ids: Iterable[str], folders: Iterable[str]) -> int:
        """Clear nothing: in the store no run leaves parts, and here they are in scratch."""
        del run_ids, folders
        return 0

    @asynccontextmanager
    async def writer(
        self, output: str, *, known_etag: str | None = None
    ) -> AsyncIterator[PdfWriter]:
        """Give a document its part, on this disk; on leaving, it is removed.

        Raises:
            OutputError: No object can have the name.
        """
        self._check_name(output)
        part = self._part(output)
        disk = PartOnDisk(PartPaths(output=output, target=part, part=part), self._folders)

        async def put(pdf: StoredPdf) -> str | None:
            return await self._requests.run(self._put, output, known_etag, part, pdf)

        writer = PdfWriter(disk, self._verify, self._threads, put)
        try:
            yield writer
        finally:
            await writer.discard()

    def check_writable(self, output: str, *, source_bytes: int) -> float:
        """Find out whether a PDF could be written, before it is paid for: its part, and its name.

        Raises:
            OutputError: It could not.
        """
        self._check_name(output)
        return check_writable(
            self._part(output),
            root=self._scratch_dir,
            state_dir=self._state_dir,
            source_bytes=source_bytes,
        )

    def is_failing(self, error: OutputError) -> bool:
        """Whether the error says that no other PDF can be written either."""
        cause = error.__cause__
        if isinstance(cause, StoreError):
            return cause.errno == errno.EACCES
        return is_disk_failure(error, self._scratch_dir)

    def look(self, output: str) -> OutputLook:
        """Look at what has a PDF's address, as a listing tells it.

        Raises:
            ServiceUnavailableError: The store does not tell.
        """
        key = self._root.below(output).key
        if key_fault(key) is not None:
            return OutputLook()
        try:
            found = self._lookup.find(key)
        except OSError as error:
            raise ServiceUnavailableError(
                f"{self._root} cannot be listed: {error.strerror}"
            ) from None
        if found is None:
            return OutputLook()
        return OutputLook(size_bytes=found.size_bytes, mtime_ns=found.mtime_ns, etag=found.etag)

    def sha256(self, output: str) -> str:
        """Return the digest of a PDF in hexadecimal digits.

        Raises:
            OutputError: It cannot be read.
        """
        return sha256_of(self.pieces(output))

    def check(self, output: str) -> CheckedPdf:
        """Make sure that a PDF which is there is whole, by a copy.

        Raises:
            BadPdfError: It is none, or it has no pages.
            OutputError: It cannot be read.
        """
        with temporary_folder(self._scratch_dir) as folder:
            copy = folder / "copy.pdf"
            with writing(copy), copy.open("wb", buffering=0) as file:
                for piece in self.pieces(output):
                    write_all(file.fileno(), piece)
            return check_pdf(copy)

    def pieces(self, output: str) -> Iterator[memoryview]:
        """Yield the bytes of a PDF.

        Raises:
            OutputError: It cannot be read.
        """
        address = self._root.below(output)
        try:
            with self._client.opened(address.key) as (_, pieces):
                yield from pieces
        except OSError as error:
            raise OutputError(f"{address} cannot be read: {error.strerror}") from error

    def _check_name(self, output: str) -> None:
        address = self._root.below(output)
        fault = key_fault(address.key)
        if fault is None and len(address.key.encode()) > _LONGEST_KEY_BYTES:
            fault = f"its key has more than {_LONGEST_KEY_BYTES} bytes"
        if fault is not None:
            raise OutputError(f"no object can be called {str(address)!a}: {fault}")

    def _part(self, output: str) -> Path:
        digest = hashlib.sha256(os.fsencode(output)).hexdigest()[:_DIGEST_LETTERS]
        return self._scratch_dir / f"pdf-{digest}.part"

    def give_up(self, *, within_s: float) -> None:
        """Try nothing again, and wait no longer than that for requests under way.

        One that is left ends with the process. Where it comes through before, the next run
        knows the object by the digest that the ledger has.
        """
        self._given_up.set()
        self._requests.give_up(within_s=within_s)

    def _put(self, output: str, known_etag: str | None, part: Path, pdf: StoredPdf) -> str | None:
        """Put a verified part in its place; returns its ETag.

        Raises:
            OutputError: Something else is there, or the store does not take it.
        """
        address, waits = self._root.below(output), self._waits()
        self._lookup.forget()
        while True:
            try:
                return self._put_once(address.key, part, known_etag)
            except OSError as error:
                etag = self._etag_if_ours(address.key, pdf)
                if etag is not None:
                    return etag
                wait_s = next(waits, None) if _may_help(error) else None
                if wait_s is None or self._given_up.wait(wait_s):
                    raise self._refusal(address, error) from error

    def _put_once(self, key: str, part: Path, known_etag: str | None) -> str | None:
        etag = self._client.put(key, part, replaces=known_etag, overwrite=self._overwrite)
        return etag or self._client.head(key).etag

    def _waits(self) -> Iterator[float]:
        """Yield how long to wait before each further try."""
        wait_s = self._retry.initial_wait_s
        for _ in range(self._retry.request_attempts - 1):
            yield wait_s
            wait_s = min(2 * wait_s, self._retry.max_wait_s)

    def _etag_if_ours(self, key: str, pdf: StoredPdf) -> str | None:
        """Return the ETag of an object that has the PDF's very bytes: the answer was lost."""
        try:
            if self._client.head(key).size_bytes != pdf.size_bytes:
                return None
            with self._client.opened(key) as (status, pieces):
                found = sha256_of(pieces)
        except OSError:
            return None
        return status.etag if found == pdf.sha256 else None

    @staticmethod
    def _refusal(address: ObjectAddress, error: OSError) -> OutputError:
        if isinstance(error, ObjectExistsError | ObjectChangedError):
            return OutputError(
                f"{address} is there by now and this ledger did not write it; move it away, or use"
                " --overwrite always to replace it"
            )
        return OutputError(f"{address} could not be written: {error.strerror}")


def _may_help(error: OSError) -> bool:
    return isinstance(error, StoreError) and error.is_passing
