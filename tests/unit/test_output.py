from __future__ import annotations

import asyncio
import errno
import hashlib
import io
import os
import resource
import shutil
import tempfile
import threading
from contextlib import suppress
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import pikepdf
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from batch_converter.errors import BadPdfError, OutputError, PageMismatchError, UsageError
from batch_converter.output import (
    ExpectedPdf,
    PageSize,
    PdfStore,
    backlog,
    check_pdf,
    grouped_folder_sync,
    hash_file,
    page_difference,
    temporary_folder,
    write_pieces,
)
from batch_converter.output.new_folders import NewFolders
from batch_converter.output.part_on_disk import PartOnDisk, PartPaths
from batch_converter.output.pdf_store import part_name
from batch_converter.threads import DiskThreads

if TYPE_CHECKING:
    from batch_converter.engines.base import PdfTarget
    from batch_converter.models import StoredPdf
    from batch_converter.output import PdfWriter, Verify


@cache
def make_pdf(pages: int = 1, *, padding: int = 0) -> bytes:
    with pikepdf.new() as pdf, io.BytesIO() as file:
        for _ in range(pages):
            pdf.add_blank_page()
        pdf.Root.Padding = pikepdf.Stream(pdf, bytes(range(256)) * (padding // 256))
        pdf.save(file, compress_streams=False)
        return file.getvalue()


async def pdf_store_in(root: Path, *, run_id: str = "run", verify: Verify = "full") -> PdfStore:
    pdfs = PdfStore(
        output_dir=root / "out",
        state_dir=root,
        run_id=run_id,
        threads=DiskThreads(),
        verify=verify,
    )
    await pdfs.prepare()
    return pdfs


async def store(pdfs: PdfStore, output: str, *pieces: bytes) -> StoredPdf:
    async with pdfs.writer(output) as writer:
        for piece in pieces:
            await writer.write(piece)
        stored = await writer.verify_and_sync()
        await writer.publish()
        return stored


PART_OF_B = part_name("b.pdf", hashlib.sha256(b"run").hexdigest()[:8])


def tree(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir())


# -- the way of a good PDF --------------------------------------------------------------


async def test_a_pdf_appears_whole_and_the_part_is_gone(tmp_path: Path) -> None:
    data = make_pdf(3)
    pdfs = await pdf_store_in(tmp_path)

    async with pdfs.writer("a/b.pdf") as writer:
        sink: PdfTarget = writer
        await sink.restart()
        await sink.write(data)
        stored = await writer.verify_and_sync(expected=ExpectedPdf(pages=3))
        assert tree(tmp_path) == ["out/a/" + PART_OF_B]
        await writer.publish()

    assert tree(tmp_path) == ["out/a/b.pdf"]
    path = tmp_path / "out/a/b.pdf"
    assert path.read_bytes() == data
    assert (stored.size_bytes, stored.pages) == (len(data), 3)
    assert stored.sha256 == hashlib.sha256(data).hexdigest() == hash_file(path)


@settings(max_examples=40, deadline=None)
@given(cuts=st.lists(st.integers(0, 5000)), piece_bytes=st.integers(1, 2000))
@example(cuts=[], piece_bytes=1)
def test_any_split_of_the_bytes_gives_the_same_file(cuts: list[int], piece_bytes: int) -> None:
    data = make_pdf(padding=4096)
    edges = [0, *sorted(cuts), len(data)]
    pieces = [data[start:end] for start, end in pairwise(edges)]

    async def run(root: Path) -> StoredPdf:
        return await store(await pdf_store_in(root), "x.pdf", *pieces)

    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as name:
        patch.setattr(backlog, "TURN_BYTES", piece_bytes)
        stored = anyio.run(run, Path(name))
        written = Path(name, "out/x.pdf").read_bytes()

    assert written == data
    assert stored.sha256 == hashlib.sha256(data).hexdigest()


@given(
    pieces=st.lists(st.binary(max_size=9), max_size=40),
    taken_bytes=st.integers(1, 60),
)
def test_pieces_are_written_whole_however_much_the_system_takes_at_once(
    pieces: list[bytes], taken_bytes: int
) -> None:
    def take(descriptor: int, together: list[bytes]) -> int:
        return os.write(descriptor, b"".join(together)[:taken_bytes])

    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryFile(buffering=0) as file:
        patch.setattr(os, "writev", take)
        write_pieces(file.fileno(), pieces)
        file.seek(0)
        assert file.read() == b"".join(pieces)


async def test_small_pieces_are_gathered_and_large_ones_go_through(tmp_path: Path) -> None:
    pdfs = await pdf_store_in(tmp_path, verify="quick")
    pieces = [b"%PDF-small", *(bytes(times * backlog.TURN_BYTES) for times in (1, 3)), b"%%EOF"]

    async with pdfs.writer("x.pdf") as writer:
        await writer.write(pieces[0])
        assert not writer.path.exists()
        for piece in pieces[1:]:
            await writer.write(piece)
        stored = await writer.verify_and_sync()
        assert writer.path.read_bytes() == b"".join(pieces)
    assert stored.sha256 == hashlib.sha256(b"".join(pieces)).hexdigest()


@pytest.mark.parametrize("first", [b"half a PDF", b"x" * 2 * backlog.TURN_BYTES])
async def test_restart_forgets_what_was_written(tmp_path: Path, first: bytes) -> None:
    pdfs = await pdf_store_in(tmp_path)

    async with pdfs.writer("x.pdf") as writer:
        await writer.write(first)
        await writer.restart()
        await writer.restart()
        await writer.write(make_pdf())
        stored = await writer.verify_and_sync()
        await writer.publish()

    assert (tmp_path / "out/x.pdf").read_bytes() == make_pdf()
    assert stored.sha256 == hash_file(tmp_path / "out/x.pdf")


async def test_a_part_that_another_process_wrote_is_hashed_from_the_file(tmp_path: Path) -> None:
    pdfs = await pdf_store_in(tmp_path)

    async with pdfs.writer("x.pdf") as writer:
        writer.path.write_bytes(make_pdf(2))
        stored = await writer.verify_and_sync(mtime_ns=1_000_000_007)
        await writer.publish()

    assert (stored.pages, stored.sha256) == (2, hash_file(tmp_path / "out/x.pdf"))
    assert (tmp_path / "out/x.pdf").stat().st_mtime_ns == 1_000_000_007


async def test_the_pdf_may_take_the_source_s_time(tmp_path: Path) -> None:
    pdfs = await pdf_store_in(tmp_path)

    async with pdfs.writer("x.pdf") as writer:
        await writer.write(make_pdf())
        await writer.verify_and_sync(mtime_ns=123_456_789)
        await writer.publish()

    assert (tmp_path / "out/x.pdf").stat().st_mtime_ns == 123_456_789


async def test_an_older_pdf_is_replaced_and_its_mode_is_the_user_s(tmp_path: Path) -> None:
    pdfs = await pdf_store_in(tmp_path)
    (tmp_path / "out/x.pdf").symlink_to(tmp_path / "precious")
    (tmp_path / "precious").write_bytes(b"untouched")

    old_umask = os.umask(0o027)
    try:
        await store(pdfs, "x.pdf", make_pdf())
    finally:
        os.umask(old_umask)

    assert not (tmp_path / "out/x.pdf").is_symlink()
    assert (tmp_path / "out/x.pdf").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "precious").read_bytes() == b"untouched"


async def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    await store(await pdf_store_in(tmp_path), "\udcff/\udcfe\n.pdf", make_pdf())

    assert b"out/\xff/\xfe\n.pdf" in map(os.fsencode, tree(tmp_path))


async def test_a_folder_that_vanished_with_the_part(tmp_path: Path) -> None:
    pdfs = await pdf_store_in(tmp_path)
    async with pdfs.writer("a/x.pdf") as writer:
        await writer.write(make_pdf())
        await writer.verify_and_sync()
        shutil.rmtree(tmp_path / "out/a")
        with pytest.raises(OutputError, match="its folder has vanished"):
            await writer.publish()
    await store(pdfs, "a/x.pdf", make_pdf())

    assert tree(tmp_path / "out") == ["a/x.pdf"]


async def test_an_output_folder_that_vanished_is_not_made_on_another_disk(tmp_path: Path) -> None:
    pdfs = await pdf_store_in(tmp_path)
    (tmp_path / "out").rmdir()
    with pytest.raises(OutputError, match="is mounted"):
        await store(pdfs, "a/x.pdf", make_pdf())

    assert not (tmp_path / "out").exists()


async def test_many_at_once(tmp_path: Path) -> None:
    pdfs = await pdf_store_in(tmp_path)

    async def one(number: int) -> None:
        async with pdfs.writer(f"{number % 3}/{number}.pdf") as writer:
            await writer.write(make_pdf(number % 5 + 1))
            assert (await writer.verify_and_sync()).pages == number % 5 + 1
            await writer.publish()

    async with anyio.create_task_group() as tasks:
        for number in range(60):
            tasks.start_soon(one, number)

    assert len(tree(tmp_path / "out")) == 60
    assert len(tree(tmp_path)) == 60


# -- what is no PDF -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no PDF arrived"),
        (b"<html>Service unavailable %PDF- %%EOF</html>", "no PDF header"),
        (b"%PDF", "no PDF header"),
        (make_pdf(padding=8192)[:-1024], "cut off"),
        (make_pdf() + bytes(3000), "cut off"),
        (b"%PDF-1.7\n" + bytes(100) + b"%%EOF\n", "damaged"),
    ],
    ids=["nothing", "html", "tiny", "cut", "trailing", "junk"],
)
async def test_what_is_no_pdf_never_gets_the_name(tmp_path: Path, data: bytes, said: str) -> None:
    pdfs = await pdf_store_in(tmp_path)
    await store(pdfs, "a/x.pdf", make_pdf(2))

    with pytest.raises(BadPdfError, match=said) as caught:
        await store(pdfs, "a/x.pdf", data)

    assert "a/x.pdf" in str(caught.value)
    assert tree(tmp_path) == ["out/a/x.pdf"]
    assert (tmp_path / "out/a/x.pdf").read_bytes() == make_pdf(2)


