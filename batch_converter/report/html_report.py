"""The report as one page for a browser: no script, nothing from elsewhere.

Written piece by piece. Files in trouble, or with warnings, are all listed; of the others
as many as a browser bears, since the JSON report has them all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from batch_converter.logs import printable
from batch_converter.models import FileStatus
from batch_converter.report.atomic_writer import replacing
from batch_converter.report.formatting import cost, pluralized, size
from batch_converter.report.human import ending, headline
from batch_converter.report.json_report import moment_text
from batch_converter.report.plot_data import collect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from batch_converter.models import FileReport, Price, RunSummary

MOST_GOOD_FILES: Final = 5_000
_IN_TROUBLE: Final = frozenset({FileStatus.FAILED, FileStatus.REMAINING})
_FLUSH_PIECES: Final = 500


def write_html_report(
    path: Path,
    summary: RunSummary,
    files: Callable[[], Iterable[FileReport]],
    *,
    price: Price,
) -> None:
    """Write the page; it appears whole, on disk, or not at all.

    Args:
        path: Where it goes; missing folders are made.
        summary: The run.
        files: Gives what it did with each file, one at a time; called three times.
        price: Of a billed call.

    Raises:
        OutputError: It cannot be written.
    """
    listing = _Listing(files)
    page = _environment().get_template("report.html.jinja")
    stream = page.stream(
        summary=summary,
        headline=headline(summary),
        ending=ending(summary),
        cost=cost(summary.api_calls, price),
        figures=collect(summary, files()),
        listing=listing,
    )
    stream.enable_buffering(_FLUSH_PIECES)
    with replacing(path, "HTML report") as out:
        for piece in stream:
            out.write(piece.encode())


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("batch_converter.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "pluralized": pluralized,
        "moment": moment_text,
        "printable": printable,
        "size": size,
    }
    return environment


class _Listing:
    """The rows of the table; iterated once, and after that it knows what it has left out."""

    def __init__(self, files: Callable[[], Iterable[FileReport]]) -> None:
        self._files = files
        self.left_out = 0

    def __iter__(self) -> Iterator[FileReport]:
        yield from filter(_is_notable, self._files())
        good = 0
        for file in self._files():
            if not _is_notable(file):
                good += 1
                if good <= MOST_GOOD_FILES:
                    yield file
        self.left_out = max(0, good - MOST_GOOD_FILES)


def _is_notable(file: FileReport) -> bool:
    return file.status in _IN_TROUBLE or bool(file.warnings)
