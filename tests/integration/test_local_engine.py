from __future__ import annotations

import errno
import fcntl
import io
import os
import random
import shutil
import signal
import subprocess
import sys
import termios
import threading
from collections import Counter
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import pikepdf
import psutil
import pypdfium2
import pytest
from pikepdf import pdfa
from PIL import Image

from batch_converter.config import LocalSettings
from batch_converter.djvu.work import pdfa_tools
from batch_converter.djvu.work.worker_process import WorkerProcess
from batch_converter.djvu.work.workers import WorkerPool
from batch_converter.engines.base import Ready, SourceDocument
from batch_converter.engines.local import LocalEngine, options_of
from batch_converter.errors import (
    ConfigError,
    EngineError,
    ErrorCode,
    FileError,
    MachineExhaustedError,
    NotDjvuError,
    OutputError,
    UnreadableError,
)
from tests.support.books import book_of
from tests.support.djvu_files import SAMPLES, chunk, info, page
from tests.support.djvu_layers import jpeg
from tests.support.worker_processes import workers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping


ROOT = Path(__file__).resolve().parents[2]
DAMAGED = ROOT / "tests" / "data"


class FileSink:
    """The part file of these tests; the engine's worker writes it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    async def restart(self) -> None:
        raise AssertionError("the worker writes the file itself")

    async def write(self, data: bytes) -> None:
        raise AssertionError(f"the worker writes the file itself, not {len(data)} bytes here")


def document(path: Path) -> SourceDocument:
    return SourceDocument(
        number=1,
        name=path.name,
        path=os.fspath(path),
        size_bytes=path.stat().st_size if path.exists() else 0,
        mtime_ns=0,
    )


async def convert(engine: LocalEngine, path: Path, target: Path) -> Ready:
    return await engine.convert(document(path), FileSink(target))


async def stop(worker: psutil.Process) -> None:
    """Suspend it, and wait until no thread of it reads any more."""
    worker.suspend()
    threads = Path(f"/proc/{worker.pid}/task")
    await until(lambda: all(state_of(thread) == "T" for thread in threads.iterdir()))


def state_of(thread: Path) -> str:
    return (thread / "stat").read_text().rpartition(")")[2].split()[0]


def has_begun(worker: psutil.Process) -> bool:
    """Whether it reads a document."""
    return any(file.path.endswith(".djvu") for file in worker.open_files())


def has_unread_job(worker: psutil.Process) -> bool:
    """Whether something lies in the pipe that the (stopped) worker reads."""
    pipe = os.open(f"/proc/{worker.pid}/fd/0", os.O_RDONLY | os.O_NONBLOCK)
    try:
        return fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4) != b"\0" * 4
    finally:
        os.close(pipe)


async def until(condition: Callable[[], object]) -> None:
    """Wait for what another process does; the suite's timeout is the limit."""
    while not condition():
        await anyio.lowlevel.checkpoint()


@pytest.fixture
async def engine() -> AsyncIterator[LocalEngine]:
    async with LocalEngine(LocalSettings(), workers=2) as opened:
        yield opened
    assert not workers()


@pytest.mark.parametrize("name", sorted(path.name for path in SAMPLES.glob("*.djvu")))
async def test_every_sample_becomes_a_pdf(engine: LocalEngine, tmp_path: Path, name: str) -> None:
    target = tmp_path / "out.pdf"
    assert await convert(engine, SAMPLES / name, target) == Ready()
    with pikepdf.open(target) as pdf:
        assert not pdf.check_pdf_syntax()
        assert len(pdf.pages) == {"book.djvu": 6, "languages.djvu": 5}.get(name, 1)
    assert not [name async for name in anyio.Path(tmp_path).glob("*.part")]


async def test_names_that_are_not_utf8_reach_the_worker(
    engine: LocalEngine, tmp_path: Path
) -> None:
    source = tmp_path / os.fsdecode(b"r\xe9sum\xe9.djvu")
    shutil.copy(SAMPLES / "bitonal.djvu", source)
    target = tmp_path / os.fsdecode(b"\xff.pdf")
    assert await convert(engine, source, target) == Ready()
    assert target.read_bytes().startswith(b"%PDF-")


