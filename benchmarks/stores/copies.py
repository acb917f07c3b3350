"""Plain copies by the store's own client: the bytes that a conversion moves, and nothing else.

    python -m benchmarks.stores.copies SOURCE TARGET SIZES AT_ONCE

reads every object below SOURCE and puts as many bytes as its PDF has (SIZES: a JSON file, by key)
below TARGET, so many at once. Nothing is written to a disk, hashed, checked or recorded.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import anyio
import obstore
from obstore.store import S3Store


async def copy(source: S3Store, target: S3Store, sizes: dict[str, int], at_once: int) -> None:
    """Read each document and put its PDF's bytes."""
    limiter = anyio.CapacityLimiter(at_once)

    async def one(key: str) -> None:
        async with limiter:
            answer = await obstore.get_async(source, key)
            await answer.bytes_async()
            await obstore.put_async(target, f"{key}.pdf", bytes(sizes[key]))

    async with anyio.create_task_group() as group:
        async for page in obstore.list(source):
            for item in page:
                group.start_soon(one, item["path"])


def main() -> None:
    """Copy all."""
    source, target, sizes, at_once = sys.argv[1:]
    known = json.loads(Path(sizes).read_text(encoding="utf-8"))
    read, write = (
        S3Store.from_url(address, client_options={"allow_http": True})
        for address in (source, target)
    )
    anyio.run(copy, read, write, known, int(at_once))
    os._exit(0)  # the client's threads still let go of answers: an ending interpreter aborts them


if __name__ == "__main__":
    main()
