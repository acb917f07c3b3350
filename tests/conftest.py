"""What every test gets: a clean environment, fresh logging, and a loop that must not block."""

from __future__ import annotations

import os
import re
import sys
from itertools import count
from typing import TYPE_CHECKING, Final

import hypothesis
import pytest
import structlog
from blockbuster import blockbuster_ctx

from tests.support.compiled import MEASURED_VARIABLE, compile_all
from tests.support.object_store import ObjectServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.object_store import Bucket

# How long an example takes says how busy the machine is, nothing about the code.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

# Workers that tests start run the kernels as they are, which are compiled in half a minute.
os.environ["NUMBA_DISABLE_JIT"] = "1"

_MEANT_FOR_US: Final = re.compile(
    r"ASPOSE_.*|AWS_.*|AZURE_.*|GOOGLE_.*|BATCH_CONVERTER_.*|(HTTPS?|ALL|NO|FTP|WSS?)_PROXY|NETRC"
    r"|NO_COLOR|(CLI|FORCE_)COLOR(_FORCE)?|TTY_.*|COLORTERM|COLUMNS|LINES"
    r"|LANG|LANGUAGE|LC_.*|TZ|XDG_.*|PYTHONIOENCODING|PYTHONUTF8|NUMBA_CACHE_DIR"
    r"|DASK_.*|SSL_CERT_(FILE|DIR)",
    re.IGNORECASE,
)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a CI run in which a test was skipped: .ci/run installs what they need."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Run async tests on plain asyncio: its debug mode makes switching ten times slower."""
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def unblocked_loop() -> Iterator[None]:
    """Fail any blocking call that the package makes on the event loop's thread.

    Calls made by a test's own body are let through (`scanned_modules`): a test may
    write its files where it stands. Worker threads run no loop and may block. Coverage
    waits for its own lock, on any thread, when it meets a file for the first time.
    """
    with blockbuster_ctx(scanned_modules="batch_converter") as guard:
        guard.functions["threading.Lock.acquire"].can_block_in("coverage/collector.py", "lock_data")
        # Whether a thread can be had at all is asked where there may be none to ask it in. The
        # list of one's own descriptors is in the kernel's memory; the threads end at once.
        guard.functions["os.listdir"].can_block_in("machine_limits.py", "spare_descriptors")
        guard.functions["threading.Lock.acquire"].can_block_in(
            "machine_limits.py", "_startable_threads"
        )
        yield


@pytest.fixture
def unmeasured() -> Iterator[None]:
    """Stop counting lines: days of a service in numbers take seven times as long with it.

    Smaller ones, and the tests of the parts, are measured.
    """
    tracer = sys.gettrace()
    sys.settrace(None)
    yield
    sys.settrace(tracer)


@pytest.fixture(scope="session")
def object_server() -> Iterator[ObjectServer]:
    """An S3 server for all tests; it takes two seconds to load."""
    server = ObjectServer()
    yield server
    server.close()


@pytest.fixture
def bucket(object_server: ObjectServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """An empty bucket that the environment points at, through a proxy."""
    with object_server.bucket() as bucket:
        for name, value in bucket.variables.items():
            monkeypatch.setenv(name, value)
        yield bucket


@pytest.fixture
def unmeasured_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Count no lines in processes that a test starts: it takes a quarter of their time.

    For tests that run many, of lines that other tests run as well.
    """
    monkeypatch.delenv(MEASURED_VARIABLE, raising=False)


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Folders to be, one a test; `mktemp` would list those of all tests before for its number."""
    folder = tmp_path_factory.mktemp("homes")
    return (folder / str(number) for number in count())


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, homes: Iterator[Path]) -> None:
    """Hide the developer's account, proxies, terminal and home; subprocesses inherit that."""
    for name in list(os.environ):
        if _MEANT_FOR_US.fullmatch(name):
            monkeypatch.delenv(name)
    home = next(homes)
    home.mkdir()
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))


@pytest.fixture(scope="session")
def kernel_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where compiled kernels are kept, for all tests of a run: they take half a minute."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # which other processes of this run have, too
    folder /= "kernels"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def compiled_kernels(kernel_folder: Path) -> Path:
    """The same folder with all kernels in it; of several processes one compiles them."""
    compile_all(kernel_folder)
    return kernel_folder


@pytest.fixture
def compiled_workers(
    kernel_folder: Path, monkeypatch: pytest.MonkeyPatch, unmeasured_processes: None
) -> Path:
    """Have workers compile their kernels, or load them; returns their folder."""
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "0")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(kernel_folder))
    del unmeasured_processes  # of compiled code there are no lines to count
    return kernel_folder


@pytest.fixture(autouse=True)
def fresh_logging() -> Iterator[None]:
    """Undo what a test configured or bound: structlog's set-up is one for the process."""
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
