"""Nothing of a DjVu is parsed in the process that drives a run, whatever the engine."""

from __future__ import annotations

import random
import struct
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.bundles import bzz, form, index_of, pages
from tests.support.command import PATIENCE_S
from tests.support.djvu_files import SAMPLES, chunk

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.cloud import Cloud

PARSERS = ("batch_converter.djvu.read", "batch_converter.djvu.draw", "batch_converter.djvu.kernels")
TELLING = """
import sys
from batch_converter.cli import main
try:
    main(sys.argv[2:])
finally:
    with open(sys.argv[1], "w") as out:
        print(*sys.modules, sep="\\n", file=out)
"""


def modules_of(tmp_path: Path, *arguments: str | Path) -> tuple[int, set[str]]:
    """Run the command; returns its exit code, and which modules it had loaded at its end."""
    told = tmp_path / "modules"
    done = subprocess.run(
        [sys.executable, "-P", "-c", TELLING, told, *arguments],
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    )
    return done.returncode, set(told.read_text().split())


def names_without_end() -> bytes:
    """A bundle of 4,096 offsets that lead nowhere and names that mean nothing.

    Of ten times as many bytes of names, and there is nothing to keep anybody from that,
    the reading takes most of a minute.
    """
    names = bzz(random.Random(5).randbytes(40_000))
    offsets = struct.pack(">BH4096I", 0x81, 4096, *[7] * 4096)
    return b"AT&T" + form("DJVM", chunk("DIRM", offsets + names))


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["aspose", "local"])
def test_the_main_process_loads_nothing_that_could_parse(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path, engine: str
) -> None:
    (source / "names.djvu").write_bytes(names_without_end())
    (source / "book.djvu").write_bytes((SAMPLES / "book.djvu").read_bytes())
    (source / "text.djvu").write_bytes(b"no DjVu")
    (source / "parts").mkdir()
    index_of(pages(), source / "parts")
    convert = ("convert", source, "-o", output, "--engine", engine)

    code, modules = modules_of(tmp_path, *convert)
    assert code == 1
    assert (output / "book.pdf").exists()
    assert "batch_converter.djvu.work.inspection" in modules
    assert not [name for name in modules if name.startswith((*PARSERS, "djvu_rs"))]
    assert (engine == "aspose") == bool(cloud.submissions)
    assert (engine == "aspose") == ("aiohttp" in modules)  # a fifth of the time to start

    for more in (("--dry-run",), ("--retry-failed",), ("--overwrite", "always", "--adopt")):
        _, modules = modules_of(tmp_path, *convert, *more)
        assert not [name for name in modules if name.startswith((*PARSERS, "djvu_rs"))]
