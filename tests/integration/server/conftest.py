"""What the tests of the service share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from tests.support.service import HandConverter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from structlog.typing import EventDict


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[EventDict]]:
    """Catch what the service logs."""
    with capture_logs() as captured:
        yield captured


@pytest.fixture
def engine() -> HandConverter:
    """An engine that ends conversions when the test says so."""
    return HandConverter()
