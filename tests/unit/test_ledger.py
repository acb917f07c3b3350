"""The ledger's documents: moves, calls, recovery, planning, what others read."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

import anyio.to_thread
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_converter.errors import ErrorCode, ExitCode, LedgerError
from batch_converter.ledger import Adopted, Decision, LedgerReader, Verdict
from batch_converter.ledger.outstanding import at_or_below
from batch_converter.models import (
    MOVES,
    CallKind,
    CallOutcome,
    DocumentState,
    FileStatus,
    RunKind,
    SettingInForce,
)
from tests.support.ledgers import (
    ENGINE,
    NOON,
    admitted,
    convert,
    fail,
    names,
    opened,
    pdf,
    report,
    settled,
    source_file,
    task,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from batch_converter.ledger import Ledger
    from batch_converter.ledger.plan import Order
    from batch_converter.models import Document, FileReport

T = TypeVar("T")

_S = DocumentState


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite3"


async def read(path: Path, ask: Callable[[LedgerReader], T]) -> T:
    """Ask the ledger as another process would."""

    def read() -> T:
        with LedgerReader(path) as reader:
            return ask(reader)

    return await anyio.to_thread.run_sync(read)


async def files(path: Path, run_id: str | None = None) -> list[FileReport]:
    """Return what a run, the last one where none is named, did with each file."""
    return await read(path, lambda reader: list(reader.files(run_id)))


async def pdfs(path: Path) -> list[tuple[str, str, int]]:
    """Return the PDFs that are known as converted."""
    return await read(path, lambda reader: list(reader.converted()))


async def states(path: Path) -> dict[DocumentState, int]:
    """Return the states that documents are in."""
    known = await read(path, LedgerReader.status)
    return {state: count for state, count in known.states.items() if count}


async def bring(ledger: Ledger, document: Document, state: DocumentState) -> None:
    """Move a pending document to a state, along allowed moves."""
    match state:
        case _S.PENDING:
            pass
        case _S.SUBMITTING:
            await ledger.submitting(document)
        case _S.SUBMIT_UNKNOWN:
            await ledger.submitting(document)
            await ledger.submit_unknown(document)
        case _S.SUBMITTED:
            await ledger.submitting(document)
            await ledger.submitted(document, task(), ENGINE)
        case _S.CONVERTED:
            await convert(ledger, document)
        case _S.FAILED:
            await fail(ledger, document, ErrorCode.NETWORK)


async def attempt(ledger: Ledger, document: Document, state: DocumentState) -> None:
    """Make the one move to a state."""
    match state:
        case _S.PENDING:
            await ledger.released(document)
        case _S.SUBMITTING:
            await ledger.begin_call(CallKind.SUBMIT, document.id, at=NOON)
        case _S.SUBMIT_UNKNOWN:
            await ledger.submit_unknown(document)
        case _S.SUBMITTED:
            await ledger.submitted(document, task(2), ENGINE)
        case _S.CONVERTED:
            await convert(ledger, document)
        case _S.FAILED:
            await fail(ledger, document, ErrorCode.TIMEOUT)


@pytest.mark.parametrize("to", _S)
@pytest.mark.parametrize("state", _S)
async def test_only_the_moves_of_the_table_are_made(
    path: Path, state: DocumentState, to: DocumentState
) -> None:
    again = state is to is _S.SUBMITTING  # a request that is tried again moves nothing
    async with opened(path) as ledger:
        document = (await admitted(ledger, source_file("a.djvu")))["a.djvu"]
        await bring(ledger, document, state)
        if to in MOVES[state] or again:
            await attempt(ledger, document, to)
        else:
            with pytest.raises(RuntimeError, match=f"cannot move from {state} to {to}"):
                await attempt(ledger, document, to)
        assert await states(path) == {to if to in MOVES[state] else state: 1}


async def test_a_refused_move_leaves_no_trace_of_what_came_with_it(path: Path) -> None:
    async with opened(path) as ledger:
        document = (await admitted(ledger, source_file("a.djvu")))["a.djvu"]
        await convert(ledger, document)
        with pytest.raises(RuntimeError):
            await ledger.begin_call(CallKind.SUBMIT, document.id, at=NOON)
        with pytest.raises(RuntimeError):
            await fail(ledger, document, ErrorCode.NETWORK)
    assert (await read(path, LedgerReader.status)).api_calls.submit == 0
    assert [file.status for file in await files(path)] == [FileStatus.CONVERTED]


async def test_what_is_recorded_of_a_document_comes_back(path: Path) -> None:
    file = source_file("b\udcff/\u00e9\n.djvu")
    async with opened(path) as ledger:
        [document] = (await admitted(ledger, file)).values()
        assert (document.path, document.source, document.source_root) == (
            file.path,
            file.source,
            file.source_root,
        )
        assert document.output == "b\udcff/\u00e9\n.pdf"
        measured = replace(document, size_bytes=77, mtime_ns=88, pages=9)
        ledger.describe(measured, source_sha256="cd")
        await bring(ledger, document, _S.SUBMITTED)
        [[_, known]] = await ledger.take(0, 9)
        assert known == replace(measured, state=_S.SUBMITTED, task=task())
        [planned] = await ledger.page(b"", 9)
        assert (planned.source_sha256, planned.engine) == ("cd", "aspose")


# Recovery


@pytest.mark.parametrize(
    ("outcome", "http_status", "state"),
    [
        (None, None, _S.SUBMIT_UNKNOWN),
        (CallOutcome.LOST, None, _S.SUBMIT_UNKNOWN),
        (CallOutcome.ANSWERED, 200, _S.SUBMIT_UNKNOWN),  # its id never reached the disk
        (CallOutcome.REFUSED, 307, _S.PENDING),
        (CallOutcome.REFUSED, 503, _S.PENDING),
        (CallOutcome.UNSENT, None, _S.PENDING),
    ],
)
@pytest.mark.parametrize("dies", [True, False])
async def test_a_submission_that_was_broken_off_is_what_its_last_call_proves(
    path: Path,
    outcome: CallOutcome | None,
    http_status: int | None,
    state: DocumentState,
    *,
    dies: bool,
) -> None:
    async with opened(path) as ledger:
        document = (await admitted(ledger, source_file("a.djvu")))["a.djvu"]
        first = await ledger.begin_call(CallKind.SUBMIT, document.id, at=NOON)
        ledger.end_call(first, CallOutcome.REFUSED, 503)
        last = await ledger.begin_call(CallKind.SUBMIT, document.id, at=NOON)
        if outcome is not None:
            ledger.end_call(last, outcome, http_status)
        if not dies:
            await ledger.interrupted(document)
    if dies:
        async with opened(path, None) as ledger:
            recovered = await ledger.begin_run("run-2", ENGINE, at=NOON)
        assert recovered.runs == 1
        assert recovered.submit_unknown == (state is _S.SUBMIT_UNKNOWN)
    assert await states(path) == {state: 1}
    known = await read(path, LedgerReader.status)
    assert known.api_calls.submit == 2 - (outcome is CallOutcome.UNSENT)


async def test_recovery_touches_nothing_but_what_was_under_way(path: Path) -> None:
    everywhere = {state: source_file(f"{state}.djvu") for state in _S}
    async with opened(path) as ledger:
        documents = await admitted(ledger, *everywhere.values())
        for state in _S:
            await bring(ledger, documents[f"{state}.djvu"], state)
    async with opened(path, None) as ledger:
        recovered = await ledger.begin_run("run-2", ENGINE, at=NOON + timedelta(hours=1))
    # The embedded engine calls nobody: what it had in hand is simply pending.
    assert await states(path) == {
        state: 1 + (state is _S.PENDING) for state in _S if state != "submitting"
    }
    assert (recovered.runs, recovered.submit_unknown, recovered.out_at_service) == (1, 0, 1)
    dead = await read(path, lambda reader: reader.run("run-1"))
    assert (dead.exit_code, dead.finished_at) == (None, NOON + timedelta(hours=1))


async def test_an_interrupted_document_is_not_mistaken_for_its_neighbours(path: Path) -> None:
    async with opened(path) as ledger:
        documents = await admitted(ledger, source_file("a.djvu"), source_file("b.djvu"))
        for document in documents.values():
            await ledger.begin_call(CallKind.SUBMIT, document.id, at=NOON)
        await ledger.interrupted(documents["a.djvu"])
        assert await states(path) == {_S.SUBMIT_UNKNOWN: 1, _S.SUBMITTING: 1}


# Planning


async def plan(
    ledger: Ledger,
    verdict: Verdict,
    *,
    changed: bool = False,
    parts_fingerprint: str | None = None,
    adopted: Adopted | None = None,
) -> None:
    """Give the only found file a verdict."""
    await ledger.assign_outputs()
    [planned] = await ledger.page(b"", 9)
    decision = Decision(
        planned=planned,
        verdict=verdict,
        changed=changed,
        parts_fingerprint=parts_fingerprint,
        abandon_task=changed,
        adopted=adopted,
    )
    await ledger.decide([decision], at=NOON)


async def test_a_page_is_in_the_order_of_bytes_and_can_be_walked(path: Path) -> None:
    sources = [f"{name}.djvu" for name in ("Z", "a", "a\udcff", "\u00e9", "b/c", "10", "9")]
    async with opened(path) as ledger:
        await ledger.record_found([source_file(source) for source in sources])
        assert await ledger.assign_outputs() == 7
        seen, after = [], b""
        while page := await ledger.page(after, 2):
            assert len(page) <= 2
            seen += [each.document.source for each in page]
            after = page[-1].key
    assert seen == sorted(sources, key=lambda source: source.encode("utf-8", "surrogateescape"))


async def test_names_are_given_some_at_a_time_and_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal is heeded in between, however many files are new."""
    files = [source_file(name) for name in ("a.djvu", "x.djv", "x.djvu", "x.djvu.djvu", "y.djvu")]
    async with opened(tmp_path / "whole.sqlite3") as ledger:
        whole = await settled(ledger, *files)
    monkeypatch.setattr("batch_converter.ledger.outputs._BATCH", 2)
    async with opened(tmp_path / "parts.sqlite3") as ledger:
        await ledger.record_found(files)
        with anyio.move_on_after(0):
            await ledger.assign_outputs()
        assert await settled(ledger, *files) == whole
        assert await ledger.assign_outputs() == len(files)


