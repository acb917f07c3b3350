"""Any order of events and deaths leaves each document in exactly one state, all calls counted."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest
from anyio.from_thread import start_blocking_portal
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from batch_converter.errors import ErrorCode
from batch_converter.ledger import Decision, Ledger, Verdict
from batch_converter.models import MOVES, CallKind, CallOutcome, DocumentState
from tests.support.ledgers import ENGINE, NOON, admitted, convert, fail, pdf, source_file, task

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from batch_converter.models import Document

T = TypeVar("T")
_S = DocumentState
SOURCES = ("a.djvu", "b.djvu", "c.djvu")
sources = st.sampled_from(SOURCES)
codes = st.sampled_from([ErrorCode.TIMEOUT, ErrorCode.NETWORK, ErrorCode.CONVERSION_ERROR])


@dataclass
class Call:
    """A request as the model knows it; `outcome` None is a request that is under way."""

    id: int
    source: str
    kind: CallKind
    outcome: CallOutcome | None = None


@dataclass
class Expected:
    """A document as the model knows it."""

    state: DocumentState = _S.PENDING
    has_task: bool = False
    code: ErrorCode | None = None


class LedgerMachine(RuleBasedStateMachine):
    """Drives a real ledger, on disk, and a model of three documents side by side."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = Path(tempfile.mkdtemp(prefix="ledger-model-"))
        self._scope = start_blocking_portal("asyncio")
        self._portal = self._scope.__enter__()
        self._lives = 0
        self._runs = 0
        self.calls: list[Call] = []
        self.model = {source: Expected() for source in SOURCES}
        self._open(self._folder / "0" / "ledger.sqlite3")
        self.documents = self._do(
            lambda: admitted(self.ledger, *(source_file(source) for source in SOURCES))
        )

    def teardown(self) -> None:
        self._do(partial(self.ledger.__aexit__, None, None, None))
        self._scope.__exit__(None, None, None)
        shutil.rmtree(self._folder)

    def _do(self, call: Callable[[], Awaitable[T]]) -> T:
        return self._portal.call(call)

    def _open(self, path: Path) -> None:
        path.parent.mkdir(exist_ok=True)
        self.ledger = self._do(partial(Ledger.open, path))
        self._runs += 1
        self._do(partial(self.ledger.begin_run, f"run-{self._runs}", ENGINE, at=NOON))

    def _move(self, source: str, to: DocumentState, act: Callable[[Document], object]) -> bool:
        """Make a move that is refused exactly where the table does not have it."""
        document, expected = self.documents[source], self.model[source]

        async def awaited() -> None:
            result = act(document)
            assert hasattr(result, "__await__")
            await result

        if to not in MOVES[expected.state]:
            with pytest.raises(RuntimeError, match="cannot move"):
                self._do(awaited)
            return False
        self._do(awaited)
        expected.state = to
        return True

    # What a run does

    @rule(source=sources)
    def submit(self, source: str) -> None:
        """Record a submission that is about to leave; one that is tried again moves nothing."""
        document, expected = self.documents[source], self.model[source]
        begin = partial(self.ledger.begin_call, CallKind.SUBMIT, document.id, at=NOON)
        if expected.state is not _S.SUBMITTING and _S.SUBMITTING not in MOVES[expected.state]:
            with pytest.raises(RuntimeError, match="cannot move"):
                self._do(begin)
            return
        self.calls.append(Call(self._do(begin), source, CallKind.SUBMIT))
        expected.state = _S.SUBMITTING

    @rule(source=sources)
    def poll(self, source: str) -> None:
        """Record a question that is about to leave."""
        begin = partial(self.ledger.begin_call, CallKind.POLL, self.documents[source].id, at=NOON)
        self.calls.append(Call(self._do(begin), source, CallKind.POLL))

    @precondition(lambda self: self._under_way())
    @rule(data=st.data(), outcome=st.sampled_from(CallOutcome))
    def answer(self, data: st.DataObject, outcome: CallOutcome) -> None:
        """A request ends."""
        call = data.draw(st.sampled_from(self._under_way()))
        self._portal.call(self.ledger.end_call, call.id, outcome, None)
        call.outcome = outcome

    @rule(source=sources)
    def id_arrives(self, source: str) -> None:
        """The engine has the document."""
        if self._move(source, _S.SUBMITTED, lambda d: self.ledger.submitted(d, task(), ENGINE)):
            self.model[source].has_task = True

    @rule(source=sources)
    def answer_is_lost(self, source: str) -> None:
        """A submission is known to have got no answer."""
        self._move(source, _S.SUBMIT_UNKNOWN, self.ledger.submit_unknown)

    @rule(source=sources)
    def release(self, source: str) -> None:
        """The document is to be submitted again."""
        if self._move(source, _S.PENDING, self.ledger.released):
            self.model[source].has_task = False

    @rule(source=sources, code=codes)
    def fail(self, source: str, code: ErrorCode) -> None:
        """The document fails."""
        if self._move(source, _S.FAILED, lambda d: fail(self.ledger, d, code)):
            self.model[source].code = code

    @rule(source=sources)
    def announce(self, source: str) -> None:
        """A PDF is about to get its name; that moves nothing."""
        stored = pdf()
        self._do(
            lambda: self.ledger.publishing(
                self.documents[source], stored, engine=ENGINE, options="0"
            )
        )

    @rule(source=sources)
    def convert(self, source: str) -> None:
        """The PDF is on disk."""
        if self._move(source, _S.CONVERTED, lambda d: convert(self.ledger, d)):
            self.model[source].has_task = False
            self.model[source].code = None

    @rule(source=sources)
    def interrupt(self, source: str) -> None:
        """The run leaves the document as after a signal."""
        self._do(lambda: self.ledger.interrupted(self.documents[source]))
        self._settle(source)

    # Between runs

    @rule(hours=st.sampled_from([1, 25]))
    def retry(self, hours: int) -> None:
        """The user puts failed files back."""
        at = NOON.replace(day=1 + hours // 24, hour=12 + hours % 24)
        failed = [s for s in SOURCES if self.model[s].state is _S.FAILED]
        assert self._do(lambda: self.ledger.retry(None, at=at)) == failed
        for source in failed:
            self._take_up(source, is_young=hours < 24)

    @rule()
    def plan(self) -> None:
        """A run finds all files and wants them all converted."""

        async def decide() -> None:
            planned = await self.ledger.page(b"", 9)
            await self.ledger.decide(
                [Decision(planned=each, verdict=Verdict.CONVERT) for each in planned], at=NOON
            )

        found = [source_file(source) for source in SOURCES]
        self._do(lambda: self.ledger.record_found(found))
        assert self._do(self.ledger.assign_outputs) == len(SOURCES)
        self._do(decide)
        for source in SOURCES:
            if self.model[source].state is _S.CONVERTED:
                self.model[source].state = _S.PENDING
            elif self.model[source].state is _S.FAILED:
                self._take_up(source, is_young=True)

    @rule(leaves_well=st.booleans())
    def next_run(self, *, leaves_well: bool) -> None:
        """The run ends, or its process dies; another begins."""
        if leaves_well:
            self._do(lambda: self.ledger.finish_run(at=NOON))
        self._die()

    @precondition(lambda self: self._under_way())
    @rule(data=st.data(), outcome=st.sampled_from(CallOutcome))
    def answer_and_die(self, data: st.DataObject, outcome: CallOutcome) -> None:
        """The process dies before the answer's record need be on disk."""
        call = data.draw(st.sampled_from(self._under_way()))
        self._portal.call(self.ledger.end_call, call.id, outcome, None)
        self._die(uncertain=call)

    def _die(self, *, uncertain: Call | None = None) -> None:
        """Go on with the files as they lie on the disk; what the process knew is gone."""
        self._lives += 1
        path = self._folder / str(self._lives) / "ledger.sqlite3"
        path.parent.mkdir()
        for name in ("ledger.sqlite3", "ledger.sqlite3-wal"):
            shutil.copy(self.ledger.path.with_name(name), path.with_name(name))
        self._do(partial(self.ledger.__aexit__, None, None, None))
        if uncertain is not None:
            uncertain.outcome = self._outcome_on_disk(path, uncertain)
        self._open(path)
        for call in self._under_way():
            call.outcome = CallOutcome.LOST
        for source in SOURCES:
            self._settle(source)

    def _outcome_on_disk(self, path: Path, call: Call) -> CallOutcome | None:
        with closing(sqlite3.connect(path)) as connection:
            query = "SELECT outcome FROM call WHERE id = ?"
            [outcome] = connection.execute(query, (call.id,)).fetchone()
        return None if outcome is None else CallOutcome(outcome)

    # The model

    def _under_way(self) -> list[Call]:
        return [call for call in self.calls if call.outcome is None]

    def _settle(self, source: str) -> None:
        """What a broken submission becomes, as the documentation tells it."""
        for call in self._under_way():
            if call.source == source:
                call.outcome = CallOutcome.LOST
        expected = self.model[source]
        if expected.state is _S.SUBMITTING:
            last = [c for c in self.calls if (c.source, c.kind) == (source, CallKind.SUBMIT)][-1]
            never_billed = last.outcome in {CallOutcome.REFUSED, CallOutcome.UNSENT}
            expected.state = _S.PENDING if never_billed else _S.SUBMIT_UNKNOWN

    def _take_up(self, source: str, *, is_young: bool) -> None:
        expected = self.model[source]
        ended = expected.code is ErrorCode.CONVERSION_ERROR
        if expected.has_task and is_young and not ended:
            expected.state = _S.SUBMITTED
        else:
            expected.state, expected.has_task = _S.PENDING, False

    @invariant()
    def each_document_is_in_exactly_one_state(self) -> None:
        self._do(self.ledger.summary)  # behind what was recorded without waiting
        with closing(sqlite3.connect(self.ledger.path)) as connection:
            rows = connection.execute("SELECT source, state, task_id FROM document").fetchall()
            [[twice]] = connection.execute(
                "SELECT count(*) FROM (SELECT 1 FROM outcome GROUP BY run, document"
                " HAVING count(*) > 1)"
            ).fetchall()
        assert {
            source.decode(): (state, task_id is not None) for source, state, task_id in rows
        } == {source: (each.state, each.has_task) for source, each in self.model.items()}
        assert len(rows) == len(SOURCES)
        assert twice == 0

    @invariant()
    def every_request_that_may_have_left_is_counted(self) -> None:
        with closing(sqlite3.connect(self.ledger.path)) as connection:
            rows = connection.execute(
                "SELECT kind, count(*) FROM call WHERE outcome IS NOT 'unsent' GROUP BY kind"
            ).fetchall()
        left = Counter(
            call.kind.value for call in self.calls if call.outcome is not CallOutcome.UNSENT
        )
        assert dict(rows) == dict(left)

    @invariant()
    def what_is_out_can_be_fetched(self) -> None:
        out = self._do(lambda: self.ledger.out_at_service(at=NOON))
        assert {document.source for document in out} == {
            source for source, each in self.model.items() if _is_out(each)
        }
        assert all(document.task is not None for document in out)


def _is_out(known: Expected) -> bool:
    """Whether the service may have the document: it is out, or failed only in passing."""
    failed_in_passing = known.state is _S.FAILED and known.code is not ErrorCode.CONVERSION_ERROR
    return known.has_task and (known.state is _S.SUBMITTED or failed_in_passing)


LedgerMachine.TestCase.settings = settings(
    max_examples=25,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestLedgerModel = pytest.mark.slow(LedgerMachine.TestCase)
