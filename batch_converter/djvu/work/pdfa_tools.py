"""What PDF/A needs, looked for before a run begins: a system's own packages may lack it."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Final

_CHECKER: Final = ("pikepdf.pdfa", "fontTools", "jsonschema", "referencing")


def missing_checker() -> str:
    """Say what checking PDF/A lacks on this machine; empty if nothing."""
    missing = [name for name in _CHECKER if find_spec(name) is None]
    if not missing:
        return ""
    return f"{', '.join(missing)} cannot be found: pip install 'pikepdf[pdfa]>=10.18'"
