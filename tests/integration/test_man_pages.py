"""Man pages: one a command, fit for troff, in what is handed to users."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import pytest

from batch_converter.cli.group import cli
from distribution import man_pages

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[2]
MACROS: Final = {".TH", ".SH", ".B", ".PP", ".TP"}
VERSION: Final = version("batch-converter")
IN_WHEEL: Final = f"batch_converter-{VERSION}.data/data/share/man/man1/"


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the text of each page by its file's name."""
    folder = tmp_path_factory.mktemp("man")
    return {page.name: page.read_text(encoding="utf-8") for page in man_pages.write(folder)}


def commands(command: click.Command, *words: str) -> Iterator[tuple[str, click.Command]]:
    """Yield a command and those below it, each with its page's name."""
    yield f"{'-'.join(words)}.1", command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from commands(below, *words, name)


ALL: Final = dict(commands(cli, "batch-converter"))


def test_every_command_has_a_page_and_nothing_else_has_one(pages: dict[str, str]) -> None:
    assert len(ALL) > 10
    assert set(pages) == set(ALL)


@pytest.mark.parametrize("name", ALL)
def test_a_page_has_its_head_and_every_option(pages: dict[str, str], name: str) -> None:
    lines = pages[name].splitlines()
    title, source = name.removesuffix(".1").upper(), f"batch-converter {re.escape(VERSION)}"
    day = r"\d{4}-\d\d-\d\d"
    assert re.fullmatch(rf'\.TH "{title}" "1" "{day}" "{source}" "User Commands"', lines[0])
    assert 2 * len(f"{title}(1)") + len(" User Commands ") <= 80
    assert lines[1] == ".SH NAME"
    assert re.fullmatch(r"batch-converter\S* \\- [A-Z].*\.", lines[2])
    plain = re.sub(r"\\f[BP]", "", pages[name]).replace("\\-", "-")
    for option in ALL[name].params:
        for spelling in option.opts if isinstance(option, click.Option) else ():
            assert re.search(rf"(?<![\w-]){spelling}(?![\w-])", plain), spelling


def test_no_line_is_taken_for_a_macro(pages: dict[str, str]) -> None:
    for text in pages.values():
        for line in text.splitlines():
            assert not line.startswith("'"), line
            assert not line.startswith(".") or line.split()[0] in MACROS, line
            assert not re.search(r"\\(?!-|f[BP])", line), line


def test_a_page_that_another_names_is_there(pages: dict[str, str]) -> None:
    named = {name for text in pages.values() for name in re.findall(r"See \\fB(.*?)\(1\)", text)}
    assert {f"{name}.1" for name in named} == set(ALL) - {"batch-converter.1"}


def test_troff_has_nothing_to_say(tmp_path: Path) -> None:
    groff, mandoc = shutil.which("groff"), shutil.which("mandoc")
    for page in man_pages.write(tmp_path):
        if groff is not None:
            command = [groff, "-ww", "-man", "-Tutf8", str(page)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            assert done.stderr == ""
        if mandoc is not None:
            subprocess.run([mandoc, "-T", "lint", "-W", "error", page], check=True)


def test_pages_that_are_gone_are_removed_and_the_date_can_be_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "batch-converter-gone.1").touch()
    (tmp_path / "mine.txt").touch()
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    pages = man_pages.write(tmp_path)
    assert {page.name for page in pages} == set(ALL)
    assert (tmp_path / "mine.txt").exists()
    assert all('"1970-01-02"' in page.read_text(encoding="utf-8") for page in pages)


def build(tree: Path, *targets: str) -> None:
    """Build in a tree as `pip` does, into its folder `dist`."""
    options = [word for target in targets for word in ("-t", target)]
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", *options],
        cwd=tree,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def in_wheel(tree: Path) -> set[str]:
    """Return the names of the man pages in its wheel."""
    (wheel,) = (tree / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return {
            name.removeprefix(IN_WHEEL) for name in archive.namelist() if name.startswith(IN_WHEEL)
        }


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a tree with what a build looks at, and little of it."""
    folder = tmp_path / "tree"
    for name in ("distribution", "batch_converter/cli"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    fonts = "batch_converter/djvu/draw/fonts"
    (folder / fonts).mkdir(parents=True)
    for name in ("pyproject.toml", "README.md", "LICENSE", f"{fonts}/LICENSE.txt"):
        shutil.copy(ROOT / name, folder / name)
    (folder / ".gitignore").write_text("build/\ndist/\n")
    return folder


@pytest.mark.slow
def test_wheel_and_sdist_have_the_pages_and_so_has_a_wheel_from_the_sdist(
    tmp_path: Path, tree: Path
) -> None:
    man_pages.write(tree / "build/man")
    build(tree, "sdist", "wheel")
    assert in_wheel(tree) == set(ALL)
    (sdist,) = (tree / "dist").glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    build(unpacked, "wheel")
    assert in_wheel(unpacked) == set(ALL)


@pytest.mark.slow
def test_a_tree_without_pages_builds(tree: Path) -> None:
    build(tree, "sdist", "wheel")
    assert in_wheel(tree) == set()
