"""A cloud, an account that it knows, and a folder for each test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.cloud import Cloud

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """A service that the environment points at, with quick retries."""
    with Cloud() as cloud:
        monkeypatch.setenv("ASPOSE_CLIENT_ID", cloud.client_id)
        monkeypatch.setenv("ASPOSE_CLIENT_SECRET", cloud.client_secret)
        monkeypatch.setenv("BATCH_CONVERTER_ASPOSE__BASE_URL", cloud.base_url)
        monkeypatch.setenv("BATCH_CONVERTER_RETRY__INITIAL_WAIT_S", "0.01")
        monkeypatch.setenv("BATCH_CONVERTER_POLLING__INTERVAL", "0.02")
        yield cloud
        assert not cloud.surprises


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """An empty folder for documents."""
    folder = tmp_path / "scans"
    folder.mkdir()
    return folder


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """Where PDFs go; not there yet."""
    return tmp_path / "pdfs"
