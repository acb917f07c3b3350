"""Bounds of a document, as the service sets them, and whose fault a failure is."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import psutil
import pytest

from batch_converter.config import LocalSettings, ServeSettings, Settings
from batch_converter.djvu.jobs.parts import PAGES_A_PART
from batch_converter.djvu.work.inspection import DjvuInspector
from batch_converter.djvu.work.worker_process import WorkerProcess
from batch_converter.djvu.work.workers import WorkerPool
from batch_converter.engines.base import Ready, SourceDocument
from batch_converter.engines.local import DocumentLimits, LocalEngine, serving_engine
from batch_converter.errors import (
    EngineError,
    MachineExhaustedError,
    NotDjvuError,
    OutputError,
    TooLargeError,
)
from batch_converter.threads import DiskThreads
from tests.support.bundles import HEIGHT, WIDTH, bundle_of, index_of, mask, pages
from tests.support.djvu_files import SAMPLES, chunk, info, page
from tests.support.worker_processes import workers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ROOT = Path(__file__).resolve().parents[2]


class Target:
    """A part file that a worker writes."""

    def __init__(self, path: Path) -> None:
        self.path = path

    async def restart(self) -> None:
        raise AssertionError("the worker writes the file itself")

    async def write(self, data: bytes) -> None:
        raise AssertionError(f"the worker writes the file itself, not {len(data)} bytes here")


async def convert(engine: LocalEngine, source: Path, target: Path) -> Ready:
    document = SourceDocument(
        number=1, name="document.djvu", path=os.fspath(source), size_bytes=0, mtime_ns=0
    )
    return await engine.convert(document, Target(target))


def written(folder: Path, djvu: bytes, name: str = "in.djvu") -> Path:
    path = folder / name
    path.write_bytes(djvu)
    return path


@pytest.mark.parametrize(("most", "is_fit"), [(2, False), (3, True), (0, True)])
async def test_pages_are_limited(tmp_path: Path, most: int, is_fit: bool) -> None:  # noqa: FBT001  # a table
    source = written(tmp_path, bundle_of(pages(3)))
    async with LocalEngine(
        LocalSettings(), workers=1, limits=DocumentLimits(max_pages=most)
    ) as engine:
        if is_fit:
            assert await convert(engine, source, tmp_path / "out.pdf") == Ready()
            return
        with pytest.raises(TooLargeError) as caught:
            await convert(engine, source, tmp_path / "out.pdf")
    told = "document.djvu: it has 3 pages, more than the 2 that serve.max_pages allows"
    assert str(caught.value) == told
    assert not await anyio.Path(tmp_path / "out.pdf").exists()


@pytest.mark.parametrize("count", [1, 20])
async def test_bytes_of_a_pdf_are_limited_to_the_last(tmp_path: Path, count: int) -> None:
    source = written(tmp_path, bundle_of(pages(count)))
    target = tmp_path / "out.pdf"
    async with LocalEngine(LocalSettings(), workers=1) as engine:
        await convert(engine, source, target)
    free = await anyio.Path(target).read_bytes()
    size_bytes = len(free)
    for most, is_fit in ((size_bytes, True), (size_bytes - 1, False)):
        limits = DocumentLimits(max_pdf_bytes=most)
        async with LocalEngine(LocalSettings(), workers=1, limits=limits) as engine:
            if is_fit:
                assert await convert(engine, source, target) == Ready()
                assert await anyio.Path(target).read_bytes() == free
                continue
            with pytest.raises(TooLargeError) as caught:
                await convert(engine, source, target)
            assert str(caught.value) == (
                f"document.djvu: its PDF would be longer than the {most} bytes that"
                " serve.max_pdf_bytes allows"
            )
            # The worker has not crashed: the next document is its as well.
            assert await convert(engine, written(tmp_path, page(info()), "b.djvu"), target)


async def test_parts_that_are_too_long_together_end_a_document_early(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = DocumentLimits(max_pdf_bytes=1 << 20)
    limits.check_parts(2, (1 << 20) + 2 * (64 << 10))
    with pytest.raises(TooLargeError, match=r"the 1 MiB that serve\.max_pdf_bytes"):
        limits.check_parts(2, (1 << 20) + 2 * (64 << 10) + 1)

    begun: list[str] = []
    ask = WorkerProcess.ask

    async def enlarged(self: WorkerProcess, job: Mapping[str, Any]) -> dict[str, Any]:
        begun.append(job["job"])
        return await ask(self, job) | {"size_bytes": 1 << 20}

    monkeypatch.setattr(WorkerProcess, "ask", enlarged)
    source = written(tmp_path, bundle_of(pages(40)))
    async with LocalEngine(LocalSettings(), workers=1, limits=limits) as engine:
        with pytest.raises(TooLargeError):
            await convert(engine, source, tmp_path / "out.pdf")
    assert begun[:3] == ["inspect", "part", "part"]
    assert "assemble" not in begun
    assert not [path async for path in anyio.Path(tmp_path).glob("*.part")]


def test_the_kernel_lets_no_file_become_longer_and_the_process_lives_on(tmp_path: Path) -> None:
    program = """
