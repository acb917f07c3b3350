"""What DjVuLibre's own programs say of a file; CI installs them."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def ddjvu(source: Path, *, page: int = 1, form: str = "ppm", mode: str = "color") -> bytes | None:
    """A page in a Netpbm format; None where ddjvu refuses it."""
    command = ["ddjvu", f"-format={form}", f"-page={page}", f"-mode={mode}", str(source)]
    done = subprocess.run(command, capture_output=True, check=False)
    return None if done.returncode else done.stdout


def mask_of(source: Path, *, page: int = 1) -> NDArray[np.bool_] | None:
    """The ink of a page's mask; None where ddjvu refuses it."""
    shown = ddjvu(source, page=page, form="pbm", mode="mask")
    if shown is None:
        return None
    # Read by hand: Pillow fears a decompression bomb in a page of 64 Mi pixels.
    _, size, rows = shown.split(b"\n", 2)
    width, height = map(int, size.split())
    packed = np.frombuffer(rows, np.uint8).reshape(height, -1)
    return np.unpackbits(packed, axis=1, count=width).astype(np.bool_)


def made(command: str, *arguments: str | Path) -> None:
    """Run an encoder."""
    subprocess.run([command, *map(str, arguments)], check=True, capture_output=True)
