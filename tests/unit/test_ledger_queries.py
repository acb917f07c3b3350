"""The ledger's statements: all fit the tables, all are used, and a report's fields stand once."""

from __future__ import annotations

import json
import re
from contextlib import closing
from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio.to_thread
import pytest

from batch_converter import ledger as ledger_package
from batch_converter.errors import ErrorCode
from batch_converter.ledger import LedgerReader
from batch_converter.ledger.connection import connect_copy
from batch_converter.ledger.queries import QUERIES, query
from batch_converter.models import Failure, FileReport, FileStatus, Phase, Price, Timeline
from batch_converter.report import json_report_text
from tests.support.ledgers import NOON, admitted, opened, source_file

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

_USED = re.compile(r'\bquery\("(\w+)"\)')
_SETS_STATE = re.compile(r"\bSET\s+(?:(?!\bWHERE\b).)*?\bstate\s*=", re.DOTALL)


@pytest.fixture
def tables(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """Yield an empty ledger with the temporary tables of a run."""
    with closing(connect_copy(tmp_path / "ledger.sqlite3")) as connection:
        connection.execute(query("create_found"))
        connection.execute(query("create_queue"))
        yield connection


def module_texts() -> dict[str, str]:
    """Return the source of each module of the ledger."""
    folder = Path(ledger_package.__file__).parent
    return {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.py")}


@pytest.mark.parametrize("name", QUERIES)
def test_a_statement_fits_the_tables(tables: sqlite3.Connection, name: str) -> None:
    statement = query(name)
    parameters = dict.fromkeys(re.findall(r":(\w+)", statement))
    tables.execute(f"EXPLAIN {statement}", parameters)
    assert "?" not in statement  # parameters have names


def test_every_statement_is_used_and_none_is_missing() -> None:
    used = {name for text in module_texts().values() for name in _USED.findall(text)}
    assert used == set(QUERIES)


def test_statements_stand_nowhere_else() -> None:
    words = re.compile(r'"\s*(SELECT|INSERT|UPDATE|DELETE)\b')
    found = {name for name, text in module_texts().items() if words.search(text)}
    assert found == {"connection.py"}  # which looks whether there are tables at all


def test_one_statement_alone_changes_a_state() -> None:
    assert [name for name, text in QUERIES.items() if _SETS_STATE.search(text)] == ["move"]


def full_report() -> FileReport:
    """Return an entry in which nothing is as by default."""
    return FileReport(
        source="a\udcff.djvu",
        source_root="/archive",
        output="a\udcff.pdf",
        status=FileStatus.FAILED,
        attempts=1,
        polls=2,
        task_id="task-1",
        bytes_in=3,
        bytes_out=4,
        pages=5,
        sha256="ab",
        source_sha256="cd",
        submitted_at=NOON,
        completed_at=NOON + timedelta(seconds=1),
        error=Failure(code=ErrorCode.TIMEOUT, message="so it is"),
        warnings=("one", "two"),
        moved_to="/done/a\udcff.djvu",
        timeline=Timeline(
            began_at=NOON, phases=((Phase.QUEUED, 0.125), (Phase.AT_SERVICE, 3), (Phase.QUEUED, 0))
        ),
    )


async def test_each_field_of_a_report_goes_through_the_ledger_into_json(tmp_path: Path) -> None:
    """By the dataclass alone: no module lists them again."""
    path, written = tmp_path / "ledger.sqlite3", full_report()
    async with opened(path) as ledger:
        await ledger.outcome(None, "/archive/a\udcff.djvu", written)
        summary = await ledger.finish_run(at=NOON)

    def read() -> list[FileReport]:
        with LedgerReader(path) as reader:
            return list(reader.files())

    assert await anyio.to_thread.run_sync(read) == [written]
    text = "".join(json_report_text(summary, [written], price=Price()))
    [entry] = json.loads(text)["files"]
    told = [field for field in fields(FileReport) if field.name != "timeline"]  # the page's alone
    assert list(entry) == [field.name for field in told]
    for field in told:
        value = getattr(written, field.name)
        assert value != field.default, f"{field.name} is to be tried with a value of its own"
        assert entry[field.name] not in (None, field.default), field.name


async def test_an_entry_with_nothing_but_what_it_must_have_comes_back_too(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite3"
    least = FileReport(source="a", source_root="/b", output=None, status=FileStatus.FAILED)
    async with opened(path) as ledger:
        await ledger.outcome(None, "/b/a", least)

    def read() -> list[FileReport]:
        with LedgerReader(path) as reader:
            return list(reader.files())

    assert await anyio.to_thread.run_sync(read) == [least]


def test_the_table_of_outcomes_has_the_fields_of_a_report(tables: sqlite3.Connection) -> None:
    cursor = tables.execute("SELECT * FROM outcome")
    columns = {name for name, *_ in cursor.description}
    names = {field.name for field in fields(FileReport)} - {"error"}
    assert columns == {*names, "error_code", "error_message", "id", "run", "document", "path"}


async def test_rows_are_read_by_name_whatever_their_order(tmp_path: Path) -> None:
    async with opened(tmp_path / "ledger.sqlite3") as ledger:
        await admitted(ledger, source_file("a.djvu"))

        def turned(connection: sqlite3.Connection) -> Any:  # noqa: ANN401  # a row
            columns = "state, path, id"
            return connection.execute(f"SELECT {columns} FROM document").fetchone()  # noqa: S608  # its own words

        row = await ledger._store.execute(turned)
    assert (row["id"], row["path"], row["state"]) == (1, b"/archive/a.djvu", "pending")
