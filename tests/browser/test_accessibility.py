"""What axe finds on the page, in both schemes and from a phone's width to a desk's: nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.browser.service_page import ServicePage
from tests.browser.stand_in import StandIn, row, standing_in

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow  # a browser

EVERY_RULE = {"resultTypes": ["violations"]}
SMALLEST_TARGET_PX = 24


def full_list() -> StandIn:
    """Return a service with a document of every state, and with words of every kind."""
    long = "Korrespondenz/1911-1913/Ördög & Söhne, Band 2, mit einem sehr langen Namen.djvu"
    return StandIn(
        [
            row("scans/letter-001.djvu", warnings=["page 2 is odd"]),
            row(long, "failed"),
            row("maps/c.djvu", "converting"),
            row("maps/d.djvu", "waiting", place=2),
            row("e" * 90 + ".djvu", "cancelled"),
            row("f.djvu", "uploading"),
        ]
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 768, 360, 320])
def test_axe_finds_nothing(browser: Browser, width: int, scheme: str) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme="dark" if scheme == "dark" else "light",
        reduced_motion="reduce",
    )
    service = full_list()
    with standing_in(service) as url:
        shown = ServicePage(context.new_page(), url).open()
        shown.choose({"notes.txt": b"no scan"})
        shown.expect_state("notes.txt", "failed")
        expect(shown.tab.get_by_role("img").first).to_be_visible()
        assert report(shown.tab) == ""
        assert sideways_px(shown.tab) == 0
        for header in shown.table.get_by_role("rowheader").all():
            expect(header).to_be_visible()
        service.account = ("me", "right")
        shown.tab.reload()
        shown.button("Sign in").click()
        expect(shown.tab.get_by_label("Client ID")).to_be_focused()
        assert report(shown.tab) == ""
    context.close()


def test_an_empty_page_is_as_good(page: Page) -> None:
    with standing_in(StandIn()) as url:
        ServicePage(page, url).open()
        expect(page.get_by_text("No documents yet")).to_be_visible()
        assert report(page) == ""


def report(tab: Page) -> str:
    found = Axe().run(tab, options=EVERY_RULE)
    lines: str = found.generate_snapshot()
    return lines and found.generate_report()


def sideways_px(tab: Page) -> int:
    """Return how far the page can be scrolled sideways."""
    wide: int = tab.evaluate("document.documentElement.scrollWidth - innerWidth")
    return max(0, wide)


def test_all_controls_are_reached_and_seen_with_the_keyboard_alone(page: Page) -> None:
    with standing_in(full_list()) as url:
        shown = ServicePage(page, url).open()
        shown.expect_state("f.djvu", "uploading")
        names = []
        for _ in range(30):
            page.keyboard.press("Tab")
            names.append(
                page.evaluate(
                    "document.activeElement.getAttribute('aria-label') ?? "
                    "document.activeElement.labels?.[0]?.textContent ?? "
                    "document.activeElement.textContent"
                )
            )
            if names[-1] == "Health":
                break
    for name in (
        "Skip to the documents", "Choose files", "Choose a folder", "Download all",
        "Retry all failed", "Cancel all", "Remove all ended", "Filter documents", "State",
        "Download scans/letter-001.pdf", "Remove scans/letter-001.djvu", "Cancel maps/c.djvu",
    ):  # fmt: skip
        assert name in names


def test_controls_are_large_enough_to_hit(page: Page) -> None:
    page.set_viewport_size({"width": 320, "height": 800})
    with standing_in(full_list()) as url:
        shown = ServicePage(page, url).open()
        shown.expect_state("f.djvu", "uploading")
        for control in page.locator("#work :is(button, a, input, select)").all():
            box = control.bounding_box()
            assert box is not None
            assert min(box["width"], box["height"]) >= SMALLEST_TARGET_PX
