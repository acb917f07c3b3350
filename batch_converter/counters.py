"""Where a run stands, counted from its events: for displays and for programs that watch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from batch_converter.events import (
    BudgetSet,
    CallsCounted,
    DiscoveryEnded,
    DocumentAdmitted,
    DocumentReleased,
    FileConverted,
    FileDiscovered,
    FileFailed,
    FileSkipped,
    FileWarned,
    KnownFailure,
)

if TYPE_CHECKING:
    from batch_converter.events import RunEvent


@dataclass(slots=True, kw_only=True)
class RunCounters:
    """Where a run stands: an observer of its events, read at any moment.

    Attributes:
        discovering: True while `found` may still grow.
        known_failures: Those of `failed` that an earlier run had tried.
        with_warnings: Those of `converted` with something said beside the PDF.
        in_flight: Documents handed to the engine and not ended.
        bytes_in: Bytes of the DjVu files that ended in a PDF.
        bytes_out: Bytes of those PDFs.
        pages: Pages of those PDFs, where they are known.
        max_api_calls: Billed calls that the run may make; None is no limit.
    """

    found: int = 0
    converted: int = 0
    skipped: int = 0
    failed: int = 0
    known_failures: int = 0
    with_warnings: int = 0
    in_flight: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    pages: int = 0
    api_calls_billed: int = 0
    max_api_calls: int | None = None
    discovering: bool = True

    @property
    def newly_failed(self) -> int:
        """Files that failed in this run."""
        return self.failed - self.known_failures

    @property
    def worked_off(self) -> int:
        """Files that took work in this run and have ended."""
        return self.converted + self.newly_failed

    @property
    def done(self) -> int:
        """Files that need nothing more."""
        return self.converted + self.failed + self.skipped

    def observe(self, event: RunEvent) -> None:
        """Count an event."""
        match event:
            case FileDiscovered():
                self.found += 1
            case DiscoveryEnded():
                self.discovering = False
            case FileSkipped():
                self.skipped += 1
            case DocumentAdmitted():
                self.in_flight += 1
            case DocumentReleased():
                self.in_flight -= 1
            case CallsCounted(calls=calls):
                self.api_calls_billed += calls
            case BudgetSet(limit=limit):
                self.max_api_calls = limit
            case _:
                self._observe_end(event)

    def _observe_end(self, event: RunEvent) -> None:
        match event:
            case FileConverted(bytes_in=bytes_in, bytes_out=bytes_out, pages=pages):
                self.converted += 1
                self.pages += pages or 0
                self.bytes_in += bytes_in
                self.bytes_out += bytes_out
            case FileWarned():
                self.with_warnings += 1
            case FileFailed():
                self.failed += 1
                self.known_failures += isinstance(event, KnownFailure)
            case _:
                pass
