"""Every command line that a page shows is run, as a reader of the page would."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
import tomllib
from typing import TYPE_CHECKING, Final

import click
import pytest
from packaging.requirements import Requirement

from batch_converter.cli.group import cli
from tests.support import command_lines
from tests.support.cloud import Cloud
from tests.support.command_lines import RUN, Block
from tests.support.forking_command import CLIENT, forking_command
from tests.support.installed import COMMAND
from tests.support.reader import PROGRAMS, Reader, fits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from aiohttp import web

SERVICE: Final = "docs/service.md"
"""The page whose service `test_service_page.py` runs, and looks into; here the rest is."""


def is_run_here(block: Block) -> bool:
    """Whether its lines are typed by a reader of this module."""
    is_the_rest = block.page != SERVICE or block.text.startswith(("sudo ", "podman "))
    return block.language in RUN and block.not_run is None and is_the_rest


SHOWN: Final = {
    page: [block for block in command_lines.blocks(page) if is_run_here(block)]
    for page in command_lines.pages()
}
"""Pages to the blocks that their readers type."""
AS_INSTALLED: Final = "docs/tutorial.md"
"""The page whose commands are the installed ones; on others they are forked, which is quicker."""


def is_made(words: list[str], reader: Reader) -> bool:
    """Whether `make` knows its targets, and the variables that are given to it."""
    text = (reader.clone / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", text, re.MULTILINE))
    variables = set(re.findall(r"^([A-Z]+) \?=", text, re.MULTILINE))
    return {word for word in words if "=" not in word} <= targets and {
        word.partition("=")[0] for word in words if "=" in word
    } <= variables


def is_installable(words: list[str], reader: Reader) -> bool:
    """Whether `pip` is told to install what can be: this project with extras that it has."""
    project = tomllib.loads((reader.clone / "pyproject.toml").read_text(encoding="utf-8"))
    extras = set(project["project"]["optional-dependencies"])
    command, *wanted = [word for word in words if not word.startswith("-")]
    own = [re.sub(r"^\.(/.*?)?(?=\[|$)", "batch-converter", word) for word in wanted]
    requirements = [Requirement(word) for word in own]
    return command == "install" and all(
        one.extras <= extras for one in requirements if one.name == "batch-converter"
    )


def is_managed(words: list[str], reader: Reader) -> bool:
    """Whether `systemctl` is told of units that are installed, by a verb that it has."""
    verb, *units = [word for word in words if not word.startswith("-")]
    there = {path.stem for path in (reader.root / "etc/systemd").glob("*/*")}
    there |= {path.name for path in (reader.root / "etc/systemd").glob("*/*")}
    there |= {path.name for path in (reader.home / ".config/systemd/user").glob("*")}
    there |= {path.stem for path in (reader.home / ".config/systemd/user").glob("*")}
    verbs = {"daemon-reload", "disable", "edit", "enable", "list-timers", "reload", "restart"}
    verbs |= {"start", "status", "stop", "cat", "show"}
    return verb in verbs and set(units) <= there


def is_contained(words: list[str], reader: Reader) -> bool:
    """Whether a container is built of a file that is there, and its words are those of `serve`."""
    if words[0] == "build":
        return (reader.clone / words[words.index("-f") + 1]).is_file()
    if words[0] != "run" or "batch-converter" not in words:
        return words[0] in {"volume", "logs", "stop", "rm", "exec", "ps", "run"}
    command = cli.get_command(click.Context(cli), "serve")
    assert command is not None
    command.make_context("serve", words[words.index("batch-converter") + 1 :])
    return True


CHECKS: Final[Mapping[str, Callable[[list[str], Reader], bool]]] = {
    "docker": is_contained,
    "make": is_made,
    "pip": is_installable,
    "podman": is_contained,
    "systemctl": is_managed,
}
"""What is known of a program that is not run."""


class OpenCloud(Cloud):
    """Takes any pair for an account: pages show none."""

    def _token(self, form: Mapping[str, object]) -> web.Response:
        self.client_id, self.client_secret = str(form["client_id"]), str(form["client_secret"])
        return super()._token(form)


@pytest.fixture(scope="module")
def forked(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return what runs a command quickly, as a shell has it."""
    client = tmp_path_factory.mktemp("forked") / "client.py"
    client.write_text(CLIENT)
    return shlex.join([sys.executable, "-SI", str(client), str(forking_command())])


