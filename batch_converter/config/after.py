"""What becomes of a source once its PDF is there, as `--after` says it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator

from batch_converter.config.section import expand_user

KEEP: Final = "keep"
_MOVE: Final = "move:"


def check_after(value: str) -> str:
    """Return `keep`, or `move:DIR` with a home folder in the place of `~`.

    Raises:
        ValueError: It is neither, or DIR is empty.
    """
    folder = value.removeprefix(_MOVE)
    if value == KEEP:
        return value
    if folder == value or not folder or "\0" in folder:
        msg = f"{value!r} is neither keep nor move:DIR, such as move:/archive/done"
        raise ValueError(msg)
    return f"{_MOVE}{expand_user(folder)}"


def move_dir(value: str) -> Path | None:
    """Return the folder of `move:DIR`, as given; None of `keep`."""
    return None if value == KEEP else Path(value.removeprefix(_MOVE))


AfterAction = Annotated[str, AfterValidator(check_after)]
