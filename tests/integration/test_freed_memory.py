"""A worker between two jobs: memory that was freed goes back, unless it is little."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from batch_converter.djvu.work.environment import worker_environment

ROOT = Path(__file__).parents[2]
MIB = 1 << 20

PROGRAM = """
import sys
from batch_converter.djvu.work.freed_memory import give_back_freed_memory

def own_bytes():
    with open("/proc/self/statm") as file:
        _, resident, shared, *_ = map(int, file.read().split())
    return (resident - shared) * 4096

blocks = [b"x" * 1000000 for _ in range(int(sys.argv[1]))]
last = b"x" * 1000  # lies above them, so that the heap does not shrink by itself
before = own_bytes()
del blocks
kept = own_bytes()
give_back_freed_memory()
print(before - kept, kept - own_bytes())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="what is measured is Linux's")
@pytest.mark.parametrize(("mebibytes", "goes"), [(100, False), (400, True)])
def test_much_goes_back_and_a_usual_document_s_is_kept(mebibytes: int, *, goes: bool) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(mebibytes)],
        capture_output=True,
        check=True,
        cwd=ROOT,
        env=worker_environment(os.environ),
        text=True,
    )
    by_itself, given_back = map(int, done.stdout.split())
    assert by_itself < 50 * MIB
    assert (given_back > 300 * MIB) == goes
    assert goes or given_back < MIB
