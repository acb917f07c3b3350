"""What the package imports is declared, and what is declared is imported."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[2]


def normal(name: str) -> str:
    """Return a distribution's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def imported() -> set[str]:
    """Return the distributions that the package imports from when it runs, at any depth."""
    modules: set[str] = set()
    for path in (ROOT / "batch_converter").rglob("*.py"):
        for node in running(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Import):
                modules |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                modules.add(node.module.partition(".")[0])
    known = packages_distributions()
    others = modules - sys.stdlib_module_names - {"batch_converter"}
    return {normal(known[module][0]) for module in others}


def running(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what is in a node, but for what only the type checker sees."""
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"):
            yield child
            yield from running(child)


def declared() -> tuple[set[str], set[str]]:
    """Return what a plain install brings, and what the extras add."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project.get("optional-dependencies", {}).values()
    return named(project["dependencies"]), {name for extra in extras for name in named(extra)}


def named(requirements: list[str]) -> set[str]:
    """Return the names that requirements begin with."""
    return {normal(re.split(r"[^A-Za-z0-9._-]", text, maxsplit=1)[0]) for text in requirements}


def test_every_import_is_declared_and_every_declaration_imported() -> None:
    plain, extras = declared()
    assert imported() - extras == plain - extras
