"""The reference that is made from the code has all of it, and says something of each."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Final

import click
import pytest

from batch_converter import events
from batch_converter.errors import ErrorCode, ExitCode
from distribution import reference

ROOT: Final = Path(__file__).parents[2]


def sections(text: str, level: str) -> dict[str, str]:
    """Return what stands below each heading of a level, by the code in the heading."""
    parts = re.split(rf"^{level} `(.*)`$", text, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def test_every_option_of_every_command_is_told_with_its_setting() -> None:
    told = sections(reference.options(), "##")
    commands = dict(reference.commands())
    assert set(told) == set(commands)
    assert {"batch-converter convert", "batch-converter config check"} <= set(told)
    settings = 0
    for words, command in commands.items():
        for option in command.params:
            if isinstance(option, click.Option):
                names = "|".join(re.escape(name) for name in option.opts)
                line = re.search(rf"^`(?:{names})[` ].*\n:   (.*)", told[words], re.MULTILINE)
                assert line, (words, option.opts)
                assert line[1].strip(), (words, option.opts)
                settings += "Setting: [`" in line[1]
    assert settings > 50


def test_every_key_is_told_with_its_words_default_and_variable() -> None:
    told = sections(reference.settings(), "###")
    assert list(told) == list(reference.keys())
    for key, text in told.items():
        words, value, *_ = text.strip().split("\n\n")
        assert len(words) > 10, key
        assert value.startswith(("Default: `", "No default")), key
        assert f"`{reference.variable(key)}`" in value


def test_words_count_for_the_keys_below_them_and_for_no_others() -> None:
    example = """
[one]
# Of both,
# all the time.
first = 1
# second = "x"
# Of the third.
third = []

# Below a table's own words.
[one.table]
# key = 1
"""
    assert reference.documented_keys(example) == {
        "one.first": ("Of both, all the time.", "1"),
        "one.second": ("Of both, all the time.", '# "x"'),
        "one.third": ("Of the third.", "[]"),
        "one.table": ("Below a table's own words.", None),
        "one.table.key": ("", "# 1"),
    }


def test_every_event_is_told_with_its_fields() -> None:
    told = sections(reference.run_events(), "###")
    kinds = [
        kind
        for kind in vars(events).values()
        if inspect.isclass(kind) and issubclass(kind, events.RunEvent) and hasattr(kind, "name")
    ]
    assert set(told) == {kind.name for kind in kinds}
    for kind in kinds:
        for field in inspect.signature(kind).parameters:
            assert f"- `{field}` (" in told[kind.name]
    assert "Seconds since the engine had it." in told["file.converted"]
    assert "Its path below its source folder." in told["file.converted"]
    assert "(text or null)" in told["file.failed"]


def test_lines_that_are_no_events_are_told_once() -> None:
    lines = re.findall(r"^\| `([\w.]+)` \| (\w+) \|", reference.other_lines(), re.MULTILINE)
    assert ("server.started", "info") in lines
    assert ("observer.failed", "error") in lines
    assert not {name for name, _ in lines} & {kind.name for kind in reference.event_kinds()}


def test_every_code_is_told() -> None:
    told = re.findall(
        r"^\| \[`(\w+)`\]\(\S+#(\S+)\) \| (.+) \| .+ \|$", reference.error_codes(), re.MULTILINE
    )
    assert [code for code, _, _ in told] == list(ErrorCode)
    assert {code: anchor for code, anchor, _ in told}["auth"] == "auth-the-whole-run"
    for number in ExitCode:
        assert re.search(rf"^\| (\d+ / )?{number:d} ", reference.exit_codes(), re.MULTILINE)


def test_every_error_code_has_a_section_of_its_own() -> None:
    headings = re.findall(r"^##+ .*$", (ROOT / "docs/errors.md").read_text(), re.MULTILINE)
    for code in ErrorCode:
        assert len([line for line in headings if f"`{code}`" in line]) == 1, code
    assert not [line for line in headings if line.count("`") > 2]


def test_every_part_has_its_mark_and_every_mark_its_part() -> None:
    text = "".join(page.read_text() for page in (ROOT / "docs/reference").glob("*.md"))
    marks = reference.MARK.findall(text)
    assert sorted(marks) == sorted(reference.MADE)
    assert text.count("`make docs` puts") == len(marks)
    assert "make docs" not in reference.filled(text)
    with pytest.raises(KeyError):
        reference.filled("<!-- made from the code: something else -->")
