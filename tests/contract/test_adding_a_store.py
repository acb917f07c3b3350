"""A store of sources is one module and one row of the table: shown with `example_store`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import anyio.to_thread
import pikepdf
import pytest
from pydantic import SecretStr

from batch_converter import api
from batch_converter.clock import SystemClock
from batch_converter.config import (
    AsposeSettings,
    InputSettings,
    RetrySettings,
    Settings,
)
from batch_converter.engines.aspose import AsposeEngine
from batch_converter.engines.base import SourceDocument
from batch_converter.engines.registry import ENGINES
from batch_converter.errors import UnreadableError, UsageError
from batch_converter.events import FileVanished
from batch_converter.models import Document, DocumentState, FileReport, FileStatus, SourceFile
from batch_converter.opening import open_run
from batch_converter.orchestrator.expectation import expectation
from batch_converter.polling import FixedInterval
from batch_converter.sources import Sources, SourceStores
from batch_converter.state import ledger_path
from batch_converter.storage import FileBytes
from batch_converter.testing import FakeConverter, FakeTaskService
from batch_converter.wiring import SOURCE_STORES
from tests.contract.engines import RecordedCalls
from tests.contract.example_store import SCHEME, MemoryObjects
from tests.support.cloud import Cloud
from tests.support.pdfs import djvu_bytes, make_archive

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from batch_converter.events import RunEvent
    from batch_converter.models import RunSummary
    from batch_converter.sources import BuildStore

ARCHIVE: Final = "memory://archive"


@dataclass
class Shelf:
    """Objects, what a run makes of them, and what the last one told.

    Attributes:
        engine: Converts in the runs; the embedded one where absent.
    """

    output: Path
    objects: MemoryObjects = field(default_factory=MemoryObjects)
    engine: FakeConverter | FakeTaskService | None = field(default_factory=FakeConverter)
    told: list[RunEvent] = field(default_factory=list)
    files: Mapping[str, FileReport] = field(default_factory=dict)

    def put(self, name: str, mark: bytes, *, mtime_ns: int = 1) -> bytes:
        """Put a DjVu into the archive."""
        data = djvu_bytes(mark=mark)
        self.objects.put(f"{ARCHIVE}/{name}", data, mtime_ns=mtime_ns)
        return data

    @property
    def stores(self) -> Mapping[str, BuildStore]:
        """The table with one row more."""
        return {**SOURCE_STORES, SCHEME: self.objects.store}

    @property
    def settings(self) -> Settings:
        engine = "local" if self.engine is None else self.engine.name
        return Settings.model_validate({"engine": engine, "output": {"dir": self.output}})

    async def convert(self, *paths: str) -> RunSummary:
        """Convert what lies there; the archive, where nothing is named."""
        self.told.clear()
        async with open_run(
            self.settings,
            Sources(paths=paths or (ARCHIVE,)),
            on_event=self.told.append,
            engines=ENGINES if self.engine is None else [self.engine.spec],
            source_stores=self.stores,
            policy=FixedInterval(0.01),
        ) as (run, opened):
            summary = await run.execute(opened.found, opened.roots)
        report = api.RunReport(summary=summary, ledger=ledger_path(self.settings))
        files = await anyio.to_thread.run_sync(list, report.files())
        self.files = {file.source: file for file in files}
        assert not list((self.output / ".batch-converter" / "parts").iterdir())
        return summary


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "out")


# A run


@pytest.mark.parametrize("engine", [FakeConverter, FakeTaskService])
async def test_documents_are_converted_from_it_beside_those_of_the_disk(
    shelf: Shelf, tmp_path: Path, engine: type[FakeConverter | FakeTaskService]
) -> None:
    shelf.engine = engine()
    shelf.put("a.djvu", b"a")
    shelf.put("deep/b.djvu", b"b")
    shelf.objects.put(f"{ARCHIVE}/notes.txt", b"none")
    make_archive(tmp_path / "disk", 1)
    summary = await shelf.convert(ARCHIVE, str(tmp_path / "disk"))
    assert (summary.totals.found, summary.totals.converted) == (3, 3)
    assert set(shelf.files) == {"a.djvu", "deep/b.djvu", "00000.djvu"}
    for name in ("a.pdf", "deep/b.pdf", "00000.pdf"):
        assert (shelf.output / name).read_bytes().startswith(b"%PDF")


async def test_the_embedded_engine_is_given_a_file(shelf: Shelf) -> None:
    shelf.engine = None
    shelf.put("a.djvu", b"a")
    assert (await shelf.convert()).totals.converted == 1
    with pikepdf.open(shelf.output / "a.pdf") as pdf:
        assert len(pdf.pages) == 1


async def test_a_later_run_converts_only_what_has_changed(shelf: Shelf) -> None:
    for name in ("same", "touched", "other", "gone"):
        shelf.put(f"{name}.djvu", name.encode())
    await shelf.convert()
    shelf.put("touched.djvu", b"touched", mtime_ns=2)
    shelf.put("other.djvu", b"rehto", mtime_ns=2)
    del shelf.objects.held[f"{ARCHIVE}/gone.djvu"]
    await shelf.convert()
    assert {name: file.status for name, file in shelf.files.items()} == {
        "same.djvu": FileStatus.SKIPPED,
        "touched.djvu": FileStatus.SKIPPED,
        "other.djvu": FileStatus.CONVERTED,
    }
    vanished = [event.source for event in shelf.told if isinstance(event, FileVanished)]
    assert vanished == ["gone.djvu"]


async def test_a_moved_archive_keeps_its_pdfs(shelf: Shelf) -> None:
    shelf.put("a.djvu", b"a")
    await shelf.convert()
    shelf.objects.held["memory://moved/a.djvu"] = shelf.objects.held.pop(f"{ARCHIVE}/a.djvu")
    assert (await shelf.convert("memory://moved")).totals.skipped == 1
    assert [path.name for path in shelf.output.glob("*.pdf")] == ["a.pdf"]


async def test_what_is_no_djvu_fails_under_its_own_name(shelf: Shelf) -> None:
    shelf.objects.put(f"{ARCHIVE}/bad.djvu", b"no DjVu at all")
    assert (await shelf.convert()).totals.failed == 1
    error = shelf.files["bad.djvu"].error
    assert error is not None
    assert (error.code.value, "bad.djvu" in error.message) == ("not_djvu", True)


async def test_a_dry_run_counts_the_pages_and_writes_nothing(shelf: Shelf) -> None:
    shelf.engine = None
    shelf.put("a.djvu", b"a")
    estimate = await api.dry_run(
        Sources(paths=(ARCHIVE,)), shelf.settings, source_stores=shelf.stores
    )
    assert (estimate.totals.remaining, estimate.totals.pages) == (1, 1)
    assert not shelf.output.exists()


# What is asked of it


async def test_a_source_that_is_not_there_is_refused_at_once(shelf: Shelf) -> None:
    with pytest.raises(UsageError, match="memory://nowhere"):
        await shelf.convert("memory://nowhere")
    assert not shelf.output.exists()


def test_sources_are_walked_in_the_order_in_which_they_are_named(
    shelf: Shelf, tmp_path: Path
) -> None:
    """A linked folder comes last, and not where a source of another store has come between."""
    shelf.put("m.djvu", b"m")
    make_archive(tmp_path / "first", 1)
    (linked,) = make_archive(tmp_path / "second", 1)
    (tmp_path / "first" / "link").symlink_to(tmp_path / "second")
    paths = (str(tmp_path / "first"), ARCHIVE, str(tmp_path / "second"))
    stores = SourceStores(shelf.stores, Settings())
    opened = Sources(paths=paths).open(
        InputSettings(follow_symlinks=True), stores, excluded_dirs=(), now=SystemClock().now()
    )
    found = [file.path for file in opened.found if isinstance(file, SourceFile)]
    assert found == [str(tmp_path / "first/00000.djvu"), f"{ARCHIVE}/m.djvu", str(linked)]
    assert opened.roots == paths


@pytest.mark.parametrize("given", ["/a/b", "a/b", "memory:/b", "other://b", "/x/memory://b", ""])
def test_an_address_of_no_other_store_is_the_disks(shelf: Shelf, given: str) -> None:
    stores = SourceStores(shelf.stores, Settings())
    assert stores.of(given) is stores.of("/")
    assert stores.of("memory://b") is not stores.of("/")


async def test_what_its_pdf_should_be_like_is_looked_up_again_unless_it_has_changed(
    shelf: Shelf,
) -> None:
    """As of a task that an earlier run has submitted, whose copy is gone."""
    data, address = shelf.put("a.djvu", b"a"), f"{ARCHIVE}/a.djvu"
    document = Document(
        id=1,
        path=address,
        source_root=ARCHIVE,
        source="a.djvu",
        output="a.pdf",
        size_bytes=len(data),
        mtime_ns=1,
        state=DocumentState.SUBMITTED,
    )
    stores = SourceStores(shelf.stores, Settings())

    def looked_up() -> int | None:
        return expectation(document, address, stores).pdf.pages

    assert await anyio.to_thread.run_sync(looked_up) == 1
    shelf.put("a.djvu", b"b", mtime_ns=2)
    assert await anyio.to_thread.run_sync(looked_up) is None
    shelf.objects.held.clear()
    assert await anyio.to_thread.run_sync(looked_up) is None
    await stores.aclose()


# Bytes on their way to a service


async def submit(objects: MemoryObjects, size_bytes: int, mtime_ns: int = 1) -> Mapping[bytes, int]:
    """Submit an object; return what came in, and how often."""
    source = SourceDocument(
        number=1, name="a.djvu", path="memory://a", size_bytes=size_bytes, mtime_ns=mtime_ns
    )
    stores = SourceStores({**SOURCE_STORES, SCHEME: objects.store}, Settings())
    with Cloud() as cloud:
        settings = AsposeSettings(
            base_url=cloud.base_url,
            client_id=cloud.client_id,
            client_secret=SecretStr(cloud.client_secret),
        )
        async with AsposeEngine(
            settings,
            RetrySettings(),
            calls=RecordedCalls(),
            max_submissions=1,
            open_source=stores.open,
        ) as engine:
            await engine.submit(source, RecordedCalls())
        return cloud.submissions


@pytest.mark.parametrize("size_bytes", [100, 3_000_000])
async def test_an_object_is_sent_in_pieces_from_its_store(size_bytes: int) -> None:
    objects = MemoryObjects()
    data = djvu_bytes(mark=bytes(size_bytes))
    objects.put("memory://a", data)
    assert await submit(objects, len(data)) == {data: 1}
    offsets = [offset for _, offset, _ in objects.reads]
    assert offsets == sorted(set(offsets))
    assert all(count < 1 << 20 for _, _, count in objects.reads)


@pytest.mark.parametrize(("mtime_ns", "size_bytes"), [(2, 4), (1, 5)])
async def test_an_object_that_has_changed_is_not_sent(mtime_ns: int, size_bytes: int) -> None:
    objects = MemoryObjects()
    objects.put("memory://a", b"AT&T")
    with pytest.raises(UnreadableError, match=r"a\.djvu changed while it was read"):
        await submit(objects, size_bytes, mtime_ns)


async def test_an_object_that_is_gone_is_told_by_its_name() -> None:
    with pytest.raises(UnreadableError, match=r"a\.djvu cannot be read: No such file"):
        await submit(MemoryObjects(), 4)


def test_bytes_of_a_file_are_read_where_they_are_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"0123456789")
    file = FileBytes(str(path))
    assert (file.at(8, 5), file.at(2, 3), file.at(10, 1)) == (b"89", b"234", b"")
    assert file.status() == (10, path.stat().st_mtime_ns, None)
    path.rename(tmp_path / "y")
    with pytest.raises(FileNotFoundError):
        file.status()
    assert file.at(0, 1) == b"0"
    file.close()
