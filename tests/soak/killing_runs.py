"""Lives of a kind, one after the other, killed at any instant until enough were."""

from __future__ import annotations

import random
import shutil
import threading
import traceback
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tests.soak.lives import KILLED, Life, born

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.soak.stage import Stage

KILLS_A_ROUND: Final = 12
"""Over one ledger; then everything is looked at, and the next round begins with nothing."""


class ViolationError(Exception):
    """A promise was broken; says which, and how to come there again."""


@dataclass(frozen=True, slots=True)
class Death:
    """When a life is to be killed, and whether all processes of its tree are."""

    after_s: float
    with_tree: bool

    def __str__(self) -> str:
        return f"{self.after_s:.4f} s{' with its tree' if self.with_tree else ''}"


@dataclass(slots=True)
class Soak:
    """Kills runs of one kind.

    Attributes:
        name: Of the kind.
        stage: Makes its rounds.
        seed: Of every moment; a round has a seed of its own by its number.
        folder: Where rounds have their folders.
        killed: Lives that were killed so far.
        lives: All of them.
        length_s: What a life that is left alone takes, measured in each round.
        planned: The deaths of the round's lives, None for those that are left alone.
        played: What has befallen all lives beside kills, how often.
    """

    name: str
    stage: Callable[[Path, random.Random], Stage]
    seed: int
    folder: Path
    killed: int = 0
    lives: int = 0
    length_s: float = 0.0
    planned: list[Death | None] = field(default_factory=list)
    played: Counter[str] = field(default_factory=Counter)

    def run(self, kills: int) -> None:
        """Kill so many lives.

        Raises:
            ViolationError: At the first that left what must not be.
        """
        number = 0
        while self.killed < kills:
            number += 1
            self._round(number, min(kills, self.killed + KILLS_A_ROUND))

    def _round(self, number: int, until: int) -> None:
        chance = random.Random(f"{self.seed} {self.name} {number}")
        folder = self.folder / f"{number:04}"
        folder.mkdir()
        self.planned.clear()
        try:
            stage = self.stage(folder, chance)
            with stage.stack:
                self._kill(stage, chance, until, lambda death: self._live(stage, death))
        except AssertionError as broken:
            deaths = ", ".join(
                "left alone" if death is None else f"{death}" for death in self.planned
            )
            raise ViolationError(
                f"{self.name}: after {self.killed} kills, with seed {self.seed}, in round {number};"
                f" when its lives were to end: {deaths}; what they left is in {folder}.\n"
                + "".join(traceback.format_exception(broken))
            ) from broken
        self.played += stage.played
        shutil.rmtree(folder)

    def _kill(
        self,
        stage: Stage,
        chance: random.Random,
        until: int,
        live: Callable[[Death | None], Life],
    ) -> None:
        """Measure a life, kill others until the round has had enough, leave one alone."""
        stage.grow()
        last = live(None)
        self.length_s = last.lasted_s
        stage.grow()
        while self.killed < until:
            within_s = self.length_s * stage.killed_within
            life = live(Death(chance.uniform(0, within_s), chance.random() < 0.5))
            last.check_alone()  # the next may begin while what the dead one started still goes on
            last = life
            if life.code == KILLED:
                self.killed += 1
                stage.check_after_death()
            if life.code != KILLED or chance.random() < 0.2:
                stage.grow()
        live(None)
        last.check_alone()
        stage.check_at_end(lambda: live(None))

    def _live(self, stage: Stage, death: Death | None) -> Life:
        """Have one life come and go."""
        self.lives += 1
        self.planned.append(death)
        stage.prepare(alone=death is None)
        with born(stage.folder / "streams", stage.command(), stage.env) as life:
            with _dying(life, death):
                stage.drive(life)
            told = life.told
            assert "Traceback" not in told, told
            wanted = stage.codes if death is None else stage.codes | {KILLED}
            assert life.code in wanted, (life.code, told)
        return life


@contextmanager
def _dying(life: Life, death: Death | None) -> Iterator[None]:
    """Kill a life when its time has come, if it has not ended by then."""
    if death is None:
        yield
        return
    timer = threading.Timer(death.after_s, life.kill, kwargs={"with_tree": death.with_tree})
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
