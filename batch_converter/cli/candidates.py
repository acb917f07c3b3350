"""What may stand for a value that is neither a choice nor a path alone."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import click

_MOVE: Final = "move:"


def after_candidates(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
    """Return what `--after` may be: `keep`, or `move:` and a folder that is there.

    Shells that break words at a colon (bash) complete the folder by themselves.
    """
    if not incomplete.startswith(_MOVE):
        return [action for action in ("keep", _MOVE) if action.startswith(incomplete)]
    return [f"{_MOVE}{folder}/" for folder in _folders(incomplete.removeprefix(_MOVE))]


def _folders(begun: str) -> list[str]:
    """Return the folders whose path begins so; those that no shell's answer can hold are left out.

    A folder that cannot be read has no candidates: a completion is no place for an error.
    """
    above, start = os.path.split(begun)
    try:
        with os.scandir(os.path.expanduser(above) or ".") as entries:  # noqa: PTH111  # as it was typed
            names = sorted(entry.name for entry in entries if entry.is_dir())
    except (OSError, ValueError):
        return []
    return [
        os.path.join(above, name)  # noqa: PTH118  # as it was typed
        for name in names
        if name.startswith(start) and name.isprintable() and not _is_hidden(name, start)
    ]


def _is_hidden(name: str, start: str) -> bool:
    return name.startswith(".") and not start.startswith(".")
