from __future__ import annotations

import errno
import hashlib
import io
import os
import resource
import shutil
import tempfile
from contextlib import contextmanager, suppress
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
    PartFolder,
    check_pdf,
    folder_syncs,
    free_bytes,
    hash_file,
    page_difference,
    parts,
)
from batch_converter.output.disk_part import DiskPart, Spot
from batch_converter.threads import DiskThreads

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batch_converter.engines.base import PdfTarget
    from batch_converter.models import StoredPdf
    from batch_converter.output import PartFile, Verify

SHM = Path("/dev/shm")  # noqa: S108  # Linux's own tmpfs, wanted as another file system


@cache
def make_pdf(pages: int = 1, *, padding: int = 0) -> bytes:
    with pikepdf.new() as pdf, io.BytesIO() as file:
        for _ in range(pages):
            pdf.add_blank_page()
        pdf.Root.Padding = pikepdf.Stream(pdf, bytes(range(256)) * (padding // 256))
        pdf.save(file, compress_streams=False)
        return file.getvalue()


async def part_folder(root: Path, *, run_id: str = "run", verify: Verify = "full") -> PartFolder:
    folder = PartFolder(
        output_dir=root / "out", state_dir=root / "state", run_id=run_id, verify=verify
    )
    await folder.prepare()
    return folder


async def store(folder: PartFolder, output: str, *pieces: bytes) -> StoredPdf:
    async with folder.part(output, document_id=1) as part:
        for piece in pieces:
            await part.write(piece)
        stored = await part.seal()
        await part.publish()
        return stored


def tree(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir())


@contextmanager
def other_file_system(beside: Path) -> Iterator[Path]:
    if not SHM.is_dir() or SHM.stat().st_dev == beside.stat().st_dev:
        pytest.skip("needs a second file system")
    with tempfile.TemporaryDirectory(dir=SHM) as name:
        yield Path(name)


# -- the way of a good PDF --------------------------------------------------------------


async def test_a_pdf_appears_whole_and_the_part_is_gone(tmp_path: Path) -> None:
    data = make_pdf(3)
    folder = await part_folder(tmp_path)

    async with folder.part("a/b.pdf", document_id=7) as part:
        sink: PdfTarget = part
        await sink.restart()
        await sink.write(data)
        stored = await part.seal(expected=ExpectedPdf(pages=3))
        assert tree(tmp_path) == ["state/parts/run-7.part"]
        await part.publish()

    assert tree(tmp_path) == ["out/a/b.pdf"]
    assert stored.path == tmp_path / "out/a/b.pdf"
    assert stored.path.read_bytes() == data
    assert (stored.size_bytes, stored.pages) == (len(data), 3)
    assert stored.sha256 == hashlib.sha256(data).hexdigest() == hash_file(stored.path)


@settings(max_examples=40, deadline=None)
@given(cuts=st.lists(st.integers(0, 5000)), piece_bytes=st.integers(1, 2000))
@example(cuts=[], piece_bytes=1)
def test_any_split_of_the_bytes_gives_the_same_file(cuts: list[int], piece_bytes: int) -> None:
    data = make_pdf(padding=4096)
    edges = [0, *sorted(cuts), len(data)]
    pieces = [data[start:end] for start, end in pairwise(edges)]

    async def run(root: Path) -> StoredPdf:
        return await store(await part_folder(root), "x.pdf", *pieces)

    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as name:
        patch.setattr(parts, "PIECE_BYTES", piece_bytes)
        stored = anyio.run(run, Path(name))
        written = stored.path.read_bytes()

    assert written == data
    assert stored.sha256 == hashlib.sha256(data).hexdigest()


async def test_small_pieces_are_gathered_and_large_ones_go_through(tmp_path: Path) -> None:
    folder = await part_folder(tmp_path)

    async with folder.part("x.pdf", document_id=1) as part:
        await part.write(b"%PDF-small")
        assert not part.path.exists()
        await part.write(bytes(parts.PIECE_BYTES))
        await part.write(bytes(3 * parts.PIECE_BYTES))
        await part.settle()
        assert part.path.stat().st_size == 4 * parts.PIECE_BYTES + 10


@pytest.mark.parametrize("first", [b"half a PDF", b"x" * 2 * parts.PIECE_BYTES])
async def test_restart_forgets_what_was_written(tmp_path: Path, first: bytes) -> None:
    folder = await part_folder(tmp_path)

    async with folder.part("x.pdf", document_id=1) as part:
        await part.write(first)
        await part.restart()
        await part.restart()
        await part.write(make_pdf())
        stored = await part.seal()
        await part.publish()

    assert stored.path.read_bytes() == make_pdf()
    assert stored.sha256 == hash_file(stored.path)


async def test_a_part_that_another_process_wrote_is_hashed_from_the_file(tmp_path: Path) -> None:
    folder = await part_folder(tmp_path)

    async with folder.part("x.pdf", document_id=1) as part:
        part.path.write_bytes(make_pdf(2))
        stored = await part.seal(mtime_ns=1_000_000_007)
        await part.publish()

    assert (stored.pages, stored.sha256) == (2, hash_file(stored.path))
    assert stored.path.stat().st_mtime_ns == 1_000_000_007


async def test_the_pdf_may_take_the_source_s_time(tmp_path: Path) -> None:
    folder = await part_folder(tmp_path)

    async with folder.part("x.pdf", document_id=1) as part:
        await part.write(make_pdf())
        stored = await part.seal(mtime_ns=123_456_789)
        await part.publish()

    assert stored.path.stat().st_mtime_ns == 123_456_789


async def test_an_older_pdf_is_replaced_and_its_mode_is_the_user_s(tmp_path: Path) -> None:
    folder = await part_folder(tmp_path)
    (tmp_path / "out/x.pdf").symlink_to(tmp_path / "precious")
    (tmp_path / "precious").write_bytes(b"untouched")

    old_umask = os.umask(0o027)
    try:
        stored = await store(folder, "x.pdf", make_pdf())
    finally:
        os.umask(old_umask)

    assert not stored.path.is_symlink()
    assert stored.path.stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "precious").read_bytes() == b"untouched"


async def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    stored = await store(await part_folder(tmp_path), "\udcff/\udcfe\n.pdf", make_pdf())

    assert os.fsencode(stored.path).endswith(b"out/\xff/\xfe\n.pdf")
    assert stored.path.exists()


async def test_a_folder_that_vanished_is_made_again(tmp_path: Path) -> None:
    folder = await part_folder(tmp_path)
    await store(folder, "a/b/x.pdf", make_pdf())
    async with folder.part("a/b/x.pdf", document_id=1) as part:
        await part.write(make_pdf())
        await part.seal()
        shutil.rmtree(tmp_path / "out/a")
        await part.publish()

    assert tree(tmp_path / "out") == ["a/b/x.pdf"]


async def test_an_output_folder_that_vanished_is_not_made_on_another_disk(tmp_path: Path) -> None:
    folder = await part_folder(tmp_path)
    async with folder.part("a/x.pdf", document_id=1) as part:
        await part.write(make_pdf())
        await part.seal()
        (tmp_path / "out").rmdir()
        with pytest.raises(OutputError, match="is mounted"):
            await part.publish()

    assert not (tmp_path / "out").exists()


async def test_many_at_once(tmp_path: Path) -> None:
    folder = await part_folder(tmp_path)

    async def one(number: int) -> None:
        async with folder.part(f"{number % 3}/{number}.pdf", document_id=number) as part:
            await part.write(make_pdf(number % 5 + 1))
            assert (await part.seal()).pages == number % 5 + 1
            await part.publish()

    async with anyio.create_task_group() as tasks:
        for number in range(60):
            tasks.start_soon(one, number)

    assert len(tree(tmp_path / "out")) == 60
    assert tree(tmp_path / "state") == []


async def test_the_memory_of_known_folders_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "_KNOWN_FOLDERS", 2)
    folder = await part_folder(tmp_path)
    for number in range(5):
        async with folder.part(f"{number}/x.pdf", document_id=number):
            assert len(folder._elsewhere) <= 2


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
        (make_pdf(0), "no pages"),
    ],
    ids=["nothing", "html", "tiny", "cut", "trailing", "junk", "empty"],
)
async def test_what_is_no_pdf_never_gets_the_name(tmp_path: Path, data: bytes, said: str) -> None:
    folder = await part_folder(tmp_path)
    await store(folder, "a/x.pdf", make_pdf(2))

    with pytest.raises(BadPdfError, match=said) as caught:
        await store(folder, "a/x.pdf", data)

    assert "a/x.pdf" in str(caught.value)
    assert tree(tmp_path) == ["out/a/x.pdf"]
    assert (tmp_path / "out/a/x.pdf").read_bytes() == make_pdf(2)


