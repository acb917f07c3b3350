"""Runs in bad weather, killed or not: a service of faults, and a log that is moved away."""

from __future__ import annotations

import json
from collections import Counter
from random import Random
from typing import TYPE_CHECKING, Final

from tests.soak.archives import CloudStage
from tests.support.cloud import Cloud, Reply
from tests.support.command import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.soak.lives import Life

_SHARE: Final = 0.15
_REQUESTS_A_TOKEN: Final = 25
"""More than are under way at once."""
_FAULTS: Final = (
    *(Reply(status=status) for status in (408, 425, 429, 500, 502, 503, 504)),
    Reply(status=503, body="<h1>Service Unavailable</h1>", headers={"Content-Type": "text/html"}),
    Reply(drop=True),
    Reply(drop=True, acts=True),
)


class StormyCloud(Cloud):
    """Fails a share of all requests, and lets tokens expire before their time.

    Attributes:
        lost: How often a document was taken in and its id did not arrive.
    """

    def __init__(self, chance: Random) -> None:
        super().__init__()
        self.lost: Counter[bytes] = Counter()
        self._chance = chance
        self._is_lost = False
        self._good_for = _REQUESTS_A_TOKEN

    def _next_reply(self, kind: str) -> Reply | None:
        self._is_lost = False
        self._expire(kind)
        if self._chance.random() >= _SHARE:
            return None
        reply = self._chance.choice(_FAULTS)
        self._is_lost = reply.acts
        return reply

    def _expire(self, kind: str) -> None:
        """Let tokens expire after some requests; a fresh one that is refused ends a run."""
        self._good_for -= kind != "token"
        if not self._good_for:
            self.revoke_tokens()
            self._good_for = _REQUESTS_A_TOKEN

    def take_in(self, document: bytes, settings: object = None) -> str:
        if self._is_lost:  # no other request has had its turn since
            self.lost[document] += 1
        return super().take_in(document, settings)


class WeatherStage(CloudStage):
    """`convert` in a storm: as without, and no line of its log is lost, or cut in two."""

    cloud: StormyCloud

    def __init__(self, folder: Path, chance: Random) -> None:
        super().__init__(folder, chance)
        self.env = {
            **self.env,
            "BATCH_CONVERTER_RETRY__REQUEST_ATTEMPTS": "20",
            "BATCH_CONVERTER_RETRY__MAX_ATTEMPTS": "20",
            "BATCH_CONVERTER_RETRY__MAX_WAIT_S": "0.05",
        }
        self._logs = self.place / "logs"
        self._log = self._logs / "log.jsonl"
        self._told = 0

    def make_cloud(self) -> Cloud:
        return StormyCloud(Random(self.chance.random()))

    def command(self) -> Sequence[str | Path]:
        return (*super().command(), "--log-file", self._log)

    def accompany(self, life: Life) -> None:
        """Move its log away, at any line, up to three times."""
        for _ in range(self.chance.randint(0, 3)):
            wait_until(lambda: life.is_over or self._log.exists(), "a line of the log")
            self.move_log()

    def move_log(self) -> None:
        """Give the log, if there is one, another name, as logrotate does."""
        if self._log.exists():
            self.played["logs moved away"] += 1
            self._log.rename(self._logs / f"log.{self.played['logs moved away']}.jsonl")

    def drive(self, life: Life) -> None:
        super().drive(life)
        told = self._told_conversions()
        if life.code == 0 and self.tells_all():
            converted = json.loads(life.said)["totals"]["converted"]
            assert told - self._told == converted, (told, self._told, converted)
        self._told = told

    def _told_conversions(self) -> int:
        """Return how many conversions all logs tell of; each line of them is whole."""
        told = 0
        for log in self._logs.glob("*.jsonl") if self._logs.exists() else ():
            for line in log.read_bytes().splitlines(keepends=True):
                told += self._event(log, line) == "file.converted"
        return told

    def _event(self, log: Path, line: bytes) -> str | None:
        """Return the event that a line tells of."""
        if self.may_be_cut(line):
            return None
        assert line.startswith(b"{"), (log, line)
        assert line.endswith(b"}\n"), (log, line)
        event: str = json.loads(line)["event"]
        return event

    def tells_all(self) -> bool:
        """Whether there was room for all that the last life had to log."""
        return True

    def may_be_cut(self, line: bytes) -> bool:
        """Whether the log may have a line that is not whole, and this is one."""
        del line
        return False

    def check_at_end(self, again: Callable[[], Life]) -> None:
        """Besides what a dead run may have sent, what the service has lost is paid again."""
        self.archive.maybe_sent.update(self.cloud.lost)
        super().check_at_end(again)
