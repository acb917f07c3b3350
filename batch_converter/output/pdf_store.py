"""The output folder: who gives out part files, and the sink that an engine writes into."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final

import anyio

from batch_converter.errors import OutputError, UsageError
from batch_converter.output.backlog import Backlog
from batch_converter.output.checking import ANYTHING, check_pdf
from batch_converter.output.files import hash_file, writing
from batch_converter.output.grouped_folder_sync import GroupedFolderSync
from batch_converter.output.new_folders import NewFolders
from batch_converter.output.part_on_disk import PartOnDisk, PartPaths, Verification
from batch_converter.output.store import OutputLook
from batch_converter.output.writability import check_writable, is_disk_failure
from batch_converter.storage import make_folder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from batch_converter.models import StoredPdf
    from batch_converter.output.checking import CheckedPdf, Verify
    from batch_converter.output.expected import ExpectedPdf
    from batch_converter.threads import DiskThreads

PIECE_BYTES: Final = 1 << 19
"""Smaller pieces are gathered before a worker thread is bothered."""

_LONGEST_NAMED_BYTES: Final = 100
"""The part's name, and what an engine appends to it, must fit where the PDF's own just does."""

_DIGEST_LETTERS: Final = 32
_TOKEN_LETTERS: Final = 8
_PART: Final = re.compile(rf"\..+\.([0-9a-f]{{{_TOKEN_LETTERS}}})\.part(?:\..*)?", re.DOTALL)


class PdfStore:
    """The disk as an `OutputStore`: parts are hidden, beside their targets, as rsync has them.

    So a part is on its target's file system whatever is mounted where, inherits what the
    folder gives to new files, and a rename is all that is left to do. Its name ends in a
    token of the run: two runs with ledgers of their own never write the same part, and
    nothing but what one of this ledger's runs has made is ever cleared.

    Args:
        output_dir: Where the PDFs go.
        state_dir: The ledger is there: without room for it no PDF is of any use.
        run_id: Keeps the parts of this run apart from those of others.
        threads: Where the disk is asked.
        verify: How closely a PDF is looked at before it gets its name.
    """

    def __init__(
        self,
        *,
        output_dir: Path,
        state_dir: Path,
        run_id: str,
        threads: DiskThreads,
        verify: Verify = "full",
    ) -> None:
        self._output_dir = output_dir.absolute()
        self._state_dir = state_dir.absolute()
        self._token = _token(run_id)
        self._verify = verify
        self._threads = threads
        self._folders = NewFolders(self._output_dir)
        self._syncs = GroupedFolderSync(threads)

    @property
    def location(self) -> str:
        """The output folder's absolute path."""
        return os.fspath(self._output_dir)

    def address(self, output: str) -> str:
        """Return a PDF's absolute path."""
        return os.fspath(self._output_dir / output)

    def is_failing(self, error: OutputError) -> bool:
        """Whether the error says that no other PDF can be written either."""
        return is_disk_failure(error, self._output_dir)

    def look(self, output: str) -> OutputLook:
        """Look at what stands under a PDF's name; blocks."""
        try:
            status = (self._output_dir / output).stat()
        except NotADirectoryError:
            return OutputLook(obstacle="a file stands where its folder should be")
        except OSError:
            return OutputLook()
        if stat.S_ISDIR(status.st_mode):
            return OutputLook(obstacle="a folder stands in its place")
        return OutputLook(size_bytes=status.st_size, mtime_ns=status.st_mtime_ns)

    def sha256(self, output: str) -> str:
        """Return the digest of a PDF that is there; blocks.

        Raises:
            OutputError: It cannot be read.
        """
        return hash_file(self._output_dir / output)

    def check(self, output: str) -> CheckedPdf:
        """Make sure that a PDF which is there is whole; blocks.

        Raises:
            BadPdfError: It is none, or it has no pages.
            OutputError: It cannot be read.
        """
        return check_pdf(self._output_dir / output)

    async def prepare(self) -> None:
        """Create the output folder.

        Raises:
            UsageError: It cannot be created.
        """
        await self._threads.run(self._prepare)

    def _prepare(self) -> None:
        try:
            with writing(self._output_dir):
                make_folder(self._output_dir)
        except OutputError as error:
            raise UsageError(str(error)) from error.__cause__

    async def clear_parts(self, run_ids: Iterable[str], folders: Iterable[str]) -> int:
        """Remove the part files of dead runs, with what an engine made of them.

        Args:
            run_ids: Of all runs of this ledger; their token tells their parts from others.
            folders: Below the output folder, where parts may lie; each is looked into once.

        Returns:
            How many files were removed.
        """
        tokens = {_token(run_id) for run_id in run_ids}
        return await self._threads.run(self._clear_parts, tokens, sorted(folders))

    def _clear_parts(self, tokens: AbstractSet[str], folders: Iterable[str]) -> int:
        return sum(self._clear_folder(self._output_dir / name, tokens) for name in folders)

    def _clear_folder(self, folder: Path, tokens: AbstractSet[str]) -> int:
        """Remove what can be removed; a folder that is away has nothing to be cleared."""
        cleared = 0
        with suppress(OSError):
            with os.scandir(folder) as entries:
                names = [entry.name for entry in entries if _has_token(entry.name, tokens)]
            for name in names:
                (folder / name).unlink()
                cleared += 1
        return cleared

    @asynccontextmanager
    async def writer(self, output: str) -> AsyncIterator[PdfWriter]:
        """Give a document its part file; on leaving, what was not published is removed.

        Nothing is created before the first piece is written, unless `create` is called.

        Args:
            output: The PDF's path below the output folder; one has one writer at a time.

        Raises:
            OutputError: The name would leave the output folder.
        """
        target = self._target(output)
        part = target.with_name(part_name(target.name, self._token))
        disk = PartOnDisk(PartPaths(output=output, target=target, part=part), self._folders)
        writer = PdfWriter(disk, self._verify, self._threads, self._syncs)
        try:
            yield writer
        finally:
            await writer.discard()

    def check_writable(self, output: str, *, source_bytes: int) -> float:
        """Find out whether the PDF of a document could be written, before it is paid for; blocks.

        Args:
            output: The PDF's path below the output folder.
            source_bytes: Of the DjVu.

        Returns:
            How many bytes PDFs may take; infinite where the file system does not tell.

        Raises:
            OutputError: It could not: no room, no permission, no such name.
        """
        return check_writable(
            self._target(output),
            root=self._output_dir,
            state_dir=self._state_dir,
            source_bytes=source_bytes,
        )

    def _target(self, output: str) -> Path:
        if output.startswith("/") or not {"", ".", ".."}.isdisjoint(output.split("/")):
            raise OutputError(f"{output!r} is no name for a PDF below the output folder")
        return self._output_dir / output


