"""JBIG2 by the program `jbig2` (of jbig2enc): generic regions, which lose nothing.

Its symbol coding is never asked for: it swaps letters that look alike.
"""

from __future__ import annotations

import errno
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from batch_converter.errors import OutputError

_TIMEOUT_S: Final = 300
_PAGE_INFORMATION: Final = 48


def jbig2_data(pbm: bytes, program: str) -> bytes:
    """Code a bilevel image in the Netpbm format for a PDF; empty where the program fails.

    Raises:
        OutputError: No temporary folder can be written.
    """
    with _scratch_folder() as folder:
        source = Path(folder, "mask.pbm")
        source.write_bytes(pbm)
        command = [program, "--pdf", str(source)]
        try:
            done = subprocess.run(  # noqa: S603  # the program that the user configured
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_TIMEOUT_S,
                check=True,
            )
        except (OSError, subprocess.SubprocessError):
            return b""
    return done.stdout if _is_embedded_jbig2(done.stdout) else b""


def _scratch_folder() -> tempfile.TemporaryDirectory[str]:
    """Make a temporary folder.

    Raises:
        OutputError: None can be written: `tempfile` tries all and takes a full disk for none.
        OSError: This one cannot.
    """
    try:
        return tempfile.TemporaryDirectory(prefix="batch-converter-")
    except FileNotFoundError as error:
        raise OutputError(
            "no temporary folder can be written: free some space there, or set TMPDIR"
        ) from OSError(errno.ENOSPC, str(error))


def _is_embedded_jbig2(data: bytes) -> bool:
    """Whether this begins with the first segment of a page, as PDF wants it, without a header."""
    return data[:5] == bytes([0, 0, 0, 0, _PAGE_INFORMATION])
