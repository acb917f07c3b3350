"""Memory that was freed is used again without asking the system for it."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource
from batch_converter.cli.allocator import keep_freed_memory

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


THREADS = """
import ctypes, threading
from batch_converter.cli.allocator import keep_freed_memory

{before}
gate = threading.Barrier(5)

def take():
    blocks = [bytearray(5000) for _ in range(500)]
    gate.wait()

threads = [threading.Thread(target=take) for _ in range(4)]
[thread.start() for thread in threads]
gate.wait()
[thread.join() for thread in threads]
libc = ctypes.CDLL(None)
libc.fdopen.restype = ctypes.c_void_p
libc.malloc_info(0, ctypes.c_void_p(libc.fdopen(1, b"w")))
libc.fflush(None)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have one heap")
def test_all_threads_share_one_heap() -> None:
    assert heaps("keep_freed_memory()") == 1
    assert heaps("") > 1


def heaps(before: str) -> int:
    command = [sys.executable, "-c", THREADS.format(before=before)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.count("<heap nr=")