async def test_after_a_bad_pdf_the_same_part_can_be_filled_again(tmp_path: Path) -> None:
    folder = await part_folder(tmp_path)

    async with folder.part("x.pdf", document_id=1) as part:
        await part.write(b"x" * (parts.PIECE_BYTES + len(make_pdf()) + 1))
        with pytest.raises(BadPdfError):
            await part.seal()
        await part.restart()
        await part.write(make_pdf())
        stored = await part.seal()
        await part.publish()

    assert stored.path.read_bytes() == make_pdf()
    assert stored.sha256 == hash_file(stored.path)


async def test_a_quick_look_opens_no_pdf_that_needs_repair(tmp_path: Path) -> None:
    folder = await part_folder(tmp_path, verify="quick")

    stored = await store(folder, "x.pdf", b"%PDF-1.7\n" + bytes(100) + b"%%EOF\n")

    assert stored.pages is None
    with pytest.raises(BadPdfError):
        await store(folder, "x.pdf", b"%PDF-1.7\n")


async def test_a_quick_look_believes_the_number_of_pages_that_is_claimed(tmp_path: Path) -> None:
    folder = await part_folder(tmp_path, verify="quick")
    without_table = make_pdf(2).replace(b"startxref\n", b"startxref\n9")
    lying = make_pdf(2).replace(b"/Count 2", b"/Count 5")

    assert (await store(folder, "a.pdf", make_pdf(2))).pages == 2
    assert (await store(folder, "b.pdf", lying)).pages == 5
    assert (await store(folder, "c.pdf", without_table)).pages is None
    async with folder.part("x.pdf", document_id=1) as part:
        await part.write(make_pdf(2))
        with pytest.raises(PageMismatchError, match="the PDF has 2 pages, the DjVu 3"):
            await part.seal(expected=ExpectedPdf(pages=3))


