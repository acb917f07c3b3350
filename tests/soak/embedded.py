"""Runs of the embedded engine, in workers of this machine and on a Dask cluster."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from tests.soak.stage import Stage
from tests.support.books import book_of
from tests.support.command import run
from tests.support.djvu_files import SAMPLES
from tests.support.killing import ledger_rows
from tests.support.pdfs import djvu_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

    from tests.soak.lives import Life
    from tests.support.dask_cluster import TestCluster


def small_documents() -> list[bytes]:
    """Return documents that are converted quickly: empty, text, colours, several pages."""
    samples = [(SAMPLES / name).read_bytes() for name in ("no-text.djvu", "rotated.djvu")]
    return [djvu_bytes(), *samples, book_of(3), djvu_bytes(mark=b"another")]


class LocalStage(Stage):
    """`convert --engine local`: PDFs are those that a run gives that nobody kills."""

    engine: ClassVar[str] = "local"

    def __init__(self, folder: Path, chance: Random) -> None:
        super().__init__(folder, chance)
        self.env = {**self.env, "BATCH_CONVERTER_LOCAL__WORKERS": "2"}
        self.source, self.output = folder / "scans", folder / "pdfs"
        self.source.mkdir()
        self._documents = small_documents()
        self._expected: list[bytes] = []
        self._count = 0

    def command(self) -> Sequence[str | Path]:
        places = (self.source, "-o", self.output, "--report", self.folder / "reports/report.json")
        return ("convert", *places, "--engine", self.engine, "--json")

    def grow(self) -> None:
        for number in range(self._count, self._count + self.chance.randint(2, 5)):
            path = self._source(number)
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(self._documents[number % len(self._documents)])
            self._count += 1

    def _source(self, number: int) -> Path:
        return self.source / f"box {number // 3}" / f"{number:04}.djvu"

    def _pdf(self, number: int) -> Path:
        return self.output / f"box {number // 3}" / f"{number:04}.pdf"

    def drive(self, life: Life) -> None:
        if life.code == 0:
            totals = json.loads(life.said)["totals"]
            assert totals["converted"] + totals["skipped"] == self._count, totals

    def check_after_death(self) -> None:
        found = self._check_pdfs()
        done = self._recorded()
        assert done <= found, f"converted, and not there: {done - found}"

    def _check_pdfs(self) -> set[Path]:
        """Make sure that what is there is whole; return what of."""
        there = [number for number in range(self._count) if self._pdf(number).exists()]
        if there and not self._expected:
            self._expected = self._undisturbed()
        for number in there:
            expected = self._expected[number % len(self._documents)]
            assert self._pdf(number).read_bytes() == expected, self._pdf(number)
        return {self._source(number).relative_to(self.source) for number in there}

    def _undisturbed(self) -> list[bytes]:
        """Return the PDFs of a run that nobody kills."""
        source, output = self.folder / "undisturbed", self.folder / "expected"
        source.mkdir()
        for number, document in enumerate(self._documents):
            (source / f"{number}.djvu").write_bytes(document)
        assert run("convert", source, "-o", output, "--engine", "local", env=self.env).code == 0
        return [(output / f"{number}.pdf").read_bytes() for number in range(len(self._documents))]

    def _recorded(self) -> set[Path]:
        """Return the sources that the ledger has as converted."""
        query = "SELECT path FROM document WHERE state = 'converted'"
        found = ledger_rows(self.output / ".batch-converter/ledger.sqlite3", query)
        return {Path(os.fsdecode(path)).relative_to(self.source) for (path,) in found}

    def check_at_end(self, again: Callable[[], Life]) -> None:
        assert len(self._check_pdfs()) == len(self._recorded()) == self._count
        files = {path for path in self.output.rglob("*") if path.is_file()}
        state = self.output / ".batch-converter"
        left = {path for path in files if state not in path.parents}
        left -= {self._pdf(number) for number in range(self._count)}
        assert not left, left
        assert not list((state / "parts").iterdir())
        assert [path.name for path in (self.folder / "reports").iterdir()] == ["report.json"]
        totals = json.loads(again().said)["totals"]
        assert totals["skipped"] == self._count, totals


class DaskStage(LocalStage):
    """`convert --engine dask`: the same, and the cluster on this machine goes with its run."""

    engine = "dask"

    def __init__(self, folder: Path, chance: Random) -> None:
        super().__init__(folder, chance)
        self.env = {**self.env, "BATCH_CONVERTER_DASK__WORKERS": "1"}


class SchedulerStage(LocalStage):
    """`convert --engine dask --scheduler`: a cluster that outlives its runs is as good after."""

    engine = "dask"

    def __init__(self, cluster: TestCluster, folder: Path, chance: Random) -> None:
        super().__init__(folder, chance)
        self._address = cluster.address

    def command(self) -> Sequence[str | Path]:
        return (*super().command(), "--scheduler", self._address)
