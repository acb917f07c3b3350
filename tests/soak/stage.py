"""What a kind of run is killed at: what there is to do, how it is begun, what must then hold."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections import Counter
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from random import Random

    from tests.soak.lives import Life

_OF_THE_SYSTEM: Final = ("PATH", "PYTHONPATH", "TMPDIR", "LD_LIBRARY_PATH")


class Stage(ABC):
    """A round of kills: one ledger, or one data folder.

    Args:
        folder: Its own, and empty.
        chance: What is random in what there is to do.

    Attributes:
        env: The whole environment of each life.
        stack: What has to end with the round; its maker enters it.
        played: What has befallen its lives beside kills, how often.
    """

    codes: frozenset[int] = frozenset({0})
    """Exit codes of a life that was not killed."""
    killed_within: float = 1.0
    """Kills are spread over so many times the length of a life; beyond 1, some find it over."""

    def __init__(self, folder: Path, chance: Random) -> None:
        self.folder = folder
        self.chance = chance
        self.env: Mapping[str, str] = {
            **{name: os.environ[name] for name in _OF_THE_SYSTEM if name in os.environ},
            "HOME": os.fspath(folder),
            "XDG_STATE_HOME": os.fspath(folder / "states"),
            "NUMBA_DISABLE_JIT": "1",  # compiling takes half a minute
        }
        self.stack = ExitStack()
        self.played: Counter[str] = Counter()

    @abstractmethod
    def command(self) -> Sequence[str | Path]:
        """Return the arguments of the next life."""

    @abstractmethod
    def grow(self) -> None:
        """Give the next life something to do."""

    def prepare(self, *, alone: bool) -> None:
        """Be ready for the next life.

        Args:
            alone: Whether nobody is going to kill it, and it is to come to its proper end.
        """
        del alone

    def drive(self, life: Life) -> None:
        """Be what a life needs around it, until it has ended, killed or not."""
        assert life.code is not None

    @abstractmethod
    def check_after_death(self) -> None:
        """Look at what a killed life has left; the next has not begun."""

    @abstractmethod
    def check_at_end(self, again: Callable[[], Life]) -> None:
        """Look at what has become of everything, after a life that was left alone.

        Args:
            again: Has one more life come and go, and returns it.
        """
