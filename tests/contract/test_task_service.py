"""What every `TaskService` keeps to; an engine joins by its line in `engines.SERVICES`."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from batch_converter.engines.base import Converter, Gone, NotReady, Ready, TaskService
from batch_converter.errors import BudgetSpentError
from tests.contract.engines import GOOD, SERVICES, FileTarget, RecordedCalls, source

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from batch_converter.engines.base import Fetched


@pytest.fixture(params=SERVICES)
async def service(request: pytest.FixtureRequest) -> AsyncIterator[TaskService]:
    async with SERVICES[request.param]() as opened:
        yield opened


async def fetch_until_ended(
    service: TaskService, task_id: str, target: FileTarget, calls: RecordedCalls
) -> Fetched:
    while True:
        fetched = await service.fetch(source(GOOD), task_id, target, calls)
        if not isinstance(fetched, NotReady):
            return fetched


async def test_it_is_of_one_kind_and_says_who_it_is(service: TaskService) -> None:
    assert isinstance(service, TaskService)
    assert not isinstance(service, Converter)
    assert service.name
    assert service.address
    assert service.options_digest == service.options_digest
    assert service.result_lifetime is None or service.result_lifetime.total_seconds() > 0


async def test_what_is_submitted_can_be_fetched_again_and_again(
    service: TaskService, tmp_path: Path
) -> None:
    calls, target = RecordedCalls(), FileTarget(tmp_path / "a.part")
    task_id = await service.submit(source(GOOD), calls)
    assert isinstance(await fetch_until_ended(service, task_id, target, calls), Ready)
    first = target.path.read_bytes()
    assert first.startswith(b"%PDF-")
    assert isinstance(await fetch_until_ended(service, task_id, target, calls), Ready)
    assert target.path.read_bytes() == first


async def test_each_submission_is_a_task_of_its_own(service: TaskService) -> None:
    calls = RecordedCalls()
    ids = {await service.submit(source(GOOD, number), calls) for number in (1, 2)}
    assert len(ids) == 2
    assert calls.left() == {"submit": 2}


async def test_every_request_is_recorded_and_ended(service: TaskService, tmp_path: Path) -> None:
    calls = RecordedCalls()
    task_id = await service.submit(source(GOOD), calls)
    await fetch_until_ended(service, task_id, FileTarget(tmp_path / "a.part"), calls)
    await service.cancel(source(GOOD), task_id, calls)
    left = calls.left()
    assert (left["submit"], left["cancel"]) == (1, 1)
    assert left["poll"] >= 1


async def test_a_request_that_the_budget_forbids_does_not_leave(service: TaskService) -> None:
    calls = RecordedCalls(limit=0)
    with pytest.raises(BudgetSpentError):
        await service.submit(source(GOOD), calls)
    assert calls.calls == []


async def test_a_task_that_was_never_there_is_gone(service: TaskService, tmp_path: Path) -> None:
    target = FileTarget(tmp_path / "a.part")
    fetched = await service.fetch(source(GOOD), str(uuid.uuid4()), target, RecordedCalls())
    assert isinstance(fetched, Gone)


async def test_a_cancelled_task_is_gone_and_may_be_cancelled_again(
    service: TaskService, tmp_path: Path
) -> None:
    calls, target = RecordedCalls(), FileTarget(tmp_path / "a.part")
    task_id = await service.submit(source(GOOD), calls)
    await service.cancel(source(GOOD), task_id, calls)
    await service.cancel(source(GOOD), task_id, calls)
    assert isinstance(await service.fetch(source(GOOD), task_id, target, calls), Gone)
