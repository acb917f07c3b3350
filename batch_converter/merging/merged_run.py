"""Several runs as one, for every form of the report; nothing is held in memory but sums."""

from __future__ import annotations

import hashlib
import heapq
import os
from contextlib import contextmanager
from dataclasses import asdict, fields, replace
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Final, TypeVar

from batch_converter.errors import ExitCode
from batch_converter.merging.partition import check_disjoint, completeness, repeated_paths
from batch_converter.merging.shard_ledger import opened_ledgers
from batch_converter.models import ApiCalls, FileStatus, RunSummary, Totals
from batch_converter.report import check_report_files, write_report_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from batch_converter.config import Settings
    from batch_converter.errors import OutputError
    from batch_converter.ledger import PlacedReport
    from batch_converter.merging.partition import Completeness
    from batch_converter.merging.shard_ledger import ShardLedger
    from batch_converter.models import FileReport

_ID_LETTERS: Final = 12

SumT = TypeVar("SumT", Totals, ApiCalls)


class MergedRun:
    """The last runs of several ledgers, as a report may ask of one; reading blocks.

    Args:
        ledgers: Open, and of one archive.
        found: Whether all of it is there.

    Attributes:
        summary: Sums over the runs; `shards` has each of them.
        warnings: What keeps the report from being one of the whole archive.
        unwritten: Why files that were to be written are not there.
    """

    def __init__(self, ledgers: Sequence[ShardLedger], found: Completeness) -> None:
        self._ledgers = ledgers
        self.warnings = found.warnings
        self.summary = _summed(ledgers, found)
        self.unwritten: tuple[OutputError, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether all shards are there and have ended, and every file was written."""
        return not self.warnings and not self.unwritten

    def write(self, settings: Settings) -> None:
        """Write the files that `settings.report` names, each whatever becomes of the others.

        Raises:
            UsageError: The place of one cannot be written; none was.
        """
        check_report_files(settings)
        self.summary, self.unwritten = write_report_files(self, settings)

    def files(self) -> Iterator[FileReport]:
        """Yield what was done with each file, by path."""
        for placed in self._placed():
            yield placed.report

    def failed_paths(self) -> Iterator[str]:
        """Yield the absolute paths of the sources that failed, as their machines have them."""
        for placed in self._placed():
            if placed.report.status is FileStatus.FAILED:
                yield os.fsdecode(placed.path)

    def converted(self) -> Iterator[tuple[str, str, int]]:
        """Yield name, SHA-256 and size of every PDF that the ledgers know.

        Of one that several know, since the archive was divided otherwise before, what was
        recorded last is what is there.
        """
        known = (ledger.reading(ledger.reader.recorded_pdfs()) for ledger in self._ledgers)
        by_output = attrgetter("output")
        for _, same in groupby(heapq.merge(*known, key=by_output), by_output):
            pdf = max(same, key=attrgetter("recorded_at"))
            yield os.fsdecode(pdf.output), pdf.sha256, pdf.size_bytes

    def last_success(self) -> datetime | None:
        """Return when the last run of the shard that is furthest behind ended with 0.

        None where one never has, or is missing.
        """
        ended = [ledger.reader.last_success(ledger.run.run_id) for ledger in self._ledgers]
        known = [moment for moment in ended if moment is not None]
        if len(known) < len(ended) or self.summary.missing_shards:
            return None
        return min(known)

    def _placed(self) -> Iterator[PlacedReport]:
        by_path = attrgetter("path")
        files = (
            ledger.reading(ledger.reader.placed_files(ledger.run.run_id))
            for ledger in self._ledgers
        )
        for _, told in groupby(heapq.merge(*files, key=by_path), by_path):
            yield max(told, key=attrgetter("has_document"))


@contextmanager
def merged_run(state_dirs: Sequence[Path]) -> Iterator[MergedRun]:
    """Read the last runs of these state directories as one; blocking, and runs may go on.

    Raises:
        UsageError: They are no shards of one archive, or (LedgerError) one has no run.
    """
    with opened_ledgers(state_dirs) as ledgers:
        found = completeness([ledger.as_run for ledger in ledgers])
        check_disjoint(ledgers)
        yield MergedRun(ledgers, found)


def _summed(ledgers: Sequence[ShardLedger], found: Completeness) -> RunSummary:
    runs = [ledger.run for ledger in ledgers]
    ended = [run.finished_at for run in runs if run.finished_at is not None]
    codes = {run.exit_code for run in runs if run.exit_code is not None}
    causes = [f"{ledger.as_run.name}: {why}" for ledger in ledgers for why in ledger.run.causes]
    return RunSummary(
        run_id=_merged_id(run.run_id for run in runs),
        started_at=min(run.started_at for run in runs),
        finished_at=max(ended) if len(ended) == len(runs) else None,
        engine=", ".join(sorted({run.engine for run in runs})),
        exit_code=ExitCode.first_of(codes | ({ExitCode.SOME_FAILED} if found.warnings else set())),
        totals=_without(_sum(Totals, (run.totals for run in runs)), repeated_paths(ledgers)),
        api_calls=_sum(ApiCalls, (run.api_calls for run in runs)),
        submit_unknown=sum(run.submit_unknown for run in runs),
        causes=(*found.warnings, *causes),
        shards=tuple(ledger.as_run for ledger in ledgers),
        missing_shards=found.missing,
    )


def _merged_id(run_ids: Iterable[str]) -> str:
    """Return a name that is the same for the same runs."""
    joined = "\n".join(sorted(run_ids))
    return f"merged-{hashlib.sha256(joined.encode()).hexdigest()[:_ID_LETTERS]}"


def _sum(kind: type[SumT], parts: Iterable[SumT]) -> SumT:
    """Add up every field."""
    each = [asdict(part) for part in parts]
    return kind(**{field.name: sum(part[field.name] for part in each) for field in fields(kind)})


def _without(totals: Totals, repeated: Mapping[str, int]) -> Totals:
    """Take off what several runs have told of one path."""
    counts = {status: getattr(totals, status) - count for status, count in repeated.items()}
    return replace(totals, found=totals.found - sum(repeated.values()), **counts)
