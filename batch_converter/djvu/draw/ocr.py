"""Text for documents that have none: OCRmyPDF with tesseract, in a child process."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from pikepdf import Array, Dictionary, Name, Pdf, Stream

from batch_converter.djvu.jobs.part_files import text_name
from batch_converter.errors import EngineError, OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pikepdf import Page

_OPTIONS: Final = ("--skip-text", "--output-type", "pdf", "--optimize", "0", "--jobs", "1", "-q")
_SCRATCH_BYTES: Final = 64 << 20
"""OCRmyPDF keeps a page as an uncompressed picture, or two."""

_MAKESHIFT_NAME: Final = "/OCR-"


def recognise(path: str | os.PathLike[str], languages: str) -> None:
    """Add a hidden text layer to each page of a PDF, in place; blocking, seconds a page.

    Raises:
        EngineError: OCRmyPDF failed.
        OutputError: The file beside it cannot be written.
    """
    target = text_name(path)
    command = [sys.executable, "-P", "-m", "ocrmypdf", "-l", languages, *_OPTIONS]
    try:
        done = subprocess.run(  # noqa: S603  # our own interpreter
            [*command, path, target],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "OMP_THREAD_LIMIT": "1"},
            check=False,
        )
        if done.returncode != 0:
            _refuse_full_disks(os.path.dirname(target) or os.curdir)  # noqa: PTH120  # surrogates
            raise EngineError(f"OCRmyPDF failed with status {done.returncode}")
        os.replace(target, path)  # noqa: PTH105  # surrogates and PathLike alike
    finally:
        with suppress(OSError):
            os.unlink(target)  # noqa: PTH108  # a path as str, its bytes kept


def _refuse_full_disks(folder: str) -> None:
    """Take the blame off a document where a full disk may have stopped its recognition.

    OCRmyPDF's status tells nothing of that.

    Raises:
        OutputError: There is hardly room in the folder of the PDF or in the temporary one.
    """
    for place in (folder, os.environ.get("TMPDIR") or "/tmp"):  # noqa: S108  # as OCRmyPDF has it
        with suppress(OSError):
            status = os.statvfs(place)
            if status.f_bavail * status.f_frsize < _SCRATCH_BYTES:
                lack = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                raise OutputError(f"text recognition needs room in {place}") from lack


def settle_names(pdf: Pdf) -> None:
    """Give OCRmyPDF's text layers names that are the same in each run; its own are random."""
    for page in pdf.pages:
        objects = page.Resources.get("/XObject", Dictionary())
        makeshift = sorted(str(n) for n in objects if str(n).startswith(_MAKESHIFT_NAME))
        for number, name in enumerate(makeshift):
            _rename(pdf, page, name, f"/OCR{number}")


def _rename(pdf: Pdf, page: Page, old: str, new: str) -> None:
    objects = page.Resources.XObject
    objects[new] = objects[old]
    del objects[old]
    content = b"\n".join(_contents(page)).replace(old.encode("ascii"), new.encode("ascii"))
    page.obj.Contents = pdf.make_indirect(Stream(pdf, content))


def _contents(page: Page) -> Iterator[bytes]:
    contents = page.obj.Contents
    for stream in contents if isinstance(contents, Array) else [contents]:
        yield stream.read_bytes()


def forget_origin(pdf: Pdf) -> None:
    """Drop what OCRmyPDF tells of itself and of the time."""
    if "/Info" in pdf.trailer:
        del pdf.trailer["/Info"]
    pdf.trailer.Info = pdf.make_indirect(Dictionary())
    for key in (Name.Metadata, Name.Lang, Name.ViewerPreferences):
        if key in pdf.Root:
            del pdf.Root[key]
