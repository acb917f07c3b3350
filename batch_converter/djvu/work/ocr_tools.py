"""The programs that OCR needs, looked for before a run begins."""

from __future__ import annotations

import shutil
import subprocess
from importlib.util import find_spec


def missing_tools(languages: str) -> str:
    """Say what OCR in these languages lacks on this machine; empty if nothing; blocking."""
    if find_spec("ocrmypdf") is None:
        return "OCRmyPDF is not installed: pip install 'batch-converter[ocr]'"
    tesseract = shutil.which("tesseract")
    if tesseract is None:
        return "tesseract is not installed (Debian: apt install tesseract-ocr)"
    command = [tesseract, "--list-langs"]
    done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603  # from PATH
    known = done.stdout.decode("utf-8", "replace").split()
    lacking = [language for language in languages.split("+") if language not in known]
    if lacking:
        packages = " ".join(f"tesseract-ocr-{name.replace('_', '-')}" for name in lacking)
        return f"tesseract does not know {', '.join(lacking)} (Debian: apt install {packages})"
    return ""
