"""Too few descriptors, processes, threads, or too little memory: no file is at fault."""

from __future__ import annotations

import os
import resource
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.command import Finished, run, started, wait_until
from tests.support.pdfs import make_archive

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.support.cloud import Cloud

# Commands by the dozen, each of which other tests run as well.
pytestmark = pytest.mark.usefixtures("unmeasured_processes")

MIB = 1 << 20
AS_USER = (
    (
        "setpriv",
        "--reuid=54321",  # the kernel exempts root from the limit on processes
        "--clear-groups",
        "--inh-caps=-all,+dac_override",
        "--ambient-caps=-all,+dac_override",
        "--bounding-set=-all,+dac_override",
    )
    if os.geteuid() == 0
    else ()
)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that any user may enter."""
    folder = Path(tempfile.mkdtemp(prefix="machine-trouble-"))
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder)


def assert_ends_well(limited: Finished, word: str) -> None:
    """Check that a run under a limit books nothing on a file, and says what is wrong."""
    assert limited.code in {0, 1, 2}
    if limited.code:
        assert word in limited.err
    if limited.code == 1 and limited.out:  # it had begun
        totals = limited.json["totals"]
        assert totals["failed"] == 0
        assert totals["remaining"] > 0


UNMEASURED: Final = ("env", "-u", "COVERAGE_PROCESS_CONFIG", "-u", "COVERAGE_PROCESS_START")
"""Before a command that has no memory left for counting lines, and would say so itself."""


def convert_twice(
    source: Path, output: Path, through: Sequence[str], word: str, *, engine: str = "local"
) -> Finished:
    """Run under a limit, and then without: that run converts what is left."""
    arguments = ("convert", source, "-o", output, "--engine", engine, "--json")
    limited = run(*arguments, through=through)
    assert_ends_well(limited, word)
    free = run(*arguments)
    assert free.code == 0, free.err
    assert len(list(output.glob("*.pdf"))) == len(list(source.iterdir()))
    return limited


@pytest.mark.slow
@pytest.mark.parametrize("limit", [5, 9, 20, 28, 29, 31, 36, 48])
def test_too_few_open_files(source: Path, output: Path, limit: int) -> None:
    make_archive(source, 12)
    through = ("prlimit", f"--nofile={limit}:{limit}")
    limited = convert_twice(source, output, through, "ulimit -n")
    if limit <= 20:
        assert limited.code == 2
    if limit >= 36:
        assert limited.code == 0


def test_a_soft_limit_is_raised(source: Path, output: Path) -> None:
    make_archive(source, 3)
    limited = convert_twice(source, output, ("prlimit", "--nofile=12:512"), "")
    assert limited.code == 0
    assert "fewer_at_once" not in limited.err


@pytest.mark.slow
@pytest.mark.parametrize("limit", [1, 2, 8, 9, 12, 15, 17, 18, 19])
def test_too_few_processes(open_folder: Path, limit: int) -> None:
    source, output = open_folder / "scans", open_folder / "pdfs"
    source.mkdir()
    make_archive(source, 8)
    limited = convert_twice(source, output, (*AS_USER, "prlimit", f"--nproc={limit}"), "ulimit -u")
    if limit < 12:
        assert limited.code in {1, 2}


@pytest.mark.parametrize("limit_mib", [30, 60, 100, 150, 200])
def test_too_little_memory(source: Path, output: Path, limit_mib: int) -> None:
    make_archive(source, 4)
    through = (*UNMEASURED, "prlimit", f"--as={limit_mib * MIB}")
    limited = convert_twice(source, output, through, "ulimit -v")
    if limit_mib <= 60:
        assert limited.code == 2
        assert limited.err.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize("limit", [20, 29, 34, 40])
def test_too_few_open_files_cost_nothing_at_the_service(
    cloud: Cloud, source: Path, output: Path, limit: int
) -> None:
    make_archive(source, 40)
    cloud.latency_s = 0.02
    through = ("prlimit", f"--nofile={limit}:{limit}")
    limited = convert_twice(source, output, through, "ulimit -n", engine="aspose")
    if limit == 20:
        assert limited.code == 2
    else:
        assert limited.code == 0
        assert "run.fewer_at_once" in limited.err
    assert set(cloud.submissions.values()) == {1}


def test_a_limit_that_is_lowered_in_mid_run_costs_nothing_more(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path
) -> None:
    make_archive(source, 30)
    cloud.hold("poll")
    arguments = ("convert", source, "-o", output, "--json", "--max-in-flight", "6")
    with started(tmp_path / "p", *arguments) as process:
        wait_until(lambda: cloud.active["poll"] >= 5, "polls")
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (8, 8))
        cloud.release("poll")
        done = process.finish()
    assert done.code == 1
    totals = done.json["totals"]
    assert totals["failed"] == 0
    assert totals["remaining"] >= 20
    assert cloud.calls["submit"] <= 7
    assert run("convert", source, "-o", output).code == 0
    assert set(cloud.submissions.values()) == {1}
