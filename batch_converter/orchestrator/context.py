"""What every document of a run shares."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from batch_converter.orchestrator.admission import AdmissionOrder
from batch_converter.orchestrator.disk_room import DiskRoom
from batch_converter.threads import DiskThreads

if TYPE_CHECKING:
    from pathlib import Path

    from batch_converter.clock import Clock
    from batch_converter.config import Settings
    from batch_converter.engines.base import Engine
    from batch_converter.events import EventStream
    from batch_converter.ledger import Ledger
    from batch_converter.orchestrator.calls import CallBook
    from batch_converter.orchestrator.poll_schedule import PollSchedule
    from batch_converter.output import PartFolder


_PREFLIGHT_THREADS: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    """The parts that a run was wired from.

    Attributes:
        events: Tells observers what happens.
        calls: Records requests; gives each document its own recorder.
        polling: When tasks are asked for; of no use to a converter.
        parts_dir: Where part files lie; the bundled forms of indirect documents too.
        order: In which documents are let in and submitted.
        preflight: Where sources are looked at and hashed.
        disk_room: For what is about to be paid for.
    """

    settings: Settings
    engine: Engine
    ledger: Ledger
    calls: CallBook
    polling: PollSchedule
    parts: PartFolder
    clock: Clock
    events: EventStream
    output_dir: Path
    parts_dir: Path
    order: AdmissionOrder = field(default_factory=AdmissionOrder)
    preflight: DiskThreads = field(default_factory=lambda: DiskThreads(_PREFLIGHT_THREADS))
    disk_room: DiskRoom = field(init=False)

    def __post_init__(self) -> None:
        """Let the disk be asked where sources are looked at."""
        object.__setattr__(self, "disk_room", DiskRoom(self.parts, self.preflight))  # it is frozen

    def bundle_path(self, document_id: int) -> Path:
        """Return where the bundled form of a document goes; cleared like any part."""
        return self.parts_dir / f"bundle-{document_id}.part"
