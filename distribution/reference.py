"""The reference of the site, made from the code: options, settings, events, codes, variables.

Each function returns Markdown that takes the place of a mark `<!-- made from the code: NAME -->`
in a page of `docs/reference`. What is made here cannot fall behind the code, so none of it is
committed.
"""

from __future__ import annotations

import ast
import html
import inspect
import re
import typing
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from batch_converter import errors, events
from batch_converter.cli.group import cli
from batch_converter.config.keys import KnownKeys
from batch_converter.config.layers import CREDENTIALS, ENV_PREFIX
from batch_converter.config.run_variables import RUN_VARIABLES
from batch_converter.config.settings import settings_with
from batch_converter.engines.registry import extra_sections

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

PROGRAM: Final = "batch-converter"
ROOT: Final = Path(__file__).parents[1]
MARK: Final = re.compile(r"^<!-- made from the code: ([a-z ]+) -->(?:\n\*.*\*)?$", re.MULTILINE)
"""A line in italics below it is for who reads the page in the repository."""
_LEVELS: Final = frozenset({"debug", "info", "warning", "error", "exception"})


def filled(page: str) -> str:
    """Return a page with what is made in the place of its marks.

    Raises:
        KeyError: Nothing is made under the name of a mark.
    """
    return MARK.sub(lambda mark: MADE[mark[1]](), page)


# Commands and options


def commands() -> Iterator[tuple[str, click.Command]]:
    """Yield every command that does something, with the words that it is called by."""
    yield from _below(cli, PROGRAM)


