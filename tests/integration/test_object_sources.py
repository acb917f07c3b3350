"""Documents in a bucket, converted to a folder: found by listing, copied, and never in part."""

from __future__ import annotations

import asyncio
import hashlib
import signal
import sys
import threading
from typing import TYPE_CHECKING

import pikepdf
import pytest
import structlog
from aiohttp import web

from batch_converter.config import Settings
from batch_converter.errors import UsageError
from batch_converter.events import FileVanished
from batch_converter.models import FileStatus
from batch_converter.opening import open_run
from batch_converter.orchestrator import StopReason
from batch_converter.sources import Sources
from batch_converter.testing import FakeConverter, FakeTaskService
from tests.support.bundles import index_of, page_form, pages, put
from tests.support.object_store import ACCESS_KEY, SECRET
from tests.support.pdfs import djvu_bytes
from tests.support.remote_runs import RemoteRuns
from tests.support.threaded_server import served_in_thread

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.object_store import Bucket, Request


@pytest.fixture
def runs(bucket: Bucket, tmp_path: Path) -> RemoteRuns:
    return RemoteRuns(bucket, tmp_path / "state", str(tmp_path / "out"))


# Found, converted, and known again


@pytest.mark.parametrize("engine", [FakeConverter, FakeTaskService])
async def test_a_bucket_is_converted_and_then_only_listed(
    runs: RemoteRuns, tmp_path: Path, engine: type[FakeConverter | FakeTaskService]
) -> None:
    runs.engine = engine()
    names = ["a b.djvu", "deep/er/+%20#?.DJV", "ä/~(1)&=.djvu", "back\\slash.djvu"]
    for name in names:
        runs.put(name)
    runs.bucket.put("in/notes.txt", b"none")
    runs.bucket.put("inside/other.djvu", b"in another folder")
    for hidden in ("in/.x/a.djvu", "in/._a.djvu", "in/@eaDir/a.djvu"):
        runs.bucket.put(hidden, b"hidden")
    summary = await runs.convert()
    assert (summary.totals.found, summary.totals.converted) == (4, 4)
    assert set(runs.files) == set(names)
    for name in names:
        assert (tmp_path / "out" / name).with_suffix(".pdf").read_bytes().startswith(b"%PDF")
    assert (await runs.convert()).totals.skipped == 4
    assert runs.bucket.requests
    assert not runs.requests


async def test_the_embedded_engine_is_given_a_copy(runs: RemoteRuns, tmp_path: Path) -> None:
    runs.engine = None
    runs.put("a.djvu")
    assert (await runs.convert()).totals.converted == 1
    with pikepdf.open(tmp_path / "out/a.pdf") as pdf:
        assert len(pdf.pages) == 1


async def test_a_later_run_converts_only_what_has_other_bytes(runs: RemoteRuns) -> None:
    """Each other version has another ETag; one of the same bytes is read, and left."""
    for name in ("same.djvu", "again.djvu", "parts.djvu", "other.djvu", "gone.djvu"):
        runs.put(name)
    await runs.convert()
    runs.put("again.djvu")
    runs.bucket.put_in_parts("in/parts.djvu", runs.bucket.get("in/parts.djvu"))
    runs.put("other.djvu", b"rehto.djvu")
    runs.bucket.delete("in/gone.djvu")
    await runs.convert()
    assert {name: file.status for name, file in runs.files.items()} == {
        "same.djvu": FileStatus.SKIPPED,
        "again.djvu": FileStatus.SKIPPED,
        "parts.djvu": FileStatus.SKIPPED,
        "other.djvu": FileStatus.CONVERTED,
    }
    assert [event.source for event in runs.told if isinstance(event, FileVanished)] == ["gone.djvu"]
    read = [request.key for request in runs.requests if request.method == "GET"]
    assert sorted(read) == ["in/other.djvu", "in/other.djvu", "in/parts.djvu"]
    await runs.convert()
    assert [request.method for request in runs.requests] == ["HEAD"]  # is what vanished still gone?


async def test_one_object_is_a_source_and_so_is_a_whole_bucket(runs: RemoteRuns) -> None:
    runs.put("x/one.djvu")
    runs.put("two.djvu")
    assert (await runs.convert(f"{runs.archive}/x/one.djvu")).totals.converted == 1
    assert set(runs.files) == {"one.djvu"}
    summary = await runs.convert(f"s3://{runs.bucket.name}/")
    assert (summary.totals.skipped, summary.totals.converted) == (1, 1)
    assert set(runs.files) == {"in/x/one.djvu", "in/two.djvu"}


