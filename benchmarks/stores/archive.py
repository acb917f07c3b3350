"""Documents on a disk and, the same, in a bucket: converted and copied, round by round."""

from __future__ import annotations

import json
import os
import statistics
import sys
import urllib.request
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Final

import obstore
from obstore.store import S3Store

from benchmarks.cluster.__main__ import SAMPLES, check_same
from benchmarks.stores.runs import KEYS, Figures, measure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from benchmarks.service.processes import Process

DISK, STORE, COPIES = "disk → disk", "`s3 → s3`", "plain copies"
WAYS: Final = (DISK, STORE, COPIES)
LOST: Final = "lost in the noise: take more documents"
AT_ONCE: Final = {"local": 2 * (os.cpu_count() or 1) + 8, "aspose": 64}
"""How many documents a run has in hand, and the copies with it: about an engine's capacity."""


@dataclass
class Archive:
    """Documents on the disk and, the same, in a bucket; and what was measured with them.

    Attributes:
        words: Of the command, beside sources and output.
        found: By way, what each round took: with all documents, and with one.
    """

    engine: str
    folder: Path
    documents: int
    server: Process
    words: Sequence[str] = ()
    found: dict[str, list[tuple[Figures, Figures]]] = field(
        default_factory=lambda: {way: [] for way in WAYS}
    )

    @property
    def source(self) -> Path:
        """All documents; `one` beside it has the first of them."""
        return self.folder / "all"

    def prepare(self) -> None:
        """Put all documents, and one, into buckets; a run over a few fills the caches."""
        paths = sorted(self.source.rglob("*.djvu"))
        for which, some in (("one", paths[:1]), ("few", paths[: len(SAMPLES)])):
            (self.folder / which).mkdir()
            for path in some:
                (self.folder / which / path.name).write_bytes(path.read_bytes())
        self._on_disk("few", 0)
        for bucket in ("source", "target"):
            make_bucket(self.server, f"{self.engine}-{bucket}")
        store = self._store("source")
        for path in chain(self.source.rglob("*.djvu"), (self.folder / "one").iterdir()):
            obstore.put(store, path.relative_to(self.folder).as_posix(), path.read_bytes())

    def measure(self, number: int) -> None:
        """Make a round: every way over all documents, and over one."""
        ways: dict[str, Callable[[str, int], Figures]] = {
            DISK: self._on_disk,
            STORE: self._in_store,
            COPIES: self._copies,
        }
        for way, run in ways.items():
            taken = run("all", number), run("one", number)
            self.found[way].append(taken)
            print(f"{self.engine:7} {way:14} {taken[0].wall_s:6.2f} s", file=sys.stderr)

    def _on_disk(self, which: str, number: int) -> Figures:
        output = self.folder / f"disk-{which}-{number}"
        return self._convert(self.folder / which, output, output / ".state")

    def _in_store(self, which: str, number: int) -> Figures:
        bucket, output = f"s3://{self.engine}-target", f"{which}-{number}"
        state = self.folder / f"state-{output}"
        found = self._convert(f"s3://{self.engine}-source/{which}", f"{bucket}/{output}", state)
        self._check(output)
        return found

    def _convert(self, source: Path | str, output: Path | str, state: Path) -> Figures:
        words = ("batch_converter", "convert", "-q", "--no-progress", "--engine", self.engine)
        return measure(
            [*words, *self.words, source, "-o", output, "--state-dir", state], self.server
        )

    def _check(self, output: str) -> None:
        """Make sure that the store has the disk's PDFs, byte by byte."""
        fetched = self.folder / f"fetched-{output}"
        fetched.mkdir()
        store = self._store("target")
        for item in chain.from_iterable(obstore.list(store, prefix=output)):
            name = item["path"].replace("/", "_").removeprefix(f"{output}_")
            (fetched / name).write_bytes(obstore.get(store, item["path"]).bytes())
        flat = self.folder / f"flat-{output}"
        flat.mkdir()
        made = self.folder / f"disk-{output}"
        for path in made.rglob("*.pdf"):
            name = path.relative_to(made).as_posix().replace("/", "_")
            (flat / name).write_bytes(path.read_bytes())
        check_same(flat, fetched)

    def _copies(self, which: str, number: int) -> Figures:
        sizes = self.folder / f"sizes-{which}.json"
        sizes.write_text(json.dumps(self._pdf_sizes(which)), encoding="utf-8")
        words = ("benchmarks.stores.copies", f"s3://{self.engine}-source/{which}")
        target = f"s3://{self.engine}-target/copied-{which}-{number}"
        return measure([*words, target, sizes, str(AT_ONCE[self.engine])], self.server)

    def _pdf_sizes(self, which: str) -> dict[str, int]:
        made, source = self.folder / f"disk-{which}-0", self.folder / which
        names = (path.relative_to(source) for path in source.rglob("*.djvu"))
        return {name.as_posix(): (made / name.with_suffix(".pdf")).stat().st_size for name in names}

    @property
    def moved_mb(self) -> float:
        """How long all DjVus and their PDFs are together."""
        read = sum(path.stat().st_size for path in self.source.rglob("*.djvu"))
        return (read + sum(self._pdf_sizes("all").values())) / 1e6

    def _store(self, which: str) -> S3Store:
        return S3Store(
            f"{self.engine}-{which}",
            endpoint=self.server.url,
            access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
            secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
            region=KEYS["AWS_REGION"],
            client_options={"allow_http": True},
        )

    def each(self, way: str, field: str) -> list[float]:
        """Return what one more document takes, round by round: the start is taken off."""
        return [
            (getattr(whole, field) - getattr(one, field)) / (self.documents - 1)
            for whole, one in self.found[way]
        ]

    def rows(self) -> Iterator[str]:
        """Yield a row of the table for each way."""
        told = {"local": "embedded", "aspose": "instant service"}[self.engine]
        a_document_mb = self.moved_mb / self.documents
        for way in WAYS:
            wall_s, cpu_s, server_cpu_s, requests = (
                statistics.median(self.each(way, field))
                for field in ("wall_s", "cpu_s", "server_cpu_s", "requests")
            )
            peak_mb = max(whole.peak_mb for whole, _ in self.found[way])
            start_s = statistics.median(one.wall_s for _, one in self.found[way])
            rates = (
                f"{1 / wall_s:,.1f} | {a_document_mb / wall_s:,.2f}" if wall_s > 0 else f"{LOST} |"
            )
            yield (
                f"| {told}: {way} | {rates} | {cpu_s * 1e3:.1f} | {server_cpu_s * 1e3:.1f}"
                f" | {requests:.1f} | {peak_mb:.0f} MB | {start_s:.1f} s |"
            )

    def ratio(self, field: str, over: str) -> str:
        """Compare the store's rounds with those of another way."""
        ours, others = self.each(STORE, field), self.each(over, field)
        if min(others) <= 0:
            return LOST
        ratios = [each / other for each, other in zip(ours, others, strict=True)]
        return f"{statistics.median(ratios):.2f} times ({min(ratios):.2f} to {max(ratios):.2f})"

    def shown_share(self) -> str:
        """Compare what the store adds with the copies' time: 0 % is all hidden behind work."""
        rounds = [self.each(way, "wall_s") for way in (STORE, DISK, COPIES)]
        if min(rounds[-1]) <= 0:
            return LOST
        shares = [(store - disk) / copies for store, disk, copies in zip(*rounds, strict=True)]
        return f"{statistics.median(shares):.0%} ({min(shares):.0%} to {max(shares):.0%})"


def make_bucket(server: Process, name: str) -> None:
    """Create a bucket: the store's client cannot."""
    request = urllib.request.Request(f"{server.url}/{name}", method="PUT")  # noqa: S310  # our own
    with urllib.request.urlopen(request) as answer:  # noqa: S310  # our own
        answer.read()