def _below(command: click.Command, words: str) -> Iterator[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        yield words, command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        assert found is not None  # noqa: S101  # it has just been listed
        yield from _below(found, f"{words} {name}")


def options() -> str:
    """Return a section a command: how it is called, what it does, and each of its options."""
    return "\n\n".join(_command(words, command) for words, command in commands())


def _command(words: str, command: click.Command) -> str:
    context = click.Context(command, info_name=words)
    usage = " ".join([words, *command.collect_usage_pieces(context)])
    help_text = inspect.cleandoc(command.help or "").replace("\b", "")
    told = [
        f"{_spelling(option)}\n:   {_plain(option.help or '')}{_setting(option)}"
        for option in command.get_params(context)
        if isinstance(option, click.Option) and not option.hidden
    ]
    head = f"## `{words}`\n\n```text\n{usage}\n```\n\n{_plain(help_text)}"
    return "\n\n".join([head, *told])


def _spelling(option: click.Option) -> str:
    value = "" if option.is_flag or option.count else f" {_metavar(option)}"
    names = [*option.opts, *option.secondary_opts]
    return ", ".join(f"`{name}{value}`" for name in sorted(names, key=len))


def _metavar(option: click.Option) -> str:
    if isinstance(option.type, click.Choice):
        return "|".join(option.type.choices)
    return option.metavar or option.type.name.upper()


def _setting(option: click.Option) -> str:
    key = (option.name or "").replace("__", ".")
    return f" Setting: [`{key}`](settings.md#{anchor(key)})." if key in keys() else ""


# Settings


def keys() -> KnownKeys:
    """Return every setting, those of the engines among them."""
    return KnownKeys.of(settings_with(extra_sections()))


def anchor(key: str) -> str:
    """Return the id that the site gives to the heading of a key."""
    return key.replace(".", "")


def variable(key: str) -> str:
    """Return the environment variable of a key."""
    return ENV_PREFIX + key.upper().replace(".", "__")


def settings() -> str:
    """Return a section a table of the configuration, and in it each key with its default."""
    told = documented_keys((ROOT / "config.example.toml").read_text(encoding="utf-8"))
    parts, section = ["## Outside of all tables"], ""
    for key in keys():
        if "." in key and (table := key.partition(".")[0]) != section:
            section = table
            parts.append(f"## `[{section}]`")
        meaning, default = told[key]
        is_set = default is not None and not default.startswith("#")
        value = f"Default: `{default}`." if is_set else "No default"
        if default is not None and not is_set:
            value += f"; for example `{default.removeprefix('#').strip()}`"
        text = f"{_plain(meaning)}\n\n{value.rstrip('.')}. In the environment `{variable(key)}`."
        parts.append(f"### `{key}`\n\n{text}")
    return "\n\n".join(parts)


def documented_keys(example: str) -> dict[str, tuple[str, str | None]]:
    """Read what config.example.toml says of each key: its words, and its value.

    Words stand above a key and count for those that follow it line by line. A value behind a
    `#` is an example of what has no default; a table has None.
    """
    told: dict[str, tuple[str, str | None]] = {}
    prefix, words, taken = "", list[str](), False
    for line in example.splitlines():
        if header := re.fullmatch(r"\[([\w.]+)\]", line):
            prefix = header[1] + "."
            if "." in header[1]:
                told[header[1]] = (" ".join(words), None)
            words, taken = [], False
        elif key := re.fullmatch(r"(#? ?)([a-z_]+) = (.*)", line):
            told[prefix + key[2]] = (" ".join(words), ("# " if key[1] else "") + key[3])
            taken = True
        elif line.startswith("#"):
            words, taken = [*([] if taken else words), line.removeprefix("#").strip()], False
        else:
            words, taken = [], False
    return told


def variables() -> str:
    """Return the environment variables of the settings, the account and a run's end."""
    rows = [
        f"| `{name}` | [`{key}`](settings.md#{anchor(key)}) |" for name, key in CREDENTIALS.items()
    ]
    rows += [f"| `{variable(key)}` | [`{key}`](settings.md#{anchor(key)}) |" for key in keys()]
    return "\n".join(["| variable | setting |", "| --- | --- |", *rows])


def hook_variables() -> str:
    """Return the variables that a command of `--on-finish` finds."""
    return "\n".join(f"- `{name}`" for name in RUN_VARIABLES)


# Events


def event_kinds() -> list[type[events.RunEvent]]:
    """Return the events that a program can observe, in the order of their definition."""
    return [
        kind
        for kind in vars(events).values()
        if isinstance(kind, type)
        and issubclass(kind, events.RunEvent)
        and "name" in vars(kind)
        and isinstance(vars(kind)["name"], str)
    ]


def run_events() -> str:
    """Return a section an event: its level, what it means, and its fields."""
    return "\n\n".join(_event(kind) for kind in event_kinds())


def _event(kind: type[events.RunEvent]) -> str:
    level = f"Level {kind.level}" if kind.level else "No line in the log"
    said = _attributes(kind)
    hints = typing.get_type_hints(kind)
    meaning = inspect.cleandoc(kind.__doc__ or "").partition("\n\nAttributes:")[0]
    lines = [f"### `{kind.name}`\n\n{_plain(meaning)}\n\n{level}; `{kind.__name__}`.\n"]
    for field in fields(kind):
        words = f": {_plain(said[field.name])}" if field.name in said else ""
        lines.append(f"- `{field.name}` ({_type_name(hints[field.name])}){words}")
    return "\n".join(lines)


def _attributes(kind: type) -> Mapping[str, str]:
    """Read the section `Attributes` of a docstring, and those of the classes above."""
    found: dict[str, str] = {}
    for part in reversed(kind.__mro__):
        _, _, section = inspect.cleandoc(part.__doc__ or "").partition("Attributes:\n")
        for name, text in re.findall(r"^    (\w+): ((?:.|\n(?:     |\n))*)", section, re.MULTILINE):
            found[name] = " ".join(text.split())
    return found


def _type_name(hint: Any) -> str:  # noqa: ANN401  # any type
    names = {str: "text", int: "whole number", float: "number", bool: "true or false"}
    if hint in names:
        return names[hint]
    parts = typing.get_args(hint)
    if typing.get_origin(hint) is tuple:
        return f"list of {_type_name(parts[0])}"
    return " or ".join("null" if part is type(None) else _type_name(part) for part in parts)


def other_lines() -> str:
    """Return the log lines that are no events of a run: name, level, fields, and who says it."""
    known = {kind.name for kind in event_kinds()}
    rows = sorted(
        {
            f"| `{name}` | {level} | {named} | `{where}` |"
            for name, level, named, where in _log_calls()
            if name not in known
        }
    )
    return "\n".join(["| line | level | fields | said by |", "| --- | --- | --- | --- |", *rows])


def _log_calls() -> Iterator[tuple[str, str, str, str]]:
    package = ROOT / "batch_converter"
    for path in sorted(package.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for call in ast.walk(tree):
            match call:
                case ast.Call(
                    func=ast.Attribute(value=logger, attr=level),
                    args=[ast.Constant(value=str(name)), *_],
                ) if level in _LEVELS and "log" in ast.unparse(logger).lower():
                    named = ", ".join(f"`{key.arg}`" for key in call.keywords if key.arg)
                    where = path.relative_to(package).with_suffix("").as_posix()
                    yield name, "error" if level == "exception" else level, named, where
                case _:
                    pass


# Codes


def error_codes() -> str:
    """Return every error code: its class's own words, and whether a later run tries again."""
    kinds = list(_error_kinds(errors.BatchConverterError))
    rows = []
    for code in errors.ErrorCode:
        own = [kind for kind in kinds if getattr(kind, "code", None) == code]
        of_files = [kind for kind in own if issubclass(kind, errors.FileError)]
        words = " ".join(dict.fromkeys(_first_line(kind) for kind in of_files or own))
        words = words or "Reserved: no file gets it."
        again = (
            "with `retry`, or once the file changes"
            if code in errors.LASTING_CODES
            else "by the next run"
        )
        rows.append(f"| [`{code}`](../errors.md#{_error_anchor(code)}) | {words} | {again} |")
    return "\n".join(["| code | meaning | tried again |", "| --- | --- | --- |", *rows])


def _error_anchor(code: str) -> str:
    """Return the id of the section that has the code in its heading."""
    page = (ROOT / "docs/errors.md").read_text(encoding="utf-8")
    (title,) = re.findall(rf"^##+ (.*`{code}`.*)$", page, re.MULTILINE)
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", title).strip().lower())


def _error_kinds(
    kind: type[errors.BatchConverterError],
) -> Iterator[type[errors.BatchConverterError]]:
    yield kind
    for below in kind.__subclasses__():
        if below.__module__ == errors.__name__:
            yield from _error_kinds(below)


def _first_line(kind: type) -> str:
    return _cell(" ".join(inspect.cleandoc(kind.__doc__ or "").partition("\n\n")[0].split()))


def exit_codes() -> str:
    """Return the contract's table of exit codes, which a test holds against the code."""
    contract = (ROOT / "docs/contract.md").read_text(encoding="utf-8")
    table = re.search(r"^### Exit codes\n\n((?:\|.*\n)+)", contract, re.MULTILINE)
    assert table is not None  # noqa: S101  # a test reads it too
    return table[1].rstrip()


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _plain(text: str) -> str:
    """Return prose in which nothing is taken for Markdown or HTML but code."""
    parts = re.split(r"(``?[^`]*``?)", text)
    parts[::2] = [re.sub(r"([*_\[\]#])", r"\\\1", html.escape(p, quote=False)) for p in parts[::2]]
    parts[1::2] = [f"`{part.strip('`')}`" for part in parts[1::2]]
    return "".join(parts)


MADE: Final[Mapping[str, Callable[[], str]]] = {
    "options": options,
    "settings": settings,
    "variables": variables,
    "hook variables": hook_variables,
    "run events": run_events,
    "other lines": other_lines,
    "error codes": error_codes,
    "exit codes": exit_codes,
}
"""What a mark may name."""
