"""Whether the service can do its work, and what keeps it from it."""

from __future__ import annotations

import structlog

_log = structlog.get_logger()


class Health:
    """What troubles the machine, one sentence a place; nothing where all is well."""

    def __init__(self) -> None:
        self._troubles: dict[str, str] = {}

    @property
    def reasons(self) -> list[str]:
        """Why the service is degraded; empty of one that is well."""
        return list(dict.fromkeys(self._troubles.values()))

    def report(self, place: str, reason: str) -> None:
        """Note that something does not work; it is logged once until it is another, or over."""
        if self._troubles.get(place) != reason:
            _log.error("server.degraded", place=place, reason=reason)
        self._troubles[place] = reason

    def clear(self, place: str) -> None:
        """Note that it works again."""
        if self._troubles.pop(place, None) is not None:
            _log.info("server.recovered", place=place)
