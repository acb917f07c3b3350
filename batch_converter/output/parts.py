"""Part files: who gives them out, and the sink that an engine writes into."""

from __future__ import annotations

import os
from collections import defaultdict
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final

import anyio

from batch_converter.errors import OutputError, UsageError
from batch_converter.output.backlog import Backlog
from batch_converter.output.checking import ANYTHING
from batch_converter.output.disk_part import DiskPart, SealOptions, Spot, part_beside
from batch_converter.output.files import writing
from batch_converter.output.folder_syncs import FolderSyncs
from batch_converter.output.places import check_place
from batch_converter.storage import make_folder, make_subfolder, nearest_folder
from batch_converter.threads import DiskThreads

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from batch_converter.models import StoredPdf
    from batch_converter.output.checking import Verify
    from batch_converter.output.expected import ExpectedPdf

PIECE_BYTES: Final = 1 << 19
"""Smaller pieces are gathered before a worker thread is bothered."""

_THREADS: Final = 4  # where fsync is what is waited for, more bring nothing
_KNOWN_FOLDERS: Final = 1_000


class PartFolder:
    """Gives out part files in the state directory, or beside their targets.

    Args:
        output_dir: Where the PDFs go.
        state_dir: Parts lie in its folder `parts`; the caller holds its lock.
        run_id: Keeps the parts of this run apart from those of dead ones.
        verify: How closely a PDF is looked at before it gets its name.
    """

    def __init__(
        self, *, output_dir: Path, state_dir: Path, run_id: str, verify: Verify = "full"
    ) -> None:
        self._output_dir = output_dir.absolute()
        self._parts_dir = state_dir.absolute() / "parts"
        self._run_id = run_id
        self._verify = verify
        self._threads = DiskThreads(_THREADS)
        self._syncs = FolderSyncs(self._threads)
        self._elsewhere: dict[Path, bool] = {}

    async def prepare(self) -> int:
        """Create the folders and clear the parts of dead runs, wherever they lie.

        To be called before the first part, under the lock of the state directory.

        Returns:
            How many part files were cleared.

        Raises:
            UsageError: One of the folders cannot be created or read.
        """
        return await self._threads.run(self._prepare)

    def _prepare(self) -> int:
        try:
            with writing(self._output_dir):
                make_folder(self._output_dir)
            with writing(self._parts_dir):
                make_folder(self._parts_dir)
                return self._clear_stale()
        except OutputError as error:
            raise UsageError(str(error)) from error.__cause__

    def _clear_stale(self) -> int:
        found = list(self._parts_dir.iterdir())
        stale = [path for path in found if ".part" in path.suffixes]
        markers = [path for path in found if path.suffix == ".beside"]
        for path in stale:
            path.unlink()
        cleared = len(stale) + self._clear_marked(markers)
        for marker in markers:
            marker.unlink()
        return cleared

    def _clear_marked(self, markers: Sequence[Path]) -> int:
        """Clear parts in other folders, with what an engine made of them; looks once into each."""
        parts: defaultdict[Path, set[str]] = defaultdict(set)
        for marker in markers:
            with suppress(OutputError):
                part = part_beside(self._target(os.fsdecode(marker.read_bytes())))
                parts[part.parent].add(f"{part.name}.")
        cleared = 0
        for folder, starts in parts.items():
            with suppress(OSError):
                for path in list(folder.iterdir()):
                    if f"{path.name}.".startswith(tuple(starts)):
                        path.unlink()
                        cleared += 1
        return cleared

    @asynccontextmanager
    async def part(self, output: str, *, document_id: int) -> AsyncIterator[PartFile]:
        """Give a document its part file; on leaving, what was not published is removed.

        Nothing is created before the first piece is written, but for the target's
        folder where the part must lie beside it.

        Args:
            output: The PDF's path below the output folder.
            document_id: One document has one part at a time.

        Raises:
            OutputError: The name would leave the output folder, or the part has no place.
        """
        spot = await self._spot(output, document_id)
        part = PartFile(DiskPart(spot), self._verify, self._threads, self._syncs)
        try:
            yield part
        finally:
            await part.discard()

    def check_place(self, output: str, *, source_bytes: int, promised_bytes: int = 0) -> bool:
        """Find out whether the PDF of a document could be written, before it is paid for; blocks.

        Args:
            output: The PDF's path below the output folder.
            source_bytes: Of the DjVu.
            promised_bytes: What others are about to need.

        Returns:
            Whether there is room beside what others are about to need, too.

        Raises:
            OutputError: It could not: no room, no permission, no such name.
        """
        return check_place(
            self._target(output),
            root=self._output_dir,
            state_dir=self._parts_dir,
            source_bytes=source_bytes,
            promised_bytes=promised_bytes,
        )

    async def _spot(self, output: str, document_id: int) -> Spot:
        target = self._target(output)
        name = f"{self._run_id}-{document_id}"
        is_beside = await self._is_elsewhere(target.parent)
        spot = Spot(
            output=output,
            output_dir=self._output_dir,
            target=target,
            part=part_beside(target) if is_beside else self._parts_dir / f"{name}.part",
            parts_dir=self._parts_dir,
            name=name,
            is_beside=is_beside,
        )
        if is_beside:
            await self._threads.run(_prepare_beside, spot)
        return spot

    async def _is_elsewhere(self, folder: Path) -> bool:
        """Whether a rename from the state directory cannot get there; asked once a folder."""
        if folder not in self._elsewhere:
            if len(self._elsewhere) >= _KNOWN_FOLDERS:
                self._elsewhere.clear()
            self._elsewhere[folder] = await self._threads.run(
                _on_other_file_system, folder, self._parts_dir
            )
        return self._elsewhere[folder]

    def _target(self, output: str) -> Path:
        if output.startswith("/") or not {"", ".", ".."}.isdisjoint(output.split("/")):
            raise OutputError(f"{output!r} is no name for a PDF below the output folder")
        return self._output_dir / output


