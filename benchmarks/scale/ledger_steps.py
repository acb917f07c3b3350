"""One step of a ledger's life in a process of its own: does it, prints what it took.

`first` plans an archive that is new and records every document as a service's run leaves
it: two calls, a task, a PDF, an outcome. `rerun` plans the same archive with all of it up to
date. `report` writes the report of that run in every form, `merge` that of two ledgers which have
half of it each. `bulk` makes a ledger as `first` leaves one, by SQL alone, since `first` takes long
for many millions. The walk is made up and so is the look at each PDF: what is measured is the
ledger and what is decided by it.
"""

from __future__ import annotations

import argparse
import json
import logging
import resource
import shutil
import sqlite3
import time
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import anyio
import structlog

from batch_converter import merge
from batch_converter.cli.allocator import keep_freed_memory
from batch_converter.config import Settings
from batch_converter.errors import ExitCode
from batch_converter.ledger import Ledger, LedgerReader
from batch_converter.ledger.operations import durable
from batch_converter.models import (
    CallKind,
    CallOutcome,
    FileReport,
    FileStatus,
    Price,
    SourceFile,
    StoredPdf,
    Task,
)
from batch_converter.naming import wanted_output
from batch_converter.orchestrator import Planner
from batch_converter.output import OutputLook, PdfStore
from batch_converter.report import (
    write_csv_report,
    write_html_report,
    write_json_report,
    write_manifest,
)
from batch_converter.testing import FakeTaskService
from batch_converter.wiring import open_context

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from batch_converter.models import Document
    from batch_converter.orchestrator import RunContext

ROOT: Final = "/srv/archive/scans"
LEDGER: Final = "ledger.sqlite3"
_BATCH: Final = 1_000
_PDF_BYTES: Final = 150_000
_NOON: Final = datetime(2026, 5, 1, 12, tzinfo=UTC)
_OK: Final = ExitCode.OK

Figures = dict[str, float]


def walked(rows: int) -> Iterator[SourceFile]:
    """Yield the files of an archive in the order of a walk."""
    for number in range(rows):
        source = f"{number // 100_000:04}/{number // 1_000:06}/item-{number:08}.djvu"
        yield SourceFile(
            path=f"{ROOT}/{source}",
            source_root=ROOT,
            source=source,
            wanted_output=wanted_output(source),
            size_bytes=40_000 + number % 1_000,
            mtime_ns=1_700_000_000_000_000_000 + number,
        )


class _FilledLedger(Ledger):
    """A ledger that takes many documents' whole lives in one transaction."""

    @durable
    def live(self, connection: sqlite3.Connection, documents: Sequence[Document]) -> None:
        for document in documents:
            for kind in (CallKind.SUBMIT, CallKind.POLL):
                call = _plain(Ledger.begin_call)(self, connection, kind, document.id, at=_NOON)
                _plain(Ledger.end_call)(self, connection, call, CallOutcome.ANSWERED, 200)
                if kind is CallKind.SUBMIT:
                    task = _task(document)
                    _plain(Ledger.submitted)(self, connection, document, task, "fake")
            _plain(Ledger.describe)(self, connection, document, source_sha256=_digest(document, 7))
            made_by = {"engine": "fake", "options": "0"}
            pdf = _pdf(document)
            _plain(Ledger.publishing)(self, connection, document, pdf, **made_by)
            _plain(Ledger.converted)(
                self, connection, document, pdf, _report(document), at=_NOON, **made_by
            )

    @durable
    def fill(self, connection: sqlite3.Connection, rows: int) -> None:
        for statement in _FILL.format(rows=rows, root=ROOT, noon=_NOON.timestamp()).split(";"):
            connection.execute(statement)


