"""Sections of a Markdown file, each written by the benchmark that measures it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
RESULTS: Final = ROOT / "benchmarks/RESULTS.md"


def replace_section(results: Path, title: str, body: str) -> None:
    """Put `body` where the section `title` was, or last; the others are left as they are."""
    text = results.read_text(encoding="utf-8") if results.exists() else "# Results\n"
    section = f"## {title}\n\n{body.strip()}\n\n"
    pattern = re.compile(rf"^## {re.escape(title)}\n.*?(?=^## |\Z)", re.DOTALL | re.MULTILINE)
    if pattern.search(text):
        text = pattern.sub(lambda _: section, text)
    else:
        text = f"{text.rstrip()}\n\n{section}"
    results.write_text(text.rstrip() + "\n", encoding="utf-8")
