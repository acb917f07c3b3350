"""The sink that an engine writes a PDF into, and the way from there to its name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import anyio

from batch_converter.models import StoredPdf
from batch_converter.output.backlog import Backlog
from batch_converter.output.checking import ANYTHING
from batch_converter.output.part_on_disk import Verification

if TYPE_CHECKING:
    from pathlib import Path

    from batch_converter.output.checking import Verify
    from batch_converter.output.expected import ExpectedPdf
    from batch_converter.output.part_on_disk import PartOnDisk
    from batch_converter.threads import DiskThreads

GiveName = Callable[[StoredPdf], Awaitable[str | None]]
"""Gives a verified part its name, and returns its ETag, where its store has those."""


class PdfWriter:
    """A document's part: a `PdfTarget` for the engine, and the way to the final name.

    `verify_and_sync`, then `publish`: between them the caller can record the digest of
    what is about to appear.
    """

    def __init__(
        self, disk: PartOnDisk, verify: Verify, threads: DiskThreads, give_name: GiveName
    ) -> None:
        self._disk = disk
        self._verify = verify
        self._threads = threads
        self._give_name = give_name
        self._verified: StoredPdf | None = None
        self._backlog = Backlog(disk.append, threads)
        self._is_done = False

    @property
    def path(self) -> Path:
        """Absolute path, for an engine whose worker writes the file itself."""
        return self._disk.paths.part

    async def create(self, *, source_bytes: int | None = None) -> None:
        """Make the file, empty, with its folder, so that another process can write it.

        The inode that the PDF needs is taken then.

        Args:
            source_bytes: Of the DjVu, where it is also seen that there is quota, before
                the PDF is paid for.

        Raises:
            NoRoomError: There is no inode, quota or block for it.
            OutputError: It cannot be made for another reason.
        """
        await self._threads.run(self._disk.create, source_bytes)

    async def restart(self) -> None:
        """Empty the part: what was written so far does not count.

        Raises:
            OutputError: The file cannot be emptied.
        """
        await self._backlog.drop()
        if self._disk.is_open:
            await self._threads.run(self._disk.empty)

    async def write(self, data: bytes) -> None:
        """Take a piece of any size; it is written and hashed while more arrive.

        Raises:
            OutputError: The disk is full or gone, now or for an earlier piece.
        """
        await self._backlog.put(data)

    async def verify_and_sync(
        self,
        *,
        expected: ExpectedPdf = ANYTHING,
        keeps_other_pages: bool = False,
        mtime_ns: int | None = None,
    ) -> StoredPdf:
        """Check that the part is a whole PDF, and bring it to the disk under its part name.

        Args:
            expected: What is known of the DjVu.
            keeps_other_pages: A PDF with another number of pages is told of among the
                differences, and is no error.
            mtime_ns: The time of change that the PDF is to have.

        Returns:
            What `publish` will put in place.

        Raises:
            BadPdfError: It is no whole PDF; `restart` allows for another try.
            PageMismatchError: It has other pages than the DjVu, and that is not kept.
            OutputError: The disk is full or gone.
        """
        wanted = Verification(
            verify=self._verify,
            expected=expected,
            keeps_other_pages=keeps_other_pages,
            mtime_ns=mtime_ns,
        )
        rest = await self._backlog.rest()
        pdf = await self._threads.run(self._disk.verify_and_sync, wanted, rest)
        self._verified = pdf
        return pdf

    async def publish(self) -> StoredPdf:
        """Give the verified part its final name, replacing what stands there, durably.

        Cancellation waits until it has ended.

        Returns:
            What was verified, with what its store tells it by.

        Raises:
            OutputError: It did not get the name, or the disk does not say that it
                keeps it; then the PDF may stand there all the same.
        """
        if self._verified is None:
            raise RuntimeError("a part is verified before it is published")
        with anyio.CancelScope(shield=True):
            etag = await self._give_name(self._verified)
        return replace(self._verified, etag=etag)

    async def discard(self) -> None:
        """Remove the part if it has no other name now; cancellation waits, nothing is raised."""
        if not (self._is_done or self._disk.is_published):
            self._is_done = True
            with anyio.CancelScope(shield=True):
                await self._backlog.drop()
                await self._threads.start(self._disk.discard)
