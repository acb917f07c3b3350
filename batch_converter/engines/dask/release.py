"""What decides, beside the options, how a document's PDF turns out: versions of what draws it."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

PACKAGE: Final = "batch-converter"
_DRAWING: Final = (PACKAGE, "djvu-rs", "fonttools", "pikepdf", "pillow")


@cache
def release() -> Mapping[str, str]:
    """Return the versions that have to be the same wherever parts of a run's PDFs are made."""
    return {name: _version(name) for name in _DRAWING}


def difference(here: Mapping[str, str], there: Mapping[str, str]) -> str | None:
    """Say what is of another version there than here; None where nothing is."""
    differing = [
        f"{name} {there.get(name, 'is missing')} where this machine has {wanted}"
        for name, wanted in here.items()
        if there.get(name) != wanted
    ]
    return ", ".join(differing) or None


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "unknown"