_FILL: Final = """
WITH RECURSIVE number (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM number WHERE n + 1 < {rows})
INSERT INTO document (path, source_root, source, output, output_key, size_bytes, mtime_ns, pages,
    source_sha256, state, engine, options, pdf_sha256, pdf_bytes, converted_at)
SELECT CAST('{root}/' || source || '.djvu' AS BLOB), CAST('{root}' AS BLOB),
    CAST(source || '.djvu' AS BLOB), CAST(source || '.pdf' AS BLOB),
    CAST(source || '.pdf' AS BLOB), 40000 + n % 1000,
    1700000000000000000 + n, 1, printf('%064x', n * 2654435761 + 7), 'converted', 'fake', '0',
    printf('%064x', n * 2654435761), 150000, {noon}
FROM (SELECT n, printf('%04d/%06d/item-%08d', n / 100000, n / 1000, n) AS source FROM number);
INSERT INTO outcome (run, document, status, path, source_root, source, output, attempts, polls,
    task_id, bytes_in, bytes_out, pages, sha256, submitted_at, completed_at, source_sha256)
SELECT 1, id, 'converted', path, source_root, source, output, 1, 1,
    printf('5b1f2c9e-0d3a-4e52-9a77-%012d', id), size_bytes, pdf_bytes, pages, pdf_sha256, {noon},
    {noon}, source_sha256 FROM document;
INSERT INTO call (run, document, kind, started_at, outcome, http_status)
SELECT 1, id, kind, {noon}, 'answered', 200
FROM document, (SELECT 'submit' AS kind UNION SELECT 'poll');
"""


def _plain(method: Any) -> Any:  # noqa: ANN401  # any of the ledger's
    """Return the operation that a method of the ledger was made of."""
    return method.__wrapped__


def _task(document: Document) -> Task:
    task_id = f"5b1f2c9e-0d3a-4e52-9a77-{document.id:012d}"
    return Task(task_id=task_id, submitted_at=_NOON, expires_at=_NOON + timedelta(days=1))


def _digest(document: Document, salt: int) -> str:
    return f"{document.id * 2_654_435_761 + salt:064x}"


def _pdf(document: Document) -> StoredPdf:
    return StoredPdf(sha256=_digest(document, 1), size_bytes=_PDF_BYTES, pages=1)


def _report(document: Document) -> FileReport:
    return FileReport(
        source=document.source,
        source_root=document.source_root,
        output=document.output,
        status=FileStatus.CONVERTED,
        attempts=1,
        polls=1,
        task_id=_task(document).task_id,
        bytes_in=document.size_bytes,
        bytes_out=_PDF_BYTES,
        pages=1,
        sha256=_digest(document, 1),
        submitted_at=_NOON,
        completed_at=_NOON,
    )


class _AllThere(PdfStore):
    """An output folder in which every PDF is what the ledger says."""

    def look(self, output: str) -> OutputLook:  # noqa: ARG002  # the same of each
        return OutputLook(size_bytes=_PDF_BYTES, mtime_ns=1)


@asynccontextmanager
async def _opened(folder: Path, *, all_there: bool) -> AsyncIterator[RunContext]:
    settings = Settings.model_validate({"engine": "local", "output": {"dir": folder / "out"}})
    wired = open_context(
        settings,
        FakeTaskService().spec,
        state=folder,
        run_id="run",
        open_ledger=_FilledLedger.open,
    )
    async with wired as context:
        if all_there:
            pdfs = _AllThere(
                output_dir=folder / "out", state_dir=folder, run_id="run", threads=context.threads
            )
            context = replace(context, pdfs=pdfs)  # noqa: PLW2901  # the same, with other PDFs
        yield context


class _Stopwatch:
    def __init__(self) -> None:
        self.figures: Figures = {}

    @contextmanager
    def timing(self, name: str) -> Iterator[None]:
        began_s, cpu_s = time.perf_counter(), time.process_time()
        yield
        self.figures[f"{name}_s"] = time.perf_counter() - began_s
        self.figures[f"{name}_cpu_s"] = time.process_time() - cpu_s


async def first(folder: Path, rows: int, watch: _Stopwatch) -> None:
    """Plan a new archive, and record that all of it was converted."""
    async with _opened(folder, all_there=False) as context:
        ledger = context.ledger
        await ledger.begin_run("first", "fake", at=_NOON)
        with watch.timing("plan"):
            await Planner(context, any_engine=False).plan(walked(rows), [ROOT])
        watch.figures["plan_mb"] = peak_mb()
        with watch.timing("live"):
            position = 0
            while page := await ledger.take(position, _BATCH):
                await _live(ledger, [document for _, document in page])
                position, _ = page[-1]
        with watch.timing("finish"):
            await ledger.finish_run(at=_NOON)
            await ledger.end_run(_OK)


async def _live(ledger: Ledger, documents: Sequence[Document]) -> None:
    if not isinstance(ledger, _FilledLedger):
        raise TypeError(ledger)
    await ledger.live(documents)


