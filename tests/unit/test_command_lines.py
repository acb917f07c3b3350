"""Each call of the command that a page or `contrib/` shows is one that the command takes."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from typing import Final

import click
import pytest

from batch_converter.cli.group import cli
from tests.support import command_lines
from tests.support.command_lines import OTHER, ROOT, RUN, calls_in

CALLS: Final = list(command_lines.calls())
PROSE: Final = {"contrib/prometheus-alerts.yml"}
"""Files of `contrib/` that speak of commands to people."""


def parsed(words: list[str]) -> click.Context | None:
    """Have the command take the words, as far as it can without doing anything."""
    command: click.Command = cli
    while isinstance(command, click.Group):
        found = command.get_command(click.Context(command), words[0])
        assert found is not None, f"there is no command {words[0]}"
        command, words = found, words[1:]
    return None if "--help" in words else command.make_context(command.name, words)


def written_out(words: list[str]) -> list[str]:
    """Return a synopsis as a call: what may be left out is there, of several the first."""
    plain = [word.strip("[]").removesuffix("...") for word in words]
    return [re.sub(r"^([a-z]+)\\?\|.*", r"\1", word) for word in plain]


def test_every_call_is_taken() -> None:
    taken = 0
    for place, words in CALLS:
        is_call = bool(words) and re.fullmatch(r"[a-z][a-z-]+", words[0]) is not None
        if is_call and place not in PROSE:
            try:
                parsed(written_out(words))
            except (click.ClickException, AssertionError) as error:
                pytest.fail(f"{place}: batch-converter {' '.join(words)}: {error}")
            taken += 1
    assert taken > 50


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("batch-converter status -o x", [["status", "-o", "x"]]),
        ("X=1 batch-converter status | grep x", [["status"]]),
        ("a && ./bin/batch-converter status >/dev/null 2>&1", [["status"]]),
        ("batch-converter convert a \\\n    -o b", [["convert", "a", "-o", "b"]]),
        ("batch-converter status; batch-converter doctor", [["status"], ["doctor"]]),
        ("ExecStart=/opt/x/bin/batch-converter serve --port 1", [["serve", "--port", "1"]]),
        ("x=$(batch-converter status)", [["status"]]),
        ("batch-converter convert 'a; b' -o c", [["convert", "a; b", "-o", "c"]]),
        ("# batch-converter statis", []),
        ("batch-converter-serve status", []),
        ("not-batch-converter status", []),
    ],
)
def test_calls_are_found_in_text(text: str, found: list[list[str]]) -> None:
    assert list(calls_in(text)) == found


def everything() -> list[tuple[str, str]]:
    """Return the text of every page and of every file of `contrib/`, with its place."""
    files = [path for path in (ROOT / "contrib").rglob("*") if path.is_file()]
    texts = [(path.name, path.read_text(encoding="utf-8")) for path in files]
    return texts + [(page, command_lines.read(page)) for page in command_lines.pages()]


def test_extras_that_are_to_be_installed_are_there() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    there = set(project["project"]["optional-dependencies"])
    named = {
        (place, extra)
        for place, text in everything()
        for extras in re.findall(r"(?:\bbatch-converter|['\" ]\.|/source)\[([\w,-]+)\]", text)
        for extra in extras.split(",")
    }
    assert len(named) > 5
    assert {extra for _, extra in named} <= there, named


def test_modules_that_are_to_be_run_are_there() -> None:
    named = {
        (place, module)
        for place, text in everything()
        for module in re.findall(r"\bpython3? -m ([\w.]+\w)", text)
    }
    assert len(named) > 5
    for place, module in named:
        assert importlib.util.find_spec(module) is not None, f"{place}: python -m {module}"


def test_every_block_is_of_a_language_that_is_run_or_known_not_to_be_typed() -> None:
    for page in command_lines.pages():
        for block in command_lines.blocks(page):
            assert block.language in RUN | OTHER, block.place
            if not block.language:
                assert "batch-converter " not in block.text, f"{block.place}: of which language?"


def test_no_block_is_missed() -> None:
    for page in command_lines.pages():
        text = command_lines.read(page)
        assert 2 * len(command_lines.blocks(page)) == len(re.findall(r"^ *```", text, re.MULTILINE))


def test_lines_for_cron_have_a_time_and_no_bare_percent_sign() -> None:
    lines = [
        (block.place, line)
        for page in command_lines.pages()
        for block in command_lines.blocks(page)
        if block.language == "cron"
        for line in block.text.splitlines()
    ]
    assert lines
    for place, line in lines:
        if line and not re.match(r"#|[A-Z_]+=", line):
            assert re.match(r"(@\w+|([\d*/,-]+\s+){4}[\d*/,-]+)\s+\S", line), place
            assert not re.search(r"(?<!\\)%", line), f"{place}: cron ends the command at a %"