async def test_what_is_out_comes_first_and_each_but_once(path: Path) -> None:
    files = [source_file(f"{n}.djvu", size_bytes=n) for n in (3, 1, 2)]
    async with opened(path) as ledger:
        documents = await admitted(ledger, *files)
        await bring(ledger, documents["3.djvu"], _S.SUBMITTED)
    orders: dict[Order, list[str]] = {
        "smallest": ["3.djvu", "1.djvu", "2.djvu"],
        "largest": ["3.djvu", "2.djvu", "1.djvu"],
    }
    for order, expected in orders.items():
        async with opened(path, order) as ledger:
            await ledger.record_found(files)
            await ledger.assign_outputs()
            decisions = [
                Decision(planned=planned, verdict=Verdict.CONVERT)
                for planned in await ledger.page(b"", 9)
            ]
            await ledger.decide(decisions, at=NOON)
            assert await ledger.enqueue(ENGINE, order) == 3
            line, position = [], 0
            while page := await ledger.take(position, 2):
                line += names([document for _, document in page])
                position = page[-1][0]
            assert line == expected


async def test_what_is_out_is_taken_though_its_source_is_not_found(path: Path) -> None:
    async with opened(path) as ledger:
        documents = await admitted(ledger, source_file("gone.djvu"), source_file("other.djvu"))
        await bring(ledger, documents["gone.djvu"], _S.SUBMITTED)
        await ledger.begin_call(CallKind.SUBMIT, documents["other.djvu"].id, at=NOON)
        await ledger.submitted(documents["other.djvu"], task(2), "local")
    async with opened(path, "run-2") as ledger:
        assert await ledger.enqueue(ENGINE, "name") == 1
        assert names([each for _, each in await ledger.take(0, 9)]) == ["gone.djvu"]


