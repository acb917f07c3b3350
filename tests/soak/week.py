"""Weeks of a nightly run, each in minutes: storms, expired results, clocks, full disks, kills."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from datetime import UTC, datetime
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Final

from tests.soak.filling_disk import FillingDisk
from tests.soak.lives import KILLED
from tests.soak.passing_time import KEPT_HOURS, Clocks
from tests.soak.weather import StormyCloud, WeatherStage
from tests.support import stepping_clock
from tests.support.command import wait_until
from tests.support.killing import Archive

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.soak.lives import Life
    from tests.soak.passing_time import Step
    from tests.support.cloud import Cloud

_MARGIN_HOURS: Final = 0.1
"""How exactly is known what a life's clock shows when it looks: lives take seconds."""


class _ForgetfulCloud(StormyCloud):
    """Loses each document a day after it came in, by its own clock.

    Attributes:
        lost_tasks: What it has lost, by its id.
    """

    clocks: Clocks

    def __init__(self, chance: Random) -> None:
        super().__init__(chance)
        self.lost_tasks: dict[str, bytes] = {}
        self._born_hours: dict[str, float] = {}

    def take_in(self, document: bytes, settings: object = None) -> str:
        task_id = super().take_in(document, settings)
        self._born_hours[task_id] = self.clocks.true_hours
        return task_id

    def lose_what_is_old(self) -> None:
        for task_id, task in list(self.tasks.items()):
            born_hours = self._born_hours.get(task_id, self.clocks.true_hours)
            if self.clocks.true_hours - born_hours >= KEPT_HOURS:
                self.lost_tasks[task_id] = task.document
                del self.tasks[task_id]


class _ExpiringArchive(Archive):
    """Documents whose tasks may be submitted again, once their results are gone."""

    def _is_settled(self, state: str, task_id: str | None) -> bool:
        del task_id
        return state == "converted"

    def on_record(self) -> list[tuple[str, bytes, datetime]]:
        """Return tasks of documents that have no PDF: their ids, documents, and when begun."""
        rows = self._rows(
            "SELECT task_id, path, submitted_at FROM document"
            " WHERE task_id IS NOT NULL AND state <> 'converted'"
        )
        return [
            (task_id, self._document(path), datetime.fromtimestamp(submitted_at, UTC))
            for task_id, path, submitted_at in rows
        ]


class WeekStage(WeatherStage):
    """`convert` through a week: as in a storm, and nothing is paid twice that is still kept."""

    cloud: _ForgetfulCloud
    archive: _ExpiringArchive
    archive_class = _ExpiringArchive
    killed_within = 2.0

    def __init__(self, folder: Path, chance: Random) -> None:
        super().__init__(folder, chance)
        self._clocks = Clocks(Random(chance.random()), self.played)
        self.cloud.clocks = self._clocks
        self._length_s = 1.0
        self._owed: dict[str, tuple[bytes, int]] = {}
        self._taken_for_gone: dict[str, bytes] = {}

    def make_cloud(self) -> Cloud:
        return _ForgetfulCloud(Random(self.chance.random()))

    def make_place(self) -> Path:
        chance = Random(self.chance.random())
        self._disk = FillingDisk.mounted(self.folder / "disk", chance, self.played, self.stack)
        return self._disk.path

    def prepare(self, *, alone: bool) -> None:
        """Let hours or days pass, and draw what the life meets."""
        self._clocks.wait_for_next_life(self._length_s)
        self.cloud.lose_what_is_old()
        steps = stepping_clock.spelled(self._clocks.spelled_steps())
        self.env = {**self.env, stepping_clock.VARIABLE: steps}
        self._look_at_what_is_owed()
        self._billed_before = self.cloud.billed
        if alone:
            self._disk.stay_well()
        else:
            self._disk.plan(self._length_s)
        full_from_s = self._disk.full_from_s
        self.codes = frozenset(
            {0} if full_from_s is None else {0, 1} if full_from_s >= 0 else {0, 1, 2}
        )

    def _look_at_what_is_owed(self) -> None:
        """Tell tasks that must be asked for from those that the machine must take for gone."""
        self._owed.clear()
        for task_id, document, submitted_at in self.archive.on_record():
            age_hours = (datetime.now(UTC) - submitted_at).total_seconds() / 3600  # noqa: TID251  # the machine's
            if age_hours + self._clocks.highest_hours() > KEPT_HOURS - _MARGIN_HOURS:
                self._taken_for_gone[task_id] = document
            else:
                self._owed[task_id] = (document, self.cloud.submissions[document])

    def accompany(self, life: Life) -> None:
        """Do to it what was drawn, each at its moment; what is late is done after its end."""
        began_s = time.monotonic()
        for after_s, deed in sorted(self._deeds(), key=lambda planned: planned[0]):
            until_s = began_s + after_s
            wait_until(lambda: life.is_over or time.monotonic() >= until_s, "its moment")  # noqa: B023  # called at once
            deed()
        assert life.code is not None
        self._disk.relieve()

    def _deeds(self) -> list[tuple[float, Callable[[], None]]]:
        disk = self._disk
        deeds: list[tuple[float, Callable[[], None]]] = [
            *((self._moment_s(), self.move_log) for _ in range(self.chance.randint(0, 2))),
            *((step.after_s, partial(self._step, step)) for step in self._clocks.steps),
        ]
        if disk.full_from_s is not None:
            deeds.append((disk.full_until_s, disk.relieve))
            if disk.full_from_s >= 0:
                deeds.append((disk.full_from_s, disk.fill))
        return deeds

    def _moment_s(self) -> float:
        return self.chance.uniform(0, self._length_s)

    def _step(self, step: Step) -> None:
        self._clocks.take(step)
        self.cloud.lose_what_is_old()

    def drive(self, life: Life) -> None:
        super().drive(life)
        if life.code == 0:
            self._length_s = life.lasted_s
        for task_id, (document, count) in self._owed.items():
            if task_id not in self.cloud.lost_tasks:
                assert self.cloud.submissions[document] == count, "submitted again, though kept"
        if life.code not in {0, KILLED}:
            self._check_stopped(life)

    def _check_stopped(self, life: Life) -> None:
        """A run that met the full disk says what it has left; one that cannot begin is free."""
        self.played[f"runs stopped by a full disk with code {life.code}"] += 1
        if life.code == 2:
            assert self.cloud.billed == self._billed_before, "paid by a run that did not begin"
            return
        totals = json.loads(life.said)["totals"]
        assert totals["failed"] + totals["remaining"], (totals, life.told)

    def tells_all(self) -> bool:
        return self._disk.full_from_s is None

    def may_be_cut(self, line: bytes) -> bool:
        """Lines are cut by the end of the disk alone, and none goes on where another ended."""
        if _is_event(line) or not self.played["full disks"]:
            return False
        starts = [found.start() for found in re.finditer(rb'\{"', line)]
        assert not any(_is_event(line[start:]) for start in starts), line
        return True

    def check_at_end(self, again: Callable[[], Life]) -> None:
        """What the service lost, or the machine had to take for gone, is paid once more."""
        gone = {**self.cloud.lost_tasks, **self._taken_for_gone}
        self.archive.maybe_sent.update(Counter(gone.values()))
        super().check_at_end(again)
        again_paid = sum(self.cloud.submissions[document] > 1 for document in set(gone.values()))
        self.played["documents paid again, as their results were gone"] += again_paid


def _is_event(line: bytes) -> bool:
    try:
        return line.endswith(b"\n") and "event" in json.loads(line)
    except ValueError:
        return False