async def test_what_is_no_djvu_is_told_and_harms_no_worker(
    engine: LocalEngine, tmp_path: Path
) -> None:
    (tmp_path / "a.djvu").write_bytes(b"%PDF-1.7 of course not")
    with pytest.raises(NotDjvuError, match=r"a\.djvu"):
        await convert(engine, tmp_path / "a.djvu", tmp_path / "out.pdf")
    with pytest.raises(UnreadableError):
        await convert(engine, tmp_path / "missing.djvu", tmp_path / "out.pdf")
    assert len(workers()) == 1


async def test_an_index_has_to_be_bundled_first(engine: LocalEngine, tmp_path: Path) -> None:
    with pytest.raises(NotDjvuError, match="bundled"):
        await convert(engine, DAMAGED / "indirect" / "index.djvu", tmp_path / "out.pdf")


async def test_a_damaged_page_fails_its_document(engine: LocalEngine, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"broken\.djvu: page 1 cannot be decoded"):
        await convert(engine, DAMAGED / "broken.djvu", tmp_path / "out.pdf")


async def test_a_full_disk_is_the_disks_fault(engine: LocalEngine) -> None:
    with pytest.raises(OutputError):
        await convert(engine, SAMPLES / "bitonal.djvu", Path("/dev/full"))


async def test_a_worker_that_is_killed_fails_one_document_and_is_replaced(
    tmp_path: Path,
) -> None:
    failed: list[str] = []

    async def fail(engine: LocalEngine, target: Path) -> None:
        with pytest.raises(EngineError) as caught:
            await convert(engine, SAMPLES / "bitonal.djvu", target)
        failed.append(str(caught.value))

    os.mkfifo(tmp_path / "1.pdf")  # that nobody reads: the worker waits in its `open`
    async with LocalEngine(LocalSettings(), workers=1) as engine:
        async with anyio.create_task_group() as group:
            group.start_soon(fail, engine, tmp_path / "1.pdf")
            await until(lambda: any(map(has_begun, workers())))
            (worker,) = workers()
            os.kill(worker.pid, signal.SIGABRT)
        assert "want of memory" in failed[0]
        assert await convert(engine, SAMPLES / "bitonal.djvu", tmp_path / "2.pdf") == Ready()


async def test_a_document_whose_worker_was_killed_from_outside_is_tried_again(
    tmp_path: Path,
) -> None:
    target = tmp_path / "1.pdf"
    os.mkfifo(target)  # that nobody reads: the worker waits in its `open`
    async with LocalEngine(LocalSettings(), workers=1) as engine:
        async with anyio.create_task_group() as group:
            group.start_soon(convert, engine, SAMPLES / "bitonal.djvu", target)
            await until(lambda: any(map(has_begun, workers())))
            target.unlink()  # the next one finds nothing in its way
            workers()[0].kill()
        assert target.read_bytes().startswith(b"%PDF-")


async def test_a_document_that_kills_three_workers_fails_alone(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "1.pdf")
    failed: list[str] = []

    async def fail(engine: LocalEngine) -> None:
        with pytest.raises(EngineError) as caught:
            await convert(engine, SAMPLES / "bitonal.djvu", tmp_path / "1.pdf")
        failed.append(str(caught.value))

    killed: set[int] = set()

    def kill_next() -> bool:
        for worker in workers():
            with suppress(psutil.NoSuchProcess):
                if worker.pid not in killed and has_begun(worker):
                    killed.add(worker.pid)
                    worker.kill()
        return bool(failed)

    async with LocalEngine(LocalSettings(), workers=1) as engine:
        async with anyio.create_task_group() as group:
            group.start_soon(fail, engine)
            await until(kill_next)
        assert len(killed) == 3
        assert "3 processes" in failed[0]
        assert await convert(engine, SAMPLES / "bitonal.djvu", tmp_path / "2.pdf") == Ready()