async def test_what_is_out_and_shall_be_left_alone_is_not_taken(path: Path) -> None:
    async with opened(path) as ledger:
        documents = await admitted(ledger, source_file("a.djvu"))
        await bring(ledger, documents["a.djvu"], _S.SUBMITTED)
    async with opened(path, "run-2") as ledger:
        await ledger.record_found([source_file("a.djvu")])
        await plan(ledger, Verdict.SKIP)
        assert await ledger.enqueue(ENGINE, "name") == 0


@pytest.mark.parametrize(
    ("code", "hours", "state"),
    [
        (ErrorCode.TIMEOUT, 23, _S.SUBMITTED),
        (ErrorCode.OUTPUT_ERROR, 1, _S.SUBMITTED),
        (ErrorCode.TIMEOUT, 25, _S.PENDING),
        (ErrorCode.CONVERSION_ERROR, 1, _S.PENDING),
        (ErrorCode.BAD_PDF, 1, _S.PENDING),
    ],
)
@pytest.mark.parametrize("by", ["run", "retry"])
async def test_a_failed_file_is_fetched_where_the_service_may_still_have_it(
    path: Path, code: ErrorCode, hours: float, state: DocumentState, by: str
) -> None:
    now = NOON + timedelta(hours=hours)
    async with opened(path) as ledger:
        document = (await admitted(ledger, source_file("a.djvu")))["a.djvu"]
        await bring(ledger, document, _S.SUBMITTED)
        await fail(ledger, document, code)
        if by == "retry":
            assert await ledger.retry(None, at=now) == ["a.djvu"]
        else:
            [planned] = await ledger.page(b"", 9)
            assert planned.failure is not None
            decision = Decision(planned=planned, verdict=Verdict.CONVERT)
            await ledger.decide([decision], at=now)
    assert await states(path) == {state: 1}


