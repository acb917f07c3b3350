"""Runs on a real Dask cluster whose scheduler and workers are processes that die."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import threading
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
import pytest

from batch_converter import (
    ConfigError,
    ErrorCode,
    ExitCode,
    FileStatus,
    Settings,
    convert,
    load_settings,
)
from batch_converter.engines.dask import cluster as cluster_module
from batch_converter.engines.dask.dispatch import Dispatch
from batch_converter.engines.dask.spec import SPEC
from batch_converter.events import FileRetrying
from batch_converter.redaction import Redactor
from tests.support import dask_cluster
from tests.support.books import book_of
from tests.support.djvu_files import SAMPLES, chunk, chunks_of, page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from batch_converter import RunReport
    from batch_converter.models import FileReport
    from tests.support.dask_cluster import TestCluster
    from tests.support.object_store import Bucket

pytestmark = pytest.mark.slow


def settings_for(output: Path, scheduler: str | None = None) -> Settings:
    """Return settings for a cluster, or for the embedded engine."""
    flags = {"engine": "dask", "dask.scheduler": scheduler} if scheduler else {"engine": "local"}
    return load_settings(flags={**flags, "output.dir": os.fspath(output)}, environ={}).settings


async def run(
    source: Path,
    output: Path,
    *,
    scheduler: str,
    on_event: Callable[[object], object] | None = None,
) -> RunReport:
    settings = await anyio.to_thread.run_sync(settings_for, output, scheduler)
    return await convert([source], settings, on_event=on_event)


def scans_in(folder: Path) -> Path:
    """Make a folder of short documents, one of two parts, and a page that includes a file."""
    scans = folder / "scans"
    scans.mkdir(parents=True)
    for name in ("bitonal", "colour", "languages"):
        shutil.copy(SAMPLES / f"{name}.djvu", scans)
    (scans / "long.djvu").write_bytes(book_of(18))
    shared = chunk("FORM", b"DJVI" + chunk("ANTa", b'(metadata (title "Shared"))'))
    (scans / "shared.iff").write_bytes(b"AT&T" + shared)
    mask = [chunk(*found) for found in chunks_of((SAMPLES / "bitonal.djvu").read_bytes())]
    single = page(mask[0], chunk("INCL", b"shared.iff"), *mask[1:])
    (scans / "single.djvu").write_bytes(single)
    return scans


def pdfs_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.pdf")}


async def by_name(report: RunReport) -> Mapping[str, FileReport]:
    files = await anyio.to_thread.run_sync(list, report.files())
    return {file.source: file for file in files}


@pytest.fixture(scope="module")
def converted_here(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What the embedded engine makes of the scans."""
    folder = tmp_path_factory.mktemp("local")
    scans, output = scans_in(folder), folder / "pdfs"
    anyio.run(convert, [scans], settings_for(output))
    return pdfs_in(output)


@contextmanager
def told(monkeypatch: pytest.MonkeyPatch, act: Callable[[str, str], None]) -> Iterator[None]:
    """Have each beginning of a task told, by worker and key, in the moment in which it is heard."""
    heard = Dispatch._hear

    def hear(self: Dispatch, event: Mapping[str, Any]) -> None:
        heard(self, event)
        if event.get("what") == "begun" and str(event["key"]) in self._attempts:
            act(str(event["worker"]), str(event["key"]))

    with monkeypatch.context() as patched:
        patched.setattr(Dispatch, "_hear", hear)
        yield


async def test_pdfs_are_the_same_bytes_as_the_embedded_engines(
    tmp_path: Path, converted_here: dict[str, bytes]
) -> None:
    cluster = await anyio.to_thread.run_sync(dask_cluster.shared_cluster)
    output = tmp_path / "pdfs"
    report = await run(scans_in(tmp_path), output, scheduler=cluster.address)
    assert report.summary.exit_code is ExitCode.OK
    assert report.summary.engine == "dask"
    assert pdfs_in(output) == converted_here
    assert {path.name for path in output.iterdir()} == {*converted_here, ".batch-converter"}


