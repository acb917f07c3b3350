"""Runs that are killed: what must hold whenever one dies, held against the ledger's bytes."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from tests.support.pdfs import djvu_bytes

if TYPE_CHECKING:
    from types import TracebackType

    from tests.support.cloud import Cloud

LARGE_PDF_BYTES = 1_200_000
"""More than the pieces in which a download is written."""


@dataclass(slots=True)
class Archive:
    """Documents that a test adds to, and the PDFs that must come of them.

    Attributes:
        documents: Source path to its bytes.
        frozen: Documents whose task or PDF is on record, and how often each had
            been submitted by then: never again.
        maybe_sent: Documents that were being submitted when a run died, by how often.
        maybe_called: Calls on record without an answer when a run died, by kind.
    """

    cloud: Cloud
    source: Path
    output: Path
    state: Path
    documents: dict[Path, bytes] = field(default_factory=dict)
    frozen: dict[bytes, int] = field(default_factory=dict)
    maybe_sent: Counter[bytes] = field(default_factory=Counter)
    maybe_called: Counter[str] = field(default_factory=Counter)

    @property
    def ledger(self) -> Path:
        """The ledger's file."""
        return self.state / "ledger.sqlite3"

    def add(self, count: int) -> None:
        """Add documents, in folders of their own; every fifth has a large PDF."""
        for number in range(len(self.documents), len(self.documents) + count):
            path = self.source / f"box {number // 7}" / f"{number:05}.djvu"
            document = djvu_bytes(mark=b"%05d" % number)
            if number % 5 == 0:
                self.cloud.fillers[document] = LARGE_PDF_BYTES
            self.documents[path] = document
            self._put(path, document)

    def pdf(self, path: Path) -> Path:
        """Return where the PDF of a source belongs."""
        return self.output / path.relative_to(self.source).with_suffix(".pdf")

    def published(self, path: Path) -> bytes | None:
        """Return what stands under the final name of a source's PDF, if anything does."""
        try:
            return self.pdf(path).read_bytes()
        except FileNotFoundError:
            return None

    def check_after_death(self) -> None:
        """Look at what a killed run left, and at what earlier ones had left."""
        self._check_frozen()
        for path, state, task_id in self._rows("SELECT path, state, task_id FROM document"):
            document = self._document(path)
            if self._is_settled(state, task_id):
                self.frozen.setdefault(document, self.cloud.submissions[document])
            if state == "submitting":
                self.maybe_sent[document] += 1
        unanswered = self._rows("SELECT kind, count(*) FROM call WHERE outcome IS NULL GROUP BY 1")
        self.maybe_called.update(dict(unanswered))

    def check_at_end(self) -> None:
        """Everything is converted, byte for byte; all calls are accounted for."""
        self._check_frozen()
        for path, document in self.documents.items():
            assert self.published(path) == self.cloud.expected(document), path
            again = self.cloud.submissions[document] - 1
            assert 0 <= again <= self.maybe_sent[document], path
        assert not list((self.state / "parts").iterdir())
        assert not self._left_behind()
        [[unconverted]] = self._rows("SELECT count(*) FROM document WHERE state <> 'converted'")
        assert unconverted == 0
        for kind, count in self._rows(
            "SELECT kind, count(*) FROM call WHERE outcome IS NOT 'unsent' GROUP BY 1"
        ):
            never_left = count - self.cloud.calls[kind]
            assert 0 <= never_left <= self.maybe_called[kind], kind

    def _is_settled(self, state: str, task_id: str | None) -> bool:
        """Whether nobody may submit a document again that the ledger has so."""
        return state == "converted" or task_id is not None

    def _check_frozen(self) -> None:
        for document, count in self.frozen.items():
            assert self.cloud.submissions[document] == count, "submitted again"

    def _put(self, path: Path, document: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(document)

    def _left_behind(self) -> list[Path]:
        """Return what is neither a PDF nor the state's, where PDFs go."""
        return [path for path in self.output.rglob("*.part") if path.is_file()]

    def _document(self, path: bytes) -> bytes:
        return self.documents[Path(os.fsdecode(path))]

    def _rows(self, query: str) -> list[tuple[Any, ...]]:
        return ledger_rows(self.ledger, query)


class Watcher:
    """Reads all PDFs under their final names, over and over: each must be whole, always."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watcher")
        self.looks = 0
        self.faults: list[str] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()
        assert not self.faults

    def _watch(self) -> None:
        while not self._stop.wait(0.01):
            for path, document in tuple(self._archive.documents.items()):
                self._look(path, document)

    def _look(self, path: Path, document: bytes) -> None:
        content = self._archive.published(path)
        if content is None:
            return
        self.looks += 1
        if content != self._archive.cloud.expected(document):
            self.faults.append(f"{path}: {len(content)} bytes that are not its PDF")


def ledger_rows(ledger: Path, query: str) -> list[tuple[Any, ...]]:
    """Read a database as it lies on the disk; a run may have died before it had tables."""
    if not ledger.exists():
        return []
    uri = f"file:{ledger}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_schema").fetchone():
            return []
        return connection.execute(query).fetchall()