async def test_after_a_bad_pdf_the_same_part_can_be_filled_again(tmp_path: Path) -> None:
    pdfs = await pdf_store_in(tmp_path)

    async with pdfs.writer("x.pdf") as writer:
        await writer.write(b"x" * (backlog.TURN_BYTES + len(make_pdf()) + 1))
        with pytest.raises(BadPdfError):
            await writer.verify_and_sync()
        await writer.restart()
        await writer.write(make_pdf())
        stored = await writer.verify_and_sync()
        await writer.publish()

    assert (tmp_path / "out/x.pdf").read_bytes() == make_pdf()
    assert stored.sha256 == hash_file(tmp_path / "out/x.pdf")


async def test_a_quick_look_opens_no_pdf_that_needs_repair(tmp_path: Path) -> None:
    pdfs = await pdf_store_in(tmp_path, verify="quick")

    stored = await store(pdfs, "x.pdf", b"%PDF-1.7\n" + bytes(100) + b"%%EOF\n")

    assert stored.pages is None
    with pytest.raises(BadPdfError):
        await store(pdfs, "x.pdf", b"%PDF-1.7\n")


async def test_a_quick_look_believes_the_number_of_pages_that_is_claimed(tmp_path: Path) -> None:
    pdfs = await pdf_store_in(tmp_path, verify="quick")
    without_table = make_pdf(2).replace(b"startxref\n", b"startxref\n9")
    lying = make_pdf(2).replace(b"/Count 2", b"/Count 5")

    assert (await store(pdfs, "a.pdf", make_pdf(2))).pages == 2
    assert (await store(pdfs, "b.pdf", lying)).pages == 5
    assert (await store(pdfs, "c.pdf", without_table)).pages is None
    async with pdfs.writer("x.pdf") as writer:
        await writer.write(make_pdf(2))
        with pytest.raises(PageMismatchError, match="the PDF has 2 pages, the DjVu 3"):
            await writer.verify_and_sync(expected=ExpectedPdf(pages=3))


