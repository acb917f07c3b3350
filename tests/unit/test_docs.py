"""The pages for developers and users say what the code says."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from pathlib import Path
from typing import Final

import click
import pytest

from batch_converter import events
from batch_converter.cli.group import cli
from batch_converter.config import Settings
from batch_converter.config.keys import KnownKeys
from batch_converter.errors import ErrorCode, ExitCode

ROOT: Final = Path(__file__).parents[2]
ARCHITECTURE: Final = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
BUILT, UNBUILT = (
    (ROOT / "docs/contract.md").read_text(encoding="utf-8").split("\n## Agreed, not built yet\n")
)
SECTIONS: Final = "|".join(KnownKeys.of(Settings).sections)


def section(page: str, title: str) -> str:
    """Return what stands under a heading."""
    return page.split(f"{title}\n", 1)[1].split("\n## ", maxsplit=1)[0]


def rows(text: str) -> list[list[str]]:
    """Return the cells of its tables' rows, without heads."""
    lines = re.findall(r"^\| (.*) \|$", text, re.MULTILINE)
    return [re.split(r" \| ", line) for line in lines if not line.startswith("---")]


# Architecture


def test_the_levels_are_those_that_import_linter_holds() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    (layers,) = [c["layers"] for c in contracts if c["name"] == "Data flows one way"]
    held = {
        level: set(re.findall(r"batch_converter\.([\w.]+)", layer))
        for level, layer in enumerate(reversed(layers), start=1)
    }
    told: dict[int, set[str]] = {}
    for level, room, job in rows(section(ARCHITECTURE, "## The levels"))[1:]:
        told.setdefault(int(level), set()).add(room.strip("`"))
        assert job
    assert told == held


def test_every_module_of_the_package_has_a_level() -> None:
    told = {room.strip("`") for _, room, _ in rows(section(ARCHITECTURE, "## The levels"))[1:]}
    top = {room.split(".")[0] for room in told}
    package = ROOT / "batch_converter"
    there = {path.stem for path in package.glob("*.py")} - {"__init__"}
    there |= {path.parent.name for path in package.glob("*/__init__.py")}
    assert top == there


def test_every_room_of_the_service_is_told() -> None:
    table = rows(section(ARCHITECTURE, "## How the service is built"))[1:]
    told = [room for rooms, _ in table for room in re.findall(r"`(\w+)`", rooms)]
    package = ROOT / "batch_converter/server"
    there = {path.stem for path in package.glob("*.py")} - {"__init__"}
    there |= {path.parent.name for path in package.glob("*/__init__.py")}
    assert sorted(told) == sorted(there)


def test_images_that_pages_name_are_of_this_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    pages = "".join(path.read_text(encoding="utf-8") for path in ROOT.glob("docs/*.md"))
    named = set(re.findall(r"[\w.]/batch-converter:(\S+)", pages))
    assert named == {project["project"]["version"].rpartition(".")[0]}


PAGES: Final = [
    *ROOT.glob("*.md"),
    *(
        path
        for folder in ("docs", "benchmarks", "samples")
        for path in ROOT.glob(f"{folder}/**/*.md")
    ),
]


def anchors(page: Path) -> set[str]:
    """Return what GitHub makes of a page's headings; the site's own are tested with the site."""
    prose = re.sub(
        r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL
    )
    found = Counter[str]()
    for heading in re.findall(r"^#+ (.*)$", prose, re.MULTILINE):
        words = re.sub(r"[^\w\- ]", "", re.sub(r"\[(.*?)\]\(.*?\)", r"\1", heading).lower())
        found[words.replace(" ", "-")] += 1
    return {f"{a}-{n}" if n else a for a, count in found.items() for n in range(count)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_anchor_that_a_page_links_to_is_a_heading(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for link, anchor in re.findall(r"\]\(([^)#:]*)#([^)]*)\)", text):
        target = (page.parent / link).resolve() if link else page
        made_from_code = target.parent.name == "reference"
        assert made_from_code or anchor in anchors(target), f"{link}#{anchor}"


def test_every_page_that_the_code_names_is_there() -> None:
    folders = ("batch_converter", "benchmarks", "contrib", "distribution", "docs", "samples")
    files = [path for folder in folders for path in ROOT.glob(f"{folder}/**/*") if path.is_file()]
    named = {
        name
        for path in [*files, *ROOT.glob("*.toml"), ROOT / "Makefile"]
        if path.suffix not in {".pyc", ".djvu", ".md"}
        for name in re.findall(
            r"(?<![\w./-])(?:docs|benchmarks|contrib|samples)/[\w/-]+\.md",
            path.read_text(encoding="utf-8", errors="replace"),
        )
    }
    assert named
    assert {name for name in named if not (ROOT / name).is_file()} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_what_a_page_names_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        assert (page.parent / link).exists(), link
    for name in re.findall(r"`((?:[a-z_]+/)+[a-z_]+\.(?:py|md|toml|svg))`", text):
        assert any((ROOT / base / name).exists() for base in ("", "batch_converter")), name
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    shown = "".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL))
    named = re.findall(r"`make ([a-z-]+)", text) + re.findall(
        r"^make ([a-z-]+)", shown, re.MULTILINE
    )
    assert set(named) <= targets


