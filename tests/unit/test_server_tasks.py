from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from batch_converter.engines.base import SourceDocument
from batch_converter.server.tasks import RETENTION_S, ServedTask, TaskBoard
from batch_converter.wire import TaskStatus

P, W, C, E, N = (
    TaskStatus.PENDING,
    TaskStatus.PROCESSING,
    TaskStatus.COMPLETED,
    TaskStatus.ERROR,
    TaskStatus.NOT_EXIST,
)


def make_task(*, submitted_at_s: float = 0.0, status: TaskStatus = P) -> ServedTask:
    document = SourceDocument(
        number=1, name="a.djvu", path="/data/a.djvu", size_bytes=1, mtime_ns=0
    )
    return ServedTask(
        task_id=str(uuid.uuid4()),
        submitted_at_s=submitted_at_s,
        document=document,
        result=Path("/data/a.pdf"),
        status=status,
    )


@pytest.mark.parametrize("old", list(TaskStatus))
@pytest.mark.parametrize("new", list(TaskStatus))
async def test_only_the_moves_of_the_table_are_allowed(old: TaskStatus, new: TaskStatus) -> None:
    task = make_task(status=old)
    if (old, new) in {(P, W), (W, C), (W, E), (P, N), (W, N), (C, N), (E, N)}:
        task.move(new)
        assert task.status is new
    else:
        with pytest.raises(ValueError, match="cannot go"):
            task.move(new)


async def test_a_task_is_found_in_any_spelling_of_its_guid() -> None:
    board, task = TaskBoard(), make_task()
    board.add(task)
    plain = task.task_id
    for spelling in (plain, plain.upper(), plain.replace("-", ""), f"{{{plain}}}", f" {plain}\n"):
        assert board.find(spelling) is task
    assert board.find(str(uuid.uuid4())) is None
    assert board.find("no guid") is None


async def test_forgetting_ends_the_conversion_and_is_no_error_twice() -> None:
    board, task = TaskBoard(), make_task()
    board.add(task)
    board.forget(task)
    board.forget(task)
    assert board.find(task.task_id) is None
    assert task.status is N
    assert task.scope.cancel_called
    assert board.unfetched == 0


async def test_tasks_are_forgotten_24_hours_after_submission() -> None:
    board = TaskBoard()
    tasks = [make_task(submitted_at_s=at_s, status=C) for at_s in (0.0, 10.0, 20.0)]
    for task in tasks:
        board.add(task)
    assert board.forget_expired(RETENTION_S - 1) == []
    assert board.forget_expired(RETENTION_S + 10) == tasks[:2]
    assert board.find(tasks[2].task_id) is tasks[2]
    assert board.counts() == {C: 1}


async def test_unfetched_tasks_are_counted_once_each_and_their_peak_stays() -> None:
    board, tasks = TaskBoard(), [make_task() for _ in range(3)]
    for task in tasks:
        board.add(task)
    board.mark_fetched(tasks[0])
    board.mark_fetched(tasks[0])
    board.forget(tasks[0])
    board.forget(tasks[1])
    assert (board.unfetched, board.unfetched_peak) == (1, 3)
