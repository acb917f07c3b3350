"""The guards of `conftest.py` bite: without these, a dead guard would pass unnoticed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import anyio.to_thread
import pytest
from blockbuster import BlockingError

from batch_converter.config import load_settings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text("[polling]\ninterval = 5\n")
    path.chmod(0o600)
    return path


def read(path: Path) -> str:
    return path.read_text()


async def test_the_package_may_not_block_the_loop(config_file: Path) -> None:
    with pytest.raises(BlockingError):
        load_settings(config_file=config_file)


async def test_a_worker_thread_may_block(config_file: Path) -> None:
    loaded = await anyio.to_thread.run_sync(lambda: load_settings(config_file=config_file))
    assert loaded.settings.polling.interval == 5


async def test_a_test_body_may_block(config_file: Path) -> None:
    assert read(config_file)


def test_the_environment_holds_nothing_of_ours() -> None:
    prefixes = ("ASPOSE_", "BATCH_CONVERTER_", "HTTP_PROXY", "http_proxy")
    assert not [name for name in os.environ if name.startswith(prefixes)]
