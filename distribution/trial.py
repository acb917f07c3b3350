"""Installs a built wheel in empty environments, by itself and with each extra, and tries it.

    python -m distribution.trial dist/*.whl

A checkout has what a wheel may lack: files that are no modules, and packages that nobody declared.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
import zipfile
from email.parser import BytesParser
from pathlib import Path
from typing import Final

SAMPLES: Final = Path(__file__).resolve().parent.parent / "samples"
PAGES: Final = "share/man/man1"


def extras_of(wheel: Path) -> list[str]:
    """Return the names of the extras that a wheel says it has."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (one for one in archive.namelist() if one.endswith(".dist-info/METADATA"))
        return BytesParser().parsebytes(archive.read(name)).get_all("Provides-Extra", [])


def try_out(wheel: Path, extra: str | None, folder: Path) -> None:
    """Install a wheel into an empty environment there, and convert the samples with it.

    Raises:
        subprocess.CalledProcessError: It cannot be installed, lacks a package that it
            imports, or does not convert them.
        AssertionError: PDFs or man pages are missing.
    """
    environment = folder / "environment"
    venv.create(environment, with_pip=True)
    wanted = f"{wheel.resolve()}[{extra}]" if extra else str(wheel.resolve())
    _run(environment / "bin/python", "-m", "pip", "install", "--quiet", wanted, cwd=folder)
    command = environment / "bin/batch-converter"
    _run(command, "convert", SAMPLES, "--output", "pdfs", "--engine", "local", "-q", cwd=folder)
    _run(command, "verify", "--output", "pdfs", cwd=folder)
    made = {path.stem for path in (folder / "pdfs").glob("*.pdf")}
    expected = {path.stem for path in SAMPLES.glob("*.djvu")}
    if made != expected:
        msg = f"converted: {sorted(made)}, wanted: {sorted(expected)}"
        raise AssertionError(msg)
    if not (environment / PAGES / "batch-converter.1").is_file():
        msg = f"{environment / PAGES} has no man page"
        raise AssertionError(msg)


def _run(command: Path, *arguments: str | Path, cwd: Path) -> None:
    subprocess.run([command, *arguments], check=True, cwd=cwd)


def main() -> None:
    """Try the wheel that is named on the command line."""
    wheel = Path(sys.argv[1])
    for extra in (None, *extras_of(wheel)):
        print(f"{wheel.name} with {f'[{extra}]' if extra else 'no extra'}", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            try_out(wheel, extra, Path(folder))


if __name__ == "__main__":
    main()
