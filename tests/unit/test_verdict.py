"""What becomes of a found file: each line of the table, and what holds for all combinations."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from batch_converter.djvu.work.inspection import DjvuInspector
from batch_converter.errors import LASTING_CODES, ErrorCode, UnreadableError
from batch_converter.ledger import Planned, Verdict
from batch_converter.models import Document, DocumentState, Failure
from batch_converter.orchestrator.found_facts import FoundFacts, gather_facts
from batch_converter.orchestrator.verdict import PlanOptions, verdict
from batch_converter.output import PdfStore
from batch_converter.threads import DiskThreads

PDF = b"%PDF-1.7 whole"
CONVERTED, PENDING, FAILED, SUBMITTED = (
    DocumentState.CONVERTED,
    DocumentState.PENDING,
    DocumentState.FAILED,
    DocumentState.SUBMITTED,
)
NOT_DJVU, TIMEOUT = ErrorCode.NOT_DJVU, ErrorCode.TIMEOUT


def planned(path: str = "/x.djvu", **known: Any) -> Planned:  # noqa: ANN401  # any field
    """Return a found file that the ledger does not know, but for what is given."""
    document: dict[str, Any] = {"size_bytes": 10, "mtime_ns": 1, "state": PENDING}
    document |= {key: known.pop(key) for key in tuple(known) if key in document}
    if "code" in known:
        known["failure"] = Failure(code=known.pop("code"), message="it failed")
    values: dict[str, Any] = {
        "key": b"x",
        "found_size_bytes": 10,
        "found_etag": None,
        "found_mtime_ns": 1,
        "source_sha256": None,
        "parts_fingerprint": None,
        "engine": None,
        "options": None,
        "pdf_bytes": None,
        "pdf_sha256": None,
        "was_converted": False,
        "failure": None,
    }
    row = Document(
        id=1, path=path, source_root="/", source="x.djvu", output="x.pdf", task=None, **document
    )
    return Planned(document=row, **values | known)


def facts(*, changed: bool = False, **known: Any) -> FoundFacts:  # noqa: ANN401  # any field
    seen = {
        key: known.pop(key)
        for key in ("has_parts_now", "is_announced", "obstacle", "there")
        if key in known
    }
    pdf_bytes = seen.pop("there", None)
    return FoundFacts(
        planned=planned(**known), address="/out/x.pdf", changed=changed, pdf_bytes=pdf_bytes, **seen
    )


def options(**chosen: Any) -> PlanOptions:  # noqa: ANN401  # any field
    values: dict[str, Any] = {"engine": "e", "engine_options": "0", "any_engine": False}
    return PlanOptions(**values | chosen)


DONE: dict[str, Any] = {
    "state": CONVERTED,
    "engine": "e",
    "options": "0",
    "pdf_bytes": 9,
    "was_converted": True,
}


@pytest.mark.parametrize(
    ("found", "chosen", "wanted"),
    [
        (facts(), options(), Verdict.CONVERT),
        (facts(**DONE, there=9), options(), Verdict.SKIP),
        (facts(**DONE, there=9), options(overwrite="always"), Verdict.CONVERT),
        (facts(**DONE, there=9), options(engine_options="1"), Verdict.CONVERT),
        (facts(**DONE, there=9), options(engine="other"), Verdict.CONVERT),
        (facts(**DONE, there=9), options(engine="other", any_engine=True), Verdict.SKIP),
        (facts(**DONE, there=8), options(), Verdict.CONVERT),
        (facts(**DONE), options(), Verdict.CONVERT),
        (facts(**DONE, there=9, changed=True), options(), Verdict.CONVERT),
        (facts(**DONE, there=9, changed=True), options(overwrite="never"), Verdict.SKIP),
        (facts(there=9), options(), Verdict.REFUSE),
        (facts(there=9), options(overwrite="never"), Verdict.SKIP),
        (facts(there=9), options(overwrite="always"), Verdict.CONVERT),
        (facts(there=9, was_converted=True), options(), Verdict.CONVERT),
        (facts(there=9, is_announced=True), options(), Verdict.ADOPT),
        (facts(there=9, is_announced=True, changed=True), options(), Verdict.CONVERT),
        (facts(obstacle="a folder"), options(), Verdict.REFUSE),
        (facts(obstacle="a folder"), options(overwrite="always"), Verdict.REFUSE),
        (facts(obstacle="a folder"), options(overwrite="never"), Verdict.REFUSE),
        (facts(state=FAILED, code=NOT_DJVU), options(), Verdict.KNOWN_FAILURE),
        (facts(state=FAILED, code=NOT_DJVU), options(retry_failed=True), Verdict.CONVERT),
        (facts(state=FAILED, code=NOT_DJVU, changed=True), options(), Verdict.CONVERT),
        (facts(state=FAILED, code=NOT_DJVU, has_parts_now=True), options(), Verdict.CONVERT),
        (facts(state=FAILED, code=NOT_DJVU, there=9), options(), Verdict.KNOWN_FAILURE),
        (facts(state=FAILED, code=TIMEOUT), options(), Verdict.CONVERT),
        (facts(state=SUBMITTED, engine="e"), options(any_engine=True), Verdict.CONVERT),
        (facts(state=SUBMITTED, engine="b"), options(any_engine=True), Verdict.LEAVE),
        (facts(state=SUBMITTED, engine="b"), options(), Verdict.CONVERT),
        (
            facts(state=SUBMITTED, engine="b", changed=True),
            options(any_engine=True),
            Verdict.CONVERT,
        ),
    ],
)
def test_each_case(found: FoundFacts, chosen: PlanOptions, wanted: Verdict) -> None:
    assert verdict(found, chosen) is wanted


_FACTS = st.builds(
    facts,
    changed=st.booleans(),
    state=st.sampled_from(DocumentState),
    code=st.sampled_from(ErrorCode),
    engine=st.sampled_from([None, "e", "other"]),
    options=st.sampled_from(["0", "1"]),
    pdf_bytes=st.sampled_from([8, 9]),
    was_converted=st.booleans(),
    has_parts_now=st.booleans(),
    is_announced=st.booleans(),
    there=st.sampled_from([None, 9]),
    obstacle=st.sampled_from([None, "a folder stands in its place"]),
)
_OPTIONS = st.builds(
    options,
    overwrite=st.sampled_from(["if-changed", "always", "never"]),
    retry_failed=st.booleans(),
    any_engine=st.booleans(),
)


@given(found=_FACTS, chosen=_OPTIONS)
@example(found=facts(there=9), chosen=options())
def test_what_holds_for_all_combinations(found: FoundFacts, chosen: PlanOptions) -> None:
    result = verdict(found, chosen)
    known = found.planned
    is_there = found.pdf_bytes is not None
    if result is Verdict.CONVERT:
        assert found.obstacle is None
        assert chosen.overwrite != "never" or not is_there
        if is_there and chosen.overwrite == "if-changed":
            assert known.was_converted or found.is_announced, "a foreign PDF would be replaced"
    if result is Verdict.SKIP:
        assert is_there
        assert chosen.overwrite == "never" or (not found.changed and known.pdf_bytes == 9)
    if result is Verdict.ADOPT:
        assert is_there
        assert found.is_announced
        assert not found.changed
    if result is Verdict.KNOWN_FAILURE:
        assert known.failure is not None
        assert known.failure.code in LASTING_CODES
        assert not found.changed
        assert not chosen.retry_failed
    if result is Verdict.LEAVE:
        assert known.document.state is SUBMITTED
        assert chosen.any_engine
    if result is Verdict.REFUSE:
        assert found.obstacle or is_there


# -- what is looked at ------------------------------------------------------------------------


class InThisProcess(DjvuInspector):
    """Reads here what the real one reads in a process of its own."""

    def sha256(self, path: str, *, with_parts: bool) -> str:
        assert not with_parts
        try:
            return hashlib.sha256(Path(path).read_bytes()).hexdigest()
        except OSError as error:
            raise UnreadableError(path) from error


def store(folder: Path) -> PdfStore:
    return PdfStore(output_dir=folder, state_dir=folder, run_id="run", threads=DiskThreads(1))


def gathered(folder: Path, **known: Any) -> FoundFacts:  # noqa: ANN401  # any field
    source = folder / "x.djvu"
    source.write_bytes(b"0123456789")
    mtime_ns = source.stat().st_mtime_ns
    values = {"found_mtime_ns": mtime_ns, "mtime_ns": mtime_ns} | known
    return gather_facts(
        planned(os.fspath(source), **values), store(folder / "out"), InThisProcess(), options()
    )


def test_a_pdf_is_hashed_once_and_only_where_a_run_may_have_died(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed = []
    hash_pdf = PdfStore.sha256

    def counted(self: PdfStore, output: str) -> str:
        hashed.append(output)
        return hash_pdf(self, output)

    monkeypatch.setattr(PdfStore, "sha256", counted)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "x.pdf").write_bytes(PDF)
    recorded = {"pdf_bytes": len(PDF), "pdf_sha256": hashlib.sha256(PDF).hexdigest()}

    assert not gathered(tmp_path).is_announced
    assert not gathered(tmp_path, **recorded, state=CONVERTED).is_announced
    assert not gathered(tmp_path, **recorded | {"pdf_bytes": 1}).is_announced
    assert not hashed
    assert gathered(tmp_path, **recorded).is_announced
    assert not gathered(tmp_path, **recorded | {"pdf_sha256": "0" * 64}).is_announced
    assert len(hashed) == 2


def test_what_is_in_the_way_is_no_pdf(tmp_path: Path) -> None:
    assert (gathered(tmp_path).pdf_bytes, gathered(tmp_path).obstacle) == (None, None)
    (tmp_path / "out").write_bytes(PDF)
    assert "a file stands where its folder should be" in (gathered(tmp_path).obstacle or "")
    (tmp_path / "out").unlink()
    (tmp_path / "out" / "x.pdf").mkdir(parents=True)
    assert "a folder stands in its place" in (gathered(tmp_path).obstacle or "")
    (tmp_path / "out" / "x.pdf").rmdir()
    (tmp_path / "out" / "x.pdf").write_bytes(PDF)
    assert gathered(tmp_path).pdf_bytes == len(PDF)
    assert gathered(tmp_path).obstacle is None


def test_a_source_is_read_only_where_its_size_is_the_same_and_its_time_is_not(
    tmp_path: Path,
) -> None:
    digest = hashlib.sha256(b"0123456789").hexdigest()
    assert not gathered(tmp_path).changed
    assert gathered(tmp_path, size_bytes=11, source_sha256=digest).changed
    assert not gathered(tmp_path, mtime_ns=1, source_sha256=digest).changed
    assert gathered(tmp_path, mtime_ns=1, source_sha256="0" * 64).changed
    assert gathered(tmp_path, mtime_ns=1).changed  # never read yet


def test_a_source_that_is_gone_meanwhile_has_changed(tmp_path: Path) -> None:
    gone = planned(str(tmp_path / "gone.djvu"), mtime_ns=2, source_sha256="0" * 64)
    assert gather_facts(gone, store(tmp_path), InThisProcess(), options()).changed
