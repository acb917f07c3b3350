"""`serve` that dies: whatever it has accepted comes to its end, in one of its lives."""

from __future__ import annotations

import base64
import signal
from typing import TYPE_CHECKING

from tests.soak.embedded import small_documents
from tests.soak.stage import Stage
from tests.support.api_client import ApiClient
from tests.support.command import wait_until
from tests.support.killing import ledger_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from random import Random

    from tests.soak.lives import Life


class ServiceStage(Stage):
    """A service, and a client that hands in documents and asks for them."""

    codes = frozenset({128 + signal.SIGTERM})

    def __init__(self, folder: Path, chance: Random) -> None:
        super().__init__(folder, chance)
        self.env = {**self.env, "BATCH_CONVERTER_LOCAL__WORKERS": "1"}
        self._data = folder / "data"
        self._documents = small_documents()
        self._pdfs: dict[bytes, bytes] = {}
        self._accepted: dict[str, bytes] = {}
        self._fetched: set[str] = set()
        self._to_submit = 0

    def command(self) -> Sequence[str | Path]:
        return ("serve", "--port", "0", "--data-dir", self._data)

    def grow(self) -> None:
        self._to_submit = self.chance.randint(1, 4)

    def drive(self, life: Life) -> None:
        """Hand in and fetch; a service that dies meanwhile answers nothing any more."""
        try:
            self._use(life)
        except (OSError, EOFError) as gone:
            wait_until(lambda: life.is_over, f"its death, since it answered {gone}")
        life.signal(signal.SIGTERM)
        assert life.code is not None

    def _use(self, life: Life) -> None:
        wait_until(lambda: life.said.endswith("\n") or life.is_over, "the line with its address")
        address = life.said.removeprefix("listening on ").strip()
        if not address:
            return
        client = ApiClient(address)
        while self._to_submit:
            document = self.chance.choice(self._documents)
            self._accepted[client.submit(document)] = document
            self._to_submit -= 1
        for task_id in self._accepted.keys() - self._fetched:
            wait_until(lambda: life.is_over or client.is_ready(task_id), "a PDF")  # noqa: B023  # called at once
            self._check_pdf(client, task_id)

    def _check_pdf(self, client: ApiClient, task_id: str) -> None:
        """Compare it with what the document's first PDF was, of a life that was left alone."""
        [result] = client.ask(task_id)["results"]
        pdf = base64.b64decode(result["data"])
        assert pdf == self._pdfs.setdefault(self._accepted[task_id], pdf), task_id
        self._fetched.add(task_id)

    def check_after_death(self) -> None:
        """Each accepted document has its row, and the file that the row needs."""
        rows = dict(ledger_rows(self._data / "queue.sqlite3", "SELECT id, state FROM document"))
        for task_id, document in self._accepted.items():
            state = rows.get(task_id)
            assert state in {"waiting", "converting", "ready"}, (task_id, state)
            if state != "ready":
                assert (self._data / f"task-{task_id}.djvu").read_bytes() == document, task_id
            elif document in self._pdfs:
                pdf = (self._data / f"task-{task_id}.pdf").read_bytes()
                assert pdf == self._pdfs[document], task_id

    def check_at_end(self, again: Callable[[], Life]) -> None:
        again()
        assert self._fetched == self._accepted.keys()
        self.check_after_death()
        rows = ledger_rows(self._data / "queue.sqlite3", "SELECT id FROM document")
        known = {f"task-{task_id}" for (task_id,) in rows}
        odd = {path.name for path in self._data.glob("task-*") if path.stem not in known}
        assert not odd, f"files without a row, or of a dead life: {odd}"
