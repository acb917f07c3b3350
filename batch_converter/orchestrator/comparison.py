"""Whether a file's bytes are still those that its document's state is about. Blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from batch_converter.djvu.read.identity import content_sha256, indirect_parts, parts_fingerprint
from batch_converter.djvu.read.iff import open_source
from batch_converter.errors import FileError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batch_converter.ledger import Planned


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A file as it is now against what the ledger knows.

    Attributes:
        changed: The bytes differ.
        parts_fingerprint: Of an indirect document, how its parts look now.
    """

    changed: bool
    parts_fingerprint: str | None = None


def compare(planned: Planned) -> Comparison:
    """Compare size and time; the bytes are read only where the size is the same and a time is not.

    Parts of an indirect document that have gone are no change: its PDF is all that is left.
    """
    known = planned.document
    if planned.found_size_bytes != known.size_bytes:
        return Comparison(changed=True)
    parts = indirect_parts(known.path) if planned.parts_fingerprint else ()
    mark = parts_fingerprint(parts) or planned.parts_fingerprint
    is_touched = (planned.found_mtime_ns, mark) != (known.mtime_ns, planned.parts_fingerprint)
    return Comparison(changed=is_touched and _differs(planned, parts), parts_fingerprint=mark)


def _differs(planned: Planned, parts: Sequence[str]) -> bool:
    if planned.source_sha256 is None:
        return True
    try:
        with open_source(planned.document.path) as source:
            return content_sha256(source, parts) != planned.source_sha256
    except FileError:
        return True
