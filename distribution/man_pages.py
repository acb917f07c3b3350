"""Writes a man page for each command: `python -m distribution.man_pages FOLDER`.

click-man finds the subcommands of a group in its attribute `commands`, where ours, which
loads a command when it is wanted, has none: it is given a group that has them all. Its head
line, too wide for 80 columns and with spaces in the page's title, gives way to the usual one.
"""

from __future__ import annotations

import os
import re
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
from click_man.core import write_man_pages

from batch_converter.cli.group import cli
from batch_converter.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Sequence

PROGRAM: Final = "batch-converter"
_REFERENCE: Final = re.compile(rf"{PROGRAM} [\w -]+(?=\(1\))")
"""A page of a command in a group: click-man has a space where its file's name has a hyphen."""


def write(folder: Path) -> list[Path]:
    """Write the pages into a folder in the place of those that are there, and return them.

    Their date is that of `SOURCE_DATE_EPOCH` where it is set, so that a build can be repeated.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for stale in folder.glob("*.1"):
        stale.unlink()
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    day = SystemClock().now() if epoch is None else datetime.fromtimestamp(int(epoch), UTC)
    write_man_pages(PROGRAM, _with_all_commands(), target_dir=str(folder))
    pages = sorted(folder.glob("*.1"))
    for page in pages:
        _, _, body = page.read_text(encoding="utf-8").partition("\n")
        head = f'.TH "{page.stem.upper()}" "1" "{day:%Y-%m-%d}" "{PROGRAM} {version(PROGRAM)}"'
        text = f'{head} "User Commands"\n{_REFERENCE.sub(_by_file_name, body)}'
        page.write_text(text, encoding="utf-8")
    return pages


def _by_file_name(reference: re.Match[str]) -> str:
    return reference[0].replace(" ", "-")


def _with_all_commands() -> click.Group:
    context = click.Context(cli, info_name=PROGRAM)
    found = {name: cli.get_command(context, name) for name in cli.list_commands(context)}
    return click.Group(
        PROGRAM,
        commands={name: command for name, command in found.items() if command is not None},
        params=cli.params,
        help=cli.help,
        short_help=cli.help,
        context_settings=cli.context_settings,
    )


def main(arguments: Sequence[str]) -> None:
    """Write them and say where."""
    (folder,) = arguments
    print(f"{len(write(Path(folder)))} man pages in {folder}")


if __name__ == "__main__":
    main(sys.argv[1:])