async def test_what_is_out_is_told_by_service(path: Path) -> None:
    async with opened(path) as ledger:
        documents = await admitted(ledger, source_file("a.djvu"), source_file("b.djvu"))
        for source, engine in (("a.djvu", ENGINE), ("b.djvu", "another-service")):
            await bring(ledger, documents[source], _S.SUBMITTING)
            await ledger.submitted(documents[source], task(), engine)
        await fail(ledger, documents["b.djvu"], ErrorCode.TIMEOUT)
        assert names(await ledger.out_at_service(at=NOON, engine=ENGINE)) == ["a.djvu"]
        assert names(await ledger.out_at_service(at=NOON, engine="another-service")) == ["b.djvu"]
        assert len(await ledger.out_at_service(at=NOON)) == 2
    assert (await read(path, lambda reader: reader.status(now=NOON))).out_at_service == 2


@pytest.mark.parametrize(
    ("lifetime", "later", "state"),
    [
        (None, timedelta(days=400), _S.SUBMITTED),
        (timedelta(hours=1), timedelta(minutes=59), _S.SUBMITTED),
        (timedelta(hours=1), timedelta(hours=1), _S.PENDING),
    ],
)
async def test_a_service_keeps_its_tasks_for_as_long_as_it_says(
    path: Path, lifetime: timedelta | None, later: timedelta, state: DocumentState
) -> None:
    expires_at = None if lifetime is None else NOON + lifetime
    async with opened(path) as ledger:
        document = (await admitted(ledger, source_file("a.djvu")))["a.djvu"]
        await bring(ledger, document, _S.SUBMITTING)
        await ledger.submitted(document, replace(task(), expires_at=expires_at), ENGINE)
        await fail(ledger, document, ErrorCode.TIMEOUT)
        await ledger.retry(None, at=NOON + later)
    assert await states(path) == {state: 1}


