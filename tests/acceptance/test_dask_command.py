"""`--engine dask` as a user's shell runs it, with a cluster on this machine."""

from __future__ import annotations

import shutil
import signal
from typing import TYPE_CHECKING, Final

import psutil
import pytest

from tests.support.books import book_of
from tests.support.command import PATIENCE_S, run, started
from tests.support.djvu_files import SAMPLES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

pytestmark = pytest.mark.slow

ENV: Final = {"BATCH_CONVERTER_DASK__WORKERS": "1"}


def listening_addresses(processes: Sequence[psutil.Process]) -> set[str]:
    return {
        connection.laddr.ip
        for process in processes
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }


def test_the_cluster_on_this_machine_is_on_loopback_and_gone_with_its_run(tmp_path: Path) -> None:
    scans, output = tmp_path / "scans", tmp_path / "pdfs"
    scans.mkdir()
    (scans / "long.djvu").write_bytes(book_of(400))
    shutil.copy(SAMPLES / "bitonal.djvu", scans)
    command = ("convert", scans, "-o", output, "--engine", "dask", "--log-format", "json")
    with started(tmp_path / "streams", *command, env=ENV) as running:
        running.wait_until(lambda: running.logged("file.converted"), "the short one is converted")
        cluster = psutil.Process(running.pid).children(recursive=True)
        assert listening_addresses(cluster) == {"127.0.0.1"}
        assert sum("cluster_process" in " ".join(p.cmdline()) for p in cluster) == 1
        running.signal(signal.SIGKILL)
        _, alive = psutil.wait_procs(cluster, PATIENCE_S)
        assert alive == []
        running.finish()
    (scans / "long.djvu").write_bytes(book_of(17))
    done = run(*command, "--json", env=ENV)
    assert done.code == 0
    assert done.json["engine"] == "dask"
    assert done.json["totals"]["converted"] == 1
    assert done.json["totals"]["skipped"] == 1
    assert all(line["level"] in {"info", "warning"} for line in done.events)