@pytest.fixture
def cloud() -> Iterator[str]:
    """Return the address of a cloud that does as it should."""
    with OpenCloud() as cloud:
        yield cloud.base_url
        assert not cloud.surprises


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page, blocks in SHOWN.items() if blocks])
def test_a_reader_can_follow_the_page(tmp_path: Path, cloud: str, forked: str, page: str) -> None:
    if missing := [name for name in PROGRAMS.split() if shutil.which(name) is None]:
        message = f"not installed: {' '.join(missing)}"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    quick = str(COMMAND) if page == AS_INSTALLED else forked
    reader = Reader(root=tmp_path / "machine", cloud=cloud, quick=quick)
    reader.prepare()
    if page != AS_INSTALLED:  # which makes its own
        reader.has_archives(SHOWN[page])
    reader.follow(SHOWN[page])
    for program, *words in reader.calls():
        checked = CHECKS.get(program)
        assert checked is None or checked(words, reader), (program, words)


def test_a_page_that_is_wrong_is_told_with_its_place(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    shown = """
```sh
export WHERE=/srv/data
```

```console
$ echo $WHERE 8080
…/machine/srv/data …
$ false
$ echo $?
1
$ printf '%s\\n' one two
one
three
```

<!-- not run: it would never end -->

```sh
yes
```

```sh
unknown-program
```
"""
    page.write_text(shown)
    first, second, third, last = command_lines.blocks(str(page))
    assert third.not_run == "it would never end"
    reader = Reader(root=tmp_path / "machine", cloud="http://127.0.0.1:1")
    reader.prepare()
    with pytest.raises(AssertionError, match=rf"{page}:6: printf") as caught:
        reader.follow([first, second])
    assert "echo" not in str(caught.value)
    with pytest.raises(
        AssertionError, match=rf"unknown-program: command not found(.|\n)*{page}:23"
    ):
        reader.follow([first, last])


@pytest.mark.parametrize(
    ("call", "is_right"),
    [
        ("make run SOURCE=a OUTPUT=b", True),
        ("make runs", False),
        ("make run SOURCES=a", False),
        ("pip install .", True),
        ("pip install '.[ocr]'", True),
        ("pip install 'batch-converter[ocr,fast]>=0.1'", True),
        ("pip install '.[orc]'", False),
        ("pip instal .", False),
        ("systemctl daemon-reload", True),
        ("systemctl enable --now batch-converter-serve", True),
        ("systemctl enable --now batch-converter-server", False),
        ("systemctl enabel batch-converter-serve", False),
        ("podman build -f contrib/Containerfile -t batch-converter .", True),
        ("podman build -f contrib/Dockerfile -t batch-converter .", False),
        ("podman run --rm batch-converter --add-client anna", True),
    ],
)
def test_what_is_only_written_down_is_known_well_enough(
    tmp_path: Path, call: str, *, is_right: bool
) -> None:
    reader = Reader(root=tmp_path / "machine", cloud="http://127.0.0.1:1")
    reader.prepare()
    unit = reader.root / "etc/systemd/system/batch-converter-serve.service"
    unit.touch()
    program, *words = shlex.split(call)
    assert CHECKS[program](words, reader) is is_right


@pytest.mark.parametrize(
    ("expected", "printed", "does"),
    [
        (["a … c"], ["a b c"], True),
        (["a … c"], ["a b d"], False),
        (["…", "b"], ["b"], True),
        (["…", "b"], ["a", "a", "b"], True),
        (["…", "b"], ["a", "b", "c"], False),
        (["a"], [], False),
        ([], ["a"], False),
        (["a.c"], ["abc"], False),
    ],
)
def test_what_is_printed_is_held_against_the_page(
    expected: list[str], printed: list[str], *, does: bool
) -> None:
    assert fits(expected, printed) is does