async def test_retry_takes_what_is_named_and_what_lies_below_it(path: Path) -> None:
    async with opened(path) as ledger:
        documents = await admitted(
            ledger,
            *(source_file(name) for name in ("a/1.djvu", "ab/2.djvu", "a.djvu", "ok.djvu")),
        )
        for source in ("a/1.djvu", "ab/2.djvu", "a.djvu"):
            await fail(ledger, documents[source], ErrorCode.REJECTED)
        await convert(ledger, documents["ok.djvu"])
        assert await ledger.retry(["/archive/a"], at=NOON) == ["a/1.djvu"]
        assert await ledger.retry(["/archive/a.djvu", "/archive/ok.djvu"], at=NOON) == ["a.djvu"]
        assert await ledger.retry(["/"], at=NOON) == ["ab/2.djvu"]
    assert await states(path) == {_S.PENDING: 3, _S.CONVERTED: 1}


PATHS = st.lists(st.text("/ab.", max_size=6), max_size=4)


@given(paths=PATHS, named=PATHS)
def test_what_is_named_is_what_is_equal_or_begins_with_it_and_a_slash(
    paths: list[str], named: list[str]
) -> None:
    """The plain definition, compared with each that is named; slashes at its end are nothing."""
    is_meant = at_or_below(named)
    assert [path for path in paths if is_meant(path)] == [
        path
        for path in paths
        if any(path == one or path.startswith(one.rstrip("/") + "/") for one in named)
    ]


async def test_retry_does_not_compare_each_failed_document_with_each_that_is_named(
    path: Path,
) -> None:
    touched: list[str] = []

    class Named(str):
        """A path that tells when it is looked at."""

        __slots__ = ()
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            touched.append(self)
            return str.__eq__(self, other)

        def rstrip(self, letters: str | None = None, /) -> str:
            touched.append(self)
            return super().rstrip(letters)

    sources = [f"{number:03}.djvu" for number in range(100)]
    async with opened(path) as ledger:
        for document in (await admitted(ledger, *map(source_file, sources))).values():
            await fail(ledger, document, ErrorCode.REJECTED)
        named = [Named(f"/archive/{source}") for source in sources]
        assert await ledger.retry(named, at=NOON) == sources
    assert len(touched) <= 3 * len(sources)


async def test_a_changed_file_gives_up_the_task_of_its_old_bytes(path: Path) -> None:
    async with opened(path) as ledger:
        document = (await admitted(ledger, source_file("a.djvu")))["a.djvu"]
        ledger.describe(document, source_sha256="old")
        await bring(ledger, document, _S.SUBMITTED)
    async with opened(path, "run-2") as ledger:
        await ledger.record_found([source_file("a.djvu", size_bytes=11)])
        await plan(ledger, Verdict.CONVERT, changed=True)
        assert await ledger.enqueue(ENGINE, "name") == 1
        [[_, known]] = await ledger.take(0, 9)
        assert (known.state, known.task, known.size_bytes) == (_S.PENDING, None, 11)
        [planned] = await ledger.page(b"", 9)
        assert planned.source_sha256 is None


async def test_parts_that_were_merely_touched_are_read_only_once(path: Path) -> None:
    async with opened(path) as ledger:
        document = (await admitted(ledger, source_file("index.djvu")))["index.djvu"]
        ledger.describe(document, source_sha256="ab", parts_fingerprint="before")
        await bring(ledger, document, _S.CONVERTED)
    async with opened(path, "run-2") as ledger:
        await ledger.record_found([source_file("index.djvu")])
        await plan(ledger, Verdict.SKIP, parts_fingerprint="after")
        [planned] = await ledger.page(b"", 9)
        assert (planned.source_sha256, planned.parts_fingerprint) == ("ab", "after")


@pytest.mark.parametrize("state", [_S.PENDING, _S.SUBMIT_UNKNOWN, _S.SUBMITTED, _S.FAILED])
async def test_a_pdf_that_was_just_named_is_adopted_for_good(
    path: Path, state: DocumentState
) -> None:
    async with opened(path) as ledger:
        document = (await admitted(ledger, source_file("a.djvu")))["a.djvu"]
        await bring(ledger, document, state)
        await ledger.publishing(
            document, pdf(sha256="new"), engine=ENGINE, options="o", warnings=["so it is"]
        )
    async with opened(path, "run-2") as ledger:
        await ledger.record_found([source_file("a.djvu")])
        await plan(ledger, Verdict.ADOPT)
        assert await ledger.enqueue(ENGINE, "name") == 0
        [after] = await ledger.page(b"", 9)
        assert after.document.state is _S.CONVERTED
        assert (after.engine, after.options, after.pdf_sha256) == ("aspose", "o", "new")
        assert after.was_converted
        assert (after.failure, after.document.task) == (None, None)
    assert [(file.status, file.warnings) for file in await files(path)] == [
        (FileStatus.SKIPPED, ("so it is",))
    ]
    assert (await read(path, LedgerReader.run)).totals.with_warnings == 1
    assert (await read(path, LedgerReader.status)).totals.with_warnings == 1
    assert await pdfs(path) == [("a.pdf", "new", 100)]


