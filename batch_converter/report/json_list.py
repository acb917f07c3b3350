"""Lists of any length behind what is known at once, in one JSON object on one line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


def object_text(
    fields: Mapping[str, Any], lists: Mapping[str, Iterable[Mapping[str, Any]]]
) -> Iterator[str]:
    """Yield an object without an end of line, in pieces: an entry of a list is held at a time.

    Args:
        fields: What comes first.
        lists: What comes behind it, by name.
    """
    yield json.dumps(fields).removesuffix("}")
    for name, entries in lists.items():
        yield f", {json.dumps(name)}: ["
        separator = ""
        for entry in entries:
            yield separator + json.dumps(entry)
            separator = ", "
        yield "]"
    yield "}"
