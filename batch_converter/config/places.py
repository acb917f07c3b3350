"""Where PDFs go: a folder, or an address in an object store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

from pydantic import BeforeValidator

from batch_converter.config.section import expand_user

STORE_SCHEMES: Final = ("s3", "gs", "az")
"""Of stores that list what they hold, and may be written to."""


def is_store_address(value: object) -> bool:
    """Whether a value is the address of a place in an object store, and no path."""
    return isinstance(value, str) and value.partition("://")[0] in STORE_SCHEMES and "://" in value


def parse_place(value: object) -> object:
    """Return an address as it is, and a path with a home folder in the place of `~`.

    Raises:
        ValueError: It is an address of another kind, which nothing can be written to.
    """
    if is_store_address(value):
        return value
    if isinstance(value, str) and value.partition("://")[0] in {"http", "https"}:
        raise ValueError("is an address that nothing can be written to; write s3://BUCKET/PREFIX")
    expanded = expand_user(value)
    return Path(expanded) if isinstance(expanded, str) else expanded


def parse_folder(value: object) -> object:
    """Return a path with a home folder in the place of `~`.

    Raises:
        ValueError: It is an address: what has to lie on this machine's disk cannot lie there.
    """
    if is_store_address(value):
        raise ValueError("is in an object store; name a folder of this machine")
    return expand_user(value)


OutputPlace = Annotated[Path | str, BeforeValidator(parse_place)]
LocalFolder = Annotated[Path, BeforeValidator(parse_folder)]
