"""The output folder: who gives out part files beside their targets."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Final

from batch_converter.errors import OutputError, UsageError
from batch_converter.output.checking import check_pdf
from batch_converter.output.files import file_pieces, sha256_of, writing
from batch_converter.output.grouped_folder_sync import GroupedFolderSync
from batch_converter.output.new_folders import NewFolders
from batch_converter.output.part_on_disk import PartOnDisk, PartPaths
from batch_converter.output.pdf_writer import PdfWriter
from batch_converter.output.store import OutputLook
from batch_converter.output.writability import check_writable, is_disk_failure
from batch_converter.storage import make_folder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from batch_converter.models import StoredPdf
    from batch_converter.output.checking import CheckedPdf, Verify
    from batch_converter.threads import DiskThreads

_LONGEST_NAMED_BYTES: Final = 100
"""The part's name, and what an engine appends to it, must fit where the PDF's own just does."""

_DIGEST_LETTERS: Final = 32
_TOKEN_LETTERS: Final = 8
_PART_TOKEN: Final = re.compile(rf"\.([0-9a-f]{{{_TOKEN_LETTERS}}})\.part(?=\.|\Z)")


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

    def pieces(self, output: str) -> Iterator[bytes]:
        """Yield the bytes of a PDF; blocks.

        Raises:
            OutputError: It cannot be read.
        """
        return file_pieces(self._output_dir / output)

    def sha256(self, output: str) -> str:
        """Return the digest of a PDF that is there; blocks.

        Raises:
            OutputError: It cannot be read.
        """
        return sha256_of(self.pieces(output))

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
    async def writer(
        self,
        output: str,
        *,
        known_etag: str | None = None,  # noqa: ARG002  # the contract's, of other stores
    ) -> AsyncIterator[PdfWriter]:
        """Give a document its part file; on leaving, what was not published is removed.

        Nothing is created before the first piece is written, unless `create` is called.

        Args:
            output: The PDF's path below the output folder; one has one writer at a time.
            known_etag: Of no use on a disk.

        Raises:
            OutputError: The name would leave the output folder.
        """
        target = self._target(output)
        part = target.with_name(part_name(target.name, self._token))
        disk = PartOnDisk(PartPaths(output=output, target=target, part=part), self._folders)
        writer = PdfWriter(disk, self._verify, self._threads, partial(self._give_name, disk))
        try:
            yield writer
        finally:
            await writer.discard()

    async def _give_name(self, disk: PartOnDisk, _pdf: StoredPdf) -> None:
        await self._syncs.sync(disk.paths.target.parent, disk.publish)

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

    def give_up(self, *, within_s: float) -> None:
        """Nothing takes long."""

    def _target(self, output: str) -> Path:
        if output.startswith("/") or not {"", ".", ".."}.isdisjoint(output.split("/")):
            raise OutputError(f"{output!r} is no name for a PDF below the output folder")
        return self._output_dir / output


def _token(run_id: str) -> str:
    return hashlib.sha256(os.fsencode(run_id)).hexdigest()[:_TOKEN_LETTERS]


def _has_token(name: str, tokens: AbstractSet[str]) -> bool:
    """Whether it is a part, or what an engine made of one: that may have a token of its own."""
    return name.startswith(".") and any(
        found[1] in tokens for found in _PART_TOKEN.finditer(name, 1)
    )


def part_name(name: str, token: str) -> str:
    """Return what the part of a PDF is called: hidden, and told apart by the run's token.

    A long name is represented by its digest, so that the part's fits where it does.
    """
    raw = os.fsencode(name)
    if len(raw) > _LONGEST_NAMED_BYTES:
        name = hashlib.sha256(raw).hexdigest()[:_DIGEST_LETTERS]
    return f".{name}.{token}.part"
