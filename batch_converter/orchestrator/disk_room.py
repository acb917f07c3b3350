"""Room on the disk that is spoken for: by documents that are out, until they are stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from batch_converter.output import wanted_bytes

if TYPE_CHECKING:
    from batch_converter.models import Document
    from batch_converter.output import OutputStore, PdfWriter
    from batch_converter.threads import DiskThreads


class DiskRoom:
    """Gives each document its room before it costs anything, one document at a time.

    Many documents that would fit each by itself need not fit together.

    Args:
        pdfs: Where PDFs are stored.
        threads: Where the disk is asked.
    """

    def __init__(self, pdfs: OutputStore, threads: DiskThreads) -> None:
        self._pdfs = pdfs
        self._threads = threads
        self._promised: dict[int, int] = {}
        self._turn = anyio.Lock()
        self._freed = anyio.Event()

    async def take(self, document: Document, writer: PdfWriter) -> None:
        """Take the room for a PDF, waiting for those that will be done with theirs.

        Raises:
            NoRoomError: There is no inode or quota for one more PDF.
            OutputError: It could not be written even if it were alone.
        """
        if document.id in self._promised:
            await self._threads.run(self._has_room, document, 0)
            return
        async with self._turn:
            freed = self._freed
            while not await self._threads.run(self._has_room, document, self._sum):
                await freed.wait()
                freed = self._freed
            self._promised[document.id] = wanted_bytes(document.size_bytes)
        await writer.create(source_bytes=document.size_bytes)

    async def look(self, document: Document) -> None:
        """Look once more whether what is about to be fetched can be stored.

        Raises:
            OutputError: It cannot, now.
        """
        await self._threads.run(self._has_room, document, 0)

    def release(self, document_id: int) -> None:
        """The document is stored, or needs its room no more."""
        if self._promised.pop(document_id, None) is not None:
            freed, self._freed = self._freed, anyio.Event()
            freed.set()

    @property
    def _sum(self) -> int:
        return sum(self._promised.values())

    def _has_room(self, document: Document, promised_bytes: int) -> bool:
        return self._pdfs.check_writable(
            document.output, source_bytes=document.size_bytes, promised_bytes=promised_bytes
        )
