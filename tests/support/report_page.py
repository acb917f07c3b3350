"""A run of any size as the HTML report is written from, and the page without its script."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any, Final

from batch_converter.errors import ErrorCode, ExitCode
from batch_converter.models import (
    ApiCalls,
    Failure,
    FileReport,
    FileStatus,
    Phase,
    Price,
    SettingInForce,
    Timeline,
    Totals,
)
from batch_converter.report import write_html_report
from tests.support.summaries import START, SUMMARY

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from batch_converter.models import RunSummary

STOPPED: Final = replace(
    SUMMARY,
    finished_at=START + timedelta(seconds=600),
    exit_code=ExitCode.STOPPED_EARLY,
    totals=Totals(found=4, converted=2, failed=1, remaining=1, with_warnings=3),
    api_calls=ApiCalls(token=1, submit=3, poll=1_004),
    causes=("the budget of 1,007 calls is spent",),
    settings=(
        SettingInForce(key="engine", value='"aspose"', is_default=False),
        SettingInForce(key="aspose.client_secret", value='"**********"', is_default=False),
        SettingInForce(key="retry.max_attempts", value="3", is_default=True),
    ),
)
HOSTILE: Final = "</script><img src=x onerror=alert(1)><!--\udcff\x1b\u202e\u2028&lt;"
"""A name that would be markup, or turn a line around, where it was not text alone."""

HOSTILE_TEXT: Final = r"</script><img src=x onerror=alert(1)><!--\udcff\x1b\u202e\u2028&lt;"
"""As it is shown."""


def converted(
    name: str, *, at_s: float = 60, waited_s: float = 8, polls: int = 1, mib: float = 1
) -> FileReport:
    """Return a file that was converted so long after the start of the run."""
    completed_at = START + timedelta(seconds=at_s)
    phases = (
        (Phase.QUEUED, 0.5),
        (Phase.UPLOADING, 1.25),
        (Phase.AT_SERVICE, waited_s - 1),
        (Phase.DOWNLOADING, 0.75),
        (Phase.CHECKING, 0.25),
    )
    lasted = timedelta(seconds=sum(seconds for _, seconds in phases))
    return FileReport(
        source=f"{name}.djvu",
        source_root="scans",
        output=f"{name}.pdf",
        status=FileStatus.CONVERTED,
        attempts=1,
        polls=polls,
        pages=12,
        bytes_in=int(mib * (1 << 20)),
        bytes_out=int(mib * (3 << 20)),
        submitted_at=completed_at - timedelta(seconds=waited_s),
        completed_at=completed_at,
        timeline=Timeline(began_at=completed_at - lasted, phases=phases),
    )


def embedded(name: str) -> FileReport:
    """Return a file that the embedded engine converted."""
    file = converted(name, polls=0)
    assert file.timeline is not None
    phases = ((Phase.QUEUED, 0.5), (Phase.CONVERTING, 8.0), (Phase.CHECKING, 0.25))
    return replace(file, timeline=replace(file.timeline, phases=phases))


def failed(
    name: str, *, code: ErrorCode = ErrorCode.NOT_DJVU, message: str = "no", at_s: float = 60
) -> FileReport:
    """Return a file that failed."""
    return FileReport(
        source=f"{name}.djvu",
        source_root="scans",
        output=None,
        status=FileStatus.FAILED,
        error=Failure(code=code, message=message),
        timeline=Timeline(
            began_at=START + timedelta(seconds=at_s), phases=((Phase.QUEUED, 0.125),)
        ),
    )


def left(name: str, status: FileStatus = FileStatus.REMAINING) -> FileReport:
    """Return a file that the run did not take up."""
    return FileReport(
        source=f"{name}.djvu", source_root="scans", output=f"{name}.pdf", status=status
    )


def summary_of(files: Sequence[FileReport]) -> RunSummary:
    """Return a run whose totals are those of the files."""
    count = {status: sum(file.status is status for file in files) for status in FileStatus}
    return replace(
        STOPPED,
        totals=Totals(
            found=len(files),
            converted=count[FileStatus.CONVERTED],
            skipped=count[FileStatus.SKIPPED],
            failed=count[FileStatus.FAILED],
            remaining=count[FileStatus.REMAINING],
            with_warnings=sum(bool(file.warnings) for file in files),
            bytes_in=sum(file.bytes_in for file in files),
            bytes_out=sum(file.bytes_out for file in files),
            pages=sum(file.pages or 0 for file in files),
        ),
    )


def write_page(
    path: Path, files: Sequence[FileReport], *, summary: RunSummary | None = None
) -> Path:
    """Write the report of these files."""
    write_html_report(path, summary or summary_of(files), lambda: iter(files), price=Price())
    return path


class ReportPage(HTMLParser):
    """What a browser makes of the page without running its script.

    Attributes:
        tags: Of all elements.
        links: What any element points to.
        listed: Cells of the lists of failures and warnings, by the label of the list.
        text: Of the page, without style, script and data.
        data: What the script reads.
    """

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.attributes: list[str] = []
        self.listed: dict[str, list[list[str]]] = {}
        self.text = ""
        self.data: dict[str, Any] = {}
        self._raw = ""
        self._inside = ""
        self._list: list[list[str]] | None = None
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Iterable[tuple[str, str | None]]) -> None:
        """Note the tag, what it points to, and where a list, a row or a cell begins."""
        attributes = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        self.attributes += attributes
        self.links += [attributes[name] for name in ("src", "href") if name in attributes]
        if tag in {"script", "style"}:
            self._inside, self._raw = attributes.get("id", tag), ""
        if attributes.get("class") == "listed":
            self._list = self.listed.setdefault(attributes["aria-label"], [])
        if self._list is not None and tag == "tr":
            self._list.append([])
        if self._list and tag in {"td", "th"}:
            self._list[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        """Note where a list or a script ends."""
        if tag == "table":
            self._list = None
        if tag in {"script", "style"}:
            if self._inside == "data":
                self.data = json.loads(self._raw)
            self._inside = ""

    def handle_data(self, data: str) -> None:
        """Add to the cell, to the text, or to the data."""
        if self._inside:
            self._raw += data
            return
        self.text += data
        if self._list and self._list[-1]:
            self._list[-1][-1] += data.strip()

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows of the data by the names of their columns."""
        columns = self.data["columns"]
        return [dict(zip(columns, row, strict=False)) for row in self.data["rows"]]

    def sources(self) -> list[str]:
        """Return the names of all files of the data."""
        return [row["source"] for row in self.rows()]