import errno, os, resource, sys
from batch_converter.djvu.work import child
child.limit_file_bytes(1000)
try:
    with open(sys.argv[1], "wb", 0) as file:
        file.write(bytes(1000))
        file.write(b"x")
except OSError as error:
    print(errno.errorcode[error.errno], os.path.getsize(sys.argv[1]))
child.limit_file_bytes(0)
print(resource.getrlimit(resource.RLIMIT_FSIZE)[0])
child.limit_file_bytes(1 << 40)
print(resource.getrlimit(resource.RLIMIT_FSIZE)[0])
"""
    for inherited, then in (("5000", [5000 * 1024] * 2), ("unlimited", [-1, 1 << 40])):
        command = f'ulimit -S -f {inherited} && exec "$0" -c "$1" "$2"'
        done = subprocess.run(
            ["/bin/bash", "-c", command, sys.executable, program, os.fspath(tmp_path / "out")],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.split() == ["EFBIG", "1000", *map(str, then)]


async def test_a_workers_longest_file_is_what_a_job_says(tmp_path: Path) -> None:
    for most, expected in ((0, resource.RLIM_INFINITY), (4 << 30, 4 << 30), (5, 512 << 20)):
        limits = DocumentLimits(max_pdf_bytes=most)
        async with LocalEngine(LocalSettings(), workers=1, limits=limits) as engine:
            with suppress(TooLargeError):
                await convert(engine, SAMPLES / "book.djvu", tmp_path / "out.pdf")
            (worker,) = workers()
            assert worker.rlimit(psutil.RLIMIT_FSIZE)[0] == expected


async def test_seconds_are_limited(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "out.pdf")  # that nobody reads: the worker waits in its `open`
    limits = DocumentLimits(max_seconds=1.5)
    async with LocalEngine(LocalSettings(), workers=1, limits=limits) as engine:
        with pytest.raises(EngineError) as caught:
            await convert(engine, SAMPLES / "bitonal.djvu", tmp_path / "out.pdf")
        assert str(caught.value) == (
            "document.djvu: its conversion took more than the 1.5 seconds of work that"
            " serve.max_document_s allows"
        )
        assert not workers()


@pytest.mark.parametrize("is_there", [True, False])
async def test_an_index_is_refused_before_its_parts_are_looked_for(
    tmp_path: Path,
    is_there: bool,  # noqa: FBT001  # a table
) -> None:
    index = index_of(pages(2), tmp_path / "data")
    if not is_there:
        await anyio.Path(tmp_path / "data" / "p2.djvu").unlink()
    told = []
    async with serving_engine(Settings(), workers=1) as engine:
        with pytest.raises(NotDjvuError) as caught:
            await convert(engine, index, tmp_path / "out.pdf")
        told.append(str(caught.value).removeprefix("document.djvu: "))
        with pytest.raises(NotDjvuError) as caught:
            await engine.picture(os.fspath(index), os.fspath(tmp_path / "out.jpg"))
        told.append(str(caught.value))
    inspector = DjvuInspector(bundled_only=True)
    for ask in (inspector.count_pages, inspector.identify, inspector.outlook):
        with pytest.raises(NotDjvuError) as caught:
            await anyio.to_thread.run_sync(ask, os.fspath(index))
        told.append(str(caught.value))
    assert await anyio.to_thread.run_sync(inspector.parts_fingerprint, os.fspath(index)) is None
    await inspector.aclose()
    assert set(told) == {
        "index.djvu is an index, and its pages are other files: bundle them into one (djvmcvt -b)"
    }


async def test_a_single_page_includes_nothing_from_beside_it(tmp_path: Path) -> None:
    secret = chunk("TXTa", (6).to_bytes(3, "big") + b"s3cr3t" + b"\x01")
    (tmp_path / "shared.djvu").write_bytes(
        b"AT&T" + chunk("FORM", b"DJVI" + secret + chunk("ANTa", b'(metadata (title "s3cr3t"))'))
    )
    told = []
    for name in ("shared.djvu", "gone.djvu"):
        drawn = page(info(width=WIDTH, height=HEIGHT), mask(), chunk("INCL", name.encode()))
        source = written(tmp_path, drawn)
        async with serving_engine(Settings(), workers=1) as engine:
            done = await convert(engine, source, tmp_path / "out.pdf")
        told.append([text.replace(name, "NAME") for text in done.warnings])
    assert told[0] == told[1]
    assert any("missing: NAME" in text for text in told[0])


async def test_a_short_document_does_not_wait_for_a_long_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, begun = anyio.Event(), []
    ask = WorkerProcess.ask

    async def held(self: WorkerProcess, job: Mapping[str, Any]) -> dict[str, Any]:
        begun.append(f"{job['job']} {Path(job['source']).stem} {job.get('start', '')}".strip())
        if len(begun) == 2:
            await gate.wait()
        return await ask(self, job)

    monkeypatch.setattr(WorkerProcess, "ask", held)
    long = written(tmp_path, bundle_of(pages(5 * PAGES_A_PART)), "long.djvu")
    short = written(tmp_path, bundle_of(pages(1)), "short.djvu")
    async with serving_engine(Settings(), workers=1) as engine, anyio.create_task_group() as tg:
        tg.start_soon(convert, engine, long, tmp_path / "long.pdf")
        await until(lambda: len(engine._pool._waiting) == 4)
        tg.start_soon(convert, engine, short, tmp_path / "short.pdf")
        await until(lambda: len(engine._pool._waiting) == 5)
        gate.set()
    assert begun == [
        "inspect long",
        "part long 0",
        "inspect short",
        f"part long {PAGES_A_PART}",
        "convert short",
        f"part long {2 * PAGES_A_PART}",
        f"part long {3 * PAGES_A_PART}",
        f"part long {4 * PAGES_A_PART}",
        "assemble long",
    ]


async def until(condition: Callable[[], object]) -> None:
    """Wait for what other tasks do; the suite's timeout is the limit."""
    while not condition():
        await anyio.lowlevel.checkpoint()