async def test_what_was_said_of_a_pdf_counts_until_it_is_made_anew(path: Path) -> None:
    def status(reader: LedgerReader) -> int:
        return reader.status().totals.with_warnings

    names = [source_file("a.djvu"), source_file("b.djvu")]
    async with opened(path) as ledger:
        documents = await admitted(ledger, *names)
        for document, warnings in zip(documents.values(), [("so it is",), ()], strict=True):
            await ledger.begin_call(CallKind.SUBMIT, document.id, at=NOON)
            await convert(ledger, document, warnings=warnings)
        assert (await ledger.finish_run(at=NOON)).totals.with_warnings == 1
    assert await read(path, status) == 1
    async with opened(path, "run-2") as ledger:
        await ledger.record_found(names)
        await ledger.assign_outputs()
        found = await ledger.page(b"", 9)
        skips = [Decision(planned=each, verdict=Verdict.SKIP) for each in found]
        await ledger.decide(skips, at=NOON)
        assert (await ledger.finish_run(at=NOON)).totals.with_warnings == 0
    assert [file.warnings for file in await files(path)] == [(), ()]
    assert await read(path, status) == 1
    async with opened(path, "run-3") as ledger:
        for document in (await admitted(ledger, *names)).values():
            await ledger.begin_call(CallKind.SUBMIT, document.id, at=NOON)
            await convert(ledger, document)
    assert await read(path, status) == 0


async def test_a_strangers_pdf_can_be_adopted_with_what_is_learned_of_it(path: Path) -> None:
    found = Adopted(
        pdf=pdf(sha256="theirs"),
        pages=3,
        source_sha256="cd",
        parts_fingerprint=None,
        engine="aspose",
        options="o",
    )
    async with opened(path) as ledger:
        await ledger.record_found([source_file("a.djvu")])
        await plan(ledger, Verdict.ADOPT, adopted=found)
        [after] = await ledger.page(b"", 9)
        assert after.document.pages == 3
        assert (after.source_sha256, after.engine, after.options) == ("cd", "aspose", "o")
    assert await pdfs(path) == [("a.pdf", "theirs", 100)]


async def test_vanished_files_are_told_from_those_elsewhere(path: Path) -> None:
    async with opened(path) as ledger:
        await admitted(
            ledger,
            *(source_file(name) for name in ("a/1.djvu", "a/2.djvu", "ab/3.djvu")),
        )
    async with opened(path, "run-2") as ledger:
        await ledger.record_found([source_file("a/1.djvu")])
        await ledger.assign_outputs()
        gone = [("/archive/a/2.djvu", "a/2.djvu", "a/2.pdf")]
        assert await ledger.vanished("/archive/a", "", 10) == gone
        assert await ledger.vanished("/", "", 1) == gone
        (other,) = await ledger.vanished("/", gone[0][0], 10)
        assert other[1] == "ab/3.djvu"
        assert not await ledger.vanished("/", other[0], 10)


# Calls, outcomes and what others read


