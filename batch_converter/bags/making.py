"""From the ledger to a bag: which PDFs, what is told of others, and the tag files."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

from batch_converter.bags.info import check_info, info_lines
from batch_converter.bags.names import (
    LITERAL_PERCENT_VERSION,
    RFC_VERSION,
    manifest_path,
    obstacle,
    version_for,
)
from batch_converter.bags.payload import NotBaggedError, Payload
from batch_converter.bags.place import appearing, free_place
from batch_converter.bags.tag_file import TagFile, write_tag_file
from batch_converter.clock import SystemClock
from batch_converter.errors import OutputError, UsageError
from batch_converter.ledger import LedgerReader
from batch_converter.objects import is_object_address
from batch_converter.output import writing
from batch_converter.state import LEDGER_NAME, state_dir
from batch_converter.threads import DiskThreads
from batch_converter.wiring import open_output
from batch_converter.working_folder import needed_for

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence

    from batch_converter.config import Settings
    from batch_converter.output import OutputStore

_SOFTWARE: Final = f"batch-converter {version('batch-converter')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bag:
    """A bag that was made.

    Attributes:
        path: The folder, absolute.
        pdfs: How many PDFs are in it.
        payload_bytes: What they take.
        left_out: How many the ledger knows beside them.
    """

    path: Path
    pdfs: int
    payload_bytes: int
    left_out: int


def make_bag(
    folder: str | os.PathLike[str],
    settings: Settings,
    *,
    info: Sequence[tuple[str, str]] = (),
    on_left_out: Callable[[str, str], object] = lambda _output, _reason: None,
) -> Bag:
    """Copy the PDFs that the ledger knows as converted into a new BagIt bag; blocking.

    The folder is there when the bag is whole and on disk, and not before. A PDF that is
    missing, cannot be read or is not what the ledger recorded is left out, and so is one
    whose name no reader of bags would understand. Memory does not grow with the number of
    PDFs. A run may go on meanwhile.

    Args:
        folder: The bag; not there yet, or empty.
        settings: `output.dir` must be set.
        info: Labels and values for `bag-info.txt`, such as `("Source-Organization", "…")`.
        on_left_out: Told the path below the output folder of each PDF that is left out,
            and why.

    Raises:
        UsageError: The folder, a label or the ledger (LedgerError) cannot be used, or the
            ledger knows no PDF.
        OutputError: The bag cannot be written, or all PDFs would be left out.
        ServiceUnavailableError: The PDFs are in an object store that does not answer any more.
    """
    check_info(info)
    if is_object_address(os.fspath(folder)):
        raise UsageError(f"{folder} is an address; name a folder of this machine for the bag")
    with needed_for(folder):
        absolute = Path(folder).absolute()
    place, state = free_place(absolute), state_dir(settings)
    pdfs = open_output(settings, state=state, run_id="", threads=DiskThreads(1))
    with LedgerReader(state / LEDGER_NAME) as ledger:
        if not ledger.status().totals.converted:
            raise UsageError("the ledger knows no PDF as converted: there is nothing to bag")
        with appearing(place) as growing:
            making = _Making(place, growing, pdfs)
            with closing(making.add_payload(ledger.converted())) as left_out:
                for output, reason in left_out:
                    on_left_out(output, reason)
            making.finish(info)
    payload = making.payload
    return Bag(
        path=place,
        pdfs=payload.n_files,
        payload_bytes=payload.n_bytes,
        left_out=making.left_out,
    )


class _Making:
    def __init__(self, place: Path, growing: Path, pdfs: OutputStore) -> None:
        self.left_out = 0
        with writing(place):
            self.payload = Payload(growing)
        self._place = place
        self._bag = growing
        self._pdfs = pdfs
        self._version = RFC_VERSION
        self._tag_files: list[TagFile] = []

    def add_payload(
        self, converted: Iterable[tuple[str, str, int]]
    ) -> Generator[tuple[str, str], None, None]:
        """Copy the PDFs and write the manifest; yields what is left out, and why."""
        with writing(self._place), TagFile(self._bag / "manifest-sha256.txt") as manifest:
            for output, sha256, _ in converted:
                try:
                    self._add(output, sha256)
                except NotBaggedError as error:
                    self.left_out += 1
                    yield output, str(error)
                else:
                    manifest.write(f"{sha256}  {manifest_path(output)}\n")
            self.payload.end()
        self._tag_files.append(manifest)

    def _add(self, output: str, sha256: str) -> None:
        if (reason := obstacle(output)) is not None:
            raise NotBaggedError(reason)
        self.payload.add(output, self._pdfs, sha256)
        if version_for(output) == LITERAL_PERCENT_VERSION:
            self._version = LITERAL_PERCENT_VERSION

    def finish(self, info: Sequence[tuple[str, str]]) -> None:
        """Write the other tag files.

        Raises:
            OutputError: There is nothing in the bag.
        """
        if not self.payload.n_files:
            raise OutputError(
                f"{self._place} was not made: of the {self.left_out} PDFs that the ledger knows"
                f" none can be in it; see that {self._pdfs.location} is there, and its disk mounted"
            )
        encoding = "Tag-File-Character-Encoding: UTF-8"
        lines = info_lines(
            info,
            software=_SOFTWARE,
            day=SystemClock().now().date(),
            payload=(self.payload.n_bytes, self.payload.n_files),
        )
        with writing(self._place):
            self._write("bagit.txt", f"BagIt-Version: {self._version}\n{encoding}\n")
            self._write("bag-info.txt", lines)
            digests = "".join(f"{file.sha256}  {file.name}\n" for file in self._tag_files)
            self._write("tagmanifest-sha256.txt", digests)

    def _write(self, name: str, text: str) -> None:
        self._tag_files.append(write_tag_file(self._bag / name, text))