@pytest.mark.parametrize("verify", ["full", "quick"])
@pytest.mark.parametrize("keeps_other_pages", [True, False])
@pytest.mark.parametrize(("pages", "told"), [(3, "3"), (1, "1"), (None, "at least 1")])
async def test_a_pdf_of_no_pages_is_told_with_both_numbers_and_never_published(
    tmp_path: Path,
    verify: Verify,
    pages: int | None,
    told: str,
    *,
    keeps_other_pages: bool,
) -> None:
    pdfs = await pdf_store_in(tmp_path, verify=verify)

    async with pdfs.writer("x.pdf") as writer:
        await writer.write(make_pdf(0))
        with pytest.raises(PageMismatchError, match=f"the PDF has 0 pages, the DjVu {told};"):
            await writer.verify_and_sync(
                expected=ExpectedPdf(pages=pages), keeps_other_pages=keeps_other_pages
            )

    assert tree(tmp_path) == []


async def test_other_pages_than_the_djvu_has(tmp_path: Path) -> None:
    pdfs = await pdf_store_in(tmp_path)

    async with pdfs.writer("x.pdf") as writer:
        await writer.write(make_pdf(2))
        with pytest.raises(PageMismatchError, match=r"x\.pdf: the PDF has 2 pages, the DjVu 3"):
            await writer.verify_and_sync(expected=ExpectedPdf(pages=3))
        await writer.restart()
        await writer.write(make_pdf(2))
        stored = await writer.verify_and_sync(expected=ExpectedPdf(pages=3), keeps_other_pages=True)

    assert stored.differences == ("the PDF has 2 pages, the DjVu 3",)
    assert page_difference(1, 6) == "the PDF has 1 page, the DjVu 6"
    assert page_difference(2, 2) is page_difference(None, 2) is page_difference(2, None) is None


