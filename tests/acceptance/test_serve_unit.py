"""The unit of `contrib/` lets the service and its workers do all that they do."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
from functools import partial
from pathlib import Path

import pytest

from tests.acceptance.test_serve_durability import SAMPLE
from tests.support.api_client import ApiClient
from tests.support.command import started, wait_until

UNIT = Path(__file__).parents[2] / "contrib/batch-converter-serve.service"


def allowed(group: str) -> set[str]:
    """Return the system calls of one of systemd's groups, those of groups in it included."""
    listed = subprocess.run(
        ["systemd-analyze", "syscall-filter", group],  # noqa: S607  # wherever it is
        check=True,
        capture_output=True,
        text=True,
    )
    words = re.findall(r"^ +(@?[a-z0-9_-]+)$", listed.stdout, re.MULTILINE)
    return {one for word in words for one in (allowed(word) if word[0] == "@" else {word})}


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd")
@pytest.mark.skipif(shutil.which("strace") is None, reason="no strace")
def test_its_filters_forbid_nothing_that_is_done(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    through = ("strace", "-f", "-qq", "-o", str(trace))
    arguments = ("serve", "--port", "0", "--data-dir", tmp_path / "data")
    with started(tmp_path / "serve", *arguments, through=through) as service:
        service.wait_until(lambda: service.out, "the line that says it listens")
        client = ApiClient(service.out.split()[-1])
        wait_until(partial(client.is_ready, client.submit(SAMPLE)), "the PDF")
        [pid] = re.findall(r"^(\d+) ", trace.read_text(errors="replace"), re.MULTILINE)[:1]
        subprocess.run(["kill", f"-{signal.SIGTERM}", pid], check=True)  # noqa: S607  # strace passes none on
        service.finish()
    text = trace.read_text(errors="replace")
    done = set(re.findall(r"^\d+ +([a-z0-9_]+)\(", text, re.MULTILINE))
    assert len(done) > 50
    [group] = re.findall(r"^SystemCallFilter=(.+)$", UNIT.read_text(), re.MULTILINE)
    assert done <= allowed(group)
    families = set(re.findall(r" socket(?:pair)?\((AF_[A-Z0-9]+)", text))
    [free] = re.findall(r"^RestrictAddressFamilies=(.+)$", UNIT.read_text(), re.MULTILINE)
    assert families <= set(free.split())
    assert not re.search(r"PROT_WRITE\|PROT_EXEC", text)  # MemoryDenyWriteExecute
