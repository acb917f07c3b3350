"""`bag` and `merge` that die: what they make is whole, or not there."""

from __future__ import annotations

import json
import warnings
from typing import TYPE_CHECKING, Final

from tests.soak.stage import Stage
from tests.support.cloud import Cloud
from tests.support.command import run
from tests.support.pdfs import make_archive

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from random import Random

    from tests.soak.lives import Life

_DOCUMENTS: Final = 12


def convert(stage: Stage, cloud: Cloud, output: Path, *more: str | Path) -> None:
    """Have an archive converted, some PDFs of which are long, by a run that nobody kills."""
    env = {
        **stage.env,
        "ASPOSE_CLIENT_ID": cloud.client_id,
        "ASPOSE_CLIENT_SECRET": cloud.client_secret,
        "BATCH_CONVERTER_ASPOSE__BASE_URL": cloud.base_url,
    }
    source = stage.folder / "scans"
    if not source.exists():
        for path in make_archive(source, _DOCUMENTS)[::4]:
            cloud.fillers[path.read_bytes()] = 3_000_000
    done = run("convert", source, "-o", output, *more, env=env)
    assert done.code == 0, done.err


class BagStage(Stage):
    """`bag`: a bag is there whole or not at all, and the next one clears what a dead one left."""

    def __init__(self, folder: Path, chance: Random) -> None:
        super().__init__(folder, chance)
        self._output = folder / "pdfs"
        self._number = 0
        with Cloud() as cloud:
            convert(self, cloud, self._output)

    @property
    def _bag(self) -> Path:
        return self.folder / "bags" / f"bag {self._number}"

    def command(self) -> Sequence[str | Path]:
        return ("bag", "-o", self._output, self._bag)

    def grow(self) -> None:
        """Name another bag, once this one is there."""
        if self._bag.exists():
            self._number += 1

    def check_after_death(self) -> None:
        """It is whole, whoever looks, if it is there; a kill may come after its name."""
        if self._bag.exists():
            self._check_bag()
            self._number += 1

    def _check_bag(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # bagit.py's own, at its import
            import bagit  # noqa: PLC0415  # it warns as it is imported, which is no news here

        bagit.Bag(str(self._bag)).validate()
        for pdf in self._output.glob("*.pdf"):
            assert (self._bag / "data" / pdf.name).read_bytes() == pdf.read_bytes(), pdf
        assert len(list((self._bag / "data").iterdir())) == _DOCUMENTS

    def check_at_end(self, again: Callable[[], Life]) -> None:
        self._check_bag()
        self.grow()
        again()
        self._check_bag()
        names = [path.name for path in (self.folder / "bags").iterdir()]
        hidden = [name for name in names if name.startswith(".")]
        assert not hidden, f"left by bags that died: {hidden}"


class MergeStage(Stage):
    """`merge`: each file is whole, or not there, and no ledger is changed."""

    def __init__(self, folder: Path, chance: Random) -> None:
        super().__init__(folder, chance)
        self._states = [folder / f"state {k}" for k in (1, 2)]
        with Cloud() as cloud:
            for k, state in enumerate(self._states, 1):
                places = ("--shard", f"{k}/2", "--state-dir", state)
                convert(self, cloud, folder / "pdfs", *places)
        self._ledgers = self._ledger_bytes()
        self._reports = folder / "reports"
        self._expected: dict[str, bytes] = {}

    def _ledger_bytes(self) -> list[bytes]:
        return [(state / "ledger.sqlite3").read_bytes() for state in self._states]

    def command(self) -> Sequence[str | Path]:
        flags = ("report", "html-report", "csv-report", "manifest", "metrics-file")
        files = [(f"--{flag}", self._reports / f"{flag}.file") for flag in flags]
        return ("merge", *self._states, *(word for pair in files for word in pair), "--json")

    def grow(self) -> None:
        """Keep what the first life has made; take some files away that the next may replace."""
        if not self._reports.exists():
            return
        if not self._expected:
            self._expected = {path.name: path.read_bytes() for path in self._reports.iterdir()}
        for name in self.chance.sample(sorted(self._expected), 3):
            (self._reports / name).unlink(missing_ok=True)

    def drive(self, life: Life) -> None:
        if life.code == 0:
            assert json.loads(life.said)["totals"]["converted"] == _DOCUMENTS

    def check_after_death(self) -> None:
        assert self._ledger_bytes() == self._ledgers
        for name, expected in self._expected.items():
            path = self._reports / name
            assert not path.exists() or path.read_bytes() == expected, path

    def check_at_end(self, again: Callable[[], Life]) -> None:
        again()
        found = {path.name: path.read_bytes() for path in self._reports.iterdir()}
        assert found.keys() == self._expected.keys(), found.keys() ^ self._expected.keys()
        self.check_after_death()
