"""The report's files as CSV, for spreadsheets and for tools that read tables (RFC 4180)."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, BinaryIO

from batch_converter.report.atomic_writer import replacing
from batch_converter.report.json_report import FILE_FIELDS, file_fields

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from batch_converter.models import FileReport


def write_csv_report(path: Path, files: Iterable[FileReport]) -> None:
    r"""Write a head and one row a file; it appears whole, on disk, or not at all.

    The head has the names of the JSON report, in its order. A cell is what stands there:
    text as it is, nothing for null and for an empty list, other lists and objects as
    JSON. Nothing is put in front of a name that a spreadsheet takes for a formula: the
    cells would not be the names of the files any more.

    The text is UTF-8 without a byte order mark. Of a name that is not UTF-8 the odd bytes
    stand as in the JSON report, `\udcff`.

    Args:
        path: Where it goes; missing folders are made.
        files: What a run did with each file, taken one at a time.

    Raises:
        OutputError: It cannot be written.
    """
    with replacing(path, "CSV report") as out:
        writer = csv.writer(_Utf8(out), dialect="excel")  # CRLF, quotes where needed, doubled
        writer.writerow(FILE_FIELDS)
        writer.writerows(map(_row, files))


class _Utf8:
    """Writes text into a file of bytes, as `csv` wants it; it does not own the file."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out

    def write(self, text: str) -> int:
        return self._out.write(text.encode("utf-8", "backslashreplace"))


def _row(file: FileReport) -> list[object]:
    return [_cell(value) for value in file_fields(file).values()]


def _cell(value: object) -> object:
    if isinstance(value, tuple | list | dict):
        return json.dumps(value, ensure_ascii=False) if value else None
    return value
