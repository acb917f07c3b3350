"""The process of a cluster on this machine: a scheduler, and a nanny for each worker.

`argv[1]` is the number of workers. A JSON line on standard output tells address and
certificates once the workers are there. The process ends when standard input closes.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

import anyio
import dask.config
from distributed import LocalCluster, Security

if TYPE_CHECKING:
    from collections.abc import Mapping

_LOOPBACK: Final = "127.0.0.1"
_SETTINGS: Final = {
    # A worker that dies is the run's to judge: Dask itself gives no task up.
    "distributed.scheduler.allowed-failures": 1_000_000,
    # Nobody looks at it, and its pages would be open to all on this machine.
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    # Nor at what it measures of itself: 13 % of a processor with two idle workers, 3 % so.
    "distributed.admin.system-monitor.interval": "10s",
    "distributed.admin.tick.interval": "1s",
    "distributed.worker.profile.enabled": False,
}
_SECRETS: Final = ("tls_ca_file", "tls_client_key", "tls_client_cert", "require_encryption")


def main() -> None:
    """Run the cluster until standard input closes."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # a supervisor's reach all; the run decides
    answers = _private_answers()
    folder = Path(tempfile.mkdtemp(prefix="batch-converter-dask-"))
    threading.Thread(target=_end_with_input, args=(folder,), daemon=True).start()
    dask.config.set({**_SETTINGS, "temporary-directory": os.fspath(folder)})
    try:
        anyio.run(_serve, int(sys.argv[1]), folder, answers)
    finally:  # it could not be started
        shutil.rmtree(folder, ignore_errors=True)


def _private_answers() -> TextIO:
    """Keep the answers' pipe to ourselves: what workers print goes nowhere."""
    pipe = os.fdopen(os.dup(1), "w", encoding="ascii")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    return pipe


def _end_with_input(folder: Path) -> None:
    """Wait for the run to be gone, or to want that; then end at once, and the workers with it."""
    while os.read(0, 1):
        pass
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)


async def _serve(workers: int, folder: Path, answers: TextIO) -> None:
    try:
        security = Security.temporary()
        cluster = await _started(workers, folder, security)
    except Exception as error:  # noqa: BLE001  # whatever Dask raises: told to the run, which ends with it
        _tell(answers, {"error": f"{type(error).__name__}: {error}"})
        return
    async with cluster:
        secrets = {name: getattr(security, name) for name in _SECRETS}
        _tell(answers, {"address": cluster.scheduler_address, "security": secrets})
        await anyio.sleep_forever()


async def _started(workers: int, folder: Path, security: Security) -> LocalCluster:
    cluster = LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        processes=True,
        host=_LOOPBACK,
        protocol="tls://",
        security=security,
        dashboard_address=f"{_LOOPBACK}:0",
        worker_dashboard_address=f"{_LOOPBACK}:0",
        memory_limit=0,  # of the processes that convert, which are not its own
        local_directory=os.fspath(folder),
        asynchronous=True,
    )
    return await cluster


def _tell(answers: TextIO, told: Mapping[str, Any]) -> None:
    answers.write(json.dumps(told) + "\n")
    answers.flush()


if __name__ == "__main__":
    main()
