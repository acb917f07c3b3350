"""One candidate in a process of its own: converts a folder, prints what it took.

`ours` is a run with the durable ledger; `no-ledger` is the same run with a ledger
in memory that is never brought to the disk; `vendor` is the vendor's client in a
pool of 32 threads, which neither checks nor records anything; `rerun` is `ours`
over a folder that is converted already; `bare` does the least that a durable
converter can.
"""

from __future__ import annotations

import argparse
import base64
import json
import logging
import resource
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import anyio
import aspose_ocr_cloud
import structlog

from batch_converter import api
from batch_converter.allocator import keep_freed_memory
from batch_converter.config import Settings
from batch_converter.ledger import ledger as ledger_module
from batch_converter.ledger import store
from batch_converter.sources import Sources
from benchmarks.scale.bare import convert_bare

THREADS = 32


def convert_ours(source: Path, output: Path, url: str) -> None:
    """Make a run through the public wiring."""
    keep_freed_memory()  # as the command does
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    settings = Settings.model_validate(
        {
            "engine": "aspose",
            "output": {"dir": output},
            "aspose": {"base_url": url, "client_id": "id", "client_secret": "bench-secret"},
            "polling": {"interval": 0.001},
        }
    )
    anyio.run(partial(_run, settings, Sources(paths=(str(source),))))


async def _run(settings: Settings, sources: Sources) -> None:
    async with api.open_run(settings, sources) as (run, opened):
        summary = await run.execute(opened.found, opened.roots)
    if summary.totals.failed or summary.totals.remaining:
        raise SystemExit(f"not everything was converted: {summary.totals}")


def forget_the_disk() -> None:
    """Give the ledger a connection that lives in memory."""

    def connect(path: Path, *, read_only: bool) -> sqlite3.Connection:
        del path, read_only
        connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        store._prepare(connection)  # noqa: SLF001  # the same schema
        return connection

    ledger_module.connect = connect


def convert_vendor(source: Path, output: Path, url: str) -> None:
    """Submit, fetch and write each file with the vendor's client."""
    client = aspose_ocr_cloud
    configuration = client.Configuration(host=url, access_token="token")  # noqa: S106  # none
    service = client.DjVu2PDFApi(client.ApiClient(configuration))

    def convert(path: Path) -> None:
        image = base64.b64encode(path.read_bytes()).decode()
        body = client.OCRDjVu2PDFBody(image=image, settings=client.OCRSettingsDjVu2PDF())
        answer = service.get_dj_vu2_pdf(service.post_dj_vu2_pdf(body).strip().strip('"'))
        target = output / path.relative_to(source).with_suffix(".pdf")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(base64.b64decode(answer.results[0].data))

    with ThreadPoolExecutor(THREADS) as pool:
        for _ in pool.map(convert, sorted(source.rglob("*.djvu"))):
            pass


CONVERT = {
    "ours": convert_ours,
    "rerun": convert_ours,
    "no-ledger": convert_ours,
    "vendor": convert_vendor,
    "bare": convert_bare,
}


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("name", choices=list(CONVERT))
    arguments.add_argument("source", type=Path)
    arguments.add_argument("output", type=Path)
    arguments.add_argument("url")
    given = arguments.parse_args()
    if given.name == "no-ledger":
        forget_the_disk()
    convert = CONVERT[given.name]
    began = time.perf_counter()
    convert(given.source, given.output, given.url)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    figures = {
        "wall_s": time.perf_counter() - began,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "peak_mb": usage.ru_maxrss / 1024,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