def test_a_pdf_that_viewers_repair_is_kept(tmp_path: Path) -> None:
    (tmp_path / "x.pdf").write_bytes(make_pdf(2).replace(b"startxref\n", b"startxref\n9"))

    assert check_pdf(tmp_path / "x.pdf").pages == 2


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_damaged_pdf_is_repaired_or_refused_and_nothing_else(data: st.DataObject) -> None:
    sized = ExpectedPdf(pages=3, page_sizes=[PageSize(24, 24)] * 3, has_text=lambda: True)
    damaged = bytearray(make_pdf(3))
    for _ in range(data.draw(st.integers(1, 8))):
        start = data.draw(st.integers(5, len(damaged)))
        cut = data.draw(st.integers(0, 30))
        damaged[start : start + cut] = data.draw(st.binary(max_size=30))

    with tempfile.TemporaryDirectory() as name:
        path = Path(name, "x.pdf")
        path.write_bytes(damaged + b"\n%%EOF\n")
        pages: int | None = 1
        with suppress(BadPdfError):
            pages = check_pdf(path, expected=sized).pages
        claimed = check_pdf(path, verify="quick").pages

    assert pages is not None
    assert pages >= 1
    assert claimed is None or claimed >= 1


# -- what the disk refuses ------------------------------------------------------------------


@pytest.mark.parametrize(
    "output", ["/etc/x.pdf", "../x.pdf", "a/../../x.pdf", "..", "", "a//x.pdf", "./x.pdf"]
)
async def test_no_name_leads_out_of_the_output_folder(tmp_path: Path, output: str) -> None:
    pdfs = await pdf_store_in(tmp_path)

    with pytest.raises(OutputError, match="no name for a PDF"):
        await store(pdfs, output, make_pdf())


async def test_a_folder_under_the_final_name(tmp_path: Path) -> None:
    pdfs = await pdf_store_in(tmp_path)
    (tmp_path / "out/x.pdf").mkdir(parents=True)

    with pytest.raises(OutputError, match=r"x\.pdf could not be written: a folder stands"):
        await store(pdfs, "x.pdf", make_pdf())

    assert tree(tmp_path) == []


@pytest.mark.parametrize("name", ["a/x.pdf", "a/b/x.pdf"])
async def test_a_file_where_a_folder_is_needed(tmp_path: Path, name: str) -> None:
    pdfs = await pdf_store_in(tmp_path)
    (tmp_path / "out/a").write_bytes(b"")

    with pytest.raises(OutputError, match="a file stands where a folder is needed"):
        await store(pdfs, name, make_pdf())

    assert tree(tmp_path) == ["out/a"]


async def test_a_name_too_long_for_the_file_system(tmp_path: Path) -> None:
    pdfs = await pdf_store_in(tmp_path)

    with pytest.raises(OutputError, match="shorten the source's name"):
        await store(pdfs, "x" * 252 + ".pdf", make_pdf())
    assert (await store(pdfs, "x" * 251 + ".pdf", make_pdf())).pages == 1


async def test_a_limit_on_file_sizes(tmp_path: Path) -> None:
    pdfs = await pdf_store_in(tmp_path)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (backlog.TURN_BYTES, before[1]))
    try:
        async with pdfs.writer("x.pdf") as writer:
            await writer.write(bytes(backlog.TURN_BYTES + 1))
            with pytest.raises(OutputError, match="takes no file as large as that") as caught:
                await writer.verify_and_sync()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    assert isinstance(caught.value.__cause__, OSError)
    assert caught.value.__cause__.errno == errno.EFBIG
    assert tree(tmp_path) == []


