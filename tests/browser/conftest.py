"""A real browser: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.support.chromium import chromium

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

expect.set_options(timeout=60_000)  # of a browser on a busy machine


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start Chromium; where it is missing, say so, and fail in CI.

    Of a module and not of the session: while it runs, no other test of the same process
    can have an event loop.
    """
    if shutil.which("chromium") is None:
        message = "chromium is not installed (Debian: apt install chromium)"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Give a tab of a browser that knows nothing; no error may stand in its console."""
    errors: list[str] = []
    context = browser.new_context(timezone_id="Europe/Vienna", reduced_motion="reduce")
    page = context.new_page()
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert not errors