async def test_other_pages_than_the_djvu_has(tmp_path: Path) -> None:
    folder = await part_folder(tmp_path)

    async with folder.part("x.pdf", document_id=1) as part:
        await part.write(make_pdf(2))
        with pytest.raises(PageMismatchError, match=r"x\.pdf: the PDF has 2 pages, the DjVu 3"):
            await part.seal(expected=ExpectedPdf(pages=3))
        await part.restart()
        await part.write(make_pdf(2))
        stored = await part.seal(expected=ExpectedPdf(pages=3), keeps_other_pages=True)

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
    folder = await part_folder(tmp_path)

    with pytest.raises(OutputError, match="no name for a PDF"):
        await store(folder, output, make_pdf())


async def test_a_folder_under_the_final_name(tmp_path: Path) -> None:
    folder = await part_folder(tmp_path)
    (tmp_path / "out/x.pdf").mkdir(parents=True)

    with pytest.raises(OutputError, match=r"x\.pdf could not be written: a folder stands"):
        await store(folder, "x.pdf", make_pdf())

    assert tree(tmp_path) == []


@pytest.mark.parametrize("name", ["a/x.pdf", "a/b/x.pdf"])
async def test_a_file_where_a_folder_is_needed(tmp_path: Path, name: str) -> None:
    folder = await part_folder(tmp_path)
    (tmp_path / "out/a").write_bytes(b"")

    with pytest.raises(OutputError, match="a file stands where a folder is needed"):
        await store(folder, name, make_pdf())

    assert tree(tmp_path) == ["out/a"]


async def test_a_name_too_long_for_the_file_system(tmp_path: Path) -> None:
    folder = await part_folder(tmp_path)

    with pytest.raises(OutputError, match="shorten the source's name"):
        await store(folder, "x" * 252 + ".pdf", make_pdf())
    assert (await store(folder, "x" * 251 + ".pdf", make_pdf())).pages == 1


async def test_a_limit_on_file_sizes(tmp_path: Path) -> None:
    folder = await part_folder(tmp_path)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (parts.PIECE_BYTES, before[1]))
    try:
        async with folder.part("x.pdf", document_id=1) as part:
            await part.write(bytes(parts.PIECE_BYTES + 1))
            with pytest.raises(OutputError, match="takes no file as large as that") as caught:
                await part.settle()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    assert isinstance(caught.value.__cause__, OSError)
    assert caught.value.__cause__.errno == errno.EFBIG
    assert tree(tmp_path) == []


