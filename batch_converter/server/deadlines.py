"""How long a connection may keep the service waiting: pure, the time is an argument."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

_UNLIMITED: Final = float("inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """What the service waits for, and for how long.

    Attributes:
        header_s: For the headers of a request, from their first byte on.
        keep_alive_s: For the next request.
        least_bytes_per_s: Of bodies and of answers; 0 waits as long as anything moves.
        body_s: What a body may lag behind that rate.
        write_s: What the reader of an answer may lag behind it.
    """

    header_s: float
    keep_alive_s: float
    least_bytes_per_s: int
    write_s: float
    body_s: float = 20.0

    @property
    def sweep_s(self) -> float:
        """How often connections are to be looked at, so that each limit is kept well enough."""
        shortest_s = min(self.header_s, self.keep_alive_s, self.body_s, self.write_s)
        return min(1.0, shortest_s / 4)


class Overdue(Enum):
    """Why a connection is given up."""

    SILENT = auto()
    """No request came."""
    HEADERS = auto()
    """The headers of a request have begun and do not end."""
    BODY = auto()
    """The body comes too slowly."""
    ANSWER = auto()
    """The answer is not read."""


class Allowance:
    """Seconds that a transfer may be slow for: spent by waiting, earned by bytes that move.

    What is earned never exceeds the whole, so bytes that came fast are no credit for
    a long silence later.
    """

    def __init__(self, whole_s: float, least_bytes_per_s: int) -> None:
        self._whole_s = whole_s
        self._seconds_a_byte = 1 / least_bytes_per_s if least_bytes_per_s else _UNLIMITED
        self._left_s = whole_s

    def renew(self) -> None:
        """Begin anew."""
        self._left_s = self._whole_s

    def spend(self, seconds: float, moved_bytes: int) -> bool:
        """Account for a span of time; returns whether more than the whole is spent."""
        earned_s = moved_bytes * self._seconds_a_byte if moved_bytes else 0.0
        self._left_s = min(self._whole_s, self._left_s - seconds + earned_s)
        return self._left_s < 0


class ConnectionDeadlines:
    """Where one connection stands, and whether it is overdue.

    Between requests it owes the beginning of the next one, then its headers; during a
    request its body, and the reading of the answer.
    """

    def __init__(self, patience: Patience, now_s: float) -> None:
        self._patience = patience
        self._body = Allowance(patience.body_s, patience.least_bytes_per_s)
        self._answer = Allowance(patience.write_s, patience.least_bytes_per_s)
        self._in_request = False
        self._has_begun = False
        # A connection is opened to ask something: the first request is due at once.
        self._due_s = now_s + patience.header_s
        self._looked_s = now_s
        self._received_bytes = 0
        self._unsent_bytes = 0

    def received(self, size: int, now_s: float) -> None:
        """Bytes came."""
        self._received_bytes += size
        if not self._in_request and not self._has_begun:
            self._has_begun = True
            self._due_s = now_s + self._patience.header_s

    def request_began(self) -> None:
        """The headers are whole."""
        self._in_request = True
        self._has_begun = False
        self._received_bytes = 0
        self._body.renew()

    def request_ended(self, now_s: float) -> None:
        """The answer is written."""
        self._in_request = False
        self._has_begun = False
        self._due_s = now_s + self._patience.keep_alive_s

    def overdue(self, now_s: float, *, awaits_body: bool, unsent_bytes: int) -> Overdue | None:
        """Say what the connection is overdue with, if it is; to be asked every so often.

        Args:
            now_s: Monotonic.
            awaits_body: Whether a body is unfinished and the service would take more of it.
            unsent_bytes: What waits for the client to read.
        """
        seconds, self._looked_s = now_s - self._looked_s, now_s
        received, self._received_bytes = self._received_bytes, 0
        if self._is_unread(seconds, unsent_bytes):
            return Overdue.ANSWER
        if self._in_request:
            return Overdue.BODY if awaits_body and self._body.spend(seconds, received) else None
        if unsent_bytes or now_s < self._due_s:
            return None
        return Overdue.HEADERS if self._has_begun else Overdue.SILENT

    def _is_unread(self, seconds: float, unsent_bytes: int) -> bool:
        before, self._unsent_bytes = self._unsent_bytes, unsent_bytes
        if not before or not unsent_bytes or unsent_bytes > before:
            # Nothing waits, or more was written, which waits for what is there to be read.
            self._answer.renew()
            return False
        return self._answer.spend(seconds, before - unsent_bytes)
