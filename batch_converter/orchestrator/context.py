"""What every document of a run shares."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from batch_converter.orchestrator.admission import AdmissionOrder

if TYPE_CHECKING:
    from pathlib import Path

    from batch_converter.clock import Clock
    from batch_converter.config import Settings
    from batch_converter.engines.base import Engine
    from batch_converter.events import EventStream
    from batch_converter.ledger import Ledger
    from batch_converter.orchestrator.calls import CallBook
    from batch_converter.orchestrator.disk_room import DiskRoom
    from batch_converter.orchestrator.poll_schedule import PollSchedule
    from batch_converter.output import OutputStore
    from batch_converter.sources import SourceStores
    from batch_converter.storage import ScratchFolder
    from batch_converter.threads import DiskThreads, LimitedThreads


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    """The parts that a run was wired from.

    Attributes:
        events: Tells observers what happens.
        calls: Records requests; gives each document its own recorder.
        polling: When tasks are asked for; of no use to a converter.
        sources: Where documents lie; they also tell what is inside, which nobody else in
            this process reads.
        pdfs: Where PDFs get their names.
        scratch: Where the bundled forms of indirect documents lie, and copies.
        threads: Where the disk is asked.
        preflight: Where the answers of the disk, and of inspectors, are waited for.
        fetching: Where those of other stores are.
        disk_room: For what is about to be paid for.
        move_dir: Where sources go whose PDF is there; None where they stay.
        order: In which documents are let in and submitted.
    """

    settings: Settings
    engine: Engine
    ledger: Ledger
    calls: CallBook
    polling: PollSchedule
    sources: SourceStores
    pdfs: OutputStore
    scratch: ScratchFolder
    threads: DiskThreads
    clock: Clock
    events: EventStream
    preflight: LimitedThreads
    fetching: LimitedThreads
    disk_room: DiskRoom
    move_dir: Path | None = None
    order: AdmissionOrder = field(default_factory=AdmissionOrder)

    def preflight_of(self, path: str) -> LimitedThreads:
        """Return where it is waited for what is said of a document at this address."""
        return self.preflight if self.sources.is_on_disk(path) else self.fetching

    def give_up(self, *, within_s: float) -> None:
        """The run stops: for other stores than the disk it waits no longer than that."""
        self.sources.give_up()
        self.fetching.give_up(within_s=within_s)
        self.pdfs.give_up(within_s=within_s)
