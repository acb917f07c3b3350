"""Builds the documentation as a site: `python -m distribution.site FOLDER`.

Pages are written for readers of the repository: their links go to files of the tree. The
site's pages are copies of them, laid out as addresses, with links that go where the copies
are, and with what `distribution.reference` makes in the place of marks. Zensical makes HTML
of that, and ends with an error at the first link or anchor that leads nowhere.
"""

from __future__ import annotations

import posixpath
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from distribution import reference

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT: Final = Path(__file__).parents[1]
CONFIG: Final = "docs/zensical.toml"
ASSETS: Final = ("docs/site.css", "docs/iframe-worker.js")
"""What the configuration names beside the pages."""
ELSEWHERE: Final = {
    "benchmarks/RESULTS.md": "benchmarks.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "README.md": "readme.md",
    "SECURITY.md": "security.md",
    "samples/README.md": "samples.md",
}
"""Pages that do not lie in docs/, and what they are called in the site."""
_LINK: Final = re.compile(r"(?<=\]\()(?!\w+:|#)([^)\s#]+)")
_CODE: Final = re.compile(r"(^```.*?^```$|`[^`\n]+`)", re.MULTILINE | re.DOTALL)


def place(path: str) -> str:
    """Return where a file of the repository lies among the site's pages."""
    if path in ELSEWHERE:
        return ELSEWHERE[path]
    return path.removeprefix("docs/") if path.startswith("docs/") else f"files/{path}"


def pages(root: Path = ROOT) -> list[str]:
    """Return the pages of the site, as paths in the repository."""
    own = sorted(path.relative_to(root).as_posix() for path in root.glob("docs/**/*.md"))
    return [*own, *(page for page in ELSEWHERE if (root / page).exists())]


def lay_out(folder: Path, root: Path) -> None:
    """Write the site's pages, and every file that they name, into a folder."""
    folder.mkdir(parents=True)
    for asset in ASSETS:
        shutil.copyfile(root / asset, folder / place(asset))
    known = pages(root)
    for page in known:
        text, named = _relinked(page, (root / page).read_text(encoding="utf-8"), root)
        target = folder / place(page)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(reference.filled(text), encoding="utf-8")
        for file in named.difference(known):
            copy = folder / place(file)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / file, copy)


def configuration(root: Path = ROOT) -> str:
    """Return Zensical's configuration, with all pages of a folder in the place of `FOLDER/*`."""
    text = (root / CONFIG).read_text(encoding="utf-8")
    known = [place(page) for page in pages(root)]

    def listed(folder: re.Match[str]) -> str:
        found = [page for page in known if re.fullmatch(rf"{folder[1]}/(?!README)[^/]+", page)]
        return ", ".join(f'"{page}"' for page in found)

    return re.sub(r'"([\w/-]+)/\*"', listed, text)


def _relinked(page: str, text: str, root: Path) -> tuple[str, set[str]]:
    """Return a page whose links go where the copies are, and the files that it names."""
    named: set[str] = set()
    here = posixpath.dirname(page)
    from_here = posixpath.dirname(place(page)) or "."

    def moved(link: re.Match[str]) -> str:
        file = posixpath.normpath(posixpath.join(here, link[1]))
        if not (root / file).is_file():
            return link[1]  # for Zensical to tell
        named.add(file)
        return posixpath.relpath(place(file), from_here)

    parts = _CODE.split(text)
    parts[::2] = [_LINK.sub(moved, prose) for prose in parts[::2]]
    # GitHub wants a bar escaped in code in a table, Python-Markdown shows the backslash.
    parts[1::2] = [code.replace(r"\|", "|") for code in parts[1::2]]
    return "".join(parts), named


def build(folder: Path, root: Path = ROOT) -> Path:
    """Build the site in a folder, in the place of an earlier one, and return where it is.

    Raises:
        subprocess.CalledProcessError: Zensical has found something to warn of.
    """
    shutil.rmtree(folder, ignore_errors=True)
    lay_out(folder / "pages", root)
    (folder / "zensical.toml").write_text(configuration(root), encoding="utf-8")
    command = [sys.executable, "-m", "zensical", "build", "--strict"]
    subprocess.run(command, cwd=folder, check=True)
    return folder / "site"


def main(arguments: Sequence[str]) -> None:
    """Build it and say where."""
    (folder,) = arguments
    print(f"open {build(Path(folder)) / 'index.html'}")


if __name__ == "__main__":
    main(sys.argv[1:])