async def test_every_request_that_left_is_counted_by_run_and_month(path: Path) -> None:
    later = NOON + timedelta(days=1)
    async with opened(path) as ledger:
        document = (await admitted(ledger, source_file("a.djvu")))["a.djvu"]
        calls = [
            await ledger.begin_call(kind, document.id, at=at)
            for kind, at in [
                (CallKind.SUBMIT, NOON),
                (CallKind.POLL, NOON),
                (CallKind.POLL, later),
                (CallKind.CANCEL, later),
            ]
        ]
        await ledger.begin_call(CallKind.TOKEN, None, at=later)
        ledger.end_call(calls[0], CallOutcome.LOST, None)
        ledger.end_call(calls[1], CallOutcome.ANSWERED, 200)
        ledger.end_call(calls[3], CallOutcome.UNSENT, None)
        assert await ledger.billed_since(NOON) == 3
        assert await ledger.billed_since(later) == 1
        summary = await ledger.finish_run(at=later)
    assert (summary.api_calls.submit, summary.api_calls.poll, summary.api_calls.cancel) == (1, 2, 0)
    assert (summary.api_calls.token, summary.api_calls.billed) == (1, 3)
    assert summary.submit_unknown == 1
    async with opened(path, "run-2") as ledger:
        assert (await ledger.finish_run(at=later)).api_calls.billed == 0
    assert (await read(path, LedgerReader.status)).api_calls.billed == 3
    assert (await read(path, lambda reader: reader.run("run-1"))).api_calls.billed == 3


async def test_a_run_gives_every_found_file_exactly_one_outcome(path: Path) -> None:
    sources = ("done", "bad", "out", "left", "known")
    async with opened(path) as ledger:
        documents = await admitted(ledger, *(source_file(f"{name}.djvu") for name in sources))
        await convert(ledger, documents["done.djvu"])
        await fail(ledger, documents["bad.djvu"], ErrorCode.NETWORK)
        await bring(ledger, documents["out.djvu"], _S.SUBMITTED)
        out = documents["out.djvu"]
        await ledger.outcome(out, out.path, report(out, FileStatus.REMAINING))
        lost = report(out, FileStatus.FAILED, code=ErrorCode.UNREADABLE)
        await ledger.outcome(None, "/archive/lost.djvu", replace(lost, source="lost.djvu"))
        summary = await ledger.finish_run(at=NOON)
        await ledger.end_run(ExitCode.SOME_FAILED)
    totals = summary.totals
    assert (totals.found, totals.converted, totals.failed, totals.remaining) == (6, 1, 2, 3)
    ends = {file.source: file.status for file in await files(path)}
    assert sorted(ends) == sorted([*(f"{name}.djvu" for name in sources), "lost.djvu"])
    assert ends["left.djvu"] is ends["out.djvu"] is FileStatus.REMAINING
    failed = await read(path, lambda reader: list(reader.failed_paths()))
    assert failed == ["/archive/bad.djvu", "/archive/lost.djvu"]
    again = await read(path, LedgerReader.run)
    assert (again.exit_code, again.totals) == (ExitCode.SOME_FAILED, totals)


async def test_the_last_word_of_a_run_on_a_file_counts(path: Path) -> None:
    async with opened(path) as ledger:
        document = (await admitted(ledger, source_file("a.djvu")))["a.djvu"]
        await ledger.outcome(document, document.path, report(document, FileStatus.REMAINING))
        await convert(ledger, document)
        assert (await ledger.finish_run(at=NOON)).totals.remaining == 0
    assert [file.status for file in await files(path)] == [FileStatus.CONVERTED]


async def test_skips_of_old_runs_are_forgotten_and_their_count_is_kept(path: Path) -> None:
    async with opened(path, "first") as ledger:
        await admitted(ledger, source_file("a.djvu"))
        [planned] = await ledger.page(b"", 9)
        await convert(ledger, planned.document)
        await ledger.finish_run(at=NOON)
    for number in range(33):
        async with opened(path, f"run-{number}") as ledger:
            await ledger.record_found([source_file("a.djvu")])
            await plan(ledger, Verdict.SKIP)
            await ledger.finish_run(at=NOON)
    assert await files(path, "run-0") == []
    assert (await read(path, lambda reader: reader.run("run-0"))).totals.skipped == 1
    for kept in ("run-32", "run-10", "first"):  # the first was no skip
        assert len(await files(path, kept)) == 1