async def test_filters_are_those_of_a_disk(runs: RemoteRuns) -> None:
    runs.put("keep/a.djvu")
    runs.put("drop/b.djvu")
    runs.put(".hidden/c.djvu")
    runs.put("no-name")
    runs.bucket.put("in/large.djvu", b"AT&TFORM" + bytes(5000))
    runs.changes["input"] = {
        "exclude": ["drop/"],
        "hidden": True,
        "by_content": True,
        "max_size": "1K",
    }
    assert (await runs.convert()).totals.found == 3
    assert set(runs.files) == {"keep/a.djvu", ".hidden/c.djvu", "no-name"}


async def test_a_list_may_name_objects_and_those_that_are_missing_fail(
    runs: RemoteRuns, tmp_path: Path
) -> None:
    runs.put("a.djvu")
    listed = tmp_path / "list"
    listed.write_text(f"{runs.archive}/a.djvu\r\n{runs.archive}/b.djvu\ns3://none-such/x.djvu\n")
    summary = await runs.convert(files_from=listed)
    assert (summary.totals.converted, summary.totals.failed) == (1, 2)
    code, message = runs.error(f"{runs.archive}/b.djvu")
    assert (code, "nothing is there" in message) == ("unreadable", True)


async def test_what_is_no_djvu_fails_under_its_own_name(runs: RemoteRuns) -> None:
    runs.bucket.put("in/bad.djvu", b"no DjVu at all")
    assert (await runs.convert()).totals.failed == 1
    code, message = runs.error("bad.djvu")
    assert (code, "bad.djvu" in message) == ("not_djvu", True)
    await runs.convert()
    assert all(request.method == "GET" for request in runs.requests)


async def test_a_moved_archive_keeps_its_pdfs(runs: RemoteRuns, tmp_path: Path) -> None:
    data = runs.put("a.djvu")
    await runs.convert()
    runs.bucket.delete("in/a.djvu")
    runs.bucket.put("moved/a.djvu", data)
    assert (await runs.convert(f"s3://{runs.bucket.name}/moved")).totals.skipped == 1
    assert [path.name for path in (tmp_path / "out").glob("*.pdf")] == ["a.pdf"]


# Indirect documents


async def test_an_index_is_bundled_with_the_parts_beside_it(
    runs: RemoteRuns, tmp_path: Path
) -> None:
    runs.engine = None
    index = index_of(pages(2), tmp_path / "made")
    for path in index.parent.iterdir():
        if path.name != "p2.djvu":
            runs.bucket.put(f"in/book/{path.name}", path.read_bytes())
    address = f"{runs.archive}/book/index.djvu"
    assert (await runs.convert(address)).totals.failed == 1
    code, message = runs.error("index.djvu")
    assert (code, "p2.djvu" in message) == ("not_djvu", True)
    runs.bucket.put("in/book/p2.djvu", (index.parent / "p2.djvu").read_bytes())
    assert (await runs.convert(address)).totals.converted == 1
    with pikepdf.open(tmp_path / "out/index.pdf") as pdf:
        assert len(pdf.pages) == 2
    assert (await runs.convert(address)).totals.skipped == 1
    runs.bucket.put("in/book/p1.djvu", b"AT&T" + page_form(150))
    assert (await runs.convert(address)).totals.converted == 1


async def test_a_part_is_found_by_its_id_where_no_object_can_have_its_name(
    runs: RemoteRuns, tmp_path: Path
) -> None:
    """Directories of Windows' programs have names in its encodings."""
    runs.engine = None
    parts = put(pages(2), 1, name="\udce4.djvu")
    index = index_of(parts, tmp_path / "made")
    runs.bucket.put("in/index.djvu", index.read_bytes())
    for part in parts:
        runs.bucket.put(f"in/{part.id}", b"AT&T" + part.form)
    assert (await runs.convert(f"{runs.archive}/index.djvu")).totals.converted == 1


# When the store does not do as it should


@pytest.mark.parametrize("fault", ["unavailable", "reset", "half", "deaf"])
async def test_trouble_that_passes_is_not_seen(runs: RemoteRuns, fault: str) -> None:
    data = runs.put("a.djvu", b"a" * 300_000)
    runs.bucket.faults.add(fault, "GET in/a.djvu", times=2)
    runs.bucket.faults.add("unavailable", "GET .*list-type")
    assert (await runs.convert()).totals.converted == 1
    assert not runs.bucket.faults.planned
    assert runs.files["a.djvu"].source_sha256 == hashlib.sha256(data).hexdigest()


