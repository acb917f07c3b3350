"""Workers whose kernels are compiled: same PDFs, no document fails for it, no one else's code."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import anyio
import anyio.to_thread
import pytest
from structlog.testing import capture_logs

from batch_converter.config import LocalSettings
from batch_converter.djvu.work import kernel_folder as kernel_folder_module
from batch_converter.djvu.work import worker_starter
from batch_converter.djvu.work.environment import worker_environment
from batch_converter.djvu.work.kernel_folder import (
    FOLDER_VARIABLE,
    OFF_VARIABLE,
    NoKernelFolderError,
    make_kernel_folder,
)
from batch_converter.djvu.work.spawning import spawn
from batch_converter.djvu.work.statuses import KERNELS_MADE
from batch_converter.djvu.work.worker_process import WorkerProcess, WorkerStartError
from batch_converter.djvu.work.worker_starter import WorkerStarter
from batch_converter.engines.local import LocalEngine
from batch_converter.threads import DiskThreads
from tests.integration.test_local_engine import FileSink, document
from tests.support.compiled import run_compiled
from tests.support.djvu_files import SAMPLES

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).parents[2]
WORKER = "batch_converter.djvu.work.worker"


async def converted(
    name: str, target: Path, *, base_timeout_s: float = 60, masks: Literal["jbig2", "g4"] = "g4"
) -> bytes:
    """Convert a sample; returns its PDF."""
    source, settings = SAMPLES / f"{name}.djvu", LocalSettings(masks=masks)
    async with LocalEngine(settings, workers=2, base_timeout_s=base_timeout_s) as engine:
        await engine.convert(document(source), FileSink(target))
    return await anyio.Path(target).read_bytes()


def suffixes(folder: Path) -> set[str]:
    """Of compiled code, and of the mark that it is complete."""
    return {file.suffix for file in folder.rglob("*") if file.suffix or file.name == "complete"}


def fake_numba(folder: Path, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put another numba in front of the real one."""
    folder.mkdir()
    (folder / "numba.py").write_text(code, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", os.fspath(folder))


@pytest.mark.slow
@pytest.mark.parametrize("masks", ["g4", "jbig2"])
@pytest.mark.parametrize("name", ["bitonal", "mixed", "book", "colour"])
async def test_compiled_workers_make_the_same_pdfs(
    compiled_workers: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    masks: Literal["jbig2", "g4"],
) -> None:
    compiled = await converted(name, tmp_path / "compiled.pdf", masks=masks)
    assert {".nbc", ""} <= await anyio.to_thread.run_sync(suffixes, compiled_workers)
    monkeypatch.setenv(OFF_VARIABLE, "1")
    assert await converted(name, tmp_path / "plain.pdf", masks=masks) == compiled


def spawned(folder: Path) -> tuple[bytes, int, list[str]]:
    """Start a worker; returns what it says, its status in the end, and facts of it."""
    process = spawn(WORKER, 2 << 30, folder)
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        said = process.stdout.read(1)
        files = [Path(f"/proc/{process.pid}/{name}") for name in ("status", "limits", "maps")]
        facts = [file.read_text(encoding="utf-8") for file in files] if said else []
        process.stdin.close()
        return said, process.wait(), facts


@pytest.mark.slow
async def test_who_compiles_makes_room_for_another_who_is_confined(
    compiled_workers: Path, tmp_path: Path
) -> None:
    assert await converted("bitonal", tmp_path / "out.pdf")
    await anyio.to_thread.run_sync(forget_mark, compiled_workers, tmp_path / "kernels")
    own = tmp_path / "kernels"
    assert await anyio.to_thread.run_sync(spawned, own) == (b"", KERNELS_MADE, [])
    said, status, facts = await anyio.to_thread.run_sync(spawned, own)
    assert (said, status) == (b"\n", 0)
    assert "NoNewPrivs:\t1" in facts[0]
    (limit_bytes,) = re.findall(r"Max address space +(\d+) ", facts[1])
    assert 150 << 20 < int(limit_bytes) - (2 << 30) < 1 << 30
    assert "llvmlite" in facts[2]


def forget_mark(folder: Path, copy: Path) -> None:
    """Copy a folder of kernels, less the mark that it is complete."""
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("complete", "*.tmp.*"))