async def test_cancelling_a_fetch_kills_its_worker(tmp_path: Path) -> None:
    async with LocalEngine(LocalSettings(), workers=1) as engine:
        await convert(engine, SAMPLES / "bitonal.djvu", tmp_path / "1.pdf")
        (worker,) = workers()
        await stop(worker)
        async with anyio.create_task_group() as tg:
            tg.start_soon(convert, engine, SAMPLES / "bitonal.djvu", tmp_path / "2.pdf")
            await until(lambda: has_unread_job(worker))
            tg.cancel_scope.cancel()
        assert not worker.is_running()
        assert await convert(engine, SAMPLES / "bitonal.djvu", tmp_path / "3.pdf") == Ready()


async def test_a_conversion_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "1.pdf")  # that nobody reads: the worker waits in its `open`
    settings = LocalSettings(page_timeout_s=0.01)
    async with LocalEngine(settings, workers=1, base_timeout_s=1) as engine:
        with pytest.raises(EngineError, match="longer than 1 seconds"):
            await convert(engine, SAMPLES / "bitonal.djvu", tmp_path / "1.pdf")
        assert not workers()


async def test_a_worker_that_died_idle_harms_no_document(tmp_path: Path) -> None:
    async with LocalEngine(LocalSettings(), workers=1) as engine:
        await convert(engine, SAMPLES / "bitonal.djvu", tmp_path / "1.pdf")
        (worker,) = workers()
        worker.kill()
        await until(lambda: not workers())
        assert await convert(engine, SAMPLES / "bitonal.djvu", tmp_path / "2.pdf") == Ready()


async def test_a_worker_that_dies_before_it_begins_harms_no_document(tmp_path: Path) -> None:
    async with LocalEngine(LocalSettings(), workers=1) as engine, anyio.create_task_group() as tg:
        await convert(engine, SAMPLES / "bitonal.djvu", tmp_path / "1.pdf")
        (worker,) = workers()
        await stop(worker)
        tg.start_soon(convert, engine, SAMPLES / "bitonal.djvu", tmp_path / "2.pdf")
        await until(lambda: has_unread_job(worker))
        worker.kill()
    assert (tmp_path / "2.pdf").read_bytes() == (tmp_path / "1.pdf").read_bytes()


async def test_workers_that_never_begin_are_not_started_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "python"
    program.write_text('#!/bin/sh\necho >>"$0.starts"\nexit 3\n')
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", os.fspath(program))
    async with LocalEngine(LocalSettings(), workers=1) as engine:
        with pytest.raises(MachineExhaustedError, match="before it began, ended with status 3"):
            await convert(engine, SAMPLES / "bitonal.djvu", tmp_path / "1.pdf")
    assert len((tmp_path / "python.starts").read_text()) == 4


@pytest.mark.slow
async def test_a_signal_for_all_processes_harms_no_document_even_as_workers_start(
    tmp_path: Path,
) -> None:
    reached: set[int] = set()
    done = threading.Event()

    def signal_all() -> None:
        while not done.is_set():
            for worker in workers():
                for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                    with suppress(psutil.NoSuchProcess):
                        worker.send_signal(number)
                        reached.add(worker.pid)

    async with anyio.create_task_group() as group:
        group.start_soon(anyio.to_thread.run_sync, signal_all)
        try:
            for number in range(10):
                async with LocalEngine(LocalSettings(), workers=1) as engine:
                    target = tmp_path / f"{number}.pdf"
                    assert await convert(engine, SAMPLES / "bitonal.djvu", target) == Ready()
                    pids = {worker.pid for worker in workers()}
                    await until(partial(pids.issubset, reached))
        finally:
            done.set()


async def test_idle_workers_are_all_told_to_end_before_one_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steps: list[str] = []
    end = WorkerProcess.end

    async def noted(self: WorkerProcess) -> int:
        steps.append("told")
        status = await end(self)
        steps.append("ended")
        return status

    monkeypatch.setattr(WorkerProcess, "end", noted)
    async with LocalEngine(LocalSettings(), workers=2) as engine:
        await engine.start_for(2)
    assert steps == ["told", "told", "ended", "ended"]
    assert not workers()


def conversion_of(source: str) -> dict[str, Any]:
    options = asdict(options_of(LocalSettings()))
    return {"job": "convert", "source": source, "target": "", "cpu_limit_s": 60, "options": options}