def test_a_full_disk(tmp_path: Path) -> None:
    paths = PartPaths(output="x.pdf", target=tmp_path / "x.pdf", part=Path("/dev/full"))
    disk = PartOnDisk(paths, NewFolders(tmp_path))

    with pytest.raises(OutputError, match=r"x\.pdf could not be written: the disk is full"):
        disk.append([b"x"])

    os.close(disk._descriptor or 0)


async def test_a_part_that_vanished(tmp_path: Path) -> None:
    pdfs = await pdf_store_in(tmp_path)

    async with pdfs.writer("x.pdf") as writer:
        await writer.write(make_pdf())
        await writer.verify_and_sync()
        writer.path.unlink()
        with pytest.raises(OutputError, match="vanished"):
            await writer.publish()


async def test_folders_that_cannot_be_made_are_bad_usage(tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(b"")

    with pytest.raises(UsageError, match="a file stands where a folder is needed"):
        await pdf_store_in(tmp_path)


async def test_a_name_that_is_not_durable_is_told_to_all_who_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(folder: Path) -> None:
        raise OSError(errno.EIO, f"made up for {folder}")

    monkeypatch.setattr(grouped_folder_sync, "sync_folder", fail)
    pdfs = await pdf_store_in(tmp_path)
    failures: list[OutputError] = []

    async def one(number: int) -> None:
        async with pdfs.writer(f"{number}.pdf") as writer:
            await writer.write(make_pdf())
            await writer.verify_and_sync()
            with pytest.raises(OutputError, match="the disk reports an error") as caught:
                await writer.publish()
            failures.append(caught.value)

    async with anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(one, number)

    assert len({id(error) for error in failures}) == 20


def recorded_syncs(monkeypatch: pytest.MonkeyPatch) -> list[set[str]]:
    """Have no folder synced; returns the names that each had when it was to be, as it grows."""
    kept: list[set[str]] = []

    def sync(folder: Path) -> None:
        kept.append({path.name for path in folder.iterdir()})

    monkeypatch.setattr(grouped_folder_sync, "sync_folder", sync)
    return kept


async def test_folder_syncs_are_shared_but_never_too_early(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = recorded_syncs(monkeypatch)
    syncs = grouped_folder_sync.GroupedFolderSync(DiskThreads(2))

    async def one(number: int) -> None:
        name = f"{number}.pdf"
        (tmp_path / name).write_bytes(b"")
        begun_before = len(kept)
        await syncs.sync(tmp_path)
        assert any(name in names for names in kept[begun_before:])

    async with anyio.create_task_group() as tasks:
        for number in range(50):
            tasks.start_soon(one, number)

    assert len(kept) < 10


async def test_names_that_are_given_together_are_synced_together_and_fail_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, failed = recorded_syncs(monkeypatch), list[int]()
    syncs = grouped_folder_sync.GroupedFolderSync(DiskThreads(2))

    async def one(number: int) -> None:
        name = f"{number}.pdf"

        def give_name() -> None:
            if number % 10 == 0:
                raise (OutputError if number else ZeroDivisionError)(name)
            (tmp_path / name).write_bytes(b"")

        try:
            await syncs.sync(tmp_path, give_name)
        except (OutputError, ZeroDivisionError):
            failed.append(number)
        else:
            assert any(name in names for names in kept)

    async with anyio.create_task_group() as tasks:
        for number in range(50):
            tasks.start_soon(one, number)

    assert sorted(failed) == [0, 10, 20, 30, 40]
    assert len(kept) < 10


async def test_one_that_is_cancelled_natively_leaves_nobody_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, may_go = list[str](), threading.Event()
    tasks, ends = list[asyncio.Task[object] | None](), dict[int, str]()

    def sync(folder: Path) -> None:
        may_go.wait()
        kept.append(folder.name)

    monkeypatch.setattr(grouped_folder_sync, "sync_folder", sync)
    syncs = grouped_folder_sync.GroupedFolderSync(DiskThreads(2))

    async def one(number: int, name: str) -> None:
        tasks.append(asyncio.current_task())
        try:
            await syncs.sync(tmp_path / name)
        except asyncio.CancelledError:  # no shield of anyio's holds it off
            ends[number] = "cancelled"
        else:
            ends[number] = "synced"

    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            for number, name in enumerate(["at work", "at work too", "in line", "in line"]):
                group.start_soon(one, number, name)
            await anyio.wait_all_tasks_blocked()
            for first in (tasks[0], tasks[2]):
                assert first is not None
                first.cancel()
            await anyio.wait_all_tasks_blocked()
            group.start_soon(one, 4, "in line")
            await anyio.wait_all_tasks_blocked()
            may_go.set()

    assert ends == {0: "cancelled", 1: "synced", 2: "cancelled", 3: "synced", 4: "synced"}
    assert sorted(kept) == ["at work", "at work too", "in line"]


async def test_a_sync_that_ends_in_no_error_of_the_disk_is_told_to_all_who_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def leave(_folder: Path) -> None:
        raise SystemExit("made up")

    monkeypatch.setattr(grouped_folder_sync, "sync_folder", leave)
    syncs, told = grouped_folder_sync.GroupedFolderSync(DiskThreads(2)), list[str]()

    async def one() -> None:
        try:
            await syncs.sync(tmp_path)
        except SystemExit as error:
            told.append(str(error))

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            for _ in range(4):
                tasks.start_soon(one)

    assert told == ["made up"] * 4


# -- leaving early --------------------------------------------------------------------------


async def test_what_was_not_published_is_removed(tmp_path: Path) -> None:
    pdfs = await pdf_store_in(tmp_path)

    async def fail(writer: PdfWriter) -> None:
        await writer.write(bytes(backlog.TURN_BYTES))
        await writer.verify_and_sync()

    with pytest.raises(BadPdfError):
        async with pdfs.writer("x.pdf") as writer:
            await fail(writer)
    with anyio.CancelScope() as scope:
        async with pdfs.writer("x.pdf") as writer:
            await writer.write(bytes(backlog.TURN_BYTES))
            scope.cancel()
            await writer.write(bytes(backlog.TURN_BYTES))

    assert scope.cancelled_caught
    assert tree(tmp_path) == []


async def test_publishing_ends_whatever_is_cancelled(tmp_path: Path) -> None:
    pdfs = await pdf_store_in(tmp_path)

    with anyio.CancelScope() as scope:
        async with pdfs.writer("x.pdf") as writer:
            await writer.write(make_pdf())
            await writer.verify_and_sync()
            scope.cancel()
            await writer.publish()

    assert tree(tmp_path) == ["out/x.pdf"]


# -- folders ----------------------------------------------------------------------------------


async def test_nothing_is_made_before_the_first_piece(tmp_path: Path) -> None:
    pdfs = await pdf_store_in(tmp_path)
    async with pdfs.writer("a/x.pdf") as writer:
        await writer.restart()
        assert list((tmp_path / "out").iterdir()) == []


async def test_another_process_finds_an_empty_part_in_its_folder(tmp_path: Path) -> None:
    pdfs = await pdf_store_in(tmp_path)
    async with pdfs.writer("a/b/x.pdf") as writer:
        await writer.create()
        assert writer.path.read_bytes() == b""
        assert writer.path.parent == tmp_path / "out/a/b"

    assert list((tmp_path / "out").iterdir()) == []


async def test_folders_of_what_failed_go_again_and_others_stay(tmp_path: Path) -> None:
    pdfs = await pdf_store_in(tmp_path)
    (tmp_path / "out/theirs").mkdir()
    await store(pdfs, "full/x.pdf", make_pdf())

    for output in ("theirs/x.pdf", "theirs/new/x.pdf", "full/y.pdf", "full/new/x.pdf", "a/b/x.pdf"):
        with pytest.raises(BadPdfError):
            await store(pdfs, output, b"no PDF")

    folders = [path for path in (tmp_path / "out").rglob("*") if path.is_dir()]
    assert sorted(folders) == [tmp_path / "out/full", tmp_path / "out/theirs"]


async def test_a_folder_goes_with_the_last_of_those_who_shared_it(tmp_path: Path) -> None:
    pdfs = await pdf_store_in(tmp_path)
    async with pdfs.writer("a/x.pdf") as second:
        async with pdfs.writer("a/y.pdf") as first:
            await first.create()
            await second.create()
        assert second.path.exists()

    assert list((tmp_path / "out").iterdir()) == []


async def test_folders_of_many_that_fail_and_few_that_do_not(tmp_path: Path) -> None:
    pdfs = await pdf_store_in(tmp_path)

    async def one(number: int) -> None:
        with suppress(BadPdfError):
            await store(pdfs, f"{number % 3}/{number}.pdf", make_pdf() if number % 9 else b"none")

    async with anyio.create_task_group() as tasks:
        for number in range(60):
            tasks.start_soon(one, number)

    wanted = [f"{number % 3}/{number}.pdf" for number in range(60) if number % 9]
    assert tree(tmp_path / "out") == sorted(wanted)


# -- part files of dead runs ------------------------------------------------------------------


@pytest.mark.parametrize("name", ["x.pdf", "line\nbreak.pdf", "\udcff.pdf", "l" * 251 + ".pdf"])
async def test_parts_of_dead_runs_are_cleared_and_nothing_else(tmp_path: Path, name: str) -> None:
    dead = await pdf_store_in(tmp_path, run_id="dead")
    new = await pdf_store_in(tmp_path, run_id="new")
    other = await pdf_store_in(tmp_path, run_id="another ledger's")
    async with (
        dead.writer(f"\udcfe/{name}") as part,
        other.writer(f"\udcfe/{name}") as theirs,
    ):
        await part.create()
        await theirs.create()
        folder = part.path.parent
        for suffix in (".7.part", ".7.part.ocr", ".4ae228eb.part", ".4ae228eb.part.ocr"):
            (folder / (part.path.name + suffix)).write_bytes(b"an engine's")
        foreign = [theirs.path, folder / ".x.pdf.part", folder / f"{part.path.name}y"]
        foreign.append(folder / f"{theirs.path.name}.4ae228eb.part")
        foreign.append(folder / part.path.name[1:])
        for path in foreign:
            path.write_bytes(b"not ours")
        folders = {"\udcfe", "gone", ""}

        assert await new.clear_parts(["older", "dead"], folders) == 5
        assert sorted(folder.iterdir()) == sorted(foreign)
        assert await new.clear_parts(["older", "dead"], folders) == 0


async def test_runs_with_ledgers_of_their_own_never_share_a_part(tmp_path: Path) -> None:
    ours, theirs = [await pdf_store_in(tmp_path, run_id=name) for name in ("one", "two")]
    async with ours.writer("x.pdf") as one, theirs.writer("x.pdf") as two:
        await one.write(make_pdf(1, padding=1 << 20))
        await two.write(make_pdf(2, padding=1 << 20))
        first, second = await one.verify_and_sync(), await two.verify_and_sync()
        await one.publish()
        assert hash_file(tmp_path / "out/x.pdf") == first.sha256
        await two.publish()
        assert hash_file(tmp_path / "out/x.pdf") == second.sha256

    assert (first.pages, second.pages) == (1, 2)


async def test_a_link_planted_for_the_part_is_not_followed(tmp_path: Path) -> None:
    pdfs = await pdf_store_in(tmp_path)
    (tmp_path / "precious").write_bytes(b"untouched")
    (tmp_path / "out" / PART_OF_B).symlink_to(tmp_path / "precious")

    with pytest.raises(OutputError):
        await store(pdfs, "b.pdf", make_pdf())

    assert (tmp_path / "precious").read_bytes() == b"untouched"


@given(name=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=255))
def test_where_a_name_fits_its_part_does(name: str) -> None:
    part = os.fsencode(part_name(name, "0" * 8))
    assert part.startswith(b".")
    assert len(part) <= min(len(os.fsencode(name)), 100) + 15


# -- what else is asked of the disk -----------------------------------------------------------


def test_hashing_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="No such file") as caught:
        hash_file(tmp_path / "none")
    with pytest.raises(OutputError, match="No such file"):
        check_pdf(tmp_path / "none")

    assert isinstance(caught.value.__cause__, FileNotFoundError)


def test_a_pipe_in_the_place_of_a_pdf_keeps_nobody_waiting(tmp_path: Path) -> None:
    pdfs = PdfStore(output_dir=tmp_path, state_dir=tmp_path, run_id="run", threads=DiskThreads())
    os.mkfifo(tmp_path / "x.pdf")
    with pytest.raises(OutputError, match=r"x\.pdf is no file"):
        pdfs.sha256("x.pdf")


def test_a_folder_for_copies_lies_in_scratch_and_a_disk_that_has_none_fails_in_passing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with temporary_folder(tmp_path) as folder:
        assert (folder.parent, folder.suffix) == (tmp_path, ".part")
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    with pytest.raises(OutputError, match="could not be written"), temporary_folder(tmp_path / "x"):
        raise AssertionError
