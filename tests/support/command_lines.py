"""Command lines in pages for readers: where they stand, and what they say."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[2]
PROGRAM: Final = "batch-converter"
RUN: Final = frozenset({"sh", "bash", "console"})
"""Languages of blocks whose lines a reader types."""
OTHER: Final = frozenset(
    {"caddy", "cron", "css", "dockerfile", "html", "ini", "json", "nginx", "python", "slurm"}
    | {"systemd", "text", "toml", "xml", "yaml", ""}
)
"""Languages of blocks that are files, or what a program prints."""
_BLOCK: Final = re.compile(
    r"(?:^<!-- not run: (?P<reason>.+?) -->\n+)?"
    r"^(?P<indent> *)```(?P<language>[\w-]*)[^\n]*\n(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
_INLINE: Final = re.compile(r"(?<!`)`((?:[^`]|\n(?!\n))+)`(?!`)")
_CALL: Final = re.compile(rf"(?:^|[\s/;&|(=]){PROGRAM}(?=[ \n]|$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced block of a page.

    Attributes:
        not_run: The page's own reason why the tests do not run it; None where they do.
    """

    page: str
    line: int
    language: str
    text: str
    not_run: str | None

    @property
    def place(self) -> str:
        """Where it stands."""
        return f"{self.page}:{self.line}"


def pages() -> list[str]:
    """Return all pages that readers follow."""
    found = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("contrib/**/*.md")]
    found += [ROOT / "samples/README.md", ROOT / "benchmarks/RESULTS.md"]
    return sorted(path.relative_to(ROOT).as_posix() for path in found)


def read(page: str) -> str:
    """Return a page, as far as it speaks of what is there already."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return text.partition("\n## Agreed, not built yet\n")[0]


def blocks(page: str) -> list[Block]:
    """Return the fenced blocks of a page."""
    text = read(page)
    return [
        Block(
            page=page,
            line=text.count("\n", 0, match.start("language")) + 1,
            language=match["language"],
            text=re.sub(rf"^{match['indent']}", "", match["text"], flags=re.MULTILINE),
            not_run=match["reason"],
        )
        for match in _BLOCK.finditer(text)
    ]


def typed(block: Block) -> Iterator[tuple[str, list[str]]]:
    """Yield each command of a `console` block, with the lines that it is said to print."""
    command, printed = "", list[str]()
    for line in block.text.splitlines():
        if line.startswith("$ "):
            if command:
                yield command, printed
            command, printed = line.removeprefix("$ "), []
        elif line.startswith("> "):
            command += "\n" + line.removeprefix("> ")
        else:
            printed.append(line)
    if command:
        yield command, printed


def calls() -> Iterator[tuple[str, list[str]]]:
    """Yield every call of the command that pages and `contrib/` show: its place, its words."""
    for place, text in _texts():
        for words in calls_in(text):
            yield place, words


def _texts() -> Iterator[tuple[str, str]]:
    for page in pages():
        for block in blocks(page):
            yield block.place, block.text
        for inline in _INLINE.finditer(_BLOCK.sub("", read(page))):
            yield page, " ".join(inline[1].split())
    for path in sorted(ROOT.glob("contrib/**/*")):
        if path.is_file() and path.suffix != ".md":
            yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")


def calls_in(text: str) -> Iterator[list[str]]:
    """Yield the words after the command's name, of each call in a shell's or a unit's text."""
    joined = re.sub(r"\\\n\s*", "", text)
    for line in joined.splitlines():
        if line.lstrip().startswith("#"):
            continue
        for call in _CALL.finditer(line):
            yield _words(line[call.end() :])


def _words(rest: str) -> list[str]:
    lexer = shlex.shlex(rest, posix=True, punctuation_chars=";|&<>()")
    lexer.whitespace_split = True
    words: list[str] = []
    try:
        for word in lexer:
            if set(word) <= set(";|&<>()"):
                break
            words.append(word)
    except ValueError:  # a quotation that this line is inside of ends here
        pass
    return words
