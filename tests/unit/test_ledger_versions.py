"""Ledgers of every version that there was: read as they are, brought up to date, same answers."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import timedelta
from importlib import resources
from typing import TYPE_CHECKING

import anyio.to_thread
import pytest

from batch_converter import ledger as ledger_package
from batch_converter.errors import ExitCode, LedgerError
from batch_converter.ledger import LedgerReader
from batch_converter.ledger.connection import APPLICATION_ID, MIGRATIONS, SCHEMA_VERSION
from batch_converter.models import DocumentState
from batch_converter.storage.sqlite_scripts import migrate
from tests.support.ledgers import ENGINE, NOON, opened, source_file

if TYPE_CHECKING:
    from pathlib import Path

_S = DocumentState
VERSIONS = range(1, SCHEMA_VERSION + 1)
EXIT_CODE = ExitCode.SOME_FAILED
WARNED_SINCE, SERVICES_SINCE = 3, 4
TOTALS = {"found": 6, "converted": 2, "failed": 2, "remaining": 2, "bytes_in": 20, "pages": 7}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite3"


def scripts() -> list[str]:
    """Return what made and changed the tables, in order."""
    folder = resources.files(ledger_package).joinpath("migrations")
    return [folder.joinpath(name).read_text(encoding="utf-8") for name in MIGRATIONS]


def insert(connection: sqlite3.Connection, table: str, **values: object) -> None:
    """Insert a row as the program of that time did."""
    names, places = ", ".join(values), ", ".join(f":{name}" for name in values)
    connection.execute(f"INSERT INTO {table} ({names}) VALUES ({places})", values)  # noqa: S608  # this file's own words


def document(
    connection: sqlite3.Connection, version: int, number: int, state: DocumentState, **more: object
) -> None:
    """Insert a document."""
    name = f"{number}.djvu".encode()
    hours = more.pop("hours", None)
    if isinstance(hours, int):
        submitted_at = (NOON - timedelta(hours=hours)).timestamp()
        more |= {"task_id": f"task-{number}", "submitted_at": submitted_at, "engine": ENGINE}
        if version >= SERVICES_SINCE:
            more["task_expires_at"] = submitted_at + 86_400
    insert(
        connection,
        "document",
        id=number,
        path=b"/archive/" + name,
        source_root=b"/archive",
        source=name,
        output=b"%d.pdf" % number,
        output_key=b"%d.pdf" % number,
        size_bytes=10,
        mtime_ns=1,
        state=state.value,
        **more,
    )


def build(path: Path, version: int, *, totals: dict[str, int] | None = None) -> None:
    """Make the ledger that a program of that version left: two runs, of which one called off."""
    at = NOON.timestamp()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        migrate(connection, scripts()[:version], application_id=APPLICATION_ID)
        run = {"started_at": at - 200_000, "engine": ENGINE, "exit_code": EXIT_CODE}
        cancel = {"kind": "cancel"} if version >= SERVICES_SINCE else {}
        known = TOTALS if totals is None else totals
        if version >= WARNED_SINCE:
            known = {**known, "with_warnings": 1}
        insert(connection, "run", run_id="first", finished_at=at, totals=json.dumps(known), **run)
        insert(connection, "run", run_id="called-off", finished_at=at, **run, **cancel)
        insert(connection, "run", run_id="dead", started_at=at, engine=ENGINE)
        warned = {"warnings": '["so it is"]'} if version >= WARNED_SINCE else {}
        pdf = {"pdf_sha256": "ab", "pdf_bytes": 5, "converted_at": at, "engine": ENGINE}
        document(connection, version, 1, _S.CONVERTED, **pdf, **warned, pages=4)
        document(connection, version, 2, _S.CONVERTED, **pdf, pages=3)
        document(connection, version, 3, _S.SUBMITTED, hours=23)
        document(connection, version, 4, _S.FAILED, hours=23, error_code="timeout")
        document(connection, version, 5, _S.FAILED, hours=24, error_code="timeout")
        document(connection, version, 6, _S.SUBMITTING)
        for number, warnings in ((1, '["so it is"]'), (2, None)):
            insert(
                connection,
                "outcome",
                run=1,
                document=number,
                status="converted",
                bytes_in=10,
                bytes_out=5,
                pages=5 - number,
                warnings=warnings,
            )
        insert(connection, "outcome", run=1, document=3, status="skipped")
        ended = "refused" if version >= SERVICES_SINCE else "answered"
        for outcome, status in (("lost", None), (ended, 307)):
            call = {"kind": "submit", "started_at": at, "outcome": outcome, "http_status": status}
            insert(connection, "call", run=3, document=6, **call)


def answers(path: Path) -> tuple[object, ...]:
    """Return what the commands read."""
    with LedgerReader(path) as reader:
        status = reader.status(now=NOON)
        return (
            status.totals,
            status.states,
            status.failures,
            status.api_calls,
            status.out_at_service,
            reader.run("first"),
            reader.run("called-off").exit_code,
            list(reader.files("first")),
            list(reader.failed_paths("first")),
            list(reader.converted()),
        )


def dump(path: Path) -> list[str]:
    """Return all that a ledger holds, its tables as well."""
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


def without_totals(statements: list[str]) -> list[str]:
    """Leave out the runs: what was counted once is not counted again by a migration."""
    return [each for each in statements if not each.startswith('INSERT INTO "run"')]


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_ledger_of_any_version_gives_the_same_answers(
    path: Path, tmp_path: Path, version: int
) -> None:
    """Read before anything was migrated, and after; a reader changes nothing."""
    now = tmp_path / "now.sqlite3"
    await anyio.to_thread.run_sync(build, now, SCHEMA_VERSION)
    await anyio.to_thread.run_sync(build, path, version)
    before = await anyio.to_thread.run_sync(dump, path)
    expected = await anyio.to_thread.run_sync(answers, now)
    assert await anyio.to_thread.run_sync(answers, path) == expected
    assert await anyio.to_thread.run_sync(dump, path) == before
    async with opened(path, None):
        pass
    assert await anyio.to_thread.run_sync(answers, path) == expected
    migrated = await anyio.to_thread.run_sync(dump, path)
    assert without_totals(migrated) == without_totals(await anyio.to_thread.run_sync(dump, now))


@pytest.mark.parametrize("version", VERSIONS)
async def test_what_the_numbers_are(path: Path, version: int) -> None:
    await anyio.to_thread.run_sync(build, path, version)

    def read() -> None:
        with LedgerReader(path) as reader:
            status = reader.status(now=NOON)
            assert (status.totals.with_warnings, status.totals.pages) == (1, 7)
            assert status.out_at_service == 2
            assert status.last_run is not None
            assert status.last_run.run_id == "dead"
            first = reader.run("first")
            assert (first.totals.found, first.totals.with_warnings) == (6, 1)
            assert first.exit_code == EXIT_CODE
            files = {file.source: file for file in reader.files("first")}
            assert files["1.djvu"].warnings == ("so it is",)
            assert files["3.djvu"].bytes_in == 10

    await anyio.to_thread.run_sync(read)


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_run_goes_on_where_one_of_any_version_left_off(path: Path, version: int) -> None:
    await anyio.to_thread.run_sync(build, path, version)
    async with opened(path, None) as ledger:
        recovered = await ledger.begin_run("run-2", ENGINE, at=NOON)
        assert (recovered.runs, recovered.submit_unknown, recovered.out_at_service) == (1, 0, 1)
        out = await ledger.out_at_service(at=NOON)
        assert sorted(document.source for document in out) == ["3.djvu", "4.djvu"]
        await ledger.record_found([source_file(f"{number}.djvu") for number in range(1, 7)])
        assert await ledger.assign_outputs() == 6
        known = {each.document.id: each for each in await ledger.page(b"", 9)}
        assert known[6].document.state is _S.PENDING
        assert known[1].was_converted
        assert known[3].document.task is not None
        assert known[3].document.task.expires_at == NOON + timedelta(hours=1)


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_copy_of_any_version_can_be_planned_on(path: Path, version: int) -> None:
    await anyio.to_thread.run_sync(build, path, version)
    before = await anyio.to_thread.run_sync(dump, path)
    async with await ledger_package.Ledger.open_copy(path) as copy:
        await copy.begin_run("dry-run", ENGINE, at=NOON)
        await copy.record_found([source_file("1.djvu")])
        assert await copy.assign_outputs() == 1
    assert await anyio.to_thread.run_sync(dump, path) == before


async def test_stored_totals_that_miss_names_or_have_more_of_them_are_read(path: Path) -> None:
    """A later version may count what this one does not, and an earlier one counted less."""
    stored = {"found": 6, "converted": 2, "failed": 2, "translated": 5}
    await anyio.to_thread.run_sync(lambda: build(path, SCHEMA_VERSION, totals=stored))

    def read() -> tuple[int, ...]:
        with LedgerReader(path) as reader:
            totals = reader.run("first").totals
            return totals.found, totals.failed, totals.bytes_out, totals.skipped

    assert await anyio.to_thread.run_sync(read) == (6, 2, 10, 1)


async def test_a_reader_of_an_earlier_version_cannot_write_to_its_copy_either(path: Path) -> None:
    await anyio.to_thread.run_sync(build, path, 1)

    def write() -> None:
        with LedgerReader(path) as reader:
            reader._connection.execute("DELETE FROM run")

    with pytest.raises(LedgerError, match="readonly"):
        await anyio.to_thread.run_sync(write)
