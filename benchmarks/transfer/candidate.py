"""One way to move one document, in a process of its own that measures itself.

Run by `__main__.py`: `-m benchmarks.transfer.candidate NAME URL BYTES FILE`. Prints a JSON line.
"""

from __future__ import annotations

import base64
import json
import os
import resource
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import anyio
import anyio.to_thread

from benchmarks.transfer.service import CONVERT

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    Measure = Callable[[], None]
    Candidate = Callable[[str, int, Path, Measure], Awaitable[None]]


class Uncounted:
    """Records no call."""

    async def begin(self, kind: object) -> int:  # noqa: ARG002  # the Protocol's
        return 0

    def end(self, call_id: int, outcome: object, *, http_status: int | None = None) -> None:
        pass


class FileSink:
    """Gathers pieces and appends them in a thread, in the way of a run's part file."""

    def __init__(self, path: Path, append: Callable[[Sequence[bytes | bytearray]], None]) -> None:
        from batch_converter.output.backlog import Backlog  # noqa: PLC0415  # only the candidate's own imports count
        from batch_converter.threads import DiskThreads  # noqa: PLC0415  # only the candidate's own imports count

        self.path = path
        self._append = append
        self._threads = DiskThreads(1)
        self._backlog = Backlog(append, self._threads)

    @classmethod
    def writing(cls, path: Path) -> FileSink:
        """Write and do nothing else, as the alternatives do."""
        from batch_converter.output import write_pieces  # noqa: PLC0415  # only the candidate's own imports count

        file = path.open("wb", buffering=0)
        return cls(path, lambda pieces: write_pieces(file.fileno(), pieces))

    async def restart(self) -> None:
        await self._backlog.drop()

    async def write(self, data: bytes) -> None:
        await self._backlog.put(data)

    async def finish(self) -> None:
        if rest := await self._backlog.rest():
            await self._threads.run(self._append, [rest])


def save(path: Path, text: str) -> None:
    """Do what the documentation's examples do with a result."""
    path.write_bytes(base64.b64decode(text))


def load(path: Path) -> str:
    """Do what the documentation's examples do with a source."""
    return base64.b64encode(path.read_bytes()).decode()


def engine(url: str) -> Any:  # noqa: ANN401  # of whichever library is measured
    from batch_converter.cli.allocator import keep_freed_memory  # noqa: PLC0415  # only the candidate's own imports count
    from batch_converter.config import AsposeSettings, RetrySettings  # noqa: PLC0415  # only the candidate's own imports count
    from batch_converter.engines.aspose import AsposeEngine  # noqa: PLC0415  # only the candidate's own imports count

    keep_freed_memory()  # as the command does
    settings = AsposeSettings.model_validate(
        {"base_url": url, "client_id": "i", "client_secret": "s"}
    )
    return AsposeEngine(settings, RetrySettings(), calls=Uncounted(), max_submissions=8)


def document(path: Path) -> Any:  # noqa: ANN401  # of whichever library is measured
    from batch_converter.engines.base import SourceDocument  # noqa: PLC0415  # only the candidate's own imports count

    status = path.stat() if path.exists() else None
    return SourceDocument(
        number=1,
        name=path.name,
        path=str(path),
        size_bytes=status.st_size if status else 0,
        mtime_ns=status.st_mtime_ns if status else 0,
    )


async def fetch_ours(url: str, size: int, path: Path, start: Measure, kind: str = "plain") -> None:
    async with engine(url) as ours:
        await warm_up(ours, path, kind)
        start()
        sink = FileSink.writing(path)
        await ours.fetch(document(path), f"{kind}-{size}", sink, Uncounted())
        await sink.finish()


async def fetch_ours_dense(url: str, size: int, path: Path, start: Measure) -> None:
    await fetch_ours(url, size, path, start, "dense")


async def fetch_stored(
    url: str, size: int, path: Path, start: Measure, kind: str = "plain"
) -> None:
    """Do all that a run does until the PDF is complete: the digest is made on the way."""
    from batch_converter.output.new_folders import NewFolders  # noqa: PLC0415  # only the candidate's own imports count
    from batch_converter.output.part_on_disk import PartOnDisk, PartPaths  # noqa: PLC0415  # the same

    disk = PartOnDisk(PartPaths(output=path.name, target=path, part=path), NewFolders(path.parent))
    async with engine(url) as ours:
        await warm_up(ours, path, kind)
        start()
        sink = FileSink(path, disk.append)
        await ours.fetch(document(path), f"{kind}-{size}", sink, Uncounted())
        await sink.finish()


async def fetch_stored_dense(url: str, size: int, path: Path, start: Measure) -> None:
    await fetch_stored(url, size, path, start, "dense")


async def warm_up(ours: Any, path: Path, kind: str) -> None:  # noqa: ANN401  # of whichever library is measured
    sink = FileSink.writing(path)
    await ours.fetch(document(path), f"{kind}-{768 * 1024}", sink, Uncounted())
    await sink.finish()


