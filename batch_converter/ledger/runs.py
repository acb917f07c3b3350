"""Runs: their beginning, their end, and what was counted in between."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any, Final

from batch_converter.errors import ExitCode
from batch_converter.ledger import recovery
from batch_converter.ledger.calls import count_calls, count_lost_submissions
from batch_converter.ledger.operations import LedgerPart, durable
from batch_converter.ledger.queries import query
from batch_converter.ledger.rows import file_reports, moment, named, optional_moment, path_text
from batch_converter.models import RunKind, RunSummary, SettingInForce, Totals, shard_of

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from batch_converter.ledger.recovery import Recovered
    from batch_converter.models import FileReport

KEPT_RUNS: Final = 30
"""Runs whose skipped files stay listed one by one; older runs keep the count."""

_TOTALS: Final = tuple(field.name for field in fields(Totals))


class Runs(LedgerPart):
    """The part of the ledger that keeps runs."""

    @durable
    def unfinished(self, connection: sqlite3.Connection) -> tuple[list[str], set[str]]:
        """Return the names of all runs so far, and the folders of PDFs that are not there yet.

        In those folders, relative to the output folder, a run that died may have left parts.
        """
        runs = [row["run_id"] for row in connection.execute(query("run_ids"))]
        outputs = named(connection.execute(query("unfinished_outputs")))
        return runs, {path_text(row.output.rpartition(b"/")[0]) for row in outputs}

    @durable
    def begin_run(
        self,
        connection: sqlite3.Connection,
        run_id: str,
        engine: str,
        *,
        at: datetime,
        kind: RunKind = RunKind.CONVERT,
        settings: Iterable[SettingInForce] = (),
    ) -> Recovered:
        """Put right what a dead run left, and begin a new one."""
        recovered = recovery.recover(connection, now=at.timestamp())
        # Else a nightly job's ledger would grow by a row a file a night.
        connection.execute(query("forget_old_skips"), {"kept_runs": KEPT_RUNS})
        values = {
            "run_id": run_id,
            "engine": engine,
            "at": at.timestamp(),
            "kind": kind.value,
            "settings": _settings_text(settings),
        }
        self._run = connection.execute(query("begin_run"), values).lastrowid or 0
        connection.execute(query("create_found"))
        connection.execute(query("create_queue"))
        connection.execute(query("clear_found"))
        connection.execute(query("clear_queue"))
        return recovered

    @durable
    def shard_before(self, connection: sqlite3.Connection) -> str | None:
        """Return which shard the last run before this one took; None for none."""
        row = connection.execute(query("settings_before"), {"run": self._run}).fetchone()
        return None if row is None else shard_of(_settings(row["settings"]))

    @durable
    def finish_run(self, connection: sqlite3.Connection, *, at: datetime) -> RunSummary:
        """Give what is left its outcome and count the run; call `end_run` after."""
        connection.execute(query("record_remaining"), {"run": self._run})
        counted = json.dumps(asdict(count_totals(connection, self._run)))
        values = {"run": self._run, "at": at.timestamp(), "totals": counted}
        connection.execute(query("count_run"), values)
        return self._summary(connection)

    @durable
    def end_run(
        self,
        connection: sqlite3.Connection,
        exit_code: ExitCode,
        *,
        at: datetime | None = None,
        causes: Sequence[str] = (),
    ) -> None:
        """Record how the run ended.

        Args:
            connection: Of the transaction.
            exit_code: What the process says.
            at: When it ended, of a run that has no files to count (`finish_run`).
            causes: Why it took no new work any more.
        """
        values = {
            "run": self._run,
            "exit_code": int(exit_code),
            "at": None if at is None else at.timestamp(),
            "causes": json.dumps(causes) if causes else None,
        }
        connection.execute(query("end_run"), values)

    @durable
    def summary(self, connection: sqlite3.Connection) -> RunSummary:
        """Return the run as far as it is recorded; reads only, so a full disk is no obstacle."""
        return self._summary(connection)

    @durable
    def outcomes(self, connection: sqlite3.Connection) -> list[FileReport]:
        """Return what is recorded of each file of the run; for runs that are looked at whole."""
        return list(file_reports(connection.execute(query("outcomes_of_run"), {"run": self._run})))

    def _summary(self, connection: sqlite3.Connection) -> RunSummary:
        row = connection.execute(query("run_by_number"), {"run": self._run}).fetchone()
        return run_summary(connection, row)


def run_summary(connection: sqlite3.Connection, row: sqlite3.Row) -> RunSummary:
    """Return the run of a row of `run`."""
    exit_code = row["exit_code"]
    return RunSummary(
        run_id=row["run_id"],
        started_at=moment(row["started_at"]),
        finished_at=optional_moment(row["finished_at"]),
        engine=row["engine"],
        exit_code=None if exit_code is None else ExitCode(exit_code),
        totals=_totals(connection, row),
        api_calls=count_calls(connection, row["id"]),
        submit_unknown=count_lost_submissions(connection, row["id"]),
        causes=tuple(json.loads(row["causes"] or "[]")),
        settings=_settings(row["settings"]),
    )


def _settings_text(settings: Iterable[SettingInForce]) -> str | None:
    listed = [(each.key, each.value, each.is_default) for each in settings]
    return json.dumps(listed, separators=(",", ":")) if listed else None


def _settings(text: str | None) -> tuple[SettingInForce, ...]:
    return tuple(
        SettingInForce(key=key, value=value, is_default=is_default)
        for key, value, is_default in json.loads(text or "[]")
    )


def _totals(connection: sqlite3.Connection, row: sqlite3.Row) -> Totals:
    """Return what was counted when the run ended; what its version did not count is counted now.

    What only another version counts is passed over.
    """
    stored: dict[str, Any] = json.loads(row["totals"] or "{}")
    if all(name in stored for name in _TOTALS):
        return Totals(**{name: stored[name] for name in _TOTALS})
    counted = asdict(count_totals(connection, row["id"]))
    return Totals(**{name: stored.get(name, counted[name]) for name in _TOTALS})


def count_totals(connection: sqlite3.Connection, run: int) -> Totals:
    """Count the outcomes of a run."""
    row = connection.execute(query("outcome_totals"), {"run": run}).fetchone()
    return Totals(**{name: row[name] or 0 for name in _TOTALS})
