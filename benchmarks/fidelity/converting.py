"""Conversions in processes that live on, so that a figure is free of their start.

    python -m benchmarks.fidelity.converting

reads jobs as lines of JSON, and answers each with the processor time that it took.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict
from typing import IO, TYPE_CHECKING, Final, Self, cast

from batch_converter.config import LocalSettings
from batch_converter.djvu.draw.convert import convert
from batch_converter.djvu.jobs.options import ConvertOptions
from batch_converter.djvu.kernels.compiling import COMPILED, FOLDER_VARIABLE
from batch_converter.djvu.work.environment import worker_environment
from batch_converter.engines.local.options import options_of
from batch_converter.errors import EngineError, FileError
from benchmarks.results import ROOT

if TYPE_CHECKING:
    from pathlib import Path

_PLAIN: Final = {FOLDER_VARIABLE: ""}


class Converter:
    """A process that converts, as a worker of a run does.

    Args:
        kernels: Where compiled kernels are kept; None leaves them uncompiled, as without `[fast]`.
    """

    def __init__(self, kernels: Path | None) -> None:
        environment = worker_environment(os.environ)
        environment |= {FOLDER_VARIABLE: os.fspath(kernels)} if kernels else _PLAIN
        self._child = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.fidelity.converting"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=environment,
        )
        self._jobs = cast("IO[str]", self._child.stdin)
        self._answers = cast("IO[str]", self._child.stdout)
        self.is_compiled = bool(self._answer())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._jobs.close()
        self._child.wait()

    def convert(self, source: Path, target: Path, **settings: object) -> float:
        """Convert by settings of the section `[local]`; returns seconds of processor time.

        Raises:
            EngineError: It could not be converted.
        """
        options = asdict(options_of(LocalSettings.model_validate(settings)))
        job = {"source": os.fspath(source), "target": os.fspath(target), "options": options}
        print(json.dumps(job), file=self._jobs, flush=True)
        answer = self._answer()
        if isinstance(answer, str):
            raise EngineError(answer)
        return answer

    def _answer(self) -> float | str:
        answer: float | str = json.loads(self._answers.readline())
        return answer


def main() -> None:
    """Convert what standard input asks for."""
    print(json.dumps(COMPILED), flush=True)
    for line in sys.stdin:
        job = json.loads(line)
        before = time.process_time()
        try:
            convert(job["source"], job["target"], ConvertOptions(**job["options"]))
        except FileError as error:
            print(json.dumps(str(error)), flush=True)
        else:
            print(time.process_time() - before, flush=True)


if __name__ == "__main__":
    main()
