"""The options that say which files a run takes, and in which order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from batch_converter.cli.options import PATH, SOURCE, flag, option, with_options

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., Any]")


_LISTS: Final = (
    click.option(
        "--files-from",
        type=SOURCE,
        metavar="FILE",
        help="Read the sources from a file, one a line; - is stdin.",
    ),
    click.option(
        "--null",
        is_flag=True,
        help="The sources in --files-from, and those in --failed-list, are NUL-separated.",
    ),
)

_OPTIONS: Final = (
    option(
        "input.include",
        "--include",
        multiple=True,
        metavar="GLOB",
        help="Only files whose path below the source matches; gitignore syntax, repeatable.",
    ),
    option(
        "input.exclude",
        "--exclude",
        multiple=True,
        metavar="GLOB",
        help="Not these; repeatable.",
    ),
    option(
        "input.include_from",
        "--include-from",
        multiple=True,
        type=PATH,
        metavar="FILE",
        help="Patterns for --include from a file, one a line, # for comments; repeatable.",
    ),
    option(
        "input.exclude_from",
        "--exclude-from",
        multiple=True,
        type=PATH,
        metavar="FILE",
        help="The same for --exclude.",
    ),
    option(
        "input.min_size",
        "--min-size",
        metavar="SIZE",
        help="Only DjVus of at least this (10M).",
    ),
    option("input.max_size", "--max-size", metavar="SIZE", help="Only DjVus of at most this."),
    option(
        "input.min_age",
        "--min-age",
        metavar="AGE",
        help="Only DjVus unchanged for so long (2h, 30d).",
    ),
    option(
        "input.max_age",
        "--max-age",
        metavar="AGE",
        help="Only DjVus changed no longer ago than this.",
    ),
    option(
        "input.shard",
        "--shard",
        metavar="K/N",
        help="Take the K-th of N parts: several machines share one archive.",
    ),
    option(
        "input.order",
        "--order",
        type=click.Choice(["name", "smallest", "largest", "oldest"]),
        help="What comes first (default: name).",
    ),
    flag(
        "input.follow_symlinks",
        "--follow-symlinks",
        help="Enter linked folders, each once.",
    ),
    flag(
        "input.hidden",
        "--hidden",
        help="Also what begins with a dot, and what systems leave behind (@eaDir, lost+found).",
    ),
    flag(
        "input.by_content",
        "--by-content",
        help="Look into every file, whatever its name, for a DjVu's first bytes.",
    ),
)


def listing_options(function: F) -> F:
    """Add the lists of sources."""
    return with_options(function, *_LISTS)


def choosing_options(function: F) -> F:
    """Add the filters, and the order."""
    return with_options(function, *_OPTIONS)