@pytest.mark.skipif(not (ROOT / ".ci").exists(), reason="the sdist has no CI")
def test_the_command_that_ci_runs_is_the_one_that_the_pages_say() -> None:
    (run,) = re.findall(
        r'^[^#]*\bmake "\$\{1:-([a-z-]+)\}"$', (ROOT / ".ci/run").read_text(), re.MULTILINE
    )
    for page in ("README.md", "CONTRIBUTING.md"):
        said = re.findall(r"^make ([a-z-]+) .*CI runs", (ROOT / page).read_text(), re.MULTILINE)
        assert said == [run], page


# The contract


def options(command: str) -> set[str]:
    """Return the options that a command takes."""
    found = cli.get_command(click.Context(cli), command)
    assert found is not None
    return {
        name
        for option in found.params
        if isinstance(option, click.Option)
        for name in (*option.opts, *option.secondary_opts)
        if name.startswith("--")
    }


def named_options(text: str) -> set[str]:
    """Return the options that the table of `convert` names."""
    cells = [row[0] for row in rows(section(text, "### `convert`").split("\n### ")[0])[1:]]
    return set(re.findall(r"--[a-z][a-z-]*", " ".join(cells)))


def test_every_option_of_convert_is_agreed_and_every_agreed_one_is_there() -> None:
    beside = {"--quiet", "--verbose"}  # told by their short names
    assert named_options(BUILT) | beside == options("convert")


def test_watch_has_the_options_of_convert_but_for_those_that_the_page_names() -> None:
    text = section(BUILT, "### `watch`").split("\n### ")[0]
    head, table = text.split("\n|", 1)
    own = {name for row in rows(f"|{table}")[1:] for name in re.findall(r"--[a-z-]+", row[0])}
    lacking = set(re.findall(r"`(--[a-z-]+)`", head))
    assert own
    assert lacking <= options("convert")
    assert options("watch") == options("convert") - lacking | own


def test_the_options_to_come_are_not_there() -> None:
    to_come = set(re.findall(r"^\| `(?:-\w, )?(--[a-z-]+)", UNBUILT, re.MULTILINE))
    assert not to_come & options("convert")


def test_the_commands_are_those_that_are_there() -> None:
    named = set(re.findall(r"^\| `batch-converter (\w+)", BUILT, re.MULTILINE))
    to_come = set(re.findall(r"^\| `batch-converter (\w+)", UNBUILT, re.MULTILINE))
    there = set(cli.list_commands(click.Context(cli)))
    assert named == there
    assert not to_come & there


def test_the_keys_are_those_that_are_there() -> None:
    known = set(KnownKeys.of(Settings))
    pattern = rf"`((?:{SECTIONS})\.[a-z_]+)`"
    named = set(re.findall(pattern, BUILT)) - _event_names()
    assert named
    assert named <= known
    keys = UNBUILT.partition("### Keys\n")[2].partition("\n### ")[0]
    to_come = {re.match(r"`([a-z_.]+)`", row[0]) for row in rows(keys)[1:]}
    assert not {match[1] for match in to_come if match} & known


def _event_names() -> set[str]:
    return {
        kind.name
        for kind in vars(events).values()
        if isinstance(kind, type) and issubclass(kind, events.RunEvent) and hasattr(kind, "name")
    }


def test_the_events_are_those_that_are_emitted() -> None:
    told = section(BUILT, "## Log events (JSON lines)")
    named = set(re.findall(r"`((?:run|file|auth|service|budget)\.[a-z_]+)`", told))
    assert named <= _event_names()


def test_the_codes_are_the_codes() -> None:
    told = {row[0] for row in rows(section(BUILT, "### Exit codes").split("\n### ")[0])[1:]}
    codes = {int(code) for cell in told for code in cell.split(" / ")}
    assert codes == {int(code) for code in ExitCode}
    report = section(BUILT, "## Report (JSON)").split("Error codes:")[1]
    assert set(re.findall(r"`([a-z_]+)`(?=[ ,.]|$)", report, re.MULTILINE)) == set(ErrorCode)
