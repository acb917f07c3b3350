"""The documentation as a site: whole, closed in itself, and not built where a link is broken."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urldefrag, urlsplit

import pytest

from distribution import site

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[2]
NAVIGATION: Final = tomllib.loads(site.configuration())["project"]["nav"]
FETCHING: Final = {"audio", "embed", "iframe", "img", "link", "object", "script", "source", "video"}
"""Elements whose addresses a browser asks for by itself."""


class Page(HTMLParser):
    """What an HTML page links to, fetches, and can be linked at."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.fetched: set[str] = set()
        self.ids: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.ids.add(value)
            elif name in {"href", "src", "srcset", "data", "poster"} and value is not None:
                (self.fetched if tag in FETCHING else self.links).add(value)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the site, built once."""
    return site.build(tmp_path_factory.mktemp("docs") / "build")


@pytest.fixture(scope="module")
def pages(built: Path) -> dict[Path, Page]:
    """Return every page of the site."""
    return {path: Page(path) for path in built.rglob("*.html")}


def entries(part: object) -> Iterator[str]:
    """Yield the pages of a part of the navigation."""
    if isinstance(part, str):
        yield part
    elif isinstance(part, dict | list):
        for below in part.values() if isinstance(part, dict) else part:
            yield from entries(below)


def test_the_navigation_has_every_page_once() -> None:
    listed = list(entries(NAVIGATION))
    there = [site.place(page) for page in site.pages()]
    assert sorted(listed) == sorted(there), "add the page to `nav` in docs/zensical.toml"


def test_every_page_is_built(pages: dict[Path, Page], built: Path) -> None:
    expected = {built / Path(site.place(page)).with_suffix(".html") for page in site.pages()}
    readme = built / "decisions/README.html"
    if readme in expected:  # Zensical takes it for the folder's own page
        expected = expected - {readme} | {built / "decisions/index.html"}
    assert expected <= set(pages)


def test_every_link_inside_leads_to_what_is_there(pages: dict[Path, Page]) -> None:
    broken = []
    for path, page in pages.items():
        for link in page.links | page.fetched:
            address, anchor = urldefrag(link)
            if urlsplit(link).scheme or path.name == "404.html":
                continue
            target = path.parent / unquote(address) if address else path
            target = target / "index.html" if target.is_dir() else target
            known = pages.get(target.resolve())
            is_there = target.exists() and (not anchor or known is None or anchor in known.ids)
            if not is_there and anchor != "__skip":
                broken.append((path.name, link))
    assert not broken


def test_nothing_is_fetched_from_elsewhere(pages: dict[Path, Page], built: Path) -> None:
    for page in pages.values():
        assert not {link for link in page.fetched if urlsplit(link).netloc}
    for style in built.rglob("*.css"):
        assert "url(http" not in style.read_text(encoding="utf-8")
        assert "@import" not in style.read_text(encoding="utf-8")


def test_what_is_made_from_the_code_is_in_its_pages(built: Path) -> None:
    options = (built / "reference/options.html").read_text(encoding="utf-8")
    assert "--max-api-calls" in options
    assert "made from the code:" not in options


def test_links_that_lead_nowhere_end_the_build_and_are_named(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (tmp_path / site.CONFIG).write_text(
        '[project]\nsite_name = "small"\ndocs_dir = "pages"\nsite_dir = "site"\n'
    )
    for asset in site.ASSETS:
        shutil.copy(ROOT / asset, tmp_path / asset)
    (docs / "other.md").write_text("# Other\n\n[home](index.md#home)\n")
    links = ["other.md#other", "#home", "gone.md", "other.md#gone", "#gone-too"]
    page = "\n".join(["# Home", *(f"[a link]({link})" for link in links)])
    (docs / "index.md").write_text(page + "\n")
    with pytest.raises(subprocess.CalledProcessError):
        site.build(tmp_path / "build", tmp_path)
    told = re.sub(r"\x1b\[[\d;]*m", "", "".join(capfd.readouterr()))
    assert re.findall(r"Warning: (.*)\n.*index\.md:(\d+)", told) == [
        ("page does not exist", "4"),
        ("anchor does not exist", "5"),
        ("anchor does not exist", "6"),
    ]
