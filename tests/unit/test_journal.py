"""Priorities for systemd's journal."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_converter.journal import is_journal, prioritized

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def descriptor() -> Iterator[int]:
    reader, writer = os.pipe()
    yield writer
    os.close(reader)
    os.close(writer)


def test_only_the_stream_that_the_variable_names_is_the_journals(
    descriptor: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = os.fstat(descriptor)
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    assert not is_journal(descriptor)
    monkeypatch.setenv("JOURNAL_STREAM", f"{found.st_dev}:{found.st_ino}")
    assert is_journal(descriptor)
    for other in (
        f"{found.st_dev}:{found.st_ino + 1}",
        f"{found.st_dev + 1}:{found.st_ino}",
        f"{found.st_ino}",
        "a:b",
        "",
    ):
        monkeypatch.setenv("JOURNAL_STREAM", other)
        assert not is_journal(descriptor)


def test_a_closed_descriptor_is_not_the_journals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNAL_STREAM", "8:1")
    reader, writer = os.pipe()
    os.close(reader)
    os.close(writer)
    assert not is_journal(writer)


@pytest.mark.parametrize(
    ("level", "priority"),
    [("debug", 7), ("info", 6), ("warning", 4), ("error", 3), ("critical", 2)],
)
def test_levels_are_the_journals_own(level: str, priority: int) -> None:
    assert prioritized("a\n\nb\n", level) == f"<{priority}>a\n<{priority}>\n<{priority}>b\n"


@given(st.text("a\n\r\x85\u2028<3>"))
def test_each_line_has_one_priority_and_nothing_else_is_changed(text: str) -> None:
    told = prioritized(text, "error")
    lines = told.split("\n")
    whole = lines[:-1] if told.endswith("\n") or not told else lines
    assert all(line.startswith("<3>") for line in whole)
    assert re.sub(r"(?:\A|(?<=\n))<3>", "", told) == text