async def test_a_document_of_the_service_that_kills_two_workers_fails(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "out.pdf")
    killed: set[int] = set()
    failed: list[str] = []

    async def fail(engine: LocalEngine) -> None:
        with pytest.raises(EngineError) as caught:
            await convert(engine, SAMPLES / "bitonal.djvu", tmp_path / "out.pdf")
        failed.append(str(caught.value))

    def kill_next() -> bool:
        for worker in workers():
            with suppress(psutil.NoSuchProcess):
                reads = any(file.path.endswith(".djvu") for file in worker.open_files())
                if worker.pid not in killed and reads:
                    killed.add(worker.pid)
                    worker.send_signal(signal.SIGKILL)
        return bool(failed)

    async with serving_engine(Settings(), workers=1) as engine, anyio.create_task_group() as tg:
        tg.start_soon(fail, engine)
        await until(kill_next)
    assert len(killed) == 2
    assert "each of 2 processes that converted it was killed" in failed[0]


async def test_a_full_disk_is_told_with_its_cause() -> None:
    async with serving_engine(Settings(), workers=1) as engine:
        with pytest.raises(OutputError) as caught:
            await convert(engine, SAMPLES / "bitonal.djvu", Path("/dev/full"))
    assert isinstance(caught.value.__cause__, OSError)
    assert caught.value.__cause__.errno == errno.ENOSPC


async def test_what_the_machine_lacks_is_told_with_a_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def short(_worker: WorkerProcess, _job: object) -> dict[str, Any]:
        return {"error": "shortage", "message": "too many open files"}

    monkeypatch.setattr(WorkerProcess, "ask", short)
    monkeypatch.setattr("batch_converter.djvu.work.workers._PAUSES_S", (0.0, 0.0, 0.0))
    async with serving_engine(Settings(), workers=1) as engine:
        with pytest.raises(OutputError, match="lacks what its conversion needs") as caught:
            await convert(engine, SAMPLES / "bitonal.djvu", tmp_path / "out.pdf")
    assert isinstance(caught.value.__cause__, OSError)


async def test_a_limit_on_files_from_outside_is_not_the_documents(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = written(tmp_path, bundle_of(pages(3)))
    monkeypatch.setattr("batch_converter.engines.local.limits.inherited_file_bytes", lambda: 10)
    async with LocalEngine(
        LocalSettings(), workers=1, limits=DocumentLimits(max_pdf_bytes=20)
    ) as engine:
        with pytest.raises(OutputError) as caught:
            await convert(engine, source, tmp_path / "out.pdf")
    assert isinstance(caught.value.__cause__, OSError)


def test_bounds_do_not_change_what_a_pdf_is() -> None:
    plain = LocalEngine(LocalSettings()).options_digest
    assert serving_engine(Settings()).options_digest == plain


def test_the_service_has_bounds_unless_they_are_taken_away() -> None:
    assert serving_engine(Settings())._workers.limits == DocumentLimits(
        max_pages=10_000, max_pdf_bytes=4 << 30, max_seconds=3600
    )
    free = ServeSettings(max_pages=0, max_pdf_bytes=0, max_document_s=0)
    assert serving_engine(Settings(serve=free))._workers.limits == DocumentLimits()


async def test_a_thread_that_cannot_be_had_is_the_machines_trouble(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(DiskThreads, "start", none)
    async with serving_engine(Settings(), workers=1) as engine:
        monkeypatch.setattr(WorkerPool, "run", answered_at_once)
        with pytest.raises(MachineExhaustedError, match="no more processes or threads"):
            await convert(engine, SAMPLES / "bitonal.djvu", tmp_path / "out.pdf")
        with pytest.raises(MachineExhaustedError, match="no more processes or threads"):
            await engine.picture("/nowhere.djvu", os.fspath(tmp_path / "out.jpg"))


async def answered_at_once(
    _pool: WorkerPool, job: Mapping[str, Any], **_: object
) -> dict[str, Any]:
    if job["job"] == "picture":
        return {"error": "unreadable", "message": "it is gone"}
    return {"pages": 1, "warnings": []}
