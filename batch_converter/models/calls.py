"""Requests to a service: their kinds, how they end, what they cost."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class CallKind(StrEnum):
    """The endpoints whose requests are counted; all but `token` are billed."""

    TOKEN = "token"  # noqa: S105  # the endpoint's name, no secret
    SUBMIT = "submit"
    POLL = "poll"
    CANCEL = "cancel"


class CallOutcome(StrEnum):
    """How a request ended.

    `ANSWERED` was carried out, `REFUSED` was not (Aspose: any HTTP status but 2xx).
    `UNSENT` never reached the service and is not billed. `LOST` went out and no
    whole answer came back.
    """

    ANSWERED = "answered"
    REFUSED = "refused"
    LOST = "lost"
    UNSENT = "unsent"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiCalls:
    """Requests that left, by endpoint; those that never reached it do not count."""

    token: int = 0
    submit: int = 0
    poll: int = 0
    cancel: int = 0

    @property
    def billed(self) -> int:
        """Requests that reached the conversion endpoint, answered or not."""
        return self.submit + self.poll + self.cancel


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What the user said that a billed call costs; None where nothing was said."""

    per_call: float | None = None
    currency: str | None = None

    def of(self, calls: ApiCalls) -> float | None:
        """Return what the calls cost."""
        return None if self.per_call is None else calls.billed * self.per_call
