"""The HTML report in a browser: from a file, without a network, for everybody."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from batch_converter.errors import ErrorCode
from batch_converter.models import FileStatus, ShardRun
from tests.browser.test_accessibility import report, sideways_px
from tests.support.report_page import (
    HOSTILE,
    HOSTILE_TEXT,
    converted,
    failed,
    left,
    summary_of,
    write_page,
)

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Locator, Page

    from batch_converter.models import FileReport

pytestmark = pytest.mark.slow  # a browser

AT_ONCE, ON_PAPER = 100, 200
GOOD = 240


def many() -> list[FileReport]:
    """Return more files than are shown at once, of every kind."""
    names = [f"Letters/{number}" for number in range(GOOD)]
    sizes = [1 + number * 37 % 101 for number in range(GOOD)]
    good = [
        converted(name, mib=size, at_s=9 + size) for name, size in zip(names, sizes, strict=True)
    ]
    return [
        *good,
        failed("Maps/cut"),
        failed("Maps/slow", code=ErrorCode.TIMEOUT, message="still Processing"),
        replace(converted("Karten/Ördög"), warnings=("page 2 is blank", "and odd")),
        left("later"),
        left("done", FileStatus.SKIPPED),
    ]


ROOTS = (
    ("/scans/in", "a/1.djvu", "/scans/in/a/1.djvu"),
    ("/scans/in/", "2.djvu", "/scans/in/2.djvu"),
    ("/scans/3.djvu", "3.djvu", "/scans/3.djvu"),
    ("4.djvu", "4.djvu", "4.djvu"),
    ("44.djvu", "5.djvu", "44.djvu/5.djvu"),
    ("https://example.org/6%20b.djvu", "6 b.djvu", "https://example.org/6%20b.djvu"),
)
"""Sources as they were named, files below them, and where those are told to be."""


class Report:
    """The page as its reader sees it."""

    def __init__(self, tab: Page, path: Path) -> None:
        self.tab = tab
        tab.goto(path.as_uri())

    def names(self) -> list[str]:
        """Return the names of the rows."""
        return self.tab.locator("#table button.name").all_inner_texts()

    def head(self, name: str) -> Locator:
        """Return the button of a column."""
        return self.tab.locator("#table thead").get_by_role("button", name=name, exact=True)

    def counted(self) -> Locator:
        """Return what is said of the number of rows."""
        return self.tab.locator("#counted")


@pytest.fixture(scope="module", autouse=True)
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write all pages before the browser starts: while it runs nothing may block."""
    folder = tmp_path_factory.mktemp("pages")
    hostile = [
        replace(converted("a"), source=HOSTILE, output=HOSTILE, warnings=(HOSTILE,)),
        failed("b", message=HOSTILE),
        left(HOSTILE),
    ]
    write_page(folder / "many.html", many())
    write_page(folder / "hostile.html", [*many()[GOOD - 5 :], *hostile])
    huge = [converted(f"folder/{number:05}", mib=1 + number % 7) for number in range(10_000)]
    write_page(folder / "huge.html", huge)
    named = [replace(converted(one), source=one, source_root=root) for root, one, _ in ROOTS]
    write_page(folder / "named.html", named)
    long = [converted("a/b", waited_s=47_000), failed("c")]
    part = ShardRun(state_dir=f"/mnt/{'machine' * 12}/1", summary=summary_of(long))
    write_page(folder / "long.html", long, summary=replace(summary_of(long), shards=(part, part)))
    return folder


@pytest.fixture
def shown(page: Page, pages: Path) -> Report:
    return Report(page, pages / "many.html")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_axe_finds_nothing_and_nothing_is_asked_for(
    browser: Browser, pages: Path, width: int, scheme: str
) -> None:
    """With a document opened, a failure listed, and names that would be markup."""
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    tab = context.new_page()
    asked, said = [], []
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    path = pages / "hostile.html"
    Report(tab, path)
    tab.locator("#table button.name", has_text=HOSTILE_TEXT).first.click()
    expect(tab.locator("#table tr.more")).to_contain_text(HOSTILE_TEXT)
    tab.get_by_text("As a table").click()
    tab.get_by_text("that were the defaults").click()
    assert asked == [path.as_uri()]
    assert said == []
    assert report(tab) == ""
    assert sideways_px(tab) == 0
    assert tab.locator("#table img").count() == 0
    context.close()


def test_a_document_is_told_where_it_is_also_where_the_file_itself_was_named(
    page: Page, pages: Path
) -> None:
    shown = Report(page, pages / "named.html")
    for _, name, place in ROOTS:
        shown.tab.locator("#table button.name", has_text=name).click()
        told = shown.tab.locator("#table tr.more", has_text=place).locator("dd").first
        expect(told).to_have_text(place)


