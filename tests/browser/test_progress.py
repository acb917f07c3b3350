"""`convert --progress-page`: a person looks on while a batch runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from anyio.from_thread import start_blocking_portal
from playwright.sync_api import expect

from batch_converter.counters import RunCounters
from batch_converter.events import KnownFailure
from batch_converter.progress_page import RunRows, progress_page
from batch_converter.progress_page import rows as rows_module
from tests.browser.service_page import ServicePage
from tests.browser.test_accessibility import report, sideways_px
from tests.support.cloud import Cloud
from tests.support.command import started
from tests.support.pdfs import make_archive

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

pytestmark = pytest.mark.slow  # a browser, and a run


def test_a_running_batch_shows_what_becomes_of_each_document(page: Page, tmp_path: Path) -> None:
    source = tmp_path / "scans"
    source.mkdir()
    names = [path.name for path in make_archive(source, 3)]
    (source / "broken.djvu").write_bytes(b"AT&TFORM\x00\x00\xff\xffDJVU")
    with Cloud() as cloud:
        cloud.hold("poll")
        env = {"ASPOSE_CLIENT_ID": cloud.client_id, "ASPOSE_CLIENT_SECRET": cloud.client_secret}
        arguments = ("convert", source, "-o", tmp_path / "out", "--base-url", cloud.base_url)
        more = ("--progress-page", "0", "--max-api-calls", "20")
        with started(tmp_path / "run", *arguments, *more, env=env) as run:
            run.wait_until(lambda: run.logged("run.progress_page"), "the page's address")
            [told] = [line for line in run.events if line["event"] == "run.progress_page"]
            shown = ServicePage(page, told["address"]).open()
            for name in names:
                shown.expect_state(name, "waiting")
            shown.expect_state("broken.djvu", "failed")
            expect(shown.row("broken.djvu")).to_contain_text("not_djvu")
            expect(page.get_by_text("of 20 billed calls spent")).to_be_visible()
            expect(page.get_by_role("button")).to_have_count(0)
            assert report(page) == ""
            page.set_viewport_size({"width": 360, "height": 800})
            assert sideways_px(page) == 0
            shown.filter.fill("broken")
            expect(shown.row(names[0])).to_have_count(0)
            shown.filter.fill("")
            cloud.release("poll")
            run.wait_until(lambda: run.logged("file.converted"), "a PDF")
            run.finish()


def test_a_list_of_the_latest_says_so_and_lets_go_of_the_others(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows_module, "MAX_ENDED", 2)
    monkeypatch.setattr(rows_module, "_MAX_REMOVED", 1)
    rows = RunRows()

    def fail(*names: str) -> None:
        for name in names:
            rows.observe(KnownFailure(source=name, code="not_djvu", message="it is none"))

    serving = progress_page(0, rows, RunCounters(), max_api_calls=None)
    with (
        start_blocking_portal("asyncio") as portal,
        portal.wrap_async_context_manager(serving) as address,
    ):
        portal.call(fail, "first", "second")
        shown = ServicePage(page, address).open()
        shown.expect_state("first", "failed")
        listed = page.locator("#listed")
        expect(listed).to_have_text("")
        portal.call(fail, *"abcdef")  # more at once than is remembered of what is gone
        for name in "ef":
            shown.expect_state(name, "failed")
        expect(shown.row_in("failed")).to_have_count(2)
        expect(listed).to_contain_text("2 of 8 documents are listed")
