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
from markdown_it import MarkdownIt

from distribution import reference, site

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[2]
NAVIGATION: Final = tomllib.loads(site.configuration())["project"]["nav"]
FETCHING: Final = {"audio", "embed", "iframe", "img", "link", "object", "script", "source", "video"}
"""Elements whose addresses a browser asks for by itself."""


class Page(HTMLParser):
    """What an HTML page links to, fetches, and can be linked at; what its article says."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.fetched: set[str] = set()
        self.ids: set[str] = set()
        self.said = ""
        self._is_article = False
        self.feed(text)

    def handle_data(self, data: str) -> None:
        if self._is_article:
            self.said += "".join(data.split()).replace("¶", "")  # the sign of a heading's link

    def handle_endtag(self, tag: str) -> None:
        self._is_article &= tag != "article"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._is_article |= tag == "article"
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
    return {path: Page(path.read_text(encoding="utf-8")) for path in built.rglob("*.html")}


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
    assert {html_of(page, built) for page in site.pages()} <= set(pages)


def html_of(page: str, built: Path) -> Path:
    """Return where a page is in the site; a README is its folder's own page."""
    place = built / Path(site.place(page)).with_suffix(".html")
    return place.with_name("index.html") if place.name == "README.html" else place


def test_a_page_says_what_it_says_in_the_repository(pages: dict[Path, Page], built: Path) -> None:
    as_there = MarkdownIt("commonmark").enable("table")
    for page in site.pages():
        text = (ROOT / page).read_text(encoding="utf-8")
        if not reference.MARK.search(text):
            expected = Page(f"<article>{as_there.render(text)}</article>")
            assert pages[html_of(page, built)].said == expected.said, page


def test_what_is_made_from_the_code_shows_no_marks_of_its_own(
    pages: dict[Path, Page], built: Path
) -> None:
    for name in ("codes", "environment", "events", "options", "settings"):
        assert not re.search(
            r"\\[^\W\d_]|\\[$~<*]|`|&\w+;", pages[built / f"reference/{name}.html"].said
        )


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