async def test_an_object_that_stays_away_fails_alone(runs: RemoteRuns) -> None:
    runs.put("a.djvu")
    runs.put("b.djvu")
    runs.bucket.faults.add("unavailable", "GET in/a.djvu", times=4)
    summary = await runs.convert()
    assert (summary.totals.converted, summary.totals.failed) == (1, 1)
    assert runs.error("a.djvu") == (
        "unreadable",
        f"{runs.archive}/a.djvu cannot be read: the store answered 503 SlowDown",
    )
    assert (await runs.convert()).totals.converted == 1


async def test_one_that_is_replaced_while_it_is_read_is_never_a_mixture(runs: RemoteRuns) -> None:
    older, newer = djvu_bytes(mark=b"a" * 300_000), djvu_bytes(mark=b"b" * 300_000)
    runs.bucket.put("in/a.djvu", older)

    def replace(request: Request) -> None:
        reads = [seen for seen in runs.bucket.requests if seen.key == request.key == "in/a.djvu"]
        if len(reads) == 2:
            runs.bucket.put("in/a.djvu", newer)

    runs.bucket.before = replace
    runs.bucket.faults.add("half", "GET in/a.djvu")
    assert (await runs.convert()).totals.failed == 1
    assert runs.error("a.djvu")[0] == "unreadable"
    runs.bucket.before = None
    assert (await runs.convert()).totals.converted == 1
    assert runs.files["a.djvu"].source_sha256 == hashlib.sha256(newer).hexdigest()


async def test_nothing_is_paid_for_a_version_that_is_replaced(runs: RemoteRuns) -> None:
    runs.engine = FakeTaskService()
    runs.put("a.djvu")
    newer: list[bytes] = []

    def replace(request: Request) -> None:
        if request.method == "HEAD" and not newer:
            newer.append(runs.put("a.djvu", b"newer"))

    runs.bucket.before = replace
    summary = await runs.convert()
    assert (summary.api_calls.billed, summary.totals.failed) == (0, 1)
    code, message = runs.error("a.djvu")
    assert (code, "changed while it waited" in message) == ("unreadable", True)
    runs.bucket.before = None
    assert (await runs.convert()).totals.converted == 1
    assert runs.files["a.djvu"].source_sha256 == hashlib.sha256(newer[0]).hexdigest()


async def test_a_store_that_is_away_ends_the_run_with_6(runs: RemoteRuns) -> None:
    runs.put("a.djvu")
    runs.changes["retry"] = {"request_attempts": 1, "unavailable_after_s": 1e-9}
    runs.bucket.faults.add("reset", "GET in/a.djvu", times=9)
    assert (await runs.convert()).exit_code == 6
    runs.changes["remote"] = {"endpoint": "http://127.0.0.1:9"}
    summary = await runs.convert()
    assert (summary.exit_code, summary.totals.found) == (6, 0)
    assert "could not be reached" in summary.causes[0]


async def test_a_signal_leaves_a_long_copy_and_the_document_for_later(runs: RemoteRuns) -> None:
    runs.put("a.djvu", bytes(4 << 20))
    loop, is_stopped = asyncio.get_running_loop(), threading.Event()
    converter = FakeConverter()
    async with open_run(
        runs.settings, Sources(paths=(runs.archive,)), engines=[converter.spec]
    ) as (run, opened):

        def stop() -> None:
            run.stop(StopReason.of_signal(signal.SIGINT))
            is_stopped.set()

        def stop_and_wait() -> None:
            loop.call_soon_threadsafe(stop)
            is_stopped.wait(20)

        runs.bucket.in_body = stop_and_wait
        runs.bucket.faults.add("held", "GET in/a.djvu")
        summary = await run.execute(opened.found, opened.roots)
    assert (summary.exit_code, summary.totals.remaining, summary.totals.failed) == (130, 1, 0)
    assert len(runs.requests) == 1
    assert (await runs.convert()).totals.converted == 1


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("s3://{}/none/such", "nothing is there"),
        ("s3://{}/none.djvu", "nothing is there"),
        ("s3://no-such-bucket/x", "there is no such bucket"),
        ("s3://", "names no bucket"),
        ("s3://{}/a//b", "empty name"),
        ("s3://{}/../b", "empty name, . or .."),
        ("https://user:secret-word@example.org/a.djvu", "a user, a password"),
        ("https://example.org/a.djvu?signature=secret-word", "a user, a password"),
        ("https://example.org/folder/", "no address of a file"),
        ("http://example.org/a.djvu", "plain http"),
    ],
)
async def test_a_source_that_cannot_be_one_is_refused_at_once(
    runs: RemoteRuns, tmp_path: Path, source: str, said: str
) -> None:
    runs.put("a.djvu")
    with pytest.raises(UsageError, match=said) as caught:
        await runs.convert(source.format(runs.bucket.name))
    assert "secret-word" not in str(caught.value)
    assert not (tmp_path / "out").exists()


