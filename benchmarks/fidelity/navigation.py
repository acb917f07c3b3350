"""What leads through a document: bookmarks, links, labels, facts, page sizes."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass

import pikepdf


@dataclass(frozen=True, slots=True, kw_only=True)
class Navigation:
    """Counts, and the titles of bookmarks in order."""

    bookmarks: tuple[str, ...]
    links: int
    facts: frozenset[str]


def of_djvu(path: str, pages: int) -> Navigation:
    """As `djvused` prints it."""
    outline = _djvused(path, "print-outline")
    scripts = ("select 1; print-meta", "select-shared-ant; print-meta")
    meta = "".join(_djvused(path, script) for script in scripts)
    links = 0
    for page in range(1, pages + 1):
        printed = _djvused(path, f"select {page}; print-ant")
        links += len(re.findall(r'\(maparea\s+(?:\(url\s+)?"(?!")', printed))
    titles = re.findall(r'\(\s*"((?:[^"\\]|\\.)*)"\s*"', outline)
    return Navigation(
        bookmarks=tuple(_unescaped(title) for title in titles),
        links=links,
        facts=frozenset(_unescaped(v) for v in re.findall(r'\t"((?:[^"\\]|\\.)*)"', meta)),
    )


def of_pdf(path: str) -> Navigation:
    with pikepdf.open(path) as pdf:
        with pdf.open_outline() as outline:
            titles = tuple(_titles(outline.root))
        annotations = [one for page in pdf.pages for one in page.get("/Annots", [])]
        links = sum(one.Subtype == "/Link" for one in annotations)
        facts = frozenset(str(value) for value in pdf.docinfo.values())
    return Navigation(bookmarks=titles, links=links, facts=facts)


def page_sizes(path: str) -> list[tuple[float, float]]:
    """Width and height of each page in points, as shown."""
    sizes = []
    with pikepdf.open(path) as pdf:
        for page in pdf.pages:
            x0, y0, x1, y1 = (float(side) for side in page.mediabox)
            size = (x1 - x0, y1 - y0)
            sizes.append(size[::-1] if int(page.get("/Rotate", 0)) % 180 else size)
    return sizes


def _titles(items: list[pikepdf.OutlineItem]) -> list[str]:
    return [title for item in items for title in (item.title, *_titles(item.children))]


def _djvused(path: str, script: str) -> str:
    command = ["djvused", path, "-u", "-e", script]
    done = subprocess.run(command, check=False, capture_output=True)
    return done.stdout.decode("utf-8", "replace")


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)
