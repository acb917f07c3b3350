"""The summary at the end of a run, as text."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from batch_converter.errors import ExitCode
from batch_converter.logs import printable
from batch_converter.models import FileStatus
from batch_converter.report.formatting import and_cost, pluralized, sentence, short_duration, size

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from batch_converter.models import (
        ApiCalls,
        FileReport,
        Price,
        RunSummary,
        ShardRun,
        Totals,
    )

_MOST_NAMED: Final = 10
_WHY_IT_ENDED: Final = {
    ExitCode.ACCOUNT_REFUSED: "The service refused the account; with that settled,",
    ExitCode.STOPPED_EARLY: "Stopped early, as told by the budget, the deadline or --max-errors:",
    ExitCode.UNAVAILABLE: "The service could not be reached or stayed unavailable: later,",
    ExitCode.SIGINT: "Interrupted; what is out at the service is remembered:",
    ExitCode.SIGTERM: "Interrupted; what is out at the service is remembered:",
}

FAILED_IN_PASSING: Final = (
    "What failed in passing is tried again by the next run; the rest waits until the file changes,"
    " or for --retry-failed."
)


@dataclass(slots=True)
class _Troubles:
    failures: list[FileReport] = field(default_factory=list)
    codes: Counter[str] = field(default_factory=Counter)
    warned: list[FileReport] = field(default_factory=list)


def human_summary(
    summary: RunSummary,
    files: Iterable[FileReport],
    *,
    price: Price,
    unwritten: Sequence[str] = (),
) -> str:
    """Return some lines of text, the last one without its end, safe for a terminal.

    Args:
        summary: The run.
        files: What it did with each file; gone through once, only the first
            failures, and the first with warnings, are kept.
        price: Of a billed call.
        unwritten: Which files about the run are not there, and why.
    """
    troubles = _gather(files)
    lines = [headline(summary), *_totals(summary.totals)]
    lines += _calls(summary, price)
    lines += _warned(summary.totals.with_warnings, troubles)
    lines += _failed(troubles)
    lines += (printable(f"Cause: {cause}") for cause in (*summary.causes, *unwritten))
    lines += _how_to_go_on(summary, troubles)
    return "\n".join(lines)


def human_merged(summary: RunSummary, files: Iterable[FileReport], *, price: Price) -> str:
    """Return the same of a merged report, with a line for each shard that needs a look."""
    lines = [human_summary(summary, files, price=price)]
    well = [run for run in summary.shards if run.summary.exit_code is ExitCode.OK]
    if well:
        lines.append(f"Shards that ended with 0: {len(well):,} of {len(summary.shards):,}.")
    lines += (printable(_shard(run)) for run in summary.shards if run not in well)
    return "\n".join(lines)


def _shard(run: ShardRun) -> str:
    totals, code = run.summary.totals, run.summary.exit_code
    ended = "has not ended" if code is None else f"ended with {code}"
    return (
        f"In {run.name} the run {ended}: converted {totals.converted:,}, up to date"
        f" {totals.skipped:,}, failed {totals.failed:,}, remaining {totals.remaining:,}."
    )


def _gather(files: Iterable[FileReport]) -> _Troubles:
    troubles = _Troubles()
    for file in files:
        if file.status is FileStatus.FAILED:
            troubles.codes[file.error.code if file.error else "unknown"] += 1
            if len(troubles.failures) < _MOST_NAMED:
                troubles.failures.append(file)
        if file.warnings and len(troubles.warned) < _MOST_NAMED:
            troubles.warned.append(file)
    return troubles


def headline(summary: RunSummary) -> str:
    """Return in one sentence how many were converted."""
    totals = summary.totals
    if not totals.found:
        if summary.exit_code in {None, ExitCode.OK, ExitCode.SOME_FAILED}:
            return "No DjVu files were found."
        return "The run ended before it had found any DjVu file."
    took = "" if summary.took_s is None else f" in {short_duration(summary.took_s)}"
    files = pluralized(totals.found, "file")
    return f"Converted {totals.converted:,} of {files}{took} (engine: {summary.engine})."


def _totals(totals: Totals) -> Iterator[str]:
    if totals.converted:
        pages = pluralized(totals.pages, "page")
        sizes = f"{size(totals.bytes_in)} of DjVu became {size(totals.bytes_out)} of PDF"
        yield f"  converted   {totals.converted:,} ({pages}; {sizes})"
    if totals.skipped:
        yield f"  up to date  {totals.skipped:,}"
    if totals.moved:
        yield f"  moved       {totals.moved:,} (sources whose PDF is there)"
    if totals.failed:
        yield f"  failed      {totals.failed:,}"
    if totals.remaining:
        yield f"  remaining   {totals.remaining:,}"


def _calls(summary: RunSummary, price: Price) -> Iterator[str]:
    calls = summary.api_calls
    if calls.billed or calls.token:
        yield f"API calls: {calls.billed:,} billed{_kinds(calls)}{and_cost(calls, price)}."
    if summary.submit_unknown:
        uploads = pluralized(summary.submit_unknown, "upload")
        yield f"{uploads} got no answer and may have been billed without a result."


def _kinds(calls: ApiCalls) -> str:
    kinds = {"submit": calls.submit, "poll": calls.poll, "cancel": calls.cancel}
    told = ", ".join(f"{count:,} {kind}" for kind, count in kinds.items() if count)
    return f" ({told})" if told else ""


def _warned(count: int, troubles: _Troubles) -> Iterator[str]:
    if not troubles.warned:
        return
    yield f"With warnings ({count:,}):"
    for file in troubles.warned:
        first, *others = file.warnings
        more = f" (and {len(others):,} more)" if others else ""
        yield printable(f"  {file.source}: {first}{more}")
    yield from _and_more(count - len(troubles.warned))


def _and_more(count: int) -> Iterator[str]:
    if count > 0:
        yield f"  and {count:,} more; --report FILE lists them all."


def _failed(troubles: _Troubles) -> Iterator[str]:
    if not troubles.failures:
        return
    codes = ", ".join(f"{count:,} {code}" for code, count in troubles.codes.most_common())
    yield f"Failed ({codes}):"
    for file in troubles.failures:
        reason = f"{file.error.code}: {file.error.message}" if file.error else "unknown"
        yield printable(f"  {file.source}: {reason}")
    yield from _and_more(troubles.codes.total() - len(troubles.failures))


def _how_to_go_on(summary: RunSummary, troubles: _Troubles) -> Iterator[str]:
    if summary.unlisted:
        yield (
            f"Not in the list of failures: {pluralized(summary.unlisted, 'name')}"
            " with a line break; with --null the list ends each name with NUL and holds all."
        )
    if why := ending(summary):
        yield why
    if troubles.failures:
        yield FAILED_IN_PASSING


def ending(summary: RunSummary) -> str | None:
    """Return why there is work left and how to go on with it; None where there is none."""
    code = summary.exit_code
    if code in _WHY_IT_ENDED:
        return f"{_WHY_IT_ENDED[code]} {what_goes_on(summary)} from here."
    if not summary.totals.remaining:
        return None
    return sentence(f"{what_goes_on(summary)} with what remains.")


def what_goes_on(summary: RunSummary) -> str:
    """Return the beginning of a sentence on how the work is taken up again."""
    return "each shard's own command goes on" if summary.shards else "the same command goes on"
