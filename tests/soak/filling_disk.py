"""A disk that is full for a while: from before a life, or in its middle, for some of it or all."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.support.disks import mounted_disk

if TYPE_CHECKING:
    from collections import Counter
    from contextlib import ExitStack
    from pathlib import Path
    from random import Random

    from tests.support.disks import SmallDisk

_MIB: Final = 1 << 20
_SIZE: Final = "size=256m"
_ROOM_BYTES: Final = (0, 4096, 1 << 16, _MIB, 5 * _MIB, 12 * _MIB)
"""What is left of it; runs keep 8 MiB free."""


@dataclass(slots=True)
class FillingDisk:
    """A file system of its own; an ordinary folder, never full, where none may be mounted.

    Attributes:
        path: Where it is.
        full_from_s: When it fills up in the life, negative if before; None if it does not.
        full_until_s: When there is room again.
    """

    path: Path
    chance: Random
    played: Counter[str]
    disk: SmallDisk | None
    full_from_s: float | None = None
    full_until_s: float = 0.0

    @classmethod
    def mounted(
        cls, path: Path, chance: Random, played: Counter[str], stack: ExitStack
    ) -> FillingDisk:
        """Mount it, for as long as the stack has not unwound; a violation's is kept in a copy."""
        disk = stack.enter_context(mounted_disk(path, size_bytes=256 * _MIB))

        def keep(violation: type[BaseException] | None, *_: object) -> None:
            if disk is not None and violation is not None and issubclass(violation, Exception):
                shutil.copytree(path, path.with_name("disk as it was left"))

        stack.push(keep)
        played["rounds without full disks, which may not be mounted here"] += disk is None
        return cls(path, chance, played, disk)

    def plan(self, length_s: float) -> None:
        """Draw whether it is full in a life of this length, and fill it if that begins before."""
        self.full_from_s = None
        if self.disk is None or self.chance.random() >= 0.35:
            return
        self.played["full disks"] += 1
        self.full_from_s = self.chance.choice((-1.0, self.chance.uniform(0, length_s)))
        self.full_until_s = self.chance.uniform(max(0.0, self.full_from_s), 2 * length_s)
        if self.full_from_s < 0:
            self.fill()

    def stay_well(self) -> None:
        """Have room in the next life."""
        self.full_from_s = None

    def fill(self) -> None:
        """Have next to no room."""
        if self.disk is not None:
            self.disk.tighten(but_bytes=self.chance.choice(_ROOM_BYTES))

    def relieve(self) -> None:
        """Have room."""
        if self.disk is not None:
            self.disk.remount(_SIZE)