def _token(run_id: str) -> str:
    return hashlib.sha256(os.fsencode(run_id)).hexdigest()[:_TOKEN_LETTERS]


def _has_token(name: str, tokens: AbstractSet[str]) -> bool:
    found = _PART.fullmatch(name)
    return found is not None and found[1] in tokens


def part_name(name: str, token: str) -> str:
    """Return what the part of a PDF is called: hidden, and told apart by the run's token.

    A long name is represented by its digest, so that the part's fits where it does.
    """
    raw = os.fsencode(name)
    if len(raw) > _LONGEST_NAMED_BYTES:
        name = hashlib.sha256(raw).hexdigest()[:_DIGEST_LETTERS]
    return f".{name}.{token}.part"


class PdfWriter:
    """A document's part: a `PdfTarget` for the engine, and the way to the final name.

    `verify_and_sync`, then `publish`: between them the caller can record the digest of
    what is about to appear.
    """

    def __init__(
        self, disk: PartOnDisk, verify: Verify, threads: DiskThreads, syncs: GroupedFolderSync
    ) -> None:
        self._disk = disk
        self._verify = verify
        self._threads = threads
        self._syncs = syncs
        self._backlog = Backlog(disk.append, threads)
        self._gathered = bytearray()
        self._is_done = False

    @property
    def path(self) -> Path:
        """Absolute path, for an engine whose worker writes the file itself."""
        return self._disk.paths.part

    async def create(self, *, source_bytes: int | None = None) -> None:
        """Make the file, empty, with its folder, so that another process can write it.

        The inode that the PDF needs is taken then.

        Args:
            source_bytes: Of the DjVu, where it is also seen that there is quota, before
                the PDF is paid for.

        Raises:
            NoRoomError: There is no inode, quota or block for it.
            OutputError: It cannot be made for another reason.
        """
        await self._threads.run(self._disk.create, source_bytes)

    async def restart(self) -> None:
        """Empty the part: what was written so far does not count.

        Raises:
            OutputError: The file cannot be emptied.
        """
        self._gathered = bytearray()
        await self._backlog.drop()
        if self._disk.is_open:
            await self._threads.run(self._disk.empty)

    async def write(self, data: bytes) -> None:
        """Take a piece of any size; it is written and hashed while more arrive.

        Raises:
            OutputError: The disk is full or gone, now or for an earlier piece.
        """
        if not self._gathered and len(data) >= PIECE_BYTES:
            await self._backlog.put(data)
            return
        self._gathered += data
        if len(self._gathered) >= PIECE_BYTES:
            await self._backlog.put(self._take())

    def _take(self) -> bytearray:
        gathered, self._gathered = self._gathered, bytearray()
        return gathered

    async def flush(self) -> None:
        """Wait until all that was taken is written; `verify_and_sync` does so by itself.

        Raises:
            OutputError: Something could not be.
        """
        if self._gathered:
            await self._backlog.put(self._take())
        await self._backlog.flush()

    async def verify_and_sync(
        self,
        *,
        expected: ExpectedPdf = ANYTHING,
        keeps_other_pages: bool = False,
        mtime_ns: int | None = None,
    ) -> StoredPdf:
        """Check that the part is a whole PDF, and bring it to the disk under its part name.

        Args:
            expected: What is known of the DjVu.
            keeps_other_pages: A PDF with another number of pages is told of among the
                differences, and is no error.
            mtime_ns: The time of change that the PDF is to have.

        Returns:
            What `publish` will put in place: its path is the final one.

        Raises:
            BadPdfError: It is no whole PDF; `restart` allows for another try.
            PageMismatchError: It has other pages than the DjVu, and that is not kept.
            OutputError: The disk is full or gone.
        """
        wanted = Verification(
            verify=self._verify,
            expected=expected,
            keeps_other_pages=keeps_other_pages,
            mtime_ns=mtime_ns,
        )
        await self._backlog.flush()
        return await self._threads.run(self._disk.verify_and_sync, wanted, self._take())

    async def publish(self) -> None:
        """Give the verified part its final name, replacing what stands there, durably.

        Cancellation waits until it has ended.

        Raises:
            OutputError: It did not get the name, or the disk does not say that it
                keeps it; then the PDF may stand there all the same.
        """
        with anyio.CancelScope(shield=True):
            await self._threads.start(self._disk.publish)
            self._is_done = True
            await self._syncs.sync(self._disk.paths.target.parent)

    async def discard(self) -> None:
        """Remove the part if it was not published; cancellation waits, nothing is raised."""
        if not self._is_done:
            self._is_done = True
            with anyio.CancelScope(shield=True):
                await self._backlog.drop()
                await self._threads.start(self._disk.discard)
