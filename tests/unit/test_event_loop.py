"""Signals, and the loop in which commands wait."""

from __future__ import annotations

import asyncio
import signal
import threading
from pathlib import Path

import pytest

from batch_converter.cli import event_loop
from tests.support.command import PATIENCE_S

LOOKS = 50
TASKS = Path("/proc/self/task")


@pytest.mark.skipif(not TASKS.is_dir(), reason="only Linux tells when a thread sleeps")
def test_a_signal_that_another_thread_gets_is_heard_while_the_loop_waits() -> None:
    heard, missed = threading.Event(), threading.Event()

    async def wait() -> None:
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def hear(*_: object) -> None:
            heard.set()
            done.set()

        def tell() -> None:
            until_asleep(threading.main_thread())
            signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)
            if not heard.wait(PATIENCE_S):
                missed.set()
                loop.call_soon_threadsafe(done.set)

        signal.signal(signal.SIGUSR1, hear)
        threading.Thread(target=tell).start()
        await done.wait()

    before = signal.getsignal(signal.SIGUSR1)
    try:
        event_loop.run(wait)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert heard.is_set()
    assert not missed.is_set()


def until_asleep(thread: threading.Thread) -> None:
    """Wait until a thread sleeps at each of many looks."""
    status = TASKS / str(thread.native_id) / "stat"
    asleep = 0
    while asleep < LOOKS:
        state = status.read_text().rpartition(")")[2].split()[0]
        asleep = asleep + 1 if state == "S" else 0


def test_what_is_run_may_raise_and_return() -> None:
    async def doubled(number: int) -> int:
        return 2 * number

    assert event_loop.run(doubled, 21) == 42
    assert signal.set_wakeup_fd(-1) == -1
