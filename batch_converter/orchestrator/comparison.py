"""Whether a file's bytes are still those that its document's state is about. Blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from batch_converter.errors import FileError

if TYPE_CHECKING:
    from batch_converter.djvu.work.inspection import DjvuInspector
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


def compare(planned: Planned, inspector: DjvuInspector) -> Comparison:
    """Compare size and time; the bytes are read only where the size is the same and a time is not.

    Parts of an indirect document that have gone are no change: its PDF is all that is left.
    """
    known = planned.document
    if planned.found_size_bytes != known.size_bytes:
        return Comparison(changed=True)
    known_parts = planned.parts_fingerprint
    found_parts = _parts_fingerprint(known.path, inspector) if known_parts else None
    parts = found_parts or known_parts
    is_touched = (planned.found_mtime_ns, parts) != (known.mtime_ns, known_parts)
    differs = is_touched and _differs(planned, inspector, with_parts=found_parts is not None)
    return Comparison(changed=differs, parts_fingerprint=parts)


def _parts_fingerprint(path: str, inspector: DjvuInspector) -> str | None:
    try:
        return inspector.parts_fingerprint(path)
    except FileError:
        return None


def _differs(planned: Planned, inspector: DjvuInspector, *, with_parts: bool) -> bool:
    if planned.source_sha256 is None:
        return True
    try:
        found = inspector.sha256(planned.document.path, with_parts=with_parts)
    except FileError:
        return True
    return found != planned.source_sha256
