"""What every document of a run shares."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from batch_converter.orchestrator.order import LeftOut, Line, Wakeups
from batch_converter.orchestrator.preflight import Shelf
from batch_converter.threads import DiskThreads

if TYPE_CHECKING:
    from pathlib import Path

    import anyio

    from batch_converter.clock import Clock
    from batch_converter.config import Settings
    from batch_converter.engines.base import Engine
    from batch_converter.ledger import Ledger
    from batch_converter.orchestrator.meter import LedgerMeter
    from batch_converter.output import PartFolder
    from batch_converter.polling import PollPolicy
    from batch_converter.progress import Tally


_PREFLIGHT_THREADS: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    """The parts that a run was wired from.

    Attributes:
        service: What the policy's lessons are about: another service, other lessons.
        parts_dir: Where part files lie; the bundled forms of indirect documents too.
        pollers: Status requests at once.
        wakeups: Of documents between two polls.
        left_out: Documents whose task an earlier run left at the service.
        line: Documents on their way to their first submission.
        preflight: Where sources are looked at and hashed.
        shelf: What of them waits there to be sent.
    """

    settings: Settings
    engine: Engine
    ledger: Ledger
    meter: LedgerMeter
    policy: PollPolicy
    parts: PartFolder
    clock: Clock
    tally: Tally
    service: str
    output_dir: Path
    parts_dir: Path
    pollers: anyio.CapacityLimiter
    wakeups: Wakeups = field(default_factory=Wakeups)
    left_out: LeftOut = field(default_factory=LeftOut)
    line: Line = field(default_factory=Line)
    preflight: DiskThreads = field(default_factory=lambda: DiskThreads(_PREFLIGHT_THREADS))
    shelf: Shelf = field(default_factory=Shelf)

    def bundle_path(self, document_id: int) -> Path:
        """Return where the bundled form of a document goes; cleared like any part."""
        return self.parts_dir / f"bundle-{document_id}.part"
