"""What a walk yields: files to convert, paths passed over, and what cannot be read."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from batch_converter.models import SourceFile


class PassedKind(StrEnum):
    """Why a path was passed over."""

    DANGLING_LINK = "dangling_link"
    SPECIAL_FILE = "special_file"
    LINKED_FOLDER = "linked_folder"


_REASONS: Final = {
    PassedKind.DANGLING_LINK: "a link that leads nowhere",
    PassedKind.SPECIAL_FILE: "neither a file nor a folder",
    PassedKind.LINKED_FOLDER: "a link to a folder; --follow-symlinks enters it",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """A path that is left out and fails nothing.

    Attributes:
        path: Absolute path.
        source_root: The source as the user gave it.
        source: Path below the source folder; of a source itself, its name.
    """

    path: str
    source_root: str
    source: str
    kind: PassedKind

    @property
    def reason(self) -> str:
        """Why, in words for the log."""
        return _REASONS[self.kind]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadableSource:
    """A file or folder that should be converted and cannot be reached: `unreadable`.

    Attributes:
        path: Absolute path; a folder stands for all that may be below it.
        source_root: The source as the user gave it.
        source: Path below the source folder; of a source itself, its name.
        message: What happened and what to do.
    """

    path: str
    source_root: str
    source: str
    message: str


Found = SourceFile | Passed | UnreadableSource
