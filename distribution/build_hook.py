"""Puts the man pages that `make man` has made into wheel and sdist.

They are made from the commands, which need every dependency to be loaded: made while
building, they would have each `pip install .` fetch all of these twice. An sdist carries
its pages, so that a wheel built from it has them without making any.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PAGES: Final = "build/man"


class ManPagesHook(BuildHookInterface[Any]):
    """Adds what is there; a tree without pages builds, too."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002  # hatchling's own
        """Say which files go where."""
        kind, prefix = (
            ("shared_data", "share/man/man1")
            if self.target_name == "wheel"
            else ("force_include", PAGES)
        )
        for page in sorted(Path(self.root, PAGES).glob("*.1")):
            build_data[kind][str(page)] = f"{prefix}/{page.name}"
