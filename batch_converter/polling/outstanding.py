"""A document that is out at the service, and all that is known of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from batch_converter.polling.base import Answer


@dataclass(slots=True, kw_only=True)
class OutstandingDocument:
    """A document out at the service; `Predictive` alone changes it, the others read.

    Attributes:
        document_id: The caller's number of it.
        sequence: Its number in the order of submission, from 0.
        submitted_at_s: When it went out.
        pages: Its pages, or an estimate.
        relative_work: Work that it brings; a document of twenty pages brings 1.
        queue_starts: For each number of servers of the `QueueModel`, the work that each
            server has done when this document is started.
        queue_position: Documents out when it was submitted, itself included.
        unfinished_at_s: When it was last found unfinished; None was not polled yet.
        processing_since_s: When it was first found being worked on.
        overtaken: Later documents were served before it, so it tells nothing of the queue.
        outlier: It outlived nearly all others, so it tells nothing of them.
        next_check_at_s: When it is to be polled, or planned again.
    """

    document_id: int
    sequence: int
    submitted_at_s: float
    pages: float
    relative_work: float
    queue_starts: tuple[float, ...]
    queue_position: int
    unfinished_at_s: float | None = None
    processing_since_s: float | None = None
    overtaken: bool = False
    outlier: bool = False
    next_check_at_s: float = math.inf

    @property
    def last_known_at_s(self) -> float:
        """When it was last known to be unfinished: at its submission, or when polled."""
        return self.submitted_at_s if self.unfinished_at_s is None else self.unfinished_at_s

    def found_unfinished(self, answer: Answer, at_s: float) -> None:
        """Take in an answer other than that it has ended."""
        self.unfinished_at_s = at_s
        if answer is Answer.PROCESSING and self.processing_since_s is None:
            self.processing_since_s = at_s
