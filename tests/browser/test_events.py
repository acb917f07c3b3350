"""How the list keeps up: one stream for all tabs, polling where none passes, and never a gap."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from playwright.sync_api import expect

from tests.browser.service_page import ServicePage
from tests.browser.stand_in import StandIn, row, standing_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

pytestmark = pytest.mark.slow  # a browser


@pytest.fixture
def service() -> StandIn:
    service = StandIn()
    service.documents.append(row("a.djvu", "waiting"))
    return service


@pytest.fixture
def url(service: StandIn) -> Iterator[str]:
    with standing_in(service) as url:
        yield url


@pytest.fixture
def shown(url: str, page: Page) -> ServicePage:
    return ServicePage(page, url)


def test_tabs_share_one_stream_and_pass_it_on(service: StandIn, shown: ServicePage) -> None:
    shown.open()
    other = ServicePage(shown.tab.context.new_page(), shown.url).open()
    shown.expect_state("a.djvu", "waiting")
    other.expect_state("a.djvu", "waiting")
    service.soon(lambda: service.touch(service.documents[0], state="converting"))
    shown.expect_state("a.djvu", "converting")
    other.expect_state("a.djvu", "converting")
    assert service.requests.count("GET /api/events") == 1
    shown.tab.close()
    service.soon(lambda: service.touch(service.documents[0], state="failed"))
    other.expect_state("a.djvu", "failed")
    assert service.requests.count("GET /api/events") == 2


def test_an_upload_of_one_tab_is_not_said_to_have_stopped_in_another(
    service: StandIn, shown: ServicePage
) -> None:
    shown.open()
    other = ServicePage(shown.tab.context.new_page(), shown.url).open()
    service.refuse = service.refusing("PATCH", "", 503, "busy")
    shown.choose({"b.djvu": b"AT&TFORM made up"})
    other.expect_state("b.djvu", "uploading")
    expect(other.row("b.djvu")).not_to_contain_text("Choose the same file")
    shown.tab.close()
    expect(other.row("b.djvu")).to_contain_text("Choose the same file")


def test_where_a_proxy_holds_the_stream_back_the_page_asks(
    service: StandIn, shown: ServicePage
) -> None:
    service.buffers_streams = True
    shown.tab.clock.install()
    shown.open()
    shown.expect_state("a.djvu", "waiting")
    service.soon(lambda: service.touch(service.documents[0], state="converting"))
    keep_ticking(shown, "a.djvu", "converting")
    service.soon(lambda: service.touch(service.documents[0], state="failed"))
    keep_ticking(shown, "a.djvu", "failed")


def test_where_no_stream_is_let_through_the_page_asks(service: StandIn, shown: ServicePage) -> None:
    service.refuse = service.refusing("GET", "/events", 501, "no streams here")
    shown.tab.clock.install()
    shown.open()
    shown.expect_state("a.djvu", "waiting")
    service.soon(lambda: service.touch(service.documents[0], state="converting"))
    keep_ticking(shown, "a.djvu", "converting")


def keep_ticking(shown: ServicePage, name: str, state: str) -> None:
    """Let the page's clock run ahead until a state is there; its requests take real time."""
    for _ in range(40):
        if shown.state(name).inner_text() == state:
            return
        shown.tab.clock.run_for(1000)
    shown.expect_state(name, state)


def test_what_was_missed_while_the_service_was_away_is_caught_up(
    service: StandIn, shown: ServicePage
) -> None:
    shown.open()
    shown.expect_state("a.djvu", "waiting")
    service.refuse = lambda _request: web.Response(status=502)
    service.soon(service.drop_streams)
    service.soon(lambda: service.touch(service.documents[0], state="failed"))
    service.soon(lambda: service.add(row("b.djvu")))
    shown.tab.wait_for_event("response", lambda response: response.status == 502)
    service.refuse = lambda _request: None
    shown.expect_state("a.djvu", "failed")
    shown.expect_state("b.djvu", "ready")


def test_a_service_that_begins_anew_counts_from_its_start(
    service: StandIn, shown: ServicePage
) -> None:
    service.sequence = 1000
    service.touch(service.documents[0])
    shown.open()
    shown.expect_state("a.djvu", "waiting")

    def begin_anew() -> None:
        service.documents.clear()
        service.sequence = 0
        service.add(row("b.djvu", "waiting"))
        service.drop_streams()

    service.soon(begin_anew)
    shown.expect_names("b.djvu")
    service.soon(lambda: service.touch(service.documents[0], state="failed"))
    shown.expect_state("b.djvu", "failed")


def test_a_gap_too_large_is_closed_by_loading_anew(service: StandIn, shown: ServicePage) -> None:
    shown.open()
    shown.expect_state("a.djvu", "waiting")
    service.gap_too_large = True
    service.soon(lambda: service.touch(service.documents[0], state="failed"))
    shown.expect_state("a.djvu", "failed")


def test_the_page_says_that_nobody_answers_and_goes_on_by_itself(
    service: StandIn, shown: ServicePage
) -> None:
    shown.open()
    shown.expect_state("a.djvu", "waiting")
    gone = shown.tab.get_by_text("The service does not answer.")
    expect(gone).to_be_hidden()
    shown.tab.context.set_offline(offline=True)
    service.soon(service.drop_streams)
    expect(gone).to_be_visible()
    shown.tab.context.set_offline(offline=False)
    expect(gone).to_be_hidden(timeout=15_000)
    service.soon(lambda: service.touch(service.documents[0], state="failed"))
    shown.expect_state("a.djvu", "failed")