@pytest.mark.slow
@pytest.mark.usefixtures("compiled_workers")
async def test_time_to_compile_is_no_document_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit_s = 7654.0
    order = []
    limited, ready = anyio.fail_after, WorkerProcess.ready

    def noted_limit(delay_s: float) -> AbstractContextManager[anyio.CancelScope]:
        if delay_s >= limit_s:
            order.append("its time began")
        return limited(delay_s)

    async def noted_ready(self: WorkerProcess) -> None:
        await ready(self)
        order.append("ready")

    monkeypatch.setattr(anyio, "fail_after", noted_limit)
    monkeypatch.setattr(WorkerProcess, "ready", noted_ready)
    monkeypatch.setattr(worker_starter, "_COMPILES_AFTER_S", 0.0)
    with capture_logs() as logs:
        assert await converted("bitonal", tmp_path / "out.pdf", base_timeout_s=limit_s)
    assert {line["event"] for line in logs} == {"kernels.compiling"}
    assert order[0] == "ready"
    assert "its time began" in order


@pytest.mark.parametrize(
    ("code", "how"),
    [
        ("raise ImportError('numpy is too new')", "ended with status 1"),
        ("import os; os.abort()", "gave up, most likely for want of memory"),
        ("import os; os.kill(os.getpid(), 9)", "was killed, most likely for want of memory"),
        ("import os; os._exit(72)", "could not compile them"),
    ],
)
@pytest.mark.usefixtures("compiled_workers")
async def test_where_kernels_cannot_be_compiled_all_is_converted_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, how: str
) -> None:
    fake_numba(tmp_path / "broken", code, monkeypatch)
    with capture_logs() as logs:
        pdf = await converted("bitonal", tmp_path / "out.pdf")
    assert [(line["event"], line["log_level"], line["reason"]) for line in logs] == [
        ("kernels.not_compiled", "warning", f"the process that was to do it {how}")
    ]
    monkeypatch.setenv(OFF_VARIABLE, "1")
    assert await converted("bitonal", tmp_path / "plain.pdf") == pdf


