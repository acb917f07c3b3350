"""What crosses between a run and the workers of a cluster: plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batch_converter.djvu.jobs.options import ConvertOptions
    from batch_converter.engines.dask.shared_files import SourceFacts
    from batch_converter.engines.dask.wishes import Wishes

_PLACE_BYTES: Final = 4

TOPIC: Final = "batch-converter"
"""Where workers tell what they do, beside the results of tasks; of all runs, for a scheduler
keeps the last lines of each topic that there ever was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a PDF, or a part of one, is to stand.

    Attributes:
        path: The run's part file, which holds `word` until the PDF takes its place.
        word: A random one.
    """

    path: str
    word: str

    def new_place(self) -> str:
        """Name a file beside it that nobody else writes.

        A worker that was given up for lost may still be at work, on the same order even.
        """
        return f"{self.path}.{token_hex(_PLACE_BYTES)}.part"

    def is_place(self, path: str) -> bool:
        """Whether a path is one that `new_place` gives: nothing else is moved or removed."""
        beside = path.removeprefix(f"{self.path}.")
        return beside != path and "/" not in beside


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One task of a cluster.

    Attributes:
        key: The task's name, of which there is never a second one.
        document: Tells documents apart, also those of other runs.
        kind: `document`, `part` or `assemble`.
        details: Of the kind.
        page_timeout_s: Patience for each page.
        is_alone: Whether nothing else of any run may be under way on that worker.
    """

    key: str
    document: str
    wishes: Wishes
    kind: str
    options: ConvertOptions
    page_timeout_s: float
    source: SourceFacts
    target: Target
    details: Mapping[str, Any] = field(default_factory=dict)
    is_alone: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of a task.

    Attributes:
        told: What the process that converts has told, its failure under `error`; None where
            nothing was converted.
        place: The file that was written; empty where none was.
        size_bytes: Its length.
        held_by: The worker from which it is to be fetched; None where the run sees it.
        refusal: Why the worker may not convert for this run.
        worker: Its address, of one that may not.
        stalled: What the worker waited for in vain, or lacks; no document is at fault.
        is_elsewhere: Whether the worker does not see the parts that it should put together.
    """

    told: Mapping[str, Any] | None = None
    place: str = ""
    size_bytes: int = 0
    held_by: str | None = None
    refusal: str | None = None
    worker: str = ""
    stalled: str | None = None
    is_elsewhere: bool = False
