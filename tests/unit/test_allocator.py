"""Memory that was freed is used again without asking the system for it."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource
from batch_converter.allocator import keep_freed_memory

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

{before}
list(map(bytes, [1 << 19] * 8))
begun = faults()
for _ in range(50):
    blocks = [b"x" * (1 << 19) for _ in range(8)]
    del blocks
print(faults() - begun)
"""


def faults(before: str) -> int:
    command = [sys.executable, "-c", PROGRAM.format(before=before)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no limit")
def test_freed_blocks_are_used_again() -> None:
    assert faults("keep_freed_memory()") * 10 < faults("")