async def test_a_job_longer_than_a_pipe_goes_through() -> None:
    pool = WorkerPool(size=1, max_memory_bytes=2 << 30)
    answer = await pool.run(conversion_of("x" * (1 << 20)), priority=(0,), timeout_s=60)
    await pool.aclose()
    assert answer["error"] == ErrorCode.UNREADABLE


async def test_a_worker_is_replaced_after_so_many_jobs() -> None:
    pool = WorkerPool(size=1, max_memory_bytes=2 << 30, max_jobs=2)
    seen = []
    for _ in range(5):
        await pool.run(conversion_of(""), priority=(0,), timeout_s=60)
        seen.append([worker.pid for worker in workers()])
    await pool.aclose()
    assert [len(found) for found in seen] == [1, 0, 1, 0, 1]
    assert len({*seen[0], *seen[2], *seen[4]}) == 3


def test_workers_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    program = f"""
import anyio, os, signal, sys
sys.path.insert(0, {os.fspath(Path(__file__).parent)!r})
from test_local_engine import *
async def main():
    async with LocalEngine(LocalSettings(), workers=1) as engine:
        await convert(engine, SAMPLES / "bitonal.djvu", Path({os.fspath(tmp_path)!r}) / "1.pdf")
        print(workers()[0].pid, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
anyio.run(main)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    with suppress(psutil.NoSuchProcess):  # it has ended already
        psutil.Process(int(done.stdout)).wait(timeout=20)


def mutated(data: bytes, seed: int) -> bytes:
    """Damage a file: bytes changed, zeroed, made noise, or copied from elsewhere in it."""
    chance = random.Random(seed)  # damage, no secrets
    out = bytearray(data)
    start = chance.randrange(16, len(out))
    end = min(len(out), start + chance.randrange(1, 200))
    match seed % 4:
        case 0:
            out[start] ^= 1 << chance.randrange(8)
        case 1:
            out[start:end] = bytes(end - start)
        case 2:
            out[start:end] = chance.randbytes(end - start)
        case _:
            source = chance.randrange(16, len(out) - (end - start))
            out[start:end] = out[source : source + end - start]
    return bytes(out)


def is_blank(page: pypdfium2.PdfPage) -> bool:
    low, _ = page.render(scale=0.5).to_pil().convert("L").getextrema()
    return bool(low > 240)


KERNELS = ["plain", pytest.param("compiled", marks=pytest.mark.slow)]


@pytest.fixture
def kernels(request: pytest.FixtureRequest) -> str:
    """Have workers use kernels as they are, or compiled, whose masks are JBIG2."""
    if request.param == "compiled":
        request.getfixturevalue("compiled_workers")
    return str(request.param)


@pytest.mark.slow
@pytest.mark.filterwarnings(
    "ignore:pikepdf is missing some specialized decoders"
)  # pdfium has them
@pytest.mark.parametrize("kernels", KERNELS, indirect=True)
async def test_no_damage_crashes_hangs_or_passes_for_a_blank_page(
    tmp_path: Path, kernels: str
) -> None:
    names = ["bitonal", "colour", "mixed", "book", "rotated"]
    originals = [(SAMPLES / f"{name}.djvu").read_bytes() for name in names]
    outcomes: Counter[str] = Counter()

    async def check(engine: LocalEngine, seed: int) -> None:
        source, target = tmp_path / f"{seed}.djvu", tmp_path / f"{seed}.pdf"
        source.write_bytes(mutated(originals[seed % len(originals)], seed))
        try:
            await convert(engine, source, target)
        except FileError as error:
            outcomes[error.code] += 1
            return
        outcomes["converted"] += 1
        with pikepdf.open(target) as pdf:
            assert not pdf.check_pdf_syntax()
        with pypdfium2.PdfDocument(target) as document:
            assert not any(is_blank(page) for page in document), seed

    async with LocalEngine(LocalSettings(), workers=2) as engine, anyio.create_task_group() as tg:
        await convert(engine, SAMPLES / "bitonal.djvu", tmp_path / "sound.pdf")
        for seed in range(300):
            tg.start_soon(check, engine, seed)
    with pikepdf.open(tmp_path / "sound.pdf") as pdf:
        [image] = pdf.pages[0].Resources.XObject.values()
        assert (str(image.Filter) == "/JBIG2Decode") is (kernels == "compiled")
    assert outcomes.total() == 300
    assert outcomes["converted"] > 50
    assert outcomes["engine_error"] > 50


def huge_jpeg() -> bytes:
    """A JPEG file that claims 65,500 pixels each way."""
    data = jpeg(Image.new("RGB", (8, 8)))
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + b"\xff\xdc" * 2 + data[at + 4 :]


@pytest.mark.usefixtures("kernels")
@pytest.mark.parametrize("kernels", KERNELS, indirect=True)
async def test_bombs_cost_one_document_each(engine: LocalEngine, tmp_path: Path) -> None:
    bombs = {
        "huge page": page(info(width=65535, height=65535)),
        "huge mask": page(info(), chunk("Sjbz", b"\x7f" * 400)),
        "huge wavelet": page(
            info(), chunk("BG44", b"\x00\x64\x01\x02\xff\xff\xff\xff" + b"\x55" * 99)
        ),
        "huge JPEG": page(info(), chunk("BGjp", huge_jpeg())),
        "huge text": page(info(), chunk("TXTz", b"\x00" * 4000)),
        "huge annotation": page(info(), chunk("ANTz", b"\x00" * 4000)),
        "deep annotation": page(info(), chunk("ANTa", b"(" * 100_000)),
        "many chunks": page(info(), *[chunk("XXXX", b"")] * 100_000),
        "includes itself": page(info(), chunk("INCL", b"in.djvu")),
        "huge directory": b"AT&T"
        + chunk("FORM", b"DJVM" + chunk("DIRM", b"\x81\xff\xff" + bytes(262_140))),
    }
    outcomes: dict[str, str] = {}
    for name, data in bombs.items():
        source = tmp_path / f"{name}.djvu"
        source.write_bytes(data)
        try:
            await convert(engine, source, tmp_path / "out.pdf")
        except FileError as error:
            outcomes[name] = error.code
    assert set(outcomes.values()) == {"engine_error"}
    # These only lose what makes no sense in them, and pages without ink are blank.
    harmless = {"huge text", "huge annotation", "deep annotation"}
    assert bombs.keys() - outcomes.keys() <= harmless
    assert await convert(engine, SAMPLES / "bitonal.djvu", tmp_path / "out.pdf") == Ready()


def photo(size: int) -> bytes:
    """A page that is one JPEG."""
    out = io.BytesIO()
    Image.new("RGB", (size, size), "white").save(out, "JPEG")
    return page(info(width=size, height=size), chunk("BGjp", out.getvalue()))


async def test_memory_is_limited(tmp_path: Path) -> None:
    async with LocalEngine(LocalSettings(max_memory_bytes=512 << 20), workers=1) as engine:
        (tmp_path / "in.djvu").write_bytes(photo(7000))
        with pytest.raises(EngineError, match="memory limit"):
            await convert(engine, tmp_path / "in.djvu", tmp_path / "out.pdf")
        (tmp_path / "in.djvu").write_bytes(photo(4000))
        assert await convert(engine, tmp_path / "in.djvu", tmp_path / "out.pdf") == Ready()


NAMELESS = ("the page directory is damaged: names and titles of pages are lost",)


async def test_long_documents_are_shared_and_give_the_same_bytes(tmp_path: Path) -> None:
    source = tmp_path / "long.djvu"
    source.write_bytes(book_of(40))
    written = []
    for number, size in enumerate((1, 3)):
        async with LocalEngine(LocalSettings(), workers=size) as engine:
            target = tmp_path / f"{number}.pdf"
            assert await convert(engine, source, target) == Ready(warnings=NAMELESS)
            assert len(workers()) == size
            written.append(target.read_bytes())
    assert written[0] == written[1]
    with pikepdf.open(tmp_path / "0.pdf") as pdf:
        assert len(pdf.pages) == 40
    assert not [name async for name in anyio.Path(tmp_path).glob("*.part")]


async def test_a_part_that_fails_calls_the_others_off(tmp_path: Path) -> None:
    data = bytearray(book_of(40))
    place = data.rindex(b"Sjbz") + 8
    data[place : place + 40] = bytes(40)
    (tmp_path / "long.djvu").write_bytes(data)
    async with LocalEngine(LocalSettings(), workers=2) as engine:
        with pytest.raises(EngineError, match="page 40 cannot be decoded"):
            await convert(engine, tmp_path / "long.djvu", tmp_path / "out.pdf")
    assert not [name async for name in anyio.Path(tmp_path).glob("*.part")]


@pytest.mark.parametrize("page_count", [1, 40])
async def test_what_the_machine_lacks_ends_a_run_whether_it_meets_one_part_or_several(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page_count: int
) -> None:
    async def lack(_pool: WorkerPool, job: Mapping[str, Any], **_: object) -> dict[str, Any]:
        await anyio.lowlevel.checkpoint()
        if job["job"] == "inspect":
            return {"pages": page_count}
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(WorkerPool, "run", lack)
    async with LocalEngine(LocalSettings(), workers=2) as engine:
        with pytest.raises(MachineExhaustedError, match="too many open files"):
            await convert(engine, tmp_path / "any.djvu", tmp_path / "out.pdf")


async def test_what_is_kept_of_a_damaged_document_is_told(tmp_path: Path) -> None:
    data = bytearray(book_of(20))
    place = data.rindex(b"Sjbz") + 8
    data[place : place + 40] = bytes(40)
    (tmp_path / "long.djvu").write_bytes(data)
    async with LocalEngine(LocalSettings(on_damage="keep"), workers=2) as engine:
        done = await convert(engine, tmp_path / "long.djvu", tmp_path / "out.pdf")
    assert done == Ready(
        warnings=(
            "page 20 is blank: its image data is damaged: the mask makes no sense",
            *NAMELESS,
        )
    )


async def test_recognition_without_its_tools_starts_nothing() -> None:
    with pytest.raises(ConfigError, match=r"local\.ocr = 'tlh'.*install"):
        async with LocalEngine(LocalSettings(ocr="tlh"), workers=1):
            raise AssertionError("it was opened")


async def test_a_missing_checker_is_told_before_anything_begins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A system's own packages may have pikepdf without what its checker needs."""
    monkeypatch.setattr(
        pdfa_tools, "find_spec", lambda name: None if name == "jsonschema" else find_spec(name)
    )
    with pytest.raises(ConfigError, match=r"local\.pdfa = true: jsonschema .* pip install"):
        async with LocalEngine(LocalSettings(pdfa=True), workers=1):
            pass
    async with LocalEngine(LocalSettings(), workers=1):
        pass