def test_a_full_disk(tmp_path: Path) -> None:
    spot = Spot(
        output="x.pdf",
        output_dir=tmp_path,
        target=tmp_path / "x.pdf",
        part=Path("/dev/full"),
        parts_dir=tmp_path,
        name="1",
        is_beside=False,
    )
    disk = DiskPart(spot)

    with pytest.raises(OutputError, match=r"x\.pdf could not be written: the disk is full"):
        disk.append(b"x")

    os.close(disk._descriptor or 0)


async def test_a_state_directory_that_vanished(tmp_path: Path) -> None:
    folder = await part_folder(tmp_path)
    shutil.rmtree(tmp_path / "state")
    with pytest.raises(OutputError, match=r"vanished.*state/parts"):
        await store(folder, "x.pdf", make_pdf())
    await folder.prepare()
    await store(folder, "x.pdf", make_pdf())
    shutil.rmtree(tmp_path / "state")
    with pytest.raises(OutputError, match=r"vanished.*state/parts"):
        await store(folder, "x.pdf", make_pdf())


async def test_a_part_that_vanished(tmp_path: Path) -> None:
    folder = await part_folder(tmp_path)

    async with folder.part("x.pdf", document_id=1) as part:
        await part.write(make_pdf())
        await part.seal()
        part.path.unlink()
        with pytest.raises(OutputError, match="vanished"):
            await part.publish()


