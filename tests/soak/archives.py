"""Runs over the tests' cloud: from disk to disk, watched, and from store to store."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.soak.stage import Stage
from tests.support.cloud import Cloud
from tests.support.command import wait_until
from tests.support.killing import Archive, Watcher

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

    from tests.soak.lives import Life
    from tests.support.object_store import Bucket, ObjectServer

_LIMITS: Final = ("--max-in-flight", "6", "--max-submissions", "3", "--max-pollers", "4")


class CloudStage(Stage):
    """`convert` with the cloud: nothing half, nothing lost, nothing paid that is not counted.

    Attributes:
        place: Where the command writes: PDFs, state, reports.
    """

    archive_class: type[Archive] = Archive

    def __init__(self, folder: Path, chance: Random) -> None:
        super().__init__(folder, chance)
        self.cloud = self.stack.enter_context(self.make_cloud())
        self.cloud.latency_s = 0.003
        self.place = self.make_place()
        self.env = {
            **self.env,
            "ASPOSE_CLIENT_ID": self.cloud.client_id,
            "ASPOSE_CLIENT_SECRET": self.cloud.client_secret,
            "BATCH_CONVERTER_ASPOSE__BASE_URL": self.cloud.base_url,
            "BATCH_CONVERTER_RETRY__INITIAL_WAIT_S": "0.01",
            "BATCH_CONVERTER_POLLING__INTERVAL": "0.02",
        }
        self.archive = self.make_archive()
        self._bill: Counter[str] = Counter()

    def make_cloud(self) -> Cloud:
        """Return the service."""
        return Cloud()

    def make_place(self) -> Path:
        """Return a folder that is there and has room."""
        return self.folder

    def make_archive(self) -> Archive:
        """Return where documents and PDFs are; a watcher reads all PDFs while runs go on."""
        source, output = self.folder / "scans", self.place / "pdfs"
        source.mkdir()
        archive = self.archive_class(self.cloud, source, output, output / ".batch-converter")
        self.stack.enter_context(Watcher(archive))
        return archive

    def places(self) -> Sequence[str | Path]:
        """Return what is converted, and where to."""
        archive = self.archive
        return (archive.source, "-o", archive.output, "--state-dir", archive.state)

    def command(self) -> Sequence[str | Path]:
        report = ("--report", self.place / "reports" / "report.json")
        return ("convert", *self.places(), *report, *_LIMITS, "--json")

    def grow(self) -> None:
        self.cloud.questions_needed = self.chance.choice((1, 2, 3))
        self.archive.add(self.chance.randint(2, 8))

    def drive(self, life: Life) -> None:
        self._bill = Counter(self.cloud.bill())
        self.accompany(life)
        if life.code == 0:
            self._check_counts(life)

    def accompany(self, life: Life) -> None:
        """Do to a run, while it goes on, what may befall it."""

    def _check_counts(self, life: Life) -> None:
        """Hold a run's own count against the service's.

        What a dead run had sent may still be on its way when the service is asked: as many
        calls as the ledger had on record without an answer.
        """
        own = json.loads(life.said)["api_calls"]["billed"]
        late = self.cloud.billed - self._bill["billed"] - own
        assert 0 <= late <= self.archive.maybe_called.total(), f"{late} calls nobody counted"

    def check_after_death(self) -> None:
        self.archive.check_after_death()

    def check_at_end(self, again: Callable[[], Life]) -> None:
        self.archive.check_at_end()
        assert not self.cloud.surprises
        bill = self.cloud.bill()
        totals = json.loads(again().said)["totals"]
        assert totals["skipped"] == len(self.archive.documents), totals
        assert self.cloud.bill() == bill, "an idle run has called the service"
        self.check_nothing_else()

    def check_nothing_else(self) -> None:
        """Nothing lies about where reports go."""
        left = [path.name for path in (self.place / "reports").iterdir()]
        assert left == ["report.json"], left


class WatchStage(CloudStage):
    """`watch`: everything that arrives is converted, and paid for, once."""

    codes = frozenset({128 + signal.SIGTERM})

    def command(self) -> Sequence[str | Path]:
        return ("watch", *self.places(), *_LIMITS, "--settle", "0.05", "--json")

    def drive(self, life: Life) -> None:
        """Have documents arrive, some of them moved there, and end it when all are converted."""
        self.archive.add(self.chance.randint(1, 3))
        wait_until(lambda: life.is_over or self._is_done(), "everything to be converted")
        life.signal(signal.SIGTERM)
        assert life.code is not None

    def _is_done(self) -> bool:
        return all(self.archive.pdf(path).exists() for path in self.archive.documents)

    def check_at_end(self, again: Callable[[], Life]) -> None:
        self.archive.check_at_end()
        submissions = self.cloud.submissions.total()
        added = len(self.archive.documents)
        again()
        added = len(self.archive.documents) - added
        assert self.cloud.submissions.total() == submissions + added, "submitted again"
        self.archive.check_at_end()


class _Objects(Archive):
    """Documents and PDFs in a bucket; paths are keys."""

    bucket: Bucket

    def published(self, path: Path) -> bytes | None:
        key = os.fspath(self.pdf(path))
        return self.bucket.get(key) if key in self.bucket.keys(key) else None

    def check_objects(self) -> None:
        """Make sure that what is there is whole, and that no upload in parts has begun."""
        there = set(self.bucket.keys(f"{self.output}/"))
        for path, document in self.documents.items():
            if (key := os.fspath(self.pdf(path))) in there:
                assert self.bucket.get(key) == self.cloud.expected(document), key
        assert not self.bucket.open_uploads()

    def _put(self, path: Path, document: bytes) -> None:
        self.bucket.put(os.fspath(path), document)

    def _left_behind(self) -> list[Path]:
        pdfs = {self.pdf(path) for path in self.documents}
        keys = {Path(key) for key in self.bucket.keys(f"{self.output}/")}
        return [*(keys - pdfs), *map(Path, self.bucket.open_uploads())]

    def _document(self, path: bytes) -> bytes:
        key = os.fsdecode(path).removeprefix(f"s3://{self.bucket.name}/")
        return self.documents[Path(key)]


class ObjectStage(CloudStage):
    """`convert` from a bucket to a bucket: an object is whole or not there."""

    def __init__(self, server: ObjectServer, folder: Path, chance: Random) -> None:
        self._server = server
        super().__init__(folder, chance)

    def make_archive(self) -> Archive:
        bucket = self.stack.enter_context(self._server.bucket())
        self.env = {**self.env, **bucket.variables}
        archive = _Objects(self.cloud, Path("in"), Path("out"), self.folder / "state")
        archive.bucket = bucket
        return archive

    def places(self) -> Sequence[str | Path]:
        assert isinstance(self.archive, _Objects)
        bucket = f"s3://{self.archive.bucket.name}"
        return (f"{bucket}/in", "-o", f"{bucket}/out", "--state-dir", self.archive.state)

    def check_after_death(self) -> None:
        """Besides, each object that is there is whole, and no upload in parts is under way."""
        super().check_after_death()
        assert isinstance(self.archive, _Objects)
        self.archive.check_objects()
