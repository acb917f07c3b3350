"""How many processors this process may use, by affinity and control groups.

Three parties have a say: the machine, the process's own affinity (taskset, cpuset),
and a container's quota of time (`docker run --cpus 2`, Kubernetes' limits), which is
no smaller number of processors, but workers beyond it only take turns.
"""

from __future__ import annotations

import math
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOT: Final = Path("/")
_NO_HIERARCHY_NUMBER: Final = "0"  # cgroups(7): of version 2, in /proc/self/cgroup
_ESCAPED: Final = re.compile(r"\\([0-7]{3})")  # proc(5): blanks in mountinfo
_MOUNT_FIELDS: Final = 5


def usable_processors(root: Path = _ROOT) -> int:
    """Return how many processors can be kept busy, at least 1; blocks for a moment.

    A quota is rounded up, as by other runtimes: half a processor is one worker's.

    Args:
        root: Where `proc` and the control groups' file systems are.
    """
    limits: list[float] = [_available()]
    with suppress(OSError, ValueError):  # no Linux, or one that does not show it
        limits.extend(_quotas(root))
    return max(1, math.ceil(min(limits)))


def _available() -> int:
    """Return the processors of the affinity, where the system has one, else the machine's."""
    count = getattr(os, "process_cpu_count", None)  # Python 3.13; None where it cannot tell
    affinity = getattr(os, "sched_getaffinity", None)  # not on macOS
    known: int | None = count() if count is not None else None
    if known is None and affinity is not None:
        known = len(affinity(0))
    return known or os.cpu_count() or 1


class _Mount(NamedTuple):
    """A hierarchy of control groups that is to be seen in the file system."""

    shown: str  # the group that lies at `point`
    point: Path
    is_second: bool


def _quotas(root: Path) -> Iterator[float]:
    """Yield the processors' worth of each quota that binds, the own group's and those above."""
    groups = list(_groups((root / "proc/self/cgroup").read_text(errors="surrogateescape")))
    mounts = (root / "proc/self/mountinfo").read_text(errors="surrogateescape")
    for mount in filter(None, map(_mount, mounts.splitlines())):
        for group in (path for is_second, path in groups if is_second is mount.is_second):
            yield from _quotas_above(
                root / mount.point.relative_to("/"), _below(mount, group), mount
            )


def _quotas_above(point: Path, below: Path, mount: _Mount) -> Iterator[float]:
    for group in (below, *below.parents):
        with suppress(OSError, ValueError, ZeroDivisionError):  # "max"; none for the root group
            if mount.is_second:
                time, period = (point / group / "cpu.max").read_text().split()
            else:
                time = (point / group / "cpu.cfs_quota_us").read_text()
                period = (point / group / "cpu.cfs_period_us").read_text()
            if int(time) > 0:  # -1 is none
                yield int(time) / int(period)


def _groups(text: str) -> Iterator[tuple[bool, str]]:
    """Yield version and path of the groups that can have a quota of processor time."""
    for line in text.splitlines():
        number, controllers, path = line.split(":", 2)
        if number == _NO_HIERARCHY_NUMBER and not controllers:
            yield True, path
        elif "cpu" in controllers.split(","):
            yield False, path


def _mount(line: str) -> _Mount | None:
    """Return the mount of a line of mountinfo, if it is such a hierarchy's."""
    before, _, after = line.partition(" - ")
    fields, about = before.split(" "), after.split(" ")
    if len(fields) < _MOUNT_FIELDS:
        return None
    is_second = about[0] == "cgroup2"
    if not is_second and not (about[0] == "cgroup" and "cpu" in about[-1].split(",")):
        return None
    return _Mount(shown=_plain(fields[3]), point=Path(_plain(fields[4])), is_second=is_second)


def _below(mount: _Mount, group: str) -> Path:
    """Return the group's path below the mount; a container may see its own as the root."""
    try:
        return Path(group).relative_to(mount.shown)
    except ValueError:
        return Path()


def _plain(text: str) -> str:
    return _ESCAPED.sub(lambda match: chr(int(match[1], 8)), text)
