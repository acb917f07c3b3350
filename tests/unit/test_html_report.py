"""The report for a browser, and the numbers behind its plots."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from batch_converter.errors import ErrorCode, ExitCode, OutputError
from batch_converter.models import (
    ApiCalls,
    Failure,
    FileReport,
    FileStatus,
    Price,
    Totals,
)
from batch_converter.report import html_report, write_html_report
from batch_converter.report.plot_data import TIMELINE_STEPS, collect
from tests.support.summaries import START, SUMMARY

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

STOPPED = replace(
    SUMMARY,
    finished_at=START + timedelta(seconds=600),
    exit_code=ExitCode.STOPPED_EARLY,
    totals=Totals(found=4, converted=2, failed=1, remaining=1, with_warnings=3),
    api_calls=ApiCalls(token=1, submit=3, poll=1_004),
)


def converted(name: str, *, at_s: float = 60, waited_s: float = 8, polls: int = 1) -> FileReport:
    """Return a file that was converted so long after the start of the run."""
    completed_at = START + timedelta(seconds=at_s)
    return FileReport(
        source=f"{name}.djvu",
        source_root="scans",
        output=f"{name}.pdf",
        status=FileStatus.CONVERTED,
        polls=polls,
        submitted_at=completed_at - timedelta(seconds=waited_s),
        completed_at=completed_at,
    )


def failed(name: str, *, code: ErrorCode = ErrorCode.NOT_DJVU, message: str = "no") -> FileReport:
    """Return a file that failed."""
    return FileReport(
        source=f"{name}.djvu",
        source_root="scans",
        output=None,
        status=FileStatus.FAILED,
        error=Failure(code=code, message=message),
    )


class Page(HTMLParser):
    """What a browser would show, and what it would be asked to fetch or run."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.rows: list[list[str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        """Note the tag, what it points to, and where a row or a cell begins."""
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in {"src", "href"}]
        if tag == "tr":
            self.rows.append([])
        elif tag in {"td", "th"}:
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        """Add to the cell."""
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data.strip()


def page_of(path: Path, *files: FileReport, price: Price | None = None) -> str:
    write_html_report(path, STOPPED, lambda: iter(files), price=price or Price())
    return path.read_text("utf-8")


def test_the_page_lists_files_in_trouble_first_and_needs_nothing_from_elsewhere(
    tmp_path: Path,
) -> None:
    text = page_of(tmp_path / "r.html", converted("a"), failed("b"), converted("c"))
    page = Page(text)
    assert [row[1] for row in page.rows] == ["source", "b.djvu", "a.djvu", "c.djvu"]
    assert page.rows[1][-1] == "not_djvu: no"
    assert page.links == []
    assert "script" not in page.tags
    assert "http" not in re.sub(r'http-equiv="', "", text)
    assert text.endswith("</html>\n")


def test_files_with_warnings_are_among_those_in_trouble_and_never_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(html_report, "MOST_GOOD_FILES", 2)
    good = [converted(f"good{number}") for number in range(4)]
    warned = [replace(converted(f"warned{number}"), warnings=("so it is",)) for number in range(3)]

    text = page_of(tmp_path / "r.html", *good, failed("b"), *warned)

    names = [row[1].removesuffix(".djvu") for row in Page(text).rows[1:]]
    assert names == ["b", "warned0", "warned1", "warned2", "good0", "good1"]
    assert "And 2 more" in text
    assert "<b>3</b>with warnings" in text


def test_the_page_tells_the_run_and_its_cost(tmp_path: Path) -> None:
    text = page_of(tmp_path / "r.html", price=Price(per_call=0.01, currency="EUR"))
    for words in ("Converted 2 of 4 files", "exit code 4", "Stopped early", "1,007", "10.07 EUR"):
        assert words in text
    assert "10.07" not in page_of(tmp_path / "free.html")


def test_no_name_and_no_message_of_a_service_becomes_markup(tmp_path: Path) -> None:
    hostile = "<script>alert(1)</script>\udcff\x1b\u202e"
    text = page_of(
        tmp_path / "r.html",
        replace(converted(hostile), warnings=(hostile,), source_root=hostile),
        failed(hostile, message=hostile),
    )
    page = Page(text)
    assert "script" not in page.tags
    assert page.rows[1][1] == r"<script>alert(1)</script>\udcff\x1b\u202e.djvu"
    assert text.isprintable() or set(text) - {"\n"} == {c for c in text if c.isprintable()}


def test_a_browser_is_spared_what_it_could_not_bear(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(html_report, "MOST_GOOD_FILES", 1)
    text = page_of(tmp_path / "r.html", converted("a"), converted("b"), failed("c"), failed("d"))
    assert [row[1] for row in Page(text).rows[1:]] == ["c.djvu", "d.djvu", "a.djvu"]
    assert "And 1 more" in text


def test_a_page_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot write the HTML report"):
        page_of(tmp_path / "file" / "r.html")


def test_the_timeline_counts_pdfs_up_to_the_end_of_the_run() -> None:
    files = [converted("a", at_s=0), converted("b", at_s=301), converted("c", at_s=600)]
    timeline = collect(STOPPED, files).timeline
    assert len(timeline) == TIMELINE_STEPS
    assert (timeline[0], timeline[29], timeline[30], timeline[-1]) == (1, 1, 2, 3)


def test_the_bars_count_waits_questions_and_failures() -> None:
    figures = collect(
        STOPPED,
        [
            *(converted("a", waited_s=waited_s) for waited_s in (0.5, 4.9, 5, 9.9)),
            converted("b", waited_s=90_000, polls=9),
            failed("c"),
            *(failed("d", code=ErrorCode.TIMEOUT) for _ in range(2)),
        ],
    )
    waits = [(bar.label, bar.count) for bar in figures.waits]
    assert waits[:4] == [("< 1 s", 1), ("1 s to 2 s", 0), ("2 s to 5 s", 1), ("5 s to 10 s", 2)]
    assert waits[-1] == ("> 4 h 0 min", 1)
    polls = [(bar.label, bar.count) for bar in figures.polls]
    assert polls == [("1", 4), ("2", 0), ("3", 0), ("4", 0), ("5", 0), ("6 or more", 1)]
    assert [(bar.label, bar.count) for bar in figures.failures] == [("timeout", 2), ("not_djvu", 1)]


def test_a_run_without_files_and_an_engine_that_is_not_asked_have_no_plots(tmp_path: Path) -> None:
    nothing = collect(STOPPED, [])
    assert not any((nothing.timeline, nothing.waits, nothing.polls, nothing.failures))
    assert not collect(STOPPED, [converted("a", polls=0)]).polls
    assert "<svg" not in page_of(tmp_path / "r.html")


def test_a_run_that_goes_on_has_a_page_without_a_timeline(tmp_path: Path) -> None:
    going_on = replace(STOPPED, finished_at=None, exit_code=None)
    path = tmp_path / "r.html"
    write_html_report(path, going_on, lambda: [converted("a")], price=Price())
    text = path.read_text()
    assert "PDFs over time" not in text
    assert "exit code" not in text
