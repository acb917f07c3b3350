"""Reads globs from files (`--include-from`, `--exclude-from`), one a line, `#` for comments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from batch_converter.discovery.selection import check_glob
from batch_converter.errors import UsageError
from batch_converter.foreign_text import read_lines_of_names

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_MAX_BYTES: Final = 16 << 20


def with_globs_of_files(
    option: str, globs: Sequence[str], files: Sequence[Path]
) -> tuple[str, ...]:
    """Return the globs of the files with those that were given themselves behind them.

    In gitignore syntax the last one that matches decides: what is said on the command
    line has the last word.

    Args:
        option: What they are for: `include` or `exclude`.
        globs: Those that were given themselves.
        files: Where the others stand.

    Raises:
        UsageError: A file cannot be read, a line is no glob, or nothing at all says what to
            include: that would not mean nothing, it would mean everything.
    """
    read = [glob for path in files for glob in _globs_of(option, path)]
    if option == "include" and files and not read and not globs:
        raise UsageError(
            f"{files[0]} names nothing to include; write a pattern, or leave --include-from out"
        )
    return (*read, *globs)


def _globs_of(option: str, path: Path) -> Iterator[str]:
    lines = read_lines_of_names(path, f"the patterns to {option}", max_bytes=_MAX_BYTES)
    for number, line in enumerate(lines, 1):
        if line.strip() and not line.startswith("#"):
            check_glob(f"line {number} of {path}:", line)
            yield line