async def test_an_empty_bucket_has_nothing_to_do(runs: RemoteRuns) -> None:
    assert (await runs.convert(f"s3://{runs.bucket.name}")).exit_code == 0


async def test_a_key_that_cannot_be_reached_is_named(runs: RemoteRuns, tmp_path: Path) -> None:
    """obstore takes keys for paths, and gives up the page that holds one it cannot read."""
    runs.bucket.put("in/a//b.djvu", b"x")
    with pytest.raises(UsageError, match=r"in/a//b\.djvu"):
        await runs.convert()
    listed = tmp_path / "list"
    listed.write_text(f"{runs.archive}\n")
    assert (await runs.convert(files_from=listed)).exit_code == 1
    assert "in/a//b.djvu" in runs.error(runs.archive)[1]


async def test_the_mark_of_a_folder_is_no_document(runs: RemoteRuns) -> None:
    """Consoles make one for an empty folder; it may be named like a document, and beside one."""
    runs.put("x.djvu")
    for key in ("in/x.djvu/", "in/y.djvu/", "in/z/", "in/e.djvu"):
        runs.bucket.put(key, b"")
    runs.put("y.djvu/in.djvu")
    assert (await runs.convert()).totals.converted == 2
    assert set(runs.files) == {"x.djvu", "y.djvu/in.djvu", "e.djvu"}
    assert runs.error("e.djvu")[0] == "not_djvu"


async def test_without_the_extra_it_is_said_how_to_install_it(
    runs: RemoteRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(UsageError, match=r"pip install 'batch-converter\[remote\]'"):
        await runs.convert()


async def test_no_secret_is_told(
    runs: RemoteRuns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "the-token-of-a-session")
    with structlog.testing.capture_logs() as lines:
        runs.put("a.djvu")
        runs.bucket.faults.add("unavailable", "GET in/a.djvu", times=4)
        assert (await runs.convert()).totals.failed == 1
    told = repr((lines, runs.told, runs.files)).encode() + everything_in(tmp_path)
    assert b"SlowDown" in told
    for secret in (SECRET, ACCESS_KEY, "the-token-of-a-session"):
        assert secret.encode() not in told


def everything_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


async def test_plain_http_to_another_machine_has_to_be_allowed(runs: RemoteRuns) -> None:
    runs.changes["remote"] = {"endpoint": "http://store.example.org"}
    with pytest.raises(UsageError, match=r"remote\.allow_http"):
        await runs.convert()


def test_an_endpoint_must_not_carry_a_password() -> None:
    for endpoint in ("ftp://x", "http://u:p@x", "http://x?y", "nonsense"):
        with pytest.raises(ValueError, match="endpoint must"):
            Settings.model_validate({"remote": {"endpoint": endpoint}})


# One file by HTTP


@pytest.mark.parametrize("told", ["etag", "time", "nothing"])
async def test_a_file_by_http_is_a_source(runs: RemoteRuns, tmp_path: Path, told: str) -> None:
    """Where the server tells no version, the file is read before it is taken for the same."""
    files = {"/a%20%C3%A4.djvu": djvu_bytes(mark=b"one")}

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path == "/moved.djvu":
            raise web.HTTPFound("/a%20%C3%A4.djvu")
        data = files.get(request.rel_url.raw_path)
        if data is None:
            raise web.HTTPNotFound
        if request.method == "HEAD" and told == "nothing":
            raise web.HTTPMethodNotAllowed("HEAD", ["GET"])
        response = web.Response(body=data)
        if told == "time":
            response.last_modified = 1_000_000_000 + sum(data)
        elif told == "etag":
            response.etag = hashlib.sha256(data).hexdigest()
        return response

    with served_in_thread(answer) as (_, server):
        for address in (f"{server}/a%20%C3%A4.djvu", f"{server}/a ä.djvu"):
            await runs.convert(address)
        assert runs.files["a ä.djvu"].status is FileStatus.SKIPPED
        assert (tmp_path / "out/a ä.pdf").exists()
        files["/a%20%C3%A4.djvu"] = djvu_bytes(mark=b"two")
        assert (await runs.convert(f"{server}/a%20%C3%A4.djvu")).totals.converted == 1
        assert (await runs.convert(f"{server}/moved.djvu")).totals.converted == 1
        with pytest.raises(UsageError, match="there is no such object"):
            await runs.convert(f"{server}/none.djvu")


async def test_a_file_whose_length_nobody_tells_is_refused(runs: RemoteRuns) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        await response.write(djvu_bytes())
        return response

    with (
        served_in_thread(answer) as (_, server),
        pytest.raises(UsageError, match="how long the file is"),
    ):
        await runs.convert(f"{server}/a.djvu")
