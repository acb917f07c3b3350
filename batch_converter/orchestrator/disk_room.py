"""Room on the disk that is spoken for: by documents that are out, until they are stored."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import anyio

from batch_converter.output import wanted_bytes

if TYPE_CHECKING:
    from batch_converter.clock import Clock
    from batch_converter.models import Document
    from batch_converter.output import OutputStore, PdfWriter
    from batch_converter.threads import DiskThreads

LOOK_LIFETIME_S: Final = 1.0
"""How long a look at the disk holds for all whose PDFs go into the same folder.

With a look of its own for each document, a small one took 1.4 times the processor time
(`benchmarks.scale`, 1,000 files of 30 kB).
"""


@dataclass(slots=True, kw_only=True)
class _Look:
    """What was free below a folder at a moment, less what was promised then and is stored since."""

    folder: str
    until_s: float
    spare_bytes: float


class DiskRoom:
    """Gives each document its room before it costs anything, one document at a time.

    Many documents that would fit each by itself need not fit together.

    Args:
        pdfs: Where PDFs are stored.
        threads: Where the disk is asked.
        clock: Ends what a look is good for.
    """

    def __init__(self, pdfs: OutputStore, threads: DiskThreads, clock: Clock) -> None:
        self._pdfs = pdfs
        self._threads = threads
        self._clock = clock
        self._promised: dict[int, int] = {}
        self._promised_bytes = 0  # of all; summed up anew for each, thousands would cost much
        self._latest: _Look | None = None
        self._turn = anyio.Lock(fast_acquire=True)
        self._freed = anyio.Event()

    async def take(self, document: Document, writer: PdfWriter) -> None:
        """Take the room for a PDF, waiting for those that will be done with theirs.

        Raises:
            NoRoomError: There is no inode or quota for one more PDF.
            OutputError: It could not be written even if it were alone.
        """
        if document.id in self._promised:
            await self.look(document)
            return
        async with self._turn:
            before, freed = self._latest, self._freed
            while not await self._fits(document, beside_bytes=self._promised_bytes):
                await freed.wait()
                freed = self._freed
            self._promised[document.id] = wanted_bytes(document.size_bytes)
            self._promised_bytes += self._promised[document.id]
            is_new_look = self._latest is not before
        await writer.create(source_bytes=document.size_bytes if is_new_look else None)

    async def look(self, document: Document) -> None:
        """Look once more whether what is about to be fetched can be stored.

        Raises:
            OutputError: It cannot, now.
        """
        await self._fits(document, beside_bytes=0)

    async def _fits(self, document: Document, *, beside_bytes: int) -> bool:
        """Whether there is room beside what others need: by a new look, where the last says no."""
        needed_bytes = beside_bytes + wanted_bytes(document.size_bytes)
        if needed_bytes <= self._known_spare_bytes(document):
            return True
        until_s = self._clock.monotonic_s() + LOOK_LIFETIME_S
        spare_bytes = await self._threads.run(
            self._pdfs.check_writable, document.output, source_bytes=document.size_bytes
        )
        self._latest = _Look(folder=_folder(document), until_s=until_s, spare_bytes=spare_bytes)
        return needed_bytes <= spare_bytes

    def _known_spare_bytes(self, document: Document) -> float:
        """Return what the last look found, where it still holds for this document."""
        known = self._latest
        if known is None or known.folder != _folder(document):
            return -math.inf
        return known.spare_bytes if self._clock.monotonic_s() < known.until_s else -math.inf

    def release(self, document_id: int) -> None:
        """The document is stored, or needs its room no more."""
        promised_bytes = self._promised.pop(document_id, None)
        if promised_bytes is None:
            return
        self._promised_bytes -= promised_bytes
        if self._latest is not None:
            self._latest.spare_bytes -= promised_bytes  # a new look tells whether it was used
        freed, self._freed = self._freed, anyio.Event()
        freed.set()


def _folder(document: Document) -> str:
    return document.output.rpartition("/")[0]
