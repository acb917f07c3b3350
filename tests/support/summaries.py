"""A run as reports tell it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from batch_converter.errors import ExitCode
from batch_converter.models import ApiCalls, RunSummary, Totals

START: Final = datetime(2024, 5, 1, 12, tzinfo=UTC)
SUMMARY: Final = RunSummary(
    run_id="r1",
    started_at=START,
    finished_at=START + timedelta(seconds=83.5),
    engine="aspose",
    exit_code=ExitCode.SOME_FAILED,
    totals=Totals(
        found=15,
        converted=12,
        skipped=1,
        failed=1,
        remaining=1,
        with_warnings=2,
        bytes_in=1536,
        bytes_out=3 * 1024**2,
        pages=34,
    ),
    api_calls=ApiCalls(token=1, submit=13, poll=14, cancel=2),
    submit_unknown=1,
)