def test_an_opened_document_and_long_times_take_nothing_from_the_others_room(
    page: Page, pages: Path
) -> None:
    """Where columns are left out, too: a cell across more than are shown would make new ones."""
    shown = Report(page, pages / "long.html")
    name = page.locator("#table tbody th.source")
    wide_px = "element => element.offsetWidth"
    for width, columns in ((1280, 9), (900, 6), (360, 1)):
        page.set_viewport_size({"width": width, "height": 900})
        before = name.last.evaluate(wide_px)
        page.locator("#table button.name").first.click()
        assert name.last.evaluate(wide_px) == before, width
        expect(page.locator("#table tr.more > td")).to_have_attribute("colspan", str(columns))
        page.locator("#table button.name").first.click()
    page.locator("#table button.name").first.click()
    for width, columns in ((1280, 9), (360, 1)):
        page.set_viewport_size({"width": width, "height": 900})
        expect(page.locator("#table tr.more > td")).to_have_attribute("colspan", str(columns))
    shards = page.get_by_label("Runs of the shards")
    assert shards.locator("tbody th").first.evaluate(wide_px) == shards.evaluate(wide_px)
    hidden_px = "element => element.scrollWidth - element.clientWidth"
    for area in page.locator(".scroll:visible").all():
        assert area.evaluate(hidden_px) == 0
    shown.tab.get_by_label("Search").fill("nothing is like that")
    expect(page.locator("#table tr.none td")).to_have_attribute("colspan", "1")


def test_what_is_to_be_looked_at_comes_first(shown: Report) -> None:
    assert shown.names()[:5] == [
        "Maps/cut.djvu",
        "Maps/slow.djvu",
        "Karten/Ördög.djvu",
        "later.djvu",
        "Letters/0.djvu",
    ]
    expect(shown.counted()).to_have_text(f"{GOOD + 5} documents")


def test_a_column_sorts_one_way_and_then_the_other(shown: Report) -> None:
    column = shown.tab.locator("#table th.in").first
    shown.head("DjVu").click()
    expect(column).to_have_attribute("aria-sort", "descending")
    largest = shown.names()
    shown.head("DjVu").press("Enter")
    expect(column).to_have_attribute("aria-sort", "ascending")
    assert largest[0] != shown.names()[0]
    assert shown.tab.locator("#table td.in").first.inner_text() == "1.0 MiB"
    shown.head("Document").click()
    expect(shown.tab.locator("#table th[aria-sort]")).to_have_count(1)
    assert shown.names()[:4] == [
        "done.djvu",
        "Karten/Ördög.djvu",
        "later.djvu",
        "Letters/0.djvu",
    ]
    assert shown.names()[4:6] == ["Letters/1.djvu", "Letters/2.djvu"]  # not 10 before 2
    shown.tab.get_by_label("Sort by").select_option(label="largest DjVu")
    assert shown.names() == largest


def test_what_is_not_known_comes_last_either_way(shown: Report) -> None:
    shown.tab.get_by_label("Show").select_option(value="code:not_djvu")
    expect(shown.counted()).to_contain_text("1 of")
    shown.tab.get_by_label("Show").select_option(value="")
    for _ in range(2):
        shown.head("Took").click()
        assert "later.djvu" not in shown.names()
    shown.tab.get_by_label("Search").fill("later")
    assert shown.names() == ["later.djvu"]


def test_words_are_found_in_names_and_in_what_was_said(shown: Report) -> None:
    for words, names in (
        ("ordog", ["Karten/Ördög.djvu"]),
        ("O\u0308RDO\u0308G karten", ["Karten/Ördög.djvu"]),
        ("still processing", ["Maps/slow.djvu"]),
        ("timeout", ["Maps/slow.djvu"]),
        ("page 2 is blank", ["Karten/Ördög.djvu"]),
        ("maps", ["Maps/cut.djvu", "Maps/slow.djvu"]),
        ("<b>", []),
        (".*", []),
    ):
        shown.tab.get_by_label("Search").fill(words)
        assert shown.names() == names, words
        expect(shown.counted()).to_have_text(f"{len(names)} of {GOOD + 5} documents")


def test_files_are_shown_by_what_became_of_them(shown: Report) -> None:
    options = shown.tab.get_by_label("Show").locator("option").all_inner_texts()
    assert options == [
        "all",
        "failed (2)",
        "remaining (1)",
        f"converted ({GOOD + 1})",
        "up to date (1)",
        "with warnings (1)",
        "not_djvu (1)",
        "timeout (1)",
    ]
    for label, names in (
        ("timeout (1)", ["Maps/slow.djvu"]),
        ("with warnings (1)", ["Karten/Ördög.djvu"]),
        ("up to date (1)", ["done.djvu"]),
    ):
        shown.tab.get_by_label("Show").select_option(label=label)
        assert shown.names() == names
    assert "up to date" in shown.tab.locator("#table tbody tr").first.inner_text()


