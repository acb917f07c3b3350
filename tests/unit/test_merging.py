"""The last runs of several ledgers as one, and what keeps them from being one."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

import anyio
import pytest

from batch_converter import merge
from batch_converter.config import Settings
from batch_converter.errors import ErrorCode, ExitCode, LedgerError, OutputError, UsageError
from batch_converter.ledger import Ledger, LedgerReader
from batch_converter.ledger.connection import connect
from batch_converter.models import (
    CallKind,
    CallOutcome,
    Failure,
    FileReport,
    FileStatus,
    SettingInForce,
)
from batch_converter.report import human_merged
from batch_converter.state import LEDGER_NAME
from tests.support.ledgers import ENGINE, NOON, admitted, pdf, report, source_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from batch_converter.ledger import PlacedReport


@dataclass(frozen=True, kw_only=True)
class Shard:
    """What a run on a ledger of its own did.

    Attributes:
        ends: With which code; None where it goes on.
        files: Name below `/archive` to what became of it.
        unreadable: What it could not read, and no document is.
        hours: After noon that it ended.
    """

    shard: str | None = None
    ends: ExitCode | None = ExitCode.OK
    engine: str = ENGINE
    files: Mapping[str, FileStatus] = field(default_factory=dict)
    unreadable: tuple[str, ...] = ()
    sha256: str = "ab"
    hours: int = 1
    calls: int = 0


CONVERTED, FAILED, SKIPPED = FileStatus.CONVERTED, FileStatus.FAILED, FileStatus.SKIPPED


def write(folder: Path, *runs: Shard) -> Path:
    """Have a state directory in which these runs have been."""
    folder.mkdir()
    anyio.run(partial(_write, folder, runs))
    return folder


async def _write(folder: Path, runs: tuple[Shard, ...]) -> None:
    for number, shard in enumerate(runs):
        async with await Ledger.open(folder / LEDGER_NAME) as ledger:
            await _run(ledger, shard, f"run-{folder.name}-{number}")


async def _run(ledger: Ledger, shard: Shard, run_id: str) -> None:
    taken = SettingInForce(key="input.shard", value=json.dumps(shard.shard), is_default=False)
    settings = [] if shard.shard is None else [taken]
    began, ended = NOON + timedelta(hours=shard.hours - 1), NOON + timedelta(hours=shard.hours)
    await ledger.begin_run(run_id, shard.engine, at=began, settings=settings)
    documents = await admitted(ledger, *map(source_file, shard.files))
    for name, status in shard.files.items():
        document = documents[name]
        told = replace(report(document, status), pages=2, bytes_in=10, bytes_out=100)
        if status is CONVERTED:
            made_by = {"engine": shard.engine, "options": "0"}
            made = pdf(sha256=shard.sha256)
            await ledger.converted(document, made, told, at=ended, **made_by)
        else:
            failure = Failure(code=ErrorCode.NOT_DJVU, message="so it is")
            await ledger.failed(document, failure, replace(told, error=failure))
    for path in shard.unreadable:
        told = FileReport(
            source=path,
            source_root="/archive",
            output=None,
            status=FAILED,
            error=Failure(code=ErrorCode.UNREADABLE, message="locked"),
        )
        await ledger.outcome(None, f"/archive/{path}", told)
    for _ in range(shard.calls):
        call = await ledger.begin_call(CallKind.POLL, None, at=began)
        ledger.end_call(call, CallOutcome.ANSWERED, 200)
    if shard.ends is not None:
        await ledger.finish_run(at=ended)
        await ledger.end_run(shard.ends)


def test_runs_are_summed_and_their_files_stand_in_the_order_of_their_paths(tmp_path: Path) -> None:
    one = Shard(
        shard="1/2", files={"a.djvu": CONVERTED, "c.djvu": FAILED}, ends=ExitCode(1), calls=2
    )
    two = Shard(shard="2/2", files={"b.djvu": CONVERTED, "é.djvu": CONVERTED}, hours=3, calls=3)
    folders = [write(tmp_path / "s2", two), write(tmp_path / "s1", one)]
    with merge(folders) as merged:
        summary = merged.summary
        assert [file.source for file in merged.files()] == ["a.djvu", "b.djvu", "c.djvu", "é.djvu"]
        assert [name for name, *_ in merged.converted()] == ["a.pdf", "b.pdf", "é.pdf"]
        assert list(merged.failed_paths()) == ["/archive/c.djvu"]
        assert merged.last_success() is None
        assert merged.is_complete
    totals = summary.totals
    assert (totals.found, totals.converted, totals.failed, totals.pages) == (4, 3, 1, 6)
    assert (totals.bytes_in, totals.bytes_out) == (30, 300)
    assert summary.api_calls.poll == summary.api_calls.billed == 5
    assert summary.exit_code == 1
    assert (summary.started_at, summary.finished_at) == (NOON, NOON + timedelta(hours=3))
    assert [run.summary.shard for run in summary.shards] == ["2/2", "1/2"]
    assert not summary.missing_shards
    with merge(list(reversed(folders))) as again:
        assert again.summary.run_id == summary.run_id
    with merge(folders[:1]) as part:
        assert part.summary.run_id != summary.run_id


def test_only_the_last_run_of_each_counts(tmp_path: Path) -> None:
    before = Shard(shard="1/1", files={"a.djvu": CONVERTED, "old.djvu": CONVERTED})
    last = Shard(shard="1/1", files={"b.djvu": CONVERTED}, hours=2)
    with merge([write(tmp_path / "s", before, last)]) as merged:
        assert [file.source for file in merged.files()] == ["b.djvu"]
        assert [name for name, *_ in merged.converted()] == ["a.pdf", "b.pdf", "old.pdf"]
        assert merged.last_success() == NOON + timedelta(hours=2)


def test_of_several_exit_codes_the_contracts_first_is_told(tmp_path: Path) -> None:
    order = [ExitCode(code) for code in (130, 143, 3, 6, 4, 1, 0)]
    for first, second in pairwise(order):
        assert ExitCode.first_of([second, first]) is first
    folders = [
        write(tmp_path / f"s{number}", Shard(shard=f"{number}/2", ends=code))
        for number, code in enumerate((ExitCode.SOME_FAILED, ExitCode.STOPPED_EARLY), 1)
    ]
    with merge(folders) as merged:
        assert merged.summary.exit_code is ExitCode.STOPPED_EARLY
        assert merged.is_complete  # it says how runs ended, not that the report lacks anything


@pytest.mark.parametrize(
    ("shards", "missing", "told"),
    [
        (["1/3", "3/3"], ("2/3",), "took shard 2/3"),
        (["2/4"], ("1/4", "3/4", "4/4"), "took shards 1/4, 3/4, 4/4"),
        (["1/2", None], (), "took no shard"),
        (["1/1"], (), None),
        ([None, None], (), None),
    ],
)
def test_what_is_missing_is_told_everywhere(
    tmp_path: Path, shards: list[str | None], missing: tuple[str, ...], told: str | None
) -> None:
    folders = [
        write(tmp_path / f"s{number}", Shard(shard=shard, files={f"{number}.djvu": CONVERTED}))
        for number, shard in enumerate(shards)
    ]
    with merge(folders) as merged:
        assert merged.summary.missing_shards == missing
        assert merged.is_complete is (told is None)
        assert merged.summary.exit_code == (0 if told is None else 1)
        assert (merged.last_success() is None) is bool(missing)
        price = Settings().budget.price
        text = human_merged(merged.summary, merged.files(), price=price)
        merged.write(Settings.model_validate({"report": {"file": tmp_path / "report.json"}}))
    written = json.loads((tmp_path / "report.json").read_bytes())
    assert written["missing_shards"] == list(missing)
    assert [each["shard"] for each in written["shards"]] == shards
    if told is not None:
        assert any(told in warning for warning in merged.warnings)
        assert told in text


def test_a_run_that_has_not_ended_counts_as_far_as_it_is(tmp_path: Path) -> None:
    ended = Shard(shard="1/2", files={"a.djvu": CONVERTED}, ends=ExitCode.UNAVAILABLE)
    going = Shard(shard="2/2", files={"b.djvu": CONVERTED}, ends=None)
    with merge([write(tmp_path / "s1", ended), write(tmp_path / "s2", going)]) as merged:
        (warning,) = merged.warnings
        assert "shard 2/2" in warning
        assert "has not ended" in warning
        assert merged.summary.totals.converted == 2
        assert merged.summary.finished_at is None
        assert merged.summary.exit_code == ExitCode.UNAVAILABLE
        assert not merged.is_complete
        assert not merged.summary.missing_shards


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        (Shard(shard="1/2"), Shard(shard="1/2"), "the same shard"),
        (Shard(shard="1/2"), Shard(shard="2/3"), "different partitions"),
        (Shard(files={"a.djvu": FAILED}), Shard(files={"a.djvu": CONVERTED}), "the source"),
        (Shard(files={"a.djvu": CONVERTED}), Shard(files={"A.djv": CONVERTED}), "the PDF"),
    ],
)
def test_what_is_no_part_of_one_archive_is_refused(
    tmp_path: Path, first: Shard, second: Shard, told: str
) -> None:
    folders = [write(tmp_path / "one", first), write(tmp_path / "two", second)]
    with pytest.raises(UsageError, match=told) as refused, merge(folders):
        pass
    assert all(str(folder) in str(refused.value) for folder in folders)


def test_a_directory_is_named_once_and_must_have_had_a_run(tmp_path: Path) -> None:
    folder = write(tmp_path / "s", Shard())
    (tmp_path / "alias").symlink_to(folder)
    with pytest.raises(UsageError, match="nothing to merge"), merge([]):
        pass
    with pytest.raises(UsageError, match="again"), merge([folder, tmp_path / "alias"]):
        pass
    with (
        pytest.raises(LedgerError, match=r"no ledger at .*/none"),
        merge([folder, tmp_path / "none"]),
    ):
        pass
    (tmp_path / "pdfs").mkdir()
    write(tmp_path / "pdfs" / ".batch-converter", Shard())
    told = r"an output folder.*pdfs/\.batch-converter$"
    with pytest.raises(UsageError, match=told), merge([tmp_path / "pdfs"]):
        pass
    empty = write(tmp_path / "empty")
    connect(empty / LEDGER_NAME, read_only=False).close()
    with pytest.raises(LedgerError, match="no run yet"), merge([empty]):
        pass


def test_what_no_shard_could_read_counts_once(tmp_path: Path) -> None:
    """Every shard says so of a folder, since files of each may be in it."""
    first = Shard(shard="1/3", unreadable=("locked", "first"), ends=ExitCode.SOME_FAILED)
    second = Shard(shard="2/3", unreadable=("locked", "c.djvu"), ends=ExitCode.SOME_FAILED)
    third = Shard(shard="3/3", unreadable=("locked",), files={"c.djvu": CONVERTED})
    folders = [
        write(tmp_path / f"s{number}", shard) for number, shard in enumerate((first, second, third))
    ]
    with merge(folders) as merged:
        files = {file.source: file.status for file in merged.files()}
        assert files == {"c.djvu": CONVERTED, "first": FAILED, "locked": FAILED}
        assert list(merged.failed_paths()) == ["/archive/first", "/archive/locked"]
        totals = merged.summary.totals
        assert (totals.found, totals.converted, totals.failed) == (3, 1, 2)


def test_of_a_pdf_that_two_ledgers_know_the_last_word_counts(tmp_path: Path) -> None:
    """Where an archive was divided otherwise before, with `--adopt` or `--overwrite always`."""
    now, other = {"b.djvu": CONVERTED}, {"c.djvu": CONVERTED}
    runs = {
        "newer": [Shard(files={"a.djvu": CONVERTED}, sha256="new", hours=5), Shard(files=now)],
        "older": [Shard(files={"a.djvu": CONVERTED}, sha256="old", hours=4), Shard(files=other)],
    }
    folders = [write(tmp_path / name, *shards) for name, shards in runs.items()]
    with merge(folders) as merged:
        assert [(name, digest) for name, digest, _ in merged.converted()] == [
            ("a.pdf", "new"),
            ("b.pdf", "ab"),
            ("c.pdf", "ab"),
        ]


def test_names_of_odd_bytes_keep_the_order_of_their_bytes(tmp_path: Path) -> None:
    """As text, what is not UTF-8 would sort before what is beyond the first 65,536 characters."""
    odd, far = os.fsdecode(b"\xff.djvu"), "\U00010000.djvu"
    first = Shard(files={odd: CONVERTED, "a.djvu": CONVERTED})
    second = Shard(files={far: CONVERTED, "b.djvu": CONVERTED})
    with merge([write(tmp_path / "s1", first), write(tmp_path / "s2", second)]) as merged:
        assert [f.source for f in merged.files()] == ["a.djvu", "b.djvu", far, odd]
        assert [name for name, *_ in merged.converted()] == [
            name.replace(".djvu", ".pdf") for name in ("a.djvu", "b.djvu", far, odd)
        ]


def test_engines_are_all_named_and_a_place_that_cannot_be_written_is_refused_before(
    tmp_path: Path,
) -> None:
    folders = [
        write(tmp_path / "s1", Shard(engine="local")),
        write(tmp_path / "s2", Shard(engine="aspose")),
    ]
    with merge(folders) as merged:
        assert merged.summary.engine == "aspose, local"
        wanted = {"report": {"file": tmp_path / "r.json", "manifest": tmp_path}}
        with pytest.raises(UsageError, match="manifest"):
            merged.write(Settings.model_validate(wanted))
    assert not (tmp_path / "r.json").exists()


def test_a_file_that_is_not_written_makes_it_incomplete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OutputError("the disk is full")

    monkeypatch.setattr("batch_converter.report.files.write_manifest", fail)
    wanted = {"report": {"file": tmp_path / "r.json", "manifest": tmp_path / "m"}}
    with merge([write(tmp_path / "s", Shard())]) as merged:
        merged.write(Settings.model_validate(wanted))
        assert not merged.is_complete
        assert [str(error) for error in merged.unwritten] == ["the disk is full"]
    assert json.loads((tmp_path / "r.json").read_bytes())["exit_code"] == 1


def test_a_ledger_of_an_older_version_is_read_and_takes_no_known_shard(tmp_path: Path) -> None:
    old = write(tmp_path / "old", Shard(files={"a.djvu": CONVERTED}))
    with closing(connect(old / LEDGER_NAME, read_only=False)) as connection:
        connection.execute("ALTER TABLE run DROP COLUMN settings")
        connection.execute("ALTER TABLE run DROP COLUMN causes")
        connection.execute("ALTER TABLE outcome DROP COLUMN timeline")
        connection.execute("ALTER TABLE document DROP COLUMN etag")
        connection.execute("ALTER TABLE document DROP COLUMN pdf_etag")
        connection.execute("PRAGMA user_version = 6")
    new = write(tmp_path / "new", Shard(shard="1/2", files={"b.djvu": CONVERTED}))
    with merge([old, new]) as merged:
        assert [file.source for file in merged.files()] == ["a.djvu", "b.djvu"]
        (warning,) = merged.warnings
        assert str(old) in warning
        assert not merged.summary.missing_shards


def test_what_is_damaged_names_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = [write(tmp_path / name, Shard(files={f"{name}.djvu": CONVERTED})) for name in "ab"]
    really = LedgerReader.placed_files

    def fail(reader: LedgerReader, run_id: str) -> Iterator[PlacedReport]:
        if "-a-" in run_id:
            raise sqlite3.DatabaseError("database disk image is malformed")
        yield from really(reader, run_id)

    monkeypatch.setattr(LedgerReader, "placed_files", fail)
    with merge(folders) as merged, pytest.raises(LedgerError, match=str(folders[0])):
        list(merged.files())
