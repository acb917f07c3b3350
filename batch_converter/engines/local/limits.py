"""Bounds of one document, for a service that takes them from anybody."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from batch_converter.djvu.jobs.parts import SPARE_BYTES_A_PART
from batch_converter.errors import EngineError, TooLargeError
from batch_converter.machine_limits import inherited_file_bytes

if TYPE_CHECKING:
    from batch_converter.errors import FileError

_UNITS: Final = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentLimits:
    """What one document may cost; 0 is no limit. The keys are those of `[serve]`.

    Attributes:
        max_pages: Pages, by its headers (`serve.max_pages`).
        max_pdf_bytes: Length of its PDF, and about that of all its parts on the way
            (`serve.max_pdf_bytes`).
        max_seconds: Time that workers spend on it, all together; time in which it waits
            for others does not count (`serve.max_document_s`).
    """

    max_pages: int = 0
    max_pdf_bytes: int = 0
    max_seconds: float = 0

    def check_pages(self, pages: int) -> None:
        """Refuse a document that has too many.

        Raises:
            TooLargeError: It has more than `max_pages`.
        """
        if 0 < self.max_pages < pages:
            raise TooLargeError(
                f"it has {pages} pages, more than the {self.max_pages} that serve.max_pages allows"
            )

    def check_parts(self, count: int, size_bytes: int) -> None:
        """Refuse a document whose parts are too long already.

        Raises:
            TooLargeError: So many parts of that length, with what each has to spare, make
                more than `max_pdf_bytes`.
        """
        if 0 < self.max_pdf_bytes < size_bytes - count * SPARE_BYTES_A_PART:
            raise self._pdf_too_long()

    def blamed(self, error: FileError) -> FileError:
        """Return what an error of the disk means: the PDF's length may be what is wrong."""
        cause = error.__cause__
        if not (self.max_pdf_bytes and isinstance(cause, OSError) and cause.errno == errno.EFBIG):
            return error
        inherited_bytes = inherited_file_bytes()
        if inherited_bytes is not None and inherited_bytes < self.max_pdf_bytes:
            return error  # the limit that was met is none of ours
        return self._pdf_too_long()

    def _pdf_too_long(self) -> TooLargeError:
        return TooLargeError(
            f"its PDF would be longer than the {_size(self.max_pdf_bytes)} that"
            " serve.max_pdf_bytes allows"
        )

    def took_too_long(self) -> EngineError:
        """Return the error of a document that workers have spent `max_seconds` on."""
        return EngineError(
            f"its conversion took more than the {self.max_seconds:g} seconds of work that"
            " serve.max_document_s allows"
        )


NO_LIMITS: Final = DocumentLimits()


def _size(count: int) -> str:
    for unit, name in _UNITS:
        if count >= unit and count % unit == 0:
            return f"{count // unit} {name}"
    return f"{count} bytes"