async def test_a_document_with_text_that_was_recognised_is_an_archive(tmp_path: Path) -> None:
    sample = (SAMPLES / "no-text.djvu").read_bytes()
    source, target = tmp_path / "in.djvu", tmp_path / "out.pdf"
    source.write_bytes(sample)
    async with LocalEngine(LocalSettings(pdfa=True, ocr="eng"), workers=1) as engine:
        await engine.convert(document(source), FileSink(target))
    report = pdfa.validate_written(target, "2b")
    assert report.passed, report.summary()
    with pypdfium2.PdfDocument(target) as pdf:
        assert pdf[0].get_textpage().get_text_range().strip()


async def test_a_document_that_cannot_be_an_archive_fails_with_the_reason(tmp_path: Path) -> None:
    note = b'(maparea "" "%s" (rect 9 9 9 9))' % (b"x" * 32_768)
    source = tmp_path / "in.djvu"
    source.write_bytes(page(info(), chunk("ANTa", note)))
    async with LocalEngine(LocalSettings(pdfa=True), workers=1) as engine:
        with pytest.raises(EngineError, match=r"^in\.djvu: it cannot be PDF/A-2b: page 1: "):
            await engine.convert(document(source), FileSink(tmp_path / "out.pdf"))


def test_options_change_the_digest_and_patience_does_not() -> None:
    plain = LocalEngine(LocalSettings()).options_digest
    assert LocalEngine(LocalSettings(preset="archive")).options_digest != plain
    assert LocalEngine(LocalSettings(jpeg_quality=81)).options_digest != plain
    assert LocalEngine(LocalSettings(pdfa=True)).options_digest != plain
    assert LocalEngine(LocalSettings(page_timeout_s=99, workers=7)).options_digest == plain