async def test_files_that_workers_do_not_see_travel_in_pieces(
    tmp_path: Path, converted_here: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("batch_converter.engines.dask.pieces.PIECE_BYTES", 1000)
    cluster = await anyio.to_thread.run_sync(dask_cluster.shared_cluster)
    scans_in(tmp_path)
    monkeypatch.chdir(tmp_path)
    here = Path("/proc/self/cwd")  # which is elsewhere for the workers
    report = await run(here / "scans", here / "pdfs", scheduler=cluster.address)
    assert report.summary.exit_code is ExitCode.OK
    assert pdfs_in(tmp_path / "pdfs") == converted_here
    assert {path.name for path in (tmp_path / "pdfs").iterdir()} == {
        *converted_here,
        ".batch-converter",
    }


async def test_objects_are_converted_into_a_bucket(
    tmp_path: Path, converted_here: dict[str, bytes], bucket: Bucket
) -> None:
    cluster = await anyio.to_thread.run_sync(dask_cluster.shared_cluster)
    output, name = f"s3://{bucket.name}/out", "bitonal.djvu"
    bucket.put(f"in/{name}", (SAMPLES / name).read_bytes())
    flags = {"engine": "dask", "dask.scheduler": cluster.address, "output.dir": output}
    places = {"output.state_dir": os.fspath(tmp_path)}
    load = partial(load_settings, flags={**flags, **places}, environ={})
    settings = (await anyio.to_thread.run_sync(load)).settings
    for count in ("converted", "skipped"):
        report = await convert([f"s3://{bucket.name}/in"], settings)
        assert report.summary.exit_code is ExitCode.OK
        assert getattr(report.summary.totals, count) == 1
    assert bucket.keys("out/") == ["out/bitonal.pdf"]
    assert bucket.get("out/bitonal.pdf") == converted_here["bitonal.pdf"]


@pytest.mark.parametrize(
    ("number", "messages"),
    [
        pytest.param(signal.SIGKILL, ["the worker that converted it died"], id="killed"),
        pytest.param(signal.SIGTERM, [], id="leaves in order, as its nanny sees to"),
    ],
)
async def test_a_worker_that_dies_costs_its_document_a_second_try(
    tmp_path: Path,
    converted_here: dict[str, bytes],
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    messages: list[str],
) -> None:
    retried: list[FileRetrying] = []

    def note(event: object) -> None:
        if isinstance(event, FileRetrying):
            retried.append(event)

    with (
        dask_cluster.cluster(2, with_nannies=number == signal.SIGTERM) as cluster,
        told(monkeypatch, signals_one(cluster, number)),
    ):
        report = await run(
            scans_in(tmp_path), tmp_path / "pdfs", scheduler=cluster.address, on_event=note
        )
    assert report.summary.exit_code is ExitCode.OK
    assert [event.message for event in retried] == messages
    assert pdfs_in(tmp_path / "pdfs") == converted_here


def started_thread(target: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=target)
    thread.start()
    return thread


def signals_one(cluster: TestCluster, number: int) -> Callable[[str, str], None]:
    """Return what sends a signal to the worker that begins first."""
    victims: list[str] = []

    def act(worker: str, _key: str) -> None:
        if not victims:
            victims.append(worker)
            cluster.workers[worker].signal(number)

    return act


async def test_a_document_that_kills_three_workers_fails_and_none_beside_it(
    tmp_path: Path, converted_here: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    keys: dict[str, str] = {}
    made = Dispatch._attempt

    async def attempt(self: Dispatch, order: Any, priority: int) -> Any:  # noqa: ANN401  # it is handed on
        keys[order.key] = order.source.path
        return await made(self, order, priority)

    monkeypatch.setattr(Dispatch, "_attempt", attempt)
    killed: list[str] = []
    joining: list[threading.Thread] = []
    with dask_cluster.cluster(2) as cluster:

        def act(worker: str, key: str) -> None:
            if keys[key].endswith("colour.djvu"):
                killed.append(worker)
                cluster.workers[worker].signal(signal.SIGKILL)
                joining.append(started_thread(cluster.add_worker))

        with told(monkeypatch, act):
            report = await run(scans_in(tmp_path), tmp_path / "pdfs", scheduler=cluster.address)
        for thread in joining:
            thread.join()
    assert len(killed) == 3
    files = await by_name(report)
    failed = files["colour.djvu"]
    assert failed.status is FileStatus.FAILED
    assert failed.error is not None
    assert failed.error.code is ErrorCode.ENGINE_ERROR
    assert "each of 3 workers" in failed.error.message
    others = {name: pdf for name, pdf in converted_here.items() if name != "colour.pdf"}
    assert pdfs_in(tmp_path / "pdfs") == others


async def test_a_lost_scheduler_ends_the_run_and_the_next_one_goes_on(
    tmp_path: Path, converted_here: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    scans, output = scans_in(tmp_path), tmp_path / "pdfs"
    with dask_cluster.cluster(1) as cluster:

        def act(_worker: str, _key: str) -> None:
            cluster.scheduler.signal(signal.SIGKILL)

        with told(monkeypatch, act):
            report = await run(scans, output, scheduler=cluster.address)
    assert report.summary.exit_code is ExitCode.UNAVAILABLE
    assert report.summary.totals.remaining == 5
    shared = await anyio.to_thread.run_sync(dask_cluster.shared_cluster)
    report = await run(scans, output, scheduler=shared.address)
    assert report.summary.exit_code is ExitCode.OK
    assert report.summary.totals.converted == 5
    assert pdfs_in(output) == converted_here


async def test_who_accepts_and_says_nothing_is_no_scheduler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_module, "_CONNECT_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        report = await run(scans_in(tmp_path), tmp_path / "pdfs", scheduler=address)
    assert report.summary.exit_code is ExitCode.UNAVAILABLE
    assert pdfs_in(tmp_path / "pdfs") == {}


async def test_a_scheduler_that_says_nothing_any_more_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_module, "_BEAT_S", 0.1)
    monkeypatch.setattr(cluster_module, "_SILENCE_S", 0.3)
    with (
        dask_cluster.cluster(1) as cluster,
        told(monkeypatch, lambda _worker, _key: cluster.scheduler.signal(signal.SIGSTOP)),
    ):
        report = await run(scans_in(tmp_path), tmp_path / "pdfs", scheduler=cluster.address)
    assert report.summary.exit_code is ExitCode.UNAVAILABLE


def other_version(folder: Path) -> dict[str, str]:
    """Return an environment in which our version is another one."""
    facts = folder / "batch_converter-9.9.dist-info"
    facts.mkdir(parents=True)
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: batch-converter\nVersion: 9.9\n")
    return {"PYTHONPATH": os.fspath(folder)}


def no_package(folder: Path) -> dict[str, str]:
    """Return an environment in which our package is another one."""
    package = folder / "batch_converter"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    return {"PYTHONPATH": os.fspath(folder)}


async def test_workers_of_other_versions_are_told_before_anything_is_done(tmp_path: Path) -> None:
    with dask_cluster.cluster() as cluster:
        other = cluster.add_worker(env=other_version(tmp_path / "other"))
        without = cluster.add_worker(env=no_package(tmp_path / "without"))
        with pytest.raises(ConfigError) as refused:
            await run(scans_in(tmp_path), tmp_path / "pdfs", scheduler=cluster.address)
    assert f"the worker {other}: batch-converter 9.9 where this machine has" in str(refused.value)
    assert f"the worker {without}: it lacks batch-converter[dask]" in str(refused.value)
    assert pdfs_in(tmp_path / "pdfs") == {}


async def test_a_scheduler_without_our_package_is_told_as_well(tmp_path: Path) -> None:
    with (
        dask_cluster.cluster(scheduler_env=no_package(tmp_path / "other")) as cluster,
        pytest.raises(ConfigError, match=r"the scheduler at .*: batch-converter is missing where"),
    ):
        await run(scans_in(tmp_path), tmp_path / "pdfs", scheduler=cluster.address)


async def test_doctor_says_what_there_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cluster = await anyio.to_thread.run_sync(dask_cluster.shared_cluster)
    settings = await anyio.to_thread.run_sync(settings_for, tmp_path, cluster.address)
    [found] = await SPEC.diagnose(settings, Redactor())
    assert found.is_good
    assert f"cluster: {cluster.address}, 2 workers with 3 threads; Dask" in found.text
    monkeypatch.setattr(cluster_module, "_CONNECT_S", 0.3)
    nowhere = await anyio.to_thread.run_sync(settings_for, tmp_path, "tcp://127.0.0.1:1")
    [found] = await SPEC.diagnose(nowhere, Redactor())
    assert not found.is_good
    assert found.exit_code is ExitCode.UNAVAILABLE
    assert "tcp://127.0.0.1:1 cannot be reached" in found.text


async def test_a_worker_of_another_version_that_joins_later_is_given_nothing(
    tmp_path: Path, converted_here: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    other, began, joining = other_version(tmp_path / "other"), set(), anyio.Lock()
    made = Dispatch._attempt
    with dask_cluster.cluster(1) as cluster:
        first = next(iter(cluster.workers))

        async def attempt(self: Dispatch, order: Any, priority: int) -> Any:  # noqa: ANN401  # it is handed on
            async with joining:
                if len(cluster.workers) == 1:
                    await anyio.to_thread.run_sync(partial(cluster.add_worker, env=other))
            return await made(self, order, priority)

        monkeypatch.setattr(Dispatch, "_attempt", attempt)
        with told(monkeypatch, lambda worker, _key: began.add(worker)):
            report = await run(scans_in(tmp_path), tmp_path / "pdfs", scheduler=cluster.address)
    assert report.summary.exit_code is ExitCode.OK
    assert began == {first}
    assert pdfs_in(tmp_path / "pdfs") == converted_here