async def fetch_naive(url: str, size: int, path: Path, start: Measure) -> None:
    async with aiohttp.ClientSession() as session:
        start()
        async with session.get(f"{url}{CONVERT}?id=plain-{size}") as response:
            fields = await response.json()
        save(path, fields["results"][0]["data"])


async def fetch_vendor(url: str, size: int, path: Path, start: Measure) -> None:
    api = vendor(url)
    start()
    answer = await anyio.to_thread.run_sync(api.get_dj_vu2_pdf, f"plain-{size}")
    save(path, answer.results[0].data)


async def submit_ours(url: str, size: int, path: Path, start: Measure) -> None:
    del size
    async with engine(url) as ours:
        small = path.with_suffix(".small")
        small.write_bytes(bytes(1000))
        await ours.submit(document(small), Uncounted())
        start()
        await ours.submit(document(path), Uncounted())


async def submit_thrown_away(url: str, size: int, path: Path, start: Measure) -> None:
    """Send as many bytes from a block made beforehand."""
    del path
    block = bytes(1024 * 1024)
    blocks = size * 4 // 3 // len(block)

    async def pieces() -> Any:  # noqa: ANN401  # of whichever library is measured
        for _ in range(blocks):
            yield block

    headers = {"Content-Length": str(blocks * len(block))}
    async with aiohttp.ClientSession() as session:
        start()
        async with session.post(url + CONVERT, data=pieces(), headers=headers) as response:
            await response.read()


async def submit_naive(url: str, size: int, path: Path, start: Measure) -> None:
    del size
    async with aiohttp.ClientSession() as session:
        start()
        body = {"image": load(path), "settings": {}}
        async with session.post(url + CONVERT, json=body) as response:
            await response.text()


async def submit_vendor(url: str, size: int, path: Path, start: Measure) -> None:
    from aspose_ocr_cloud.models.ocr_settings_dj_vu2_pdf import (  # noqa: PLC0415  # only the candidate's own imports count
        OCRSettingsDjVu2PDF,
    )
    from aspose_ocr_cloud.models.ocrdj_vu2_pdf_body import OCRDjVu2PDFBody  # noqa: PLC0415  # only the candidate's own imports count

    del size
    api = vendor(url)
    start()
    image = load(path)
    body = OCRDjVu2PDFBody(image=image, settings=OCRSettingsDjVu2PDF())
    await anyio.to_thread.run_sync(api.post_dj_vu2_pdf, body)


def vendor(url: str) -> Any:  # noqa: ANN401  # untyped
    from aspose_ocr_cloud.api.dj_vu2_pdf_api import DjVu2PDFApi  # noqa: PLC0415  # only the candidate's own imports count
    from aspose_ocr_cloud.api_client import ApiClient  # noqa: PLC0415  # only the candidate's own imports count
    from aspose_ocr_cloud.configuration import Configuration  # noqa: PLC0415  # only the candidate's own imports count

    return DjVu2PDFApi(ApiClient(Configuration(host=url, access_token="a-token")))  # noqa: S106  # made up


CANDIDATES: dict[str, Candidate] = {
    name: globals()[name]
    for name in (
        "fetch_ours",
        "fetch_ours_dense",
        "fetch_stored",
        "fetch_stored_dense",
        "fetch_naive",
        "fetch_vendor",
        "submit_ours",
        "submit_thrown_away",
        "submit_naive",
        "submit_vendor",
    )
}


def memory_mb(field: str) -> float:
    """Return a line of /proc/self/status in MB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024 / 1e6
    raise LookupError(field)


def cpu_s() -> float:
    """Return what this process has used, in all its threads."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def chosen(name: str) -> Candidate:
    """Return a candidate: a whole way, or a part of ours."""
    if not name.startswith("part_"):
        return CANDIDATES[name]
    parts: dict[str, Candidate] = import_module("benchmarks.transfer.parts").CANDIDATES
    return parts[name]


async def main() -> None:
    """Measure from the moment that the candidate is ready to begin."""
    name, url, size, path = sys.argv[1:]
    begun: dict[str, float] = {}

    def start() -> None:
        Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
        begun.update(wall=time.perf_counter(), cpu=cpu_s(), idle=memory_mb("VmRSS"))

    await chosen(name)(url, int(size), Path(path), start)
    sys.stdout.write(
        json.dumps(
            {
                "wall_s": time.perf_counter() - begun["wall"],
                "cpu_s": cpu_s() - begun["cpu"],
                "idle_mb": begun["idle"],
                "peak_mb": memory_mb("VmHWM"),
            }
        )
    )
    sys.stdout.flush()
    os._exit(0)  # a process with gigabytes in it takes long to tidy up


if __name__ == "__main__":
    anyio.run(main)
