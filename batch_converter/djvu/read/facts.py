"""What a DjVu tells about itself as a whole: on its first page, and in shared annotations."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from batch_converter.djvu.read.annotations import read_annotations
from batch_converter.djvu.read.decoder import PageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from collections.abc import Set as AbstractSet

    from batch_converter.djvu.read.annotations import Annotations
    from batch_converter.djvu.read.document import DjvuReader


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentFacts:
    """Facts in the order in which they count: the last of a kind the most.

    Attributes:
        entries: Keys as in the DjVu and their values.
        packets: Of XMP.
        warnings: What was lost of shared annotations; a page tells of its own.
    """

    entries: tuple[tuple[str, str], ...]
    packets: tuple[str, ...]
    warnings: tuple[str, ...]


def document_facts(reader: DjvuReader, encoding: str) -> DocumentFacts:
    """Read what is told of the document, whether its first page includes it or not."""
    shared = [read_annotations(chunks, encoding) for chunks in reader.shared_annotations()]
    told = [*shared, *_of_first_page(reader, encoding, {f for part in shared for f in part.facts})]
    losses = dict.fromkeys(loss for annotations in shared for loss in annotations.losses)
    return DocumentFacts(
        entries=_latest(told),
        packets=tuple(dict.fromkeys(p for annotations in told for p in annotations.packets)),
        warnings=tuple(f"the shared annotations {loss}" for loss in losses),
    )


def _latest(told: Sequence[Annotations]) -> tuple[tuple[str, str], ...]:
    """Let a page's facts take the place of shared ones; in one place, both are kept."""
    entries: list[tuple[str, str]] = []
    for part in told:
        own = {key for key, _ in part.facts}
        entries = [entry for entry in entries if entry[0] not in own]
        entries += part.facts
    return tuple(entries)


def _of_first_page(
    reader: DjvuReader, encoding: str, shared: AbstractSet[tuple[str, str]]
) -> Iterator[Annotations]:
    """Yield what the first page tells beyond what it shares."""
    try:
        found = read_annotations(reader.page(0).chunks, encoding)
        yield replace(found, facts=tuple(fact for fact in found.facts if fact not in shared))
    except PageError:  # told where the page is drawn
        return