async def test_compiling_that_takes_for_ever_is_given_up(
    compiled_workers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_numba(tmp_path / "stuck", "import signal; signal.pause()", monkeypatch)
    monkeypatch.setattr(worker_starter, "_COMPILES_AFTER_S", 0.01)
    monkeypatch.setattr(worker_starter, "_MOST_PATIENCE_S", 0.01)
    with capture_logs() as logs:
        assert await converted("bitonal", tmp_path / "out.pdf")
    assert {line["event"]: line.get("reason") for line in logs} == {
        "kernels.compiling": None,
        "kernels.not_compiled": "the process that was to do it took too long",
    }
    assert logs[0]["folder"] == os.fspath(compiled_workers)


@pytest.mark.usefixtures("compiled_workers")
async def test_who_waits_for_a_compiler_and_is_cancelled_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_numba(tmp_path / "stuck", "import signal; signal.pause()", monkeypatch)
    ended: list[int] = []
    waits = anyio.Event()
    end, ready = WorkerProcess.end, WorkerProcess.ready

    async def noted_end(self: WorkerProcess) -> int:
        ended.append(await end(self))
        return ended[-1]

    async def noted_ready(self: WorkerProcess) -> None:
        waits.set()
        await ready(self)

    monkeypatch.setattr(WorkerProcess, "end", noted_end)
    monkeypatch.setattr(WorkerProcess, "ready", noted_ready)
    async with anyio.create_task_group() as group:
        group.start_soon(converted, "bitonal", tmp_path / "out.pdf")
        await waits.wait()
        group.cancel_scope.cancel()
    assert ended == [-signal.SIGKILL]


async def test_a_machine_without_a_thread_to_look_for_the_folder_is_told_as_that(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    threads = DiskThreads(1)
    starter = WorkerStarter(max_memory_bytes=2 << 30, max_jobs=1, threads=threads)

    def lacking(_: object) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as lack:
        lack.setattr(worker_starter, "make_kernel_folder", lacking)
        with pytest.raises(WorkerStartError, match="thread"):
            await starter.start()
    worker = await starter.start()  # it looks again
    await worker.ready()
    await worker.end()


def test_only_who_converts_is_told_where_kernels_are() -> None:
    given = {FOLDER_VARIABLE: "/somewhere", OFF_VARIABLE: "1"}
    assert FOLDER_VARIABLE not in worker_environment(given)
    assert worker_environment(given)[OFF_VARIABLE] == "1"
    assert worker_environment(given, Path("/here"))[FOLDER_VARIABLE] == "/here"


def test_who_reads_headers_loads_no_compiler(tmp_path: Path) -> None:
    code = (
        "import sys; import batch_converter.djvu.work.inspector;"
        " print([n for n in sys.modules if n.split('.')[0] in {'numba', 'llvmlite', 'numpy'}])"
    )
    given = {**os.environ, FOLDER_VARIABLE: os.fspath(tmp_path), OFF_VARIABLE: "0"}
    env = worker_environment(given)  # as the inspector is started
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, check=True)
    assert done.stdout == b"[]\n"


@pytest.mark.slow
def test_all_kernels_are_compiled_before_the_first_job(compiled_kernels: Path) -> None:
    code = """
import pkgutil, importlib
from batch_converter.djvu import kernels
from batch_converter.djvu.kernels.kept_code import FOLDER
from batch_converter.djvu.kernels.warming import warm
from numba.core.dispatcher import Dispatcher
warm()
kept = {file.name.partition("-")[0] for file in FOLDER.rglob("*.nbi")}
assert kept
for module in pkgutil.iter_modules(kernels.__path__, kernels.__name__ + "."):
    for kernel in vars(importlib.import_module(module.name)).values():
        if isinstance(kernel, Dispatcher):
            function = kernel.py_func
            name = function.__module__.rpartition(".")[2] + "." + function.__name__
            if name not in kept:
                print(name)
"""
    assert not run_compiled("-c", code, folder=compiled_kernels)


@pytest.mark.slow
def test_who_loads_kernels_does_not_load_what_compiles_them(compiled_kernels: Path) -> None:
    code = """
import sys
from batch_converter.djvu.kernels.warming import make_ready
assert not make_ready()
print("llvmlite" in sys.modules, "numba.cpython.unicode" in sys.modules)
"""
    assert run_compiled("-c", code, folder=compiled_kernels) == "True False\n"


@pytest.mark.slow
def test_what_is_compiled_does_not_look_whether_an_index_counts_from_the_end(
    compiled_kernels: Path,
) -> None:
    code = """
import numpy as np
from batch_converter.djvu.kernels.kept_code import compiled
def at(numbers, place):
    return numbers[place]
print(compiled(at)(np.array([1, 2, 3])[1:], -1))
"""
    assert run_compiled("-c", code, folder=compiled_kernels) == "1\n"


def reason(given: dict[str, str]) -> str:
    with pytest.raises(NoKernelFolderError) as error:
        make_kernel_folder(given)
    return str(error.value)


def test_the_folder_of_kernels_is_one_s_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", os.fspath(tmp_path / "cache"))
    own = tmp_path / "cache" / "batch-converter" / "kernels"
    assert kernel_folder_module.kernel_folder({}) == own
    assert not own.parent.parent.exists()
    assert make_kernel_folder({}) == make_kernel_folder({}) == own
    assert own.stat().st_mode & 0o777 == 0o700
    named = tmp_path / "named"
    assert make_kernel_folder({FOLDER_VARIABLE: os.fspath(named)}) == named
    for mode in (0o720, 0o702, 0o777, 0o1777):
        named.chmod(mode)
        assert reason({FOLDER_VARIABLE: os.fspath(named)}) == f"{named} can be written by others"
    for mode in (0o700, 0o755):
        named.chmod(mode)
        assert kernel_folder_module.kernel_folder({FOLDER_VARIABLE: os.fspath(named)}) == named


def test_where_there_is_no_folder_for_kernels_the_reason_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = {FOLDER_VARIABLE: os.fspath(tmp_path / "file" / "kernels")}
    assert reason(named | {OFF_VARIABLE: "1"}) == "NUMBA_DISABLE_JIT is set"
    (tmp_path / "file").touch()
    assert reason(named) == f"{tmp_path / 'file'} is no folder"
    (tmp_path / "file").unlink()
    (tmp_path / "file").symlink_to(tmp_path / "file")
    assert "cannot be" in reason(named)
    (tmp_path / "file").unlink()
    user = os.geteuid()
    assert make_kernel_folder(named)
    with monkeypatch.context() as other:
        other.setattr(os, "geteuid", lambda: user + 1)
        assert "belongs to another user" in reason(named)
    with monkeypatch.context() as closed:
        closed.setattr(os, "access", lambda *_: False)
        assert "cannot be written" in reason(named)
    monkeypatch.setattr(kernel_folder_module, "find_spec", lambda _: None)
    assert reason(named) == "numba is not installed (the extra [fast])"
