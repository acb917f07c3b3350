"""PDFs in a bucket: whole or not there, and never over what another has written."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import threading
from functools import partial
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
import pytest
import structlog

from batch_converter import api, watch
from batch_converter.bags import make_bag
from batch_converter.config import RemoteSettings, RetrySettings, Settings
from batch_converter.diagnosis import diagnose
from batch_converter.errors import UsageError
from batch_converter.models import FileStatus
from batch_converter.objects import ObjectAddress, ObjectClient, ObjectExistsError
from batch_converter.objects import client as client_module
from batch_converter.opening import open_run
from batch_converter.orchestrator import StopReason
from batch_converter.orchestrator import run as run_module
from batch_converter.redaction import Redactor
from batch_converter.sources import Sources
from batch_converter.state import state_dir
from batch_converter.testing import FakeConverter, FakeTaskService
from tests.support.bundles import bundle_of, pages
from tests.support.object_store import SECRET
from tests.support.pdfs import make_archive
from tests.support.remote_runs import RemoteRuns

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.object_store import Bucket, Request

FOREIGN = b"somebody else's"


@pytest.fixture
def runs(bucket: Bucket, tmp_path: Path) -> RemoteRuns:
    return RemoteRuns(bucket, tmp_path / "state", f"s3://{bucket.name}/out")


# Put there, and known again


@pytest.mark.parametrize("engine", [FakeConverter, FakeTaskService])
async def test_a_bucket_is_converted_into_another_place_and_then_only_listed(
    runs: RemoteRuns, engine: type[FakeConverter | FakeTaskService]
) -> None:
    runs.engine = engine()
    for name in ("a b", "deep/er/+%20#?", "ä/~(1)&="):
        runs.put(f"{name}.djvu")
    assert (await runs.convert()).totals.converted == 3
    assert runs.bucket.keys("out/") == ["out/a b.pdf", "out/deep/er/+%20#?.pdf", "out/ä/~(1)&=.pdf"]
    assert runs.bucket.get("out/a b.pdf").startswith(b"%PDF")
    assert (await runs.convert()).totals.skipped == 3
    assert runs.bucket.requests
    assert not runs.requests


async def test_files_of_a_disk_go_into_a_bucket_and_may_be_moved_then(
    runs: RemoteRuns, tmp_path: Path
) -> None:
    make_archive(tmp_path / "disk", 2)
    runs.output = f"s3://{runs.bucket.name}"
    runs.changes["input"] = {"after": f"move:{tmp_path / 'done'}"}
    summary = await runs.convert(str(tmp_path / "disk"))
    assert (summary.totals.converted, summary.totals.moved) == (2, 2)
    assert runs.bucket.keys() == ["00000.pdf", "00001.pdf"]
    runs.put("a.djvu")
    with pytest.raises(UsageError, match="--after moves files of this machine"):
        await runs.convert()


def test_the_state_is_the_users_own_by_name_and_place(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    def state(output: str, **remote: str) -> Path:
        return state_dir(Settings.model_validate({"output": {"dir": output}, "remote": remote}))

    first = state(f"s3://{bucket.name}/x/scans pdf")
    assert first.parent == tmp_path / "batch-converter"
    assert first.name.startswith("scans_pdf-")
    assert state(f"s3://{bucket.name}/x/scans pdf/") == first
    others = {state(f"s3://{bucket.name}/y/scans pdf"), state("s3://b"), state("gs://b")}
    others |= {state(f"s3://{bucket.name}/x/scans pdf", endpoint="https://other.example.org")}
    assert len(others | {first}) == 5


async def test_the_place_of_the_state_is_said(runs: RemoteRuns) -> None:
    with structlog.testing.capture_logs() as lines:
        await runs.convert(f"s3://{runs.bucket.name}")
    assert [line["path"] for line in lines if line["event"] == "run.state_dir"] == [
        os.fspath(runs.state)
    ]


# What is there already


async def test_what_this_ledger_did_not_write_is_not_replaced(runs: RemoteRuns) -> None:
    runs.put("a.djvu")
    runs.bucket.put("out/a.pdf", FOREIGN)
    assert (await runs.convert()).totals.failed == 1
    code, message = runs.error("a.djvu")
    assert (code, "out/a.pdf is there already" in message) == ("output_error", True)
    assert not runs.requests
    runs.changes["output"] = {"overwrite": "never"}
    assert (await runs.convert()).totals.skipped == 1
    assert runs.bucket.get("out/a.pdf") == FOREIGN
    runs.changes["output"] = {"overwrite": "always"}
    assert (await runs.convert()).totals.converted == 1
    assert runs.bucket.get("out/a.pdf") != FOREIGN


async def test_what_appears_while_a_document_is_converted_is_not_replaced(
    runs: RemoteRuns,
) -> None:
    runs.put("a.djvu")

    def write_first(request: Request) -> None:
        if request.method == "PUT":
            runs.bucket.put("out/a.pdf", FOREIGN)

    runs.bucket.before = write_first
    assert (await runs.convert()).totals.failed == 1
    assert runs.error("a.djvu")[0] == "output_error"
    assert runs.bucket.get("out/a.pdf") == FOREIGN


async def test_a_changed_document_replaces_its_own_pdf_and_no_other(runs: RemoteRuns) -> None:
    runs.engine = None
    runs.put("a.djvu")
    await runs.convert()
    first = runs.bucket.get("out/a.pdf")
    runs.bucket.put("in/a.djvu", bundle_of(pages(2)))
    assert (await runs.convert()).totals.converted == 1
    assert runs.bucket.get("out/a.pdf") != first
    runs.put("a.djvu", b"third")
    runs.bucket.put("out/a.pdf", FOREIGN)
    assert (await runs.convert()).totals.failed == 1
    assert runs.bucket.get("out/a.pdf") == FOREIGN


async def test_one_of_the_same_size_with_another_etag_is_not_ours(runs: RemoteRuns) -> None:
    runs.put("a.djvu")
    await runs.convert()
    ours = runs.bucket.get("out/a.pdf")
    runs.bucket.put("out/a.pdf", bytes(len(ours)))
    assert (await runs.convert()).totals.failed == 1
    assert runs.bucket.get("out/a.pdf") == bytes(len(ours))
    runs.bucket.put("out/a.pdf", ours)
    assert (await runs.convert()).totals.converted == 1


async def test_a_pdf_that_is_gone_is_made_again(runs: RemoteRuns) -> None:
    runs.put("a.djvu")
    await runs.convert()
    runs.bucket.delete("out/a.pdf")
    assert (await runs.convert()).totals.converted == 1
    assert runs.bucket.keys("out/") == ["out/a.pdf"]


async def test_a_pdf_whose_ledger_is_lost_is_adopted(runs: RemoteRuns, tmp_path: Path) -> None:
    runs.put("a.djvu")
    await runs.convert()
    runs.state = tmp_path / "new"
    runs.changes["output"] = {"adopt": True}
    assert (await runs.convert()).totals.skipped == 1
    runs.changes.clear()
    assert (await runs.convert()).totals.skipped == 1
    assert not runs.requests


# When the store does not do as it should


@pytest.mark.parametrize("fault", ["unavailable", "reset", "deaf"])
async def test_trouble_that_passes_is_not_seen(runs: RemoteRuns, fault: str) -> None:
    """Of an answer that was lost it is found out whether the PDF is there."""
    runs.put("a.djvu")
    runs.bucket.faults.add(fault, "PUT out/a.pdf")
    assert (await runs.convert()).totals.converted == 1
    assert not runs.bucket.faults.planned
    assert runs.bucket.get("out/a.pdf").startswith(b"%PDF")
    assert (await runs.convert()).totals.skipped == 1
    runs.put("a.djvu", b"other")
    runs.bucket.faults.add(fault, "PUT out/a.pdf")
    assert (await runs.convert()).totals.converted == 1
    assert (await runs.convert()).totals.skipped == 1


async def test_a_pdf_that_is_not_taken_fails_alone(runs: RemoteRuns) -> None:
    runs.put("a.djvu")
    runs.put("b.djvu")
    runs.bucket.faults.add("unavailable", "PUT out/a.pdf", times=16)
    summary = await runs.convert()
    assert (summary.totals.converted, summary.totals.failed) == (1, 1)
    code, message = runs.error("a.djvu")
    assert (code, "answered 503 SlowDown" in message) == ("output_error", True)
    assert SECRET not in message
    assert runs.bucket.keys("out/") == ["out/b.pdf"]
    runs.bucket.faults.planned.clear()
    assert (await runs.convert()).totals.converted == 1


async def test_a_store_that_takes_nothing_from_us_ends_the_run(runs: RemoteRuns) -> None:
    for number in range(9):
        runs.put(f"{number}.djvu")
    runs.changes["concurrency"] = {"max_in_flight": 1}
    runs.bucket.faults.add("denied", "PUT", times=9)
    summary = await runs.convert()
    assert summary.exit_code == 1
    assert (summary.totals.failed, summary.totals.remaining) == (1, 8)


async def test_one_that_cannot_be_listed_is_told_before_anything_is_done(
    runs: RemoteRuns,
) -> None:
    runs.put("a.djvu")
    runs.output = "s3://no-such-bucket/x"
    with pytest.raises(UsageError, match="there is no such bucket"):
        await runs.convert()


async def test_a_store_that_is_away_at_the_start_is_reported_and_ends_no_watch(
    runs: RemoteRuns, tmp_path: Path
) -> None:
    make_archive(tmp_path / "disk", 1)
    report = tmp_path / "report.json"
    runs.changes = {"remote": {"endpoint": "http://127.0.0.1:9"}, "report": {"file": report}}
    runs.changes["retry"] = {"request_attempts": 1}
    codes: list[int | None] = []
    ended = anyio.Event()

    def tell(told: api.RunReport) -> None:
        codes.append(told.summary.exit_code)
        ended.set()

    async with anyio.create_task_group() as tasks:
        engines = [FakeConverter().spec]
        watching = partial(watch, settle_s=0, poll=True, on_report=tell, engines=engines)
        tasks.start_soon(watching, [tmp_path / "disk"], runs.settings)
        await ended.wait()
        tasks.cancel_scope.cancel()
    assert codes == [6]
    assert json.loads(report.read_text())["exit_code"] == 6


async def test_a_listing_that_breaks_off_in_the_plan_ends_the_run_with_6(
    runs: RemoteRuns,
) -> None:
    runs.put("a.djvu")
    runs.bucket.faults.add("unavailable", r"GET .*start-after", times=4)
    assert (await runs.convert()).exit_code == 6
    assert not runs.bucket.keys("out/")


async def test_names_that_no_object_can_have_cost_nothing(runs: RemoteRuns, tmp_path: Path) -> None:
    folder = tmp_path / "disk"
    (document,) = make_archive(folder, 1)
    document.rename(os.fsdecode(os.fsencode(folder) + b"/\xff.djvu"))
    make_archive(folder / "x\ny", 1)
    make_archive(folder / "x\x7f", 1)
    runs.output = f"s3://{runs.bucket.name}/out"
    summary = await runs.convert(str(folder))
    assert summary.totals.failed == 3
    assert {file.error.code.value for file in runs.files.values() if file.error} == {"output_error"}
    assert {file.attempts for file in runs.files.values()} == {0}


@pytest.mark.parametrize("request_line", ["PUT out/a.pdf", "GET in/a.djvu"])
async def test_a_signal_waits_for_no_store_that_says_nothing(
    runs: RemoteRuns, monkeypatch: pytest.MonkeyPatch, request_line: str
) -> None:
    """Neither while a document is read nor while its PDF is put there; both come later."""
    monkeypatch.setattr(run_module, "SUBMIT_GRACE_S", 0.0)
    runs.put("a.djvu")
    loop, answering = asyncio.get_running_loop(), threading.Event()
    assert runs.engine is not None
    async with open_run(
        runs.settings, Sources(paths=(runs.archive,)), engines=[runs.engine.spec]
    ) as (run, opened):

        def stop(request: Request) -> None:
            if f"{request.method} {request.key}" == request_line:
                loop.call_soon_threadsafe(run.stop, StopReason.of_signal(signal.SIGINT))
                answering.wait(60)

        runs.bucket.before = stop
        summary = await run.execute(opened.found, opened.roots)
    assert not answering.is_set()
    answering.set()
    assert (summary.exit_code, summary.totals.remaining, summary.totals.failed) == (130, 1, 0)
    runs.bucket.before = None
    assert (await runs.convert()).exit_code == 0
    assert runs.bucket.keys("out/") == ["out/a.pdf"]


# More than a store takes at once


def large_client(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> ObjectClient:
    monkeypatch.setattr(client_module, "_PART_BYTES", 5 << 20)
    base = ObjectAddress(scheme="s3", place=bucket.name, key="")
    retry = RetrySettings(initial_wait_s=0.001, max_wait_s=0.01, request_attempts=2)
    client = ObjectClient(base, RemoteSettings(), retry)
    client.most_bytes_at_once = 6 << 20
    return client


def test_a_longer_pdf_goes_in_parts_and_those_are_called_off(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, part = large_client(bucket, monkeypatch), tmp_path / "part"
    part.write_bytes(os.urandom(11 << 20))
    bucket.faults.add("unavailable", "PUT big.pdf.*partNumber=2", times=2)
    with pytest.raises(OSError, match="503"):
        client.put("big.pdf", part)
    assert not bucket.open_uploads()
    assert not bucket.keys()
    etag = client.put("big.pdf", part)
    assert etag == client.head("big.pdf").etag
    assert bucket.get("big.pdf") == part.read_bytes()
    with pytest.raises(ObjectExistsError):
        client.put("big.pdf", part)
    assert client.put("big.pdf", part, replaces=etag)
    assert not bucket.open_uploads()


# Other commands


async def test_a_bag_is_filled_from_there(runs: RemoteRuns, tmp_path: Path) -> None:
    for name in ("a", "deep/b", "c"):
        runs.put(f"{name}.djvu")
    await runs.convert()
    key = runs.bucket.keys("out/")[0]
    runs.bucket.put(key, b"%PDF-1.4 of another")
    runs.bucket.delete(runs.bucket.keys("out/")[1])
    told: dict[str, str] = {}
    making = partial(make_bag, tmp_path / "bag", runs.settings, on_left_out=told.__setitem__)
    bag = await anyio.to_thread.run_sync(making)
    assert (bag.pdfs, bag.left_out) == (1, 2)
    assert told == {"a.pdf": "differs from what was recorded", "c.pdf": "missing"}
    assert (bag.path / "data/deep/b.pdf").read_bytes() == runs.bucket.get("out/deep/b.pdf")


async def test_times_that_would_not_be_preserved_are_told(runs: RemoteRuns) -> None:
    runs.put("a.djvu")
    runs.changes["output"] = {"preserve_times": True}
    with pytest.raises(UsageError, match="--preserve-times"):
        await runs.convert()


@pytest.mark.parametrize(
    ("key", "value"),
    [("dir", "https://example.org/x"), ("state_dir", "s3://b/x"), ("state_dir", "gs://b")],
)
def test_places_that_make_no_sense_are_refused(key: str, value: str) -> None:
    with pytest.raises(ValueError, match=r"nothing can be written to|in an object store"):
        Settings.model_validate({"output": {key: value}})


async def test_a_dry_run_looks_and_writes_nothing(runs: RemoteRuns) -> None:
    runs.put("a.djvu")
    runs.put("b.djvu")
    await runs.convert(f"{runs.archive}/a.djvu")
    runs.bucket.requests.clear()
    runs.engine = None
    runs.changes["local"] = {}
    estimate = await api.dry_run(Sources(paths=(runs.archive,)), runs.settings)
    assert (estimate.totals.found, estimate.totals.remaining) == (2, 2)
    assert {request.method for request in runs.bucket.requests} == {"GET"}


async def test_doctor_says_whether_the_store_answers(runs: RemoteRuns) -> None:
    assert runs.engine is not None
    engines = [runs.engine.spec]
    findings = await diagnose(runs.settings, Redactor(), engines=engines)
    assert findings[-1].is_good
    assert str(runs.state) in findings[-1].text
    runs.output = "s3://no-such-bucket"
    bad = (await diagnose(runs.settings, Redactor(), engines=engines))[-1]
    assert (bad.is_good, "no such bucket" in bad.text) == (False, True)


async def test_files_report_what_was_put_there(runs: RemoteRuns) -> None:
    runs.put("a.djvu")
    await runs.convert()
    file = runs.files["a.djvu"]
    assert (file.status, file.output) == (FileStatus.CONVERTED, "a.pdf")
    data = runs.bucket.get("out/a.pdf")
    assert (file.bytes_out, file.sha256) == (len(data), hashlib.sha256(data).hexdigest())