async def test_folders_that_cannot_be_made_are_bad_usage(tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(b"")

    with pytest.raises(UsageError, match="a file stands where a folder is needed"):
        await part_folder(tmp_path)


async def test_a_name_that_is_not_durable_is_told_to_all_who_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(folder: Path) -> None:
        raise OSError(errno.EIO, f"made up for {folder}")

    monkeypatch.setattr(folder_syncs, "sync_folder", fail)
    folder = await part_folder(tmp_path)
    failures: list[OutputError] = []

    async def one(number: int) -> None:
        async with folder.part(f"{number}.pdf", document_id=number) as part:
            await part.write(make_pdf())
            await part.seal()
            with pytest.raises(OutputError, match="the disk reports an error") as caught:
                await part.publish()
            failures.append(caught.value)

    async with anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(one, number)

    assert len({id(error) for error in failures}) == 20


async def test_folder_syncs_are_shared_but_never_too_early(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[set[str]] = []

    def sync(folder: Path) -> None:
        kept.append({path.name for path in folder.iterdir()})

    monkeypatch.setattr(folder_syncs, "sync_folder", sync)
    syncs = folder_syncs.FolderSyncs(DiskThreads(2))

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


# -- leaving early --------------------------------------------------------------------------


async def test_what_was_not_published_is_removed(tmp_path: Path) -> None:
    folder = await part_folder(tmp_path)

    async def fail(part: PartFile) -> None:
        await part.write(bytes(parts.PIECE_BYTES))
        await part.seal()

    with pytest.raises(BadPdfError):
        async with folder.part("x.pdf", document_id=1) as part:
            await fail(part)
    with anyio.CancelScope() as scope:
        async with folder.part("x.pdf", document_id=1) as part:
            await part.write(bytes(parts.PIECE_BYTES))
            scope.cancel()
            await part.write(bytes(parts.PIECE_BYTES))

    assert scope.cancelled_caught
    assert tree(tmp_path) == []


async def test_publishing_ends_whatever_is_cancelled(tmp_path: Path) -> None:
    folder = await part_folder(tmp_path)

    with anyio.CancelScope() as scope:
        async with folder.part("x.pdf", document_id=1) as part:
            await part.write(make_pdf())
            await part.seal()
            scope.cancel()
            await part.publish()

    assert tree(tmp_path) == ["out/x.pdf"]


async def test_parts_of_dead_runs_are_cleared(tmp_path: Path) -> None:
    await part_folder(tmp_path, run_id="dead")
    (tmp_path / "state/parts/dead-1.part").write_bytes(b"half")
    (tmp_path / "state/parts/dead-1.part.7.part").write_bytes(b"an engine's")
    (tmp_path / "state/parts/dead-1.part.7.part.ocr").write_bytes(b"an engine's program's")
    (tmp_path / "state/parts/notes.txt").write_bytes(b"not ours")
    (tmp_path / "state/ledger.sqlite").write_bytes(b"ours")
    folder = PartFolder(output_dir=tmp_path / "out", state_dir=tmp_path / "state", run_id="new")

    assert await folder.prepare() == 3
    assert tree(tmp_path) == ["state/ledger.sqlite", "state/parts/notes.txt"]


# -- the state directory on another file system ----------------------------------------------


async def test_elsewhere_the_part_lies_beside_its_target(tmp_path: Path) -> None:
    with other_file_system(tmp_path) as far:
        folder = PartFolder(output_dir=far / "out", state_dir=tmp_path, run_id="run")
        await folder.prepare()

        async with folder.part("a/x.pdf", document_id=1) as part:
            assert part.path == far / "out/a/.x.pdf.part"
            await part.write(make_pdf())
            await part.seal()
            assert tree(far) == ["out/a/.x.pdf.part"]
            await part.publish()
        assert (tree(far), tree(tmp_path)) == (["out/a/x.pdf"], [])

        async with folder.part("a/y.pdf", document_id=2) as part:
            await part.write(bytes(parts.PIECE_BYTES))
        assert (tree(far), tree(tmp_path)) == (["out/a/x.pdf"], [])


async def test_elsewhere_parts_of_dead_runs_are_cleared_too(tmp_path: Path) -> None:
    with other_file_system(tmp_path) as far:
        folder = PartFolder(output_dir=far / "out", state_dir=tmp_path, run_id="dead")
        await folder.prepare()
        output = "\udcff/x.pdf"
        async with folder.part(output, document_id=1) as part:
            await part.write(bytes(parts.PIECE_BYTES))
            await part.settle()
            (tmp_path / "parts/dead-2.beside").write_bytes(b"../../precious.pdf")
            (tmp_path / "parts/dead-3.beside").write_bytes(b"gone/x.pdf")
            (far / "out/\udcff/.x.pdf.part.7.part").write_bytes(b"an engine's")
            (far / "out/\udcff/.x.pdf.part.7.part.ocr").write_bytes(b"its program's")
            (far / "out/\udcff/.x.pdf.party").write_bytes(b"not ours")
            (far / ".precious.pdf.part").write_bytes(b"not ours")
            again = PartFolder(output_dir=far / "out", state_dir=tmp_path, run_id="new")

            assert await again.prepare() == 3

        assert (tree(far), tree(tmp_path)) == (
            [".precious.pdf.part", "out/\udcff/.x.pdf.party"],
            [],
        )


async def test_a_link_planted_for_the_part_is_not_followed(tmp_path: Path) -> None:
    with other_file_system(tmp_path) as far:
        folder = PartFolder(output_dir=far / "out", state_dir=tmp_path, run_id="run")
        await folder.prepare()
        (far / "precious").write_bytes(b"untouched")
        (far / "out/.x.pdf.part").symlink_to(far / "precious")

        with pytest.raises(OutputError):
            await store(folder, "x.pdf", make_pdf())

        assert (far / "precious").read_bytes() == b"untouched"


async def test_a_file_system_that_turns_out_to_be_another_one(tmp_path: Path) -> None:
    with other_file_system(tmp_path) as far:
        folder = await part_folder(tmp_path)
        async with folder.part("a/x.pdf", document_id=1) as part:
            await part.write(make_pdf())
            stored = await part.seal(mtime_ns=5_000_000_000)
            (tmp_path / "out/a").symlink_to(far)
            await part.publish()

        assert tree(far) == ["x.pdf"]
        assert tree(tmp_path / "state") == []
        assert hash_file(far / "x.pdf") == stored.sha256
        assert (far / "x.pdf").stat().st_mtime_ns == 5_000_000_000


async def test_a_copy_that_fails_half_way_is_removed(tmp_path: Path) -> None:
    with other_file_system(tmp_path) as far:
        folder = await part_folder(tmp_path)
        async with folder.part("a/x.pdf", document_id=1) as part:
            await part.write(make_pdf())
            await part.seal()
            (tmp_path / "out/a").symlink_to(far)
            (far / "x.pdf").mkdir()
            with pytest.raises(OutputError, match="a folder stands"):
                await part.publish()

        assert (tree(far), tree(tmp_path / "state")) == ([], [])


# -- what else is asked of the disk -----------------------------------------------------------


def test_hashing_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="No such file") as caught:
        hash_file(tmp_path / "none")
    with pytest.raises(OutputError, match="No such file"):
        check_pdf(tmp_path / "none")

    assert isinstance(caught.value.__cause__, FileNotFoundError)


def test_free_space_of_a_folder_yet_to_be_made(tmp_path: Path) -> None:
    expected = shutil.disk_usage(tmp_path).free

    assert abs(free_bytes(tmp_path / "a/b/c") - expected) < expected / 2
    with pytest.raises(OutputError, match="unknown"):
        free_bytes(Path("/" + "x" * 300))
