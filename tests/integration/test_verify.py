"""`verify` on the event loop: it asks the ledger's disk in a thread."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from batch_converter import Settings, convert
from batch_converter.cli.verify import _verify, _verify_sources
from batch_converter.ledger import connection
from batch_converter.testing import FakeConverter
from tests.support.pdfs import make_archive

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

    import pytest


async def test_the_ledger_is_opened_checked_and_read_in_a_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_archive(tmp_path / "scans", 3)
    settings = Settings.model_validate({"engine": "fake", "output": {"dir": tmp_path / "pdfs"}})
    await convert([tmp_path / "scans"], settings, engines=[FakeConverter("fake").spec])
    asked: dict[str, threading.Thread] = {}

    def traced(database: str, *, uri: bool = False) -> sqlite3.Connection:
        asked["open"] = threading.current_thread()
        opened = connect_untraced(database, uri=uri)
        opened.set_trace_callback(lambda told: asked.update({told: threading.current_thread()}))
        return opened

    connect_untraced = connection._connection
    monkeypatch.setattr(connection, "_connection", traced)
    capsys.readouterr()
    for verify, told in ((_verify, "3 of 3 PDFs"), (_verify_sources, "3 of 3 sources")):
        asked.clear()
        assert await verify(settings) == 0
        assert told in capsys.readouterr().out
        assert any("quick_check" in statement for statement in asked)
        assert threading.main_thread() not in asked.values()
