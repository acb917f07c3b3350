"""One process that reads headers, as the thread that asks it sees it. Everything here blocks."""

from __future__ import annotations

import io
import json
import os
import select
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, cast

from batch_converter.djvu.work.spawning import describe_end, spawn
from batch_converter.shortage import shortage_of

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping
    from typing import Self

_MODULE: Final = "batch_converter.djvu.work.inspector"
_MAX_ANSWER_BYTES: Final = 64 << 20


class InspectorStartError(Exception):
    """No process can be had; the argument is why."""


class InspectorEndedError(Exception):
    """The process ended without an answer; the argument is how, to follow "the process".

    Attributes:
        blames_job: Whether the job is to blame: it had reached the process, which nobody
            killed from outside.
    """

    def __init__(self, how: str, *, blames_job: bool) -> None:
        super().__init__(how)
        self.blames_job = blames_job


class InspectorProcess:
    """A process that does one job at a time.

    Attributes:
        is_spent: Whether it has ended, or can be trusted with no more jobs.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._questions = cast("io.FileIO", process.stdin)
        self._answers = io.BufferedReader(cast("io.FileIO", process.stdout))
        self.is_spent = False

    @classmethod
    def start(cls, max_memory_bytes: int) -> Self:
        """Start one and wait until it is ready; not in the main thread (see `spawn`).

        Raises:
            InspectorStartError: The system starts none, or it cannot begin.
        """
        try:
            started = cls(spawn(_MODULE, max_memory_bytes))
        except (OSError, RuntimeError, MemoryError) as error:
            raise InspectorStartError(shortage_of(error) or str(error)) from error
        if started._answers.readline() != b"\n":
            how = describe_end(started.end(kill=False))
            raise InspectorStartError(f"a process that is to read DjVu files {how}")
        return started

    @property
    def alive(self) -> bool:
        """Whether the process runs, or is still about to end: only an answer proves life."""
        look = select.poll()
        look.register(self._answers, 0)  # a hang-up is told unasked
        return not look.poll(0)

    def ask(self, job: Mapping[str, Any]) -> dict[str, Any]:
        """Send a job and wait for its answer.

        Raises:
            InspectorEndedError: There will be none.
        """
        is_begun = False
        try:
            self._questions.write(json.dumps(job).encode("ascii") + b"\n")
            is_begun = True
            line = self._answers.readline(_MAX_ANSWER_BYTES)
        except BrokenPipeError:
            line = b""
        if not line.endswith(b"\n"):
            status = self.end(kill=len(line) == _MAX_ANSWER_BYTES)
            blames_job = is_begun and status != -signal.SIGKILL
            raise InspectorEndedError(describe_end(status), blames_job=blames_job)
        answer: dict[str, Any] = json.loads(line)
        self.is_spent = answer.pop("is_last")
        return answer

    def end(self, *, kill: bool = True) -> int:
        """See to it that the process is no more; may be called again.

        Args:
            kill: Whether it may still run; else it is about to end by itself.

        Returns:
            The status with which it ended, or had ended before; of a signal, negative.
        """
        self.is_spent = True
        if kill and self._process.returncode is None:  # else its number is somebody else's
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._questions.close()
        self._answers.close()
        return self._process.wait()
