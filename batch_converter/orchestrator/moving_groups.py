"""What is moved together, and where each file of it goes."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from batch_converter.ledger import Move
from batch_converter.storage import Relocation

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from batch_converter.ledger import Keepable
    from batch_converter.orchestrator.families import Family


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderView:
    """What is known of the files of a folder, where any of them belong together.

    Attributes:
        families: Of each file that has one, by path.
        documents: Paths of those that the ledger knows as documents.
        keepable: Documents that may be moved, by path.
    """

    families: Mapping[str, Family] = field(default_factory=dict)
    documents: frozenset[str] = frozenset()
    keepable: Mapping[str, Keepable] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class MovingGroup:
    """Files that are moved together: one, or those of an indirect document.

    Attributes:
        family: The document whose number stands for all.
        documents: All documents among the files that may be moved.
        moves: Each file with its place.
        kin: What the files have in common; None of a file alone.
        reason: Why they stay; None where they are moved.
    """

    family: Keepable
    documents: tuple[Keepable, ...]
    moves: tuple[Move, ...]
    kin: Family | None = None
    reason: str | None = None

    def with_moves(self) -> Iterator[tuple[Keepable, Move]]:
        """Yield each document with its move."""
        moves = {move.source: move for move in self.moves}
        for item in self.documents:
            yield item, moves[item.path]

    def relocations(self) -> list[Relocation]:
        """Return what the disk is to do; a document in one file is the bytes that were hashed."""
        digests = {d.path: d.source_sha256 for d in self.documents if d.parts_fingerprint is None}
        return [
            Relocation(
                source=Path(move.source),
                target=Path(move.target),
                sha256=digests.get(move.source),
            )
            for move in self.moves
        ]


def group_of(item: Keepable, view: FolderView, folder: Path) -> MovingGroup:
    """Return what a source is moved with, and where to: its tree is kept.

    Args:
        item: A document that may be moved.
        view: Of its folder.
        folder: Where sources go.
    """
    kin = view.families.get(item.path)
    if kin is None:
        target = os.fspath(folder / item.source)
        move = Move(document=item.id, source=item.path, target=target, folder=os.fspath(folder))
        return MovingGroup(family=item, documents=(item,), moves=(move,))
    documents = tuple(view.keepable[path] for path in sorted(kin.files & view.keepable.keys()))
    numbers = {known.path: known.id for known in documents}
    place = (folder / item.source).parent
    moves = tuple(
        Move(
            document=numbers.get(path),
            source=path,
            target=os.fspath(place / os.path.basename(path)),  # noqa: PTH119  # bytes kept
            folder=os.fspath(folder),
        )
        for path in sorted(kin.files)
    )
    return MovingGroup(family=item, documents=documents, moves=moves, kin=kin)