class PartFile:
    """A document's part: a `PdfTarget` for the engine, and the way to the final name.

    `seal`, then `publish`: between them the caller can record the digest of what
    is about to appear.
    """

    def __init__(
        self, disk: DiskPart, verify: Verify, threads: DiskThreads, syncs: FolderSyncs
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
        return self._disk.spot.part

    async def take_place(self, *, source_bytes: int) -> None:
        """Take the inode that the PDF needs, and see that there is quota, before it is paid for.

        Raises:
            NoRoomError: There is none.
            OutputError: The part cannot be made for another reason.
        """
        await self._threads.run(self._disk.take_place, source_bytes)

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

    async def settle(self) -> None:
        """Wait until all that was taken is written; `seal` does so by itself.

        Raises:
            OutputError: Something could not be.
        """
        if self._gathered:
            await self._backlog.put(self._take())
        await self._backlog.settle()

    async def seal(
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
        options = SealOptions(
            verify=self._verify,
            expected=expected,
            keeps_other_pages=keeps_other_pages,
            mtime_ns=mtime_ns,
        )
        await self._backlog.settle()
        return await self._threads.run(self._disk.seal, options, self._take())

    async def publish(self) -> None:
        """Give the sealed part its final name, replacing what stands there, durably.

        Cancellation waits until it has ended. Folders that are missing are made, but
        for the output folder itself.

        Raises:
            OutputError: It did not get the name, or the disk does not say that it
                keeps it; then the PDF may stand there all the same.
        """
        with anyio.CancelScope(shield=True):
            await self._threads.start(self._disk.publish)
            self._is_done = True
            await self._syncs.sync(self._disk.spot.target.parent)

    async def discard(self) -> None:
        """Remove the part if it was not published; cancellation waits, nothing is raised."""
        if not self._is_done:
            self._is_done = True
            with anyio.CancelScope(shield=True):
                await self._backlog.drop()
                await self._threads.start(self._disk.discard)


def _on_other_file_system(folder: Path, parts_dir: Path) -> bool:
    with writing(folder):
        return nearest_folder(folder).stat().st_dev != parts_dir.stat().st_dev


def _prepare_beside(spot: Spot) -> None:
    with writing(spot.target):
        make_subfolder(spot.target.parent, root=spot.output_dir)
        spot.mark()