async def test_a_skipped_file_is_reported_with_what_its_document_knows(path: Path) -> None:
    async with opened(path) as ledger:
        document = (await admitted(ledger, source_file("a.djvu")))["a.djvu"]
        ledger.describe(replace(document, pages=5), source_sha256="cd")
        await convert(ledger, document)
    async with opened(path, "run-2") as ledger:
        await ledger.record_found([source_file("a.djvu")])
        await plan(ledger, Verdict.SKIP)
    [file] = await files(path)
    assert file.status is FileStatus.SKIPPED
    assert (file.pages, file.sha256, file.bytes_out) == (5, "ab", 100)


async def test_a_reader_sees_whole_states_while_a_run_writes(path: Path) -> None:
    async with opened(path) as ledger:
        documents = await admitted(ledger, *(source_file(f"{n}.djvu") for n in range(20)))
        for done, document in enumerate(documents.values()):
            known = await read(path, LedgerReader.status)
            assert (known.totals.converted, known.totals.remaining) == (done, 20 - done)
            await convert(ledger, document)
        last = (await read(path, LedgerReader.status)).last_run
        assert last is not None
        assert last.finished_at is None
        assert last.totals.converted == 20


async def test_a_reader_cannot_write(path: Path) -> None:
    async with opened(path):
        pass
    with pytest.raises(LedgerError, match="readonly"):
        await read(path, lambda reader: reader._connection.execute("DELETE FROM run"))


async def test_a_run_that_calls_off_is_not_meant_by_the_last_one(path: Path) -> None:
    async with opened(path) as ledger:
        await ledger.finish_run(at=NOON)
        await ledger.end_run(ExitCode.OK)
    async with opened(path, None) as ledger:
        await ledger.begin_run("run-2", ENGINE, at=NOON, kind=RunKind.CANCEL)
        assert (await read(path, LedgerReader.run)).run_id == "run-1"  # while it goes on, too
        await ledger.end_run(ExitCode.SOME_FAILED, at=NOON)
    assert (await read(path, LedgerReader.run)).run_id == "run-1"
    last = (await read(path, LedgerReader.status)).last_run
    assert last is not None
    assert last.run_id == "run-1"
    called_off = await read(path, lambda reader: reader.run("run-2"))
    assert (called_off.exit_code, called_off.finished_at) == (ExitCode.SOME_FAILED, NOON)


async def test_a_run_that_is_not_known_is_named(path: Path) -> None:
    async with opened(path, None):
        pass
    assert (await read(path, LedgerReader.status)).last_run is None
    with pytest.raises(LedgerError, match="knows no run yet"):
        await read(path, LedgerReader.run)
    with pytest.raises(LedgerError, match="no run 'x'"):
        await files(path, "x")


async def test_a_state_that_is_not_known_is_never_guessed_at(path: Path) -> None:
    async with opened(path) as ledger:
        await admitted(ledger, source_file("a.djvu"))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute("UPDATE document SET state = 'teleported'")
    async with opened(path, "run-2") as ledger:
        await ledger.record_found([source_file("a.djvu")])
        await ledger.assign_outputs()
        with pytest.raises(ValueError, match="teleported"):
            await ledger.page(b"", 9)


async def test_settings_and_causes_of_a_run_are_kept_with_it(path: Path) -> None:
    """So that its report can be written again, whatever is in force by then."""
    settings = (
        SettingInForce(key="engine", value='"aspose"', is_default=False),
        SettingInForce(key="aspose.client_secret", value='"***"', is_default=True),
    )
    async with opened(path, None) as ledger:
        await ledger.begin_run("run-1", ENGINE, at=NOON, settings=settings)
        await ledger.finish_run(at=NOON)
        await ledger.end_run(ExitCode.STOPPED_EARLY, causes=("the budget is spent",))
        await ledger.begin_run("run-2", ENGINE, at=NOON)
        await ledger.finish_run(at=NOON)
        await ledger.end_run(ExitCode.OK)

    def read() -> None:
        with LedgerReader(path) as reader:
            first, second = reader.run("run-1"), reader.run("run-2")
            assert (first.settings, first.causes) == (settings, ("the budget is spent",))
            assert (second.settings, second.causes) == ((), ())

    await anyio.to_thread.run_sync(read)
