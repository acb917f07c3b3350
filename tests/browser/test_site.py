"""The documentation's site as a reader opens it: from the disk, without a network."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from distribution import site

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the site; in front of the browser, in whose event loop nothing may block."""
    return site.build(tmp_path_factory.mktemp("docs") / "build")


@pytest.mark.slow
def test_the_site_is_read_and_searched_from_the_disk(built: Path, browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 360, "height": 800})
    asked: list[str] = []
    faults: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: faults.append(str(error)))
    for name in ("index", "tutorial", "contract", "reference/options", "decisions/index"):
        page.goto((built / f"{name}.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, name
    page.keyboard.press("Control+k")
    field = page.get_by_role("combobox", name="Search")
    field.type("max_in_flight")
    expect(field).to_have_attribute("aria-activedescendant", re.compile("."))
    expect(field).to_have_value("max_in_flight")
    field.press("Enter")
    page.wait_for_url("**/reference/settings.html*")
    assert "#concurrencymax_in_flight" in page.url
    assert not [url for url in asked if not url.startswith((built.as_uri(), "data:", "about:"))]
    assert not faults
    page.close()
