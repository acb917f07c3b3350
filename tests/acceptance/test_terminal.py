"""What a person at a terminal sees of a run: on its screen, row by row."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.command import parsed_events
from tests.support.pdfs import djvu_bytes, make_archive
from tests.support.terminal import at_terminal

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.cloud import Cloud

NEVER: Final = 1_000_000
SIGNS: Final = "✓✗!•"
LONG: Final = (
    "a letter to the bishop of the diocese, with its answer and three seals, copy 0001.djvu"
)
WIDE: Final = "千字文の写本と注釈、東京の図書館の蔵書より、第三巻、明治時代の複製.djvu"
CODE: Final = re.compile(r"\x1b\[[0-9;]*m")
UUID: Final = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}")


def archive_of(source: Path) -> None:
    """Make documents with names of many kinds, one of which is no DjVu."""
    source.joinpath("vol. 1").mkdir(parents=True)
    for number, name in enumerate(("short.djvu", LONG, f"vol. 1/{LONG}", WIDE)):
        (source / name).write_bytes(djvu_bytes(mark=b"%d" % number))
    (source / "bad one.djvu").write_bytes(b"no document")


def told(rows: list[str]) -> list[str]:
    """Return the rows that are lines about files and the run, without the summary."""
    return [row for row in rows if row[0] in SIGNS]


@pytest.mark.slow
@pytest.mark.parametrize("columns", [80, 110])
def test_each_file_is_one_row(cloud: Cloud, source: Path, output: Path, columns: int) -> None:
    archive_of(source)
    with at_terminal("convert", source, "-o", output, columns=columns) as (command, terminal):
        assert command.finish() == 1
    rows = terminal.rows
    head, converted = told(rows)[0], [row for row in rows if row.startswith("✓")]
    assert head.startswith("• Engine aspose, chosen by credentials; PDFs go to /")
    assert sum(row[0] in "✓✗!" for row in rows) == len(converted) + 1 == 5
    for row in converted:
        assert re.search(r"\.djvu  1 page · \d+ bytes → \d+ bytes · \d+\.\d s$", row), row
    assert terminal.row("✓ short.djvu  1 page · ")
    assert re.fullmatch(r"✓ a letter .*….* 0001\.djvu  1 page .*", terminal.row("✓ a letter"))
    assert re.fullmatch(r"✓ vol\. 1/a.*….* 0001\.djvu  1 page .*", terminal.row("✓ vol. 1"))
    failed = terminal.row("✗ bad one.djvu  not_djvu: is no DjVu file: it does not begin with AT&T")
    assert failed.endswith("AT&TFORM")
    assert not any("in flight" in row for row in rows), "the display has wiped itself"
    assert not UUID.search(" ".join(told(rows)[1:]))
    assert not re.search(r"\w=", " ".join(rows)), "no keys"
    assert "bad one.djvu: not_djvu: bad one.djvu is no DjVu file: it does not" in " ".join(rows)
    assert cloud.calls["submit"] == 4


def test_the_foot_shows_files_pages_pace_calls_and_the_time_left(
    cloud: Cloud, source: Path, output: Path
) -> None:
    paths = make_archive(source, 5)
    for path in paths[3:]:
        cloud.fates[path.read_bytes()] = {"taskStatus": "Processing", "results": None}
    arguments = ("convert", source, "-o", output, "--max-api-calls", "100000")
    with at_terminal(*arguments, columns=80) as (command, terminal):
        terminal.wait_until(
            lambda rows: (
                re.fullmatch(r"[━╺╸]+ 3/5 · \d[\d:]+ left · 60%", rows[-2])
                and re.match(r"3 pages · [\d.,]+ files/min · [\d,]+/100,000 calls · 2", rows[-1])
            ),
            "the whole foot",
        )
        terminal.press(b"\x03")
        assert command.finish() == 130
    assert terminal.shows_cursor
    assert terminal.row("! SIGINT: bringing home what is under way")
    assert sum("files/min" in row for row in terminal.rows) == 0
    assert terminal.row("Interrupted; what is out at the service is remembered")


def test_a_monthly_budget_is_one_too(cloud: Cloud, source: Path, output: Path) -> None:
    make_archive(source, 2)
    cloud.questions_needed = NEVER
    env = {"BATCH_CONVERTER_BUDGET__MONTHLY_API_CALLS": "5000"}
    with at_terminal("convert", source, "-o", output, columns=80, env=env) as (command, terminal):
        terminal.wait_until(lambda rows: "/5,000 calls" in rows[-1], "the calls")
        terminal.press(b"\x03")
        assert command.finish() == 130


@pytest.mark.slow
def test_a_terminal_may_change_its_size_at_any_time(
    cloud: Cloud, source: Path, output: Path
) -> None:
    make_archive(source, 3)
    cloud.questions_needed = NEVER
    with at_terminal("convert", source, "-o", output, columns=110) as (command, terminal):
        terminal.wait_until(lambda rows: is_foot(rows, bar=True), "the foot")
        for columns in (80, 40, 20, 120):
            terminal.resize(columns)
            seen = len(terminal.raw)
            terminal.wait_until(
                lambda rows, columns=columns, seen=seen: (  # type: ignore[misc]  # bound now
                    terminal.raw[seen:].count(b"\x1b[2K") > 4
                    and is_foot(rows, bar=columns > 20)
                    and all(len(row) <= columns for row in rows)
                ),
                f"a foot at {columns} columns",
            )
        cloud.questions_needed = 1
        assert command.finish() == 0
    assert terminal.shows_cursor
    assert not any("0/3" in row or "━" in row for row in terminal.rows)
    assert sum(row.startswith("✓") for row in terminal.rows) == 3


def is_foot(rows: list[str], *, bar: bool) -> bool:
    """Whether the last two rows, and no others, are the live display of three waiting files."""
    position = [row for row in rows if "0/3" in row]
    counts = [row for row in rows if "0 pages" in row]
    return (
        position + counts == rows[-2:] and ("0/3 · 0%" in rows[-2]) and (len(rows[-2]) > 20) == bar
    )


@pytest.mark.parametrize("columns", [20, 39])
def test_a_narrow_terminal_has_one_row_a_file_all_the_same(
    cloud: Cloud, source: Path, output: Path, columns: int
) -> None:
    archive_of(source)
    with at_terminal("convert", source, "-o", output, columns=columns) as (command, terminal):
        assert command.finish() == 1
    rows = terminal.rows
    first = next(n for n, row in enumerate(rows) if row[0] in "✓✗")
    last = next(n for n, row in enumerate(rows) if row.startswith("Converted"))
    assert [row[0] for row in rows[first:last]].count("✓") == 4
    assert last - first == 5
    assert terminal.row("✗ ba").rpartition("  ")[2].startswith("not_djvu")
    assert cloud.calls["submit"] == 4


def test_no_color_means_none(cloud: Cloud, source: Path, output: Path) -> None:
    archive_of(source)
    arguments = ("convert", source, "-o", output)
    with at_terminal(*arguments, columns=80) as (command, coloured):
        assert command.finish() == 1
    with at_terminal(*arguments, "--overwrite", "always", columns=80, env={"NO_COLOR": "1"}) as (
        command,
        terminal,
    ):
        assert command.finish() == 1
    assert "\x1b[32m✓" in coloured.raw.decode()
    assert not CODE.search(terminal.raw.decode())
    assert terminal.row("✓ short.djvu")
    assert cloud.calls["submit"] == 8


def test_a_terminal_that_obeys_nothing_is_told_nothing_to_obey(
    cloud: Cloud, source: Path, output: Path
) -> None:
    archive_of(source)
    cloud.hold("poll")
    arguments = ("convert", source, "-o", output, "--stats", "0.05")
    with at_terminal(*arguments, columns=80, env={"TERM": "dumb"}) as (command, terminal):
        terminal.wait_until(
            lambda rows: any(row.startswith("• 1 of 5 files · 1 failed · 0 p") for row in rows),
            "progress in words",
        )
        cloud.release("poll")
        assert command.finish() == 1
    assert "\x1b" not in terminal.raw.decode()
    assert set(re.findall(r"[\x00-\x1f]", terminal.raw.decode())) == {"\r", "\n"}
    assert terminal.row("✓ short.djvu  1 page")


def test_the_width_is_the_terminals_and_not_the_environments(
    cloud: Cloud, source: Path, output: Path
) -> None:
    """As where a shell exports `COLUMNS`, which is stale after the first resize."""
    make_archive(source, 1)
    cloud.questions_needed = NEVER
    env = {"COLUMNS": "200", "LINES": "3"}
    with at_terminal("convert", source, "-o", output, columns=60, env=env) as (command, terminal):
        terminal.wait_until(lambda rows: "0/1 · 0%" in rows[-2], "the foot")
        cloud.questions_needed = 1
        assert command.finish() == 0
    assert max(map(len, told(terminal.rows)[1:])) < 60


def test_a_terminal_of_an_old_encoding_gets_what_it_can_show(
    cloud: Cloud, source: Path, output: Path
) -> None:
    archive_of(source)
    env = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    with at_terminal("convert", source, "-o", output, columns=80, env=env) as (command, terminal):
        assert command.finish() == 1
    assert terminal.raw.isascii()
    assert re.fullmatch(
        r"\+ short\.djvu  1 page , \d+ bytes -> \d+ bytes , [\d.]+ s", terminal.row("+ short")
    )
    assert re.search(r"\+ \\u5343.*\.\.\..*\.djvu  1 page", " ".join(terminal.rows))
    assert cloud.calls["submit"] == 4


@pytest.mark.slow
def test_a_second_ctrl_c_leaves_at_once_and_the_terminal_clean(
    cloud: Cloud, source: Path, output: Path
) -> None:
    make_archive(source, 2)
    cloud.hold("submit")
    with at_terminal("convert", source, "-o", output, columns=80) as (command, terminal):
        terminal.wait_until(lambda _: cloud.active["submit"] == 2, "uploads")
        terminal.press(b"\x03")
        terminal.wait_until(lambda rows: any(row.startswith("! SIGINT") for row in rows), "a word")
        terminal.press(b"\x03")
        assert command.finish() == 130
    assert terminal.shows_cursor
    assert not any("in flight" in row or "0/2" in row for row in terminal.rows)


def test_details_are_for_those_who_ask(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path
) -> None:
    make_archive(source, 1)
    log_file = tmp_path / "log"
    arguments = ("convert", source, "-o", output, "--log-file", log_file)
    with at_terminal(*arguments, columns=200) as (command, plain):
        assert command.finish() == 0
    with at_terminal(*arguments, "-v", "--overwrite", "always", columns=200) as (command, detailed):
        assert command.finish() == 0
    assert "task_id" not in plain.raw.decode()
    assert "file.converted" in detailed.raw.decode()
    assert "task_id" in detailed.raw.decode()
    ends = [
        line for line in parsed_events(log_file.read_text()) if line["event"] == "file.converted"
    ]
    assert len(ends) == cloud.calls["submit"] == 2
    assert all(line["task_id"] and line["run_id"] for line in ends)


def test_quiet_is_quiet_on_a_terminal_too(cloud: Cloud, source: Path, output: Path) -> None:
    make_archive(source, 2)
    with at_terminal("convert", source, "-o", output, "-q", columns=80) as (command, terminal):
        assert command.finish() == 0
    assert terminal.raw == b""
    with at_terminal(
        "convert", source, "-o", output, "-q", "--progress", "--overwrite", "always", columns=80
    ) as (command, terminal):
        assert command.finish() == 0
    assert b"found so far" in terminal.raw, "asked for by name"
    assert terminal.rows == []
    assert cloud.calls["submit"] == 4