async def rerun(folder: Path, rows: int, watch: _Stopwatch) -> None:
    """Plan the archive once more: all of it is up to date."""
    with watch.timing("open"):
        opening = _opened(folder, all_there=True)
        context = await opening.__aenter__()
    ledger = context.ledger
    try:
        with watch.timing("begin"):
            await ledger.begin_run(f"rerun-{time.time_ns()}", "fake", at=_NOON)
            await ledger.unfinished()
        planner = Planner(context, any_engine=False)
        with watch.timing("plan"):
            in_line = await planner.plan(walked(rows), [ROOT])
        if in_line or planner.counts.skipped != rows:
            raise SystemExit(f"not everything is up to date: {in_line}, {planner.counts}")
        with watch.timing("finish"):
            await ledger.finish_run(at=_NOON)
            await ledger.end_run(_OK)
    finally:
        await opening.__aexit__(None, None, None)


async def bulk(folder: Path, rows: int, watch: _Stopwatch) -> None:
    """Make the ledger that `first` leaves, without its work."""
    async with await _FilledLedger.open(folder / LEDGER) as ledger:
        await ledger.begin_run("first", "fake", at=_NOON)
        with watch.timing("fill"):
            await ledger.fill(rows)
        await ledger.finish_run(at=_NOON)
        await ledger.end_run(_OK)


def json_report(folder: Path, watch: _Stopwatch) -> None:
    """Write what is known of the last run as JSON alone."""
    with watch.timing("open"):
        reader = LedgerReader(folder / LEDGER)
    with reader, watch.timing("json"):
        write_json_report(folder / "report.json", reader.run(), reader.files(), price=Price())


def report(folder: Path, watch: _Stopwatch) -> None:
    """Write what is known of the last run, in each form, and count for `status`."""
    price = Price()
    with watch.timing("open"):
        reader = LedgerReader(folder / LEDGER)
    with reader:
        with watch.timing("json"):
            write_json_report(folder / "report.json", reader.run(), reader.files(), price=price)
        with watch.timing("csv"):
            write_csv_report(folder / "report.csv", reader.files())
        with watch.timing("html"):
            write_html_report(folder / "report.html", reader.run(), reader.files, price=price)
        with watch.timing("manifest"):
            write_manifest(folder / "manifest", reader.converted())
        with watch.timing("status"):
            reader.status()


def merged(folder: Path, watch: _Stopwatch) -> None:
    """Write the report of two halves of the ledger as one."""
    halves = [_half(folder, number) for number in (0, 1)]
    wanted = {"report": {"file": folder / "merged.json"}}
    merging = merge(halves)
    with watch.timing("open"):
        both = merging.__enter__()
    try:
        with watch.timing("json"):
            both.write(Settings.model_validate(wanted))
    finally:
        merging.__exit__(None, None, None)


def _half(folder: Path, number: int) -> Path:
    """Copy the ledger and leave every second document out, as a shard's would."""
    half = folder / f"half-{number}"
    half.mkdir()
    shutil.copy(folder / LEDGER, half / LEDGER)
    with closing(sqlite3.connect(half / LEDGER)) as connection:
        connection.execute("DELETE FROM outcome WHERE document % 2 = ?", (number,))
        connection.execute("DELETE FROM document WHERE id % 2 = ?", (number,))
        connection.execute("UPDATE run SET run_id = run_id || ?, totals = NULL", (number,))
        connection.commit()
    return half


def peak_mb() -> float:
    """Return the most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


_AWAITED: Final = {"first": first, "bulk": bulk, "rerun": rerun}
_BLOCKING: Final = {"report": report, "json": json_report, "merge": merged}


def main() -> None:
    """Do one step."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("step", choices=[*_AWAITED, *_BLOCKING])
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("rows", type=int)
    given = arguments.parse_args()
    keep_freed_memory()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    watch = _Stopwatch()
    idle_mb = peak_mb()
    if given.step in _BLOCKING:
        _BLOCKING[given.step](given.folder, watch)
    else:
        anyio.run(_AWAITED[given.step], given.folder, given.rows, watch)
    print(json.dumps({**watch.figures, "idle_mb": idle_mb, "peak_mb": peak_mb()}))


if __name__ == "__main__":
    main()
