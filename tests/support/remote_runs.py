"""Runs from and to a bucket, within this process, with engines that do what they are told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio.to_thread

from batch_converter import api
from batch_converter.config import Settings
from batch_converter.engines.registry import ENGINES
from batch_converter.opening import open_run
from batch_converter.polling import FixedInterval
from batch_converter.sources import Sources
from batch_converter.state import SCRATCH_NAME, ledger_path, state_dir
from batch_converter.testing import FakeConverter, FakeTaskService
from tests.support.pdfs import djvu_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from batch_converter.events import RunEvent
    from batch_converter.models import FileReport, RunSummary
    from tests.support.object_store import Bucket, Request


@dataclass
class RemoteRuns:
    """Runs over a bucket, with one ledger.

    Attributes:
        output: A folder, or an address.
        engine: Converts; the embedded one where absent.
        changes: What differs from the defaults, by section.
        told: What the last run told.
        files: What became of each file in the last run, by source.
    """

    bucket: Bucket
    state: Path
    output: str
    engine: FakeConverter | FakeTaskService | None = field(default_factory=FakeConverter)
    changes: dict[str, dict[str, Any]] = field(default_factory=dict)
    told: list[RunEvent] = field(default_factory=list)
    files: Mapping[str, FileReport] = field(default_factory=dict)

    @property
    def archive(self) -> str:
        """The address below which `put` puts documents."""
        return f"s3://{self.bucket.name}/in"

    def put(self, name: str, mark: bytes = b"") -> bytes:
        """Put a DjVu into the archive."""
        data = djvu_bytes(mark=mark or name.encode())
        self.bucket.put(f"in/{name}", data)
        return data

    @property
    def settings(self) -> Settings:
        engine = "local" if self.engine is None else self.engine.name
        sections: dict[str, dict[str, Any]] = {
            "output": {"dir": self.output, "state_dir": self.state},
            "retry": {"initial_wait_s": 0.001, "max_wait_s": 0.01, "request_attempts": 4},
        }
        for name, values in self.changes.items():
            sections[name] = sections.get(name, {}) | values
        return Settings.model_validate({"engine": engine, **sections})

    async def convert(self, *paths: str, files_from: Path | None = None) -> RunSummary:
        """Convert what lies there; the archive, where nothing is named."""
        self.told.clear()
        self.bucket.requests.clear()
        listed = None if files_from is None else str(files_from)
        sources = Sources(paths=paths or (() if listed else (self.archive,)), files_from=listed)
        async with open_run(
            self.settings,
            sources,
            on_event=self.told.append,
            engines=ENGINES if self.engine is None else [self.engine.spec],
            policy=FixedInterval(0.01),
        ) as (run, opened):
            summary = await run.execute(opened.found, opened.roots)
        report = api.RunReport(summary=summary, ledger=ledger_path(self.settings))
        files = await anyio.to_thread.run_sync(list, report.files())
        self.files = {file.source: file for file in files}
        assert not list((state_dir(self.settings) / SCRATCH_NAME).iterdir())
        assert not self.bucket.open_uploads()
        return summary

    def error(self, source: str) -> tuple[str, str]:
        """Return code and message of a file that failed."""
        error = self.files[source].error
        assert error is not None
        return error.code.value, error.message

    @property
    def requests(self) -> list[Request]:
        """What the last run asked the store for, but for listings."""
        return [request for request in self.bucket.requests if not request.is_listing]
