"""What a run needs of the place where its PDFs go: the disk keeps this contract, as others can."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from contextlib import AbstractAsyncContextManager

    from batch_converter.errors import OutputError
    from batch_converter.output.checking import CheckedPdf
    from batch_converter.output.pdf_writer import PdfWriter


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputLook:
    """What stands under a PDF's name.

    Attributes:
        size_bytes: Of the file; None where there is none.
        mtime_ns: When it was last changed; 0 where there is none.
        etag: What an object store tells its versions apart by; None on a disk.
        obstacle: What keeps a PDF from that name, one clause; None for nothing.
    """

    size_bytes: int | None = None
    mtime_ns: int = 0
    etag: str | None = None
    obstacle: str | None = None


class OutputStore(Protocol):
    """Where PDFs appear whole or not at all; `output` is a PDF's path below it.

    What is no coroutine blocks, and is called in a thread.
    """

    @property
    def location(self) -> str:
        """What logs and messages call it."""
        ...

    def address(self, output: str) -> str:
        """Return what messages call a PDF in it."""
        ...

    async def prepare(self) -> None:
        """Make it ready, once a run.

        Raises:
            UsageError: It cannot be used.
        """
        ...

    async def clear_parts(self, run_ids: Iterable[str], folders: Iterable[str]) -> int:
        """Remove what dead runs of this ledger left in these folders, and nothing else."""
        ...

    def writer(
        self, output: str, *, known_etag: str | None = None
    ) -> AbstractAsyncContextManager[PdfWriter]:
        """Give a document its part; on leaving, what was not published is removed.

        Args:
            output: The PDF's path; one has one writer at a time.
            known_etag: Of the PDF that this ledger has put there before; an object store
                replaces that one and no other.

        Raises:
            OutputError: The name would leave the store.
        """
        ...

    def check_writable(self, output: str, *, source_bytes: int) -> float:
        """Find out whether a PDF could be written; return how many bytes PDFs may take.

        Raises:
            OutputError: It could not.
        """
        ...

    def is_failing(self, error: OutputError) -> bool:
        """Whether the error says that no other PDF can be written either."""
        ...

    def look(self, output: str) -> OutputLook:
        """Look at what stands under a PDF's name; what cannot be looked at is not there.

        Raises:
            ServiceUnavailableError: Nothing can be looked at: the store does not answer.
        """
        ...

    def pieces(self, output: str) -> Iterator[bytes | memoryview]:
        """Yield the bytes of a PDF.

        Raises:
            OutputError: It cannot be read; see `unread_reason`.
        """
        ...

    def sha256(self, output: str) -> str:
        """Return the digest of a PDF in hexadecimal digits.

        Raises:
            OutputError: It cannot be read.
        """
        ...

    def check(self, output: str) -> CheckedPdf:
        """Make sure that a PDF which is there is whole.

        Raises:
            BadPdfError: It is none, or it has no pages.
            OutputError: It cannot be read.
        """
        ...

    def give_up(self, *, within_s: float) -> None:
        """The run stops: what takes long by itself, such as a request, ends with an error then."""
        ...