def test_a_name_opens_all_that_is_known_of_it(shown: Report) -> None:
    shown.tab.get_by_label("Search").fill("ordog")
    name = shown.tab.locator("#table button.name").first
    name.focus()
    shown.tab.keyboard.press("Enter")
    expect(name).to_have_attribute("aria-expanded", "true")
    more = shown.tab.locator("#table tr.more")
    for words in ("page 2 is blank", "and odd", "scans/Karten/Ördög.djvu", "Karten/Ördög.pdf"):
        expect(more).to_contain_text(words)
    rows = [row.all_inner_texts() for row in map(cells, more.locator("tbody tr").all())]
    assert [row[0] for row in rows] == [
        "queued",
        "uploading",
        "at the service",
        "downloading",
        "checking",
    ]
    assert [row[2] for row in rows] == ["0.50 s", "1.3 s", "7.0 s", "0.75 s", "0.25 s"]
    assert rows[-1][1] == "12:00:59"  # UTC, wherever the browser is
    shown.tab.keyboard.press("Enter")
    expect(more).to_have_count(0)
    expect(name).to_be_focused()


def cells(row: Locator) -> Locator:
    return row.locator("th, td")


def test_a_timeline_has_its_words_and_an_axis(shown: Report) -> None:
    shown.tab.get_by_label("Search").fill("ordog")
    drawn = shown.tab.locator("#table td.time").get_by_role("img")
    expect(drawn).to_have_attribute(
        "aria-label",
        "queued 0.50 s, uploading 1.3 s, at the service 7.0 s, downloading 0.75 s, checking 0.25 s",
    )
    expect(shown.tab.locator("#ends")).to_have_text("0 s9.8 s")
    shown.tab.get_by_role("combobox", name="Timeline").select_option(label="on the run's clock")
    expect(shown.tab.locator("#ends")).to_have_text("12:00:5012:01:00")
    shown.tab.get_by_label("Search").fill("")
    places = [
        float(rect.get_attribute("x") or 0)
        for rect in shown.tab.locator("#table td.time rect.queued").all()
    ]
    assert len(set(places)) > AT_ONCE // 4
    assert all(0 <= place <= 1_000 for place in places)


def test_the_rest_is_a_page_further(shown: Report) -> None:
    assert len(shown.names()) == AT_ONCE
    following = shown.tab.get_by_role("button", name="Next")
    seen = shown.names()
    for _ in range(2):
        following.press("Enter")
        seen += shown.names()
    assert len(set(seen)) == len(seen) == GOOD + 5
    expect(following).to_be_disabled()
    expect(shown.tab.get_by_role("heading", name="Documents")).to_be_focused()
    expect(shown.tab.locator("#place")).to_have_text(f"201 to {GOOD + 5} of {GOOD + 5}")
    shown.tab.get_by_label("Search").fill("letters")
    expect(shown.tab.locator("#place")).to_have_text(f"1 to 100 of {GOOD}")


def test_all_controls_are_reached_with_the_keyboard_alone(shown: Report) -> None:
    reached = []
    for _ in range(24):
        shown.tab.keyboard.press("Tab")
        reached.append(
            shown.tab.evaluate(
                "document.activeElement.getAttribute('aria-label') ?? "
                "document.activeElement.labels?.[0]?.textContent ?? "
                "document.activeElement.textContent"
            )
        )
    told = "\n".join(reached)
    for name in ("Skip to", "failures with timeout", "As a table", "Search", "Show", "Sort by",
                 "Timeline", "Document", "Status", "Took", "Calls", "Maps/cut.djvu"):  # fmt: skip
        assert name in told, name


def test_without_a_script_what_failed_can_be_read(browser: Browser, pages: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto((pages / "many.html").as_uri())
    expect(tab.get_by_text("still Processing")).to_be_visible()
    expect(tab.get_by_text("needs JavaScript")).to_be_visible()
    expect(tab.get_by_label("Search")).to_be_hidden()
    context.close()


def test_on_paper_all_failures_and_the_first_documents_are_there(shown: Report) -> None:
    shown.tab.emulate_media(media="print")
    shown.tab.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert len(shown.names()) == ON_PAPER
    expect(shown.tab.locator("#printed")).to_have_text(
        re.compile(f"the first {ON_PAPER} of {GOOD + 5}")
    )
    expect(shown.tab.get_by_label("Search")).to_be_hidden()
    shown.tab.evaluate("dispatchEvent(new Event('afterprint'))")
    shown.tab.emulate_media(media="screen")
    assert len(shown.names()) == AT_ONCE


def test_the_head_tells_the_time_of_the_reader_too(shown: Report) -> None:
    expect(shown.tab.locator(".facts")).to_contain_text(
        "2024-05-01 12:00:00 UTC (14:00 in Europe/Vienna)"
    )


def test_ten_thousand_documents_are_searched_and_sorted(page: Page, pages: Path) -> None:
    shown = Report(page, pages / "huge.html")
    expect(shown.counted()).to_have_text("10,000 documents")
    shown.head("Document").click()
    shown.head("Document").click()
    assert shown.names()[0] == "folder/09999.djvu"
    page.get_by_label("Search").fill("folder/0123")
    expect(shown.counted()).to_have_text("10 of 10,000 documents")
