"""Files to be looked at, by what is the matter: what a page lists before its table of all."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from batch_converter.models import FileStatus
from batch_converter.report.remedies import REMEDIES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batch_converter.models import FileReport

MOST_LISTED: Final = 1_000
"""Failures that are listed by their codes, and as many files with warnings."""

_UNKNOWN: Final = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureGroup:
    """Failures of one code.

    Attributes:
        remedy: What to do, in plain text with backticks around what is typed.
        files: The first of them.
        left_out: How many more there are.
    """

    code: str
    remedy: str
    files: Sequence[FileReport]
    left_out: int

    @property
    def count(self) -> int:
        """All of them."""
        return len(self.files) + self.left_out


class TroubleLists:
    """Gathers failures by code, and files with warnings, as many as a page can bear.

    Each code gets the same room, so that many failures of one do not hide another.
    """

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._failures: defaultdict[str, list[FileReport]] = defaultdict(list)
        self._remedies: dict[str, str] = {}
        self._warned_count = 0
        self.warned: list[FileReport] = []

    def add(self, file: FileReport) -> None:
        """Keep a file where it is one of the first of its kind."""
        if file.status is FileStatus.FAILED:
            code = _UNKNOWN if file.error is None else file.error.code.value
            self._remedies[code] = "" if file.error is None else REMEDIES[file.error.code]
            self._counts[code] += 1
            if len(self._failures[code]) < MOST_LISTED:
                self._failures[code].append(file)
        if file.warnings:
            self._warned_count += 1
            if len(self.warned) < MOST_LISTED:
                self.warned.append(file)

    @property
    def warned_left_out(self) -> int:
        """Files with warnings that are not in `warned`."""
        return self._warned_count - len(self.warned)

    @property
    def failures(self) -> list[FailureGroup]:
        """Each code with its failures, the most frequent first."""
        room = MOST_LISTED // max(1, len(self._counts))
        return [
            FailureGroup(
                code=code,
                remedy=self._remedies[code],
                files=(files := self._failures[code][:room]),
                left_out=count - len(files),
            )
            for code, count in self._counts.most_common()
        ]
