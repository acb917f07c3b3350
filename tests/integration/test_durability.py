"""A machine that dies at a step finds in the ledger's files what that step builds upon."""

from __future__ import annotations

import shutil
import sqlite3
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING, Any

import anyio.to_thread
import pytest

from batch_converter.config import STATE_DIR_NAME, Settings
from batch_converter.engines.base import NotReady
from tests.support.clocks import LeapingClock
from tests.support.pdfs import make_archive
from tests.support.runs import Stage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    source = tmp_path / "scans"
    source.mkdir()
    return Stage(source, tmp_path / "out", Settings(), LeapingClock())


def found_in_a_copy(stage: Stage, folder: Path, source: str) -> tuple[Any, ...]:
    """Recover the ledger from its files as they lie there; return what it knows of a source."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for path in (stage.output / STATE_DIR_NAME).glob("ledger.sqlite3*"):
        if not path.name.endswith("-shm"):  # memory, which a power loss takes
            shutil.copy(path, folder)
    query = """
        SELECT document.state, document.task_id, document.pdf_sha256 IS NOT NULL,
            (SELECT count(*) FROM call WHERE call.document = document.id AND kind = 'submit'),
            (SELECT count(*) FROM call WHERE call.document = document.id AND kind = 'poll')
        FROM document WHERE source = ?
    """
    with closing(sqlite3.connect(folder / "ledger.sqlite3")) as connection:
        row: tuple[Any, ...] = connection.execute(query, (source.encode(),)).fetchone()
    return row


async def test_every_step_is_recorded_before_it_is_taken(stage: Stage, tmp_path: Path) -> None:
    make_archive(stage.source, 6)
    seen: list[str] = []

    def watched(step: Callable[..., Any], name: str, expected: Callable[..., Any]) -> Any:  # noqa: ANN401  # as it is
        async def watching(document: Any, *rest: Any, **named: Any) -> Any:  # noqa: ANN401  # the engine's own
            copy = tmp_path / f"copy-{name}-{document.name}"
            known = await anyio.to_thread.run_sync(found_in_a_copy, stage, copy, document.name)
            seen.append(name if known == expected(known, *rest) else f"{name}: {known}")
            return await step(document, *rest, **named)

        return watching

    async with stage.run() as (run, engine):
        for path in stage.source.iterdir():
            engine.fetches[path.name].append(NotReady(status="Pending"))
        # The engine records its calls itself; when it is asked, only what came before is there.
        engine.submit = watched(  # type: ignore[method-assign]  # a look through the same door
            engine.submit, "submit", lambda *_: ("pending", None, 0, 0, 0)
        )
        engine.fetch = watched(  # type: ignore[method-assign]  # the same
            engine.fetch,
            "fetch",
            lambda known, task_id, *_: ("submitted", task_id, 0, 1, known[4]),
        )
        await stage.execute(run)
    assert Counter(seen) == {"submit": 6, "fetch": 12}
    known = await anyio.to_thread.run_sync(found_in_a_copy, stage, tmp_path / "copy", "00000.djvu")
    assert known == ("converted", None, 1, 1, 2)
