"""Paths as a bag's manifest has them, and those that it cannot have; pure.

RFC 8493 2.1.3 has LF, CR and `%` percent-encoded. The Library of Congress' `bagit.py`, by
which bags are validated in practice, decodes the first two alone, and takes `%25` for four
characters. Where a path has a `%`, the two agree on no line of version 1.0; version 0.97,
which `bagit.py` itself writes, has `%` stand for itself.
"""

from __future__ import annotations

import re
from typing import Final

RFC_VERSION: Final = "1.0"
LITERAL_PERCENT_VERSION: Final = "0.97"

_PAYLOAD: Final = "data/"
_ESCAPE_LOOKALIKE: Final = re.compile("%0[AD]", re.IGNORECASE)

_MOST_LINE_BREAKS: Final = 2
"""Of a kind and in a path: `bagit.py` 1.9.0 decodes no more."""


def manifest_path(output: str) -> str:
    """Return the path below the bag as its manifest has it."""
    return _PAYLOAD + output.replace("\r", "%0D").replace("\n", "%0A")


def version_for(output: str) -> str:
    """Return the version of the format in which the path's line says what it should."""
    return LITERAL_PERCENT_VERSION if "%" in output else RFC_VERSION


def obstacle(output: str) -> str | None:
    """Return why the path can stand in no manifest that every reader understands, or None.

    Args:
        output: A path below the output folder; bytes that are not UTF-8 as surrogates.
    """
    try:
        output.encode()
    except UnicodeEncodeError:
        return "its name is not UTF-8, as the manifest of a bag has to be"
    if _ESCAPE_LOOKALIKE.search(output):
        return "its name has %0A or %0D in it, which readers of bags take for a line break"
    if max(output.count("\r"), output.count("\n")) > _MOST_LINE_BREAKS:
        return "its name has more line breaks than bagit.py understands"
    if len(manifest_path(output).splitlines()) > 1:
        return "its name has a control character in it that bagit.py takes for a line break"
    return None
