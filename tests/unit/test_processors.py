"""Workers are counted by what a process may use, not by what the machine has."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from batch_converter.processors import usable_processors

if TYPE_CHECKING:
    from pathlib import Path

SECOND = "31 23 0:26 {shown} /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
FIRST = "36 31 0:29 {shown} /sys/fs/cgroup/cpu\\040time rw - cgroup cgroup rw,cpu,cpuacct\n"
OTHERS = (
    "23 1 8:1 / / rw,relatime - ext4 /dev/root rw\n"
    "33 31 0:31 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
)


@pytest.fixture(autouse=True)
def eight_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "process_cpu_count", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(8)), raising=False)


def kernel(root: Path, group: str, mounts: str, files: dict[str, str]) -> Path:
    """Write what a kernel would show."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(group)
    (root / "proc/self/mountinfo").write_text(OTHERS + mounts)
    for name, text in files.items():
        path = root / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(
    ("quota", "expected"),
    [
        ("max 100000\n", 8),
        ("200000 100000\n", 2),
        ("150000 100000\n", 2),
        ("100000 100000\n", 1),
        ("50000 100000\n", 1),
        ("1000 100000\n", 1),
        ("50000 20000\n", 3),
        ("800000 100000\n", 8),
        ("1600000 100000\n", 8),
        ("", 8),
        ("not 2 numbers\n", 8),
        ("100000 0\n", 8),
    ],
)
def test_a_containers_quota_is_heeded(tmp_path: Path, quota: str, expected: int) -> None:
    root = kernel(tmp_path, "0::/\n", SECOND.format(shown="/"), {"cpu.max": quota})
    assert usable_processors(root) == expected


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"a/b/cpu.max": "300000 100000\n"}, 3),
        ({"a/b/cpu.max": "max 100000\n", "a/cpu.max": "200000 100000\n"}, 2),
        ({"a/b/cpu.max": "300000 100000\n", "a/cpu.max": "500000 100000\n"}, 3),
        ({"a/b/c/cpu.max": "100000 100000\n", "x/cpu.max": "100000 100000\n"}, 8),
    ],
)
def test_a_quota_binds_all_groups_below_it(
    tmp_path: Path, files: dict[str, str], expected: int
) -> None:
    root = kernel(tmp_path, "0::/a/b\n", SECOND.format(shown="/"), files)
    assert usable_processors(root) == expected


@pytest.mark.parametrize("shown", ["/docker/1f", "/", "/../elsewhere"])
@pytest.mark.parametrize(("quota", "expected"), [("-1", 8), ("250000", 3), ("100000", 1)])
def test_the_first_version_of_control_groups_is_heeded_too(
    tmp_path: Path, shown: str, quota: str, expected: int
) -> None:
    """Docker shows a container its own group at the mount, under the path that the host knows."""
    files = {
        "cpu time/cpu.cfs_quota_us": f"{quota}\n",
        "cpu time/cpu.cfs_period_us": "100000\n",
    }
    group = "4:cpu,cpuacct:/docker/1f\n3:cpuset:/docker/1f\n0::/\n"
    root = kernel(tmp_path, group, FIRST.format(shown=shown), files)
    assert usable_processors(root) == expected


def test_where_nothing_is_told_the_affinity_counts(tmp_path: Path) -> None:
    assert usable_processors(tmp_path) == 8
    root = kernel(tmp_path, "nonsense\n", SECOND.format(shown="/"), {})
    assert usable_processors(root) == 8


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ({"process_cpu_count": lambda: 3}, 3),
        ({"process_cpu_count": lambda: None}, 8),
        ({}, 8),
    ],
)
def test_python_itself_is_asked_where_it_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: dict[str, Any], expected: int
) -> None:
    for name, ask in known.items():
        monkeypatch.setattr(os, name, ask, raising=False)
    assert usable_processors(tmp_path) == expected


@pytest.mark.parametrize(("count", "expected"), [(5, 5), (None, 1)])
def test_a_system_without_affinity_tells_the_machines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int | None, expected: int
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: count)
    assert usable_processors(tmp_path) == expected
