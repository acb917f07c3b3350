"""The report for a browser: what stands in it, without its script."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from batch_converter.errors import ErrorCode, ExitCode, OutputError
from batch_converter.models import FileStatus, Price, ShardRun, Totals
from batch_converter.report import page_data, trouble_lists, write_html_report
from tests.support.report_page import (
    HOSTILE,
    HOSTILE_TEXT,
    STOPPED,
    ReportPage,
    converted,
    failed,
    left,
    write_page,
)

if TYPE_CHECKING:
    from pathlib import Path

    from batch_converter.models import FileReport

MEGABYTE = 1_000_000


def page_of(path: Path, *files: FileReport) -> ReportPage:
    return ReportPage(write_page(path, files).read_text("utf-8"))


def test_the_page_needs_nothing_from_elsewhere_and_obeys_its_own_script_alone(
    tmp_path: Path,
) -> None:
    text = write_page(tmp_path / "r.html", [converted("a"), failed("b")]).read_text("utf-8")
    page = ReportPage(text)
    assert all(link.startswith("#") for link in page.links)
    assert "http" not in re.sub(
        r'http-equiv="|"http://www\.w3\.org/2000/svg"|/\^https\?:/', "", text
    )
    assert "style" not in page.attributes
    assert not [name for name in page.attributes if name.startswith("on")]
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
    allowed = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert allowed["default-src"] == allowed["base-uri"] == allowed["form-action"] == "'none'"
    for kind, element in (("script-src", "<script>"), ("style-src", "<style>")):
        (inline,) = re.findall(rf"{element}(.*?)</", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
        assert allowed[kind] == f"'sha256-{digest}'"
    assert text.endswith("</html>\n")


def test_failures_stand_by_code_with_what_to_do_and_need_no_script(tmp_path: Path) -> None:
    page = page_of(
        tmp_path / "r.html",
        converted("a"),
        failed("b"),
        *(failed(name, code=ErrorCode.TIMEOUT, message="too long") for name in "cd"),
        replace(converted("e"), warnings=("page 2 is blank", "and odd")),
    )
    assert page.listed == {
        "failures with timeout": [
            ["document", "what was said"],
            ["c.djvu", "too long"],
            ["d.djvu", "too long"],
        ],
        "failures with not_djvu": [["document", "what was said"], ["b.djvu", "no"]],
        "files with warnings": [
            ["document", "what was said"],
            ["e.djvu", "page 2 is blank; and odd"],
        ],
    }
    for words in ("2 failures: timeout", "raise --task-timeout.", "Open it in a DjVu viewer"):
        assert words in page.text


def test_files_in_trouble_come_first_and_are_never_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_data, "MOST_GOOD_FILES", 2)
    monkeypatch.setattr(trouble_lists, "MOST_LISTED", 4)
    good = [converted(f"good{number}") for number in range(4)]
    warned = [replace(converted(f"warned{number}"), warnings=("so it is",)) for number in range(5)]
    lost = [failed(f"lost{number}", code=ErrorCode.TIMEOUT) for number in range(3)]
    page = page_of(tmp_path / "r.html", *good, failed("bad"), *lost, *warned, left("later"))
    assert page.sources() == [
        "bad.djvu",
        *(file.source for file in (*lost, *warned)),
        "later.djvu",
        "good0.djvu",
        "good1.djvu",
    ]
    assert "And 2 more that are converted or up to date" in page.text
    assert [len(rows) - 1 for rows in page.listed.values()] == [2, 1, 4]
    assert page.text.count("And 1 more; the table below has all of them") == 2


def test_the_page_says_how_the_run_ended_why_and_what_now(tmp_path: Path) -> None:
    page = ReportPage(write_page(tmp_path / "r.html", [], summary=STOPPED).read_text("utf-8"))
    for words in (
        "Converted 2 of 4 files in 10 min 0 s",
        "Exit code 4: Stopped early",
        "the same command goes on from here",
        "Cause: the budget of 1,007 calls is spent",
        "2024-05-01 12:00:00 UTC",
        "2024-05-01 12:10:00 UTC",
        "1,007",
        "3 submit, 1,004 poll",
        "1 upload got no answer",
    ):
        assert words in page.text


def test_the_cost_is_told_where_a_call_has_a_price(tmp_path: Path) -> None:
    path = tmp_path / "r.html"
    write_html_report(path, STOPPED, lambda: iter(()), price=Price(per_call=0.01, currency="EUR"))
    assert "10.07 EUR" in path.read_text("utf-8")
    assert "10.07" not in write_page(path, [], summary=STOPPED).read_text("utf-8")


def test_the_settings_of_the_run_are_told(tmp_path: Path) -> None:
    path = tmp_path / "r.html"
    page = ReportPage(write_page(path, [], summary=STOPPED).read_text("utf-8"))
    changed, usual = page.text.split("that were the defaults", 1)
    assert 'engine"aspose"' in re.sub(r"\s", "", changed)
    assert "**********" in changed
    assert "retry.max_attempts" in usual
    older = replace(STOPPED, settings=())
    assert "an earlier version made this run" in write_page(path, [], summary=older).read_text()


@pytest.mark.parametrize("where", ["source", "output", "message", "warning", "root", "task"])
def test_no_name_and_no_message_becomes_markup(tmp_path: Path, where: str) -> None:
    """Neither in the page nor in the data that its script reads."""
    good, bad = converted("a"), failed("b")
    good, bad = {
        "source": (replace(good, source=HOSTILE), replace(bad, source=HOSTILE)),
        "output": (replace(good, output=HOSTILE), bad),
        "message": (good, failed("b", message=HOSTILE)),
        "warning": (replace(good, warnings=(HOSTILE,)), replace(bad, warnings=(HOSTILE,))),
        "root": (replace(good, source_root=HOSTILE), replace(bad, source_root=HOSTILE)),
        "task": (good, replace(bad, task_id=HOSTILE)),
    }[where]
    plain = page_of(tmp_path / "plain.html", converted("a"), failed("b"))
    text = write_page(tmp_path / "r.html", [good, bad]).read_text("utf-8")
    page = ReportPage(text)
    assert set(page.tags) == set(plain.tags)
    assert set(page.attributes) == set(plain.attributes)
    assert {char for char in text if not char.isprintable()} <= {"\n", "\N{NO-BREAK SPACE}"}
    told = [value for row in page.rows() for value in row.values()]
    told += [warning for value in told if isinstance(value, list) for warning in value]
    assert HOSTILE_TEXT in [*told, *page.data["roots"]]


def test_names_of_any_script_stand_as_they_are(tmp_path: Path) -> None:
    page = page_of(tmp_path / "r.html", converted("Журналы/ספר"), failed("紙/Ördög & Söhne"))
    assert page.sources() == ["紙/Ördög & Söhne.djvu", "Журналы/ספר.djvu"]
    assert page.listed["failures with not_djvu"][1][0] == "紙/Ördög & Söhne.djvu"


@pytest.mark.parametrize(
    ("source", "output", "told"),
    [
        ("a/b.djvu", "a/b.pdf", 5),
        ("b.DJV", "b.pdf", 4),
        ("b.djvu", "b.djvu.pdf", 0),
        ("b.djvu", "b~2.pdf", "b~2.pdf"),
        ("b.djvu", "b.PDF", "b.PDF"),
        ("b.ДЖ", "b.pdf", "b.pdf"),
    ],
)
def test_an_output_is_told_by_what_it_cuts_off_its_source(
    tmp_path: Path, source: str, output: str, told: int | str
) -> None:
    page = page_of(tmp_path / "r.html", replace(converted("x"), source=source, output=output))
    assert page.rows()[0]["output"] == told


def test_a_timeline_is_milliseconds_from_the_start_of_the_run(tmp_path: Path) -> None:
    page = page_of(tmp_path / "r.html", converted("a", at_s=60, waited_s=8), left("b"))
    later, done = page.rows()
    assert "timeline" not in later
    began_ms, *phases = done["timeline"]
    assert began_ms == 60_000 - sum(phases[1::2])
    names = [page.data["phases"][number][0] for number in phases[::2]]
    assert dict(zip(names, phases[1::2], strict=True)) == {
        "queued": 500,
        "uploading": 1_250,
        "at_service": 7_000,
        "downloading": 750,
        "checking": 250,
    }


def test_ten_thousand_documents_take_less_than_five_megabytes(tmp_path: Path) -> None:
    """With long names of two bytes a letter, and every tenth in trouble."""
    folder = "Архив/Письма и рукописи девятнадцатого века/Коробка 12/"
    files = [converted(f"{folder}лист {number:05}", polls=3) for number in range(10_000)]
    files[::10] = [
        failed(f"{folder}{number:05}", message="so it is " * 20) for number in range(1_000)
    ]
    files[5::100] = [replace(files[5], warnings=("page 2 is blank: " * 5,))] * 100
    size = write_page(tmp_path / "r.html", files).stat().st_size
    assert 1 * MEGABYTE < size < 5 * MEGABYTE


def test_a_page_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot write the HTML report"):
        write_page(tmp_path / "file" / "r.html", [])


def test_a_run_that_goes_on_and_one_that_found_nothing_have_a_page(tmp_path: Path) -> None:
    going_on = replace(STOPPED, finished_at=None, exit_code=None, causes=())
    text = write_page(tmp_path / "r.html", [converted("a")], summary=going_on).read_text()
    assert "No exit code: it goes on, or it died" in text
    nothing = replace(STOPPED, exit_code=ExitCode.OK, totals=Totals(), causes=())
    page = ReportPage(write_page(tmp_path / "r.html", [], summary=nothing).read_text())
    assert "Exit code 0: there was nothing to do." in page.text
    assert "How it went" not in page.text
    assert page.rows() == []


def test_files_that_an_earlier_version_recorded_have_no_timeline(tmp_path: Path) -> None:
    older = [replace(converted("a"), timeline=None), replace(failed("b"), timeline=None)]
    page = page_of(tmp_path / "r.html", *older, left("c", FileStatus.SKIPPED))
    assert page.sources() == ["b.djvu", "a.djvu", "c.djvu"]
    assert "Where the time went" not in page.text
    assert "From submission to PDF" in page.text


def test_a_merged_report_tells_of_each_shard(tmp_path: Path) -> None:
    shards = tuple(
        ShardRun(
            state_dir=f"/state/{number}<b>",
            summary=replace(STOPPED, run_id=f"run-{number}", exit_code=code),
        )
        for number, code in ((1, ExitCode.OK), (2, None))
    )
    merged = replace(STOPPED, settings=(), shards=shards, exit_code=ExitCode.STOPPED_EARLY)
    page = ReportPage(write_page(tmp_path / "r.html", [], summary=merged).read_text())
    for words in ("/state/1<b>run-10", "/state/2<b>run-2none", "each shard's own command goes on"):
        assert words in page.text
    assert page.text.count("retry.max_attempts") == 2
    assert "earlier version" not in page.text
