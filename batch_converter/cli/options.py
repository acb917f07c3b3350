"""Options that commands share, and how they become settings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click
from click.shell_completion import CompletionItem

from batch_converter.engines.registry import load_settings
from batch_converter.errors import ConfigError
from batch_converter.logs import shifted_level
from batch_converter.objects import is_object_address

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping

    from batch_converter.config import LoadedSettings
    from batch_converter.logs import LogLevel

F = TypeVar("F", bound="Callable[..., Any]")


class _NamedPath(click.Path):
    """A path that is not empty: an unset variable must not mean the current folder."""

    def convert(
        self,
        value: str | os.PathLike[str],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Any:  # noqa: ANN401  # click's own
        if value == "":
            self.fail("the path is empty; is a variable not set?", param, ctx)
        return super().convert(value, param, ctx)


class _NamedFolder(_NamedPath):
    """The path of a folder: completed as one; that it is none is told by what needs it."""

    def convert(
        self,
        value: str | os.PathLike[str],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Any:  # noqa: ANN401  # click's own
        if _is_address(value):
            self.fail(f"{value} is an address; name a folder of this machine", param, ctx)
        return super().convert(value, param, ctx)

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002  # click's own
        param: click.Parameter,  # noqa: ARG002  # click's own
        incomplete: str,
    ) -> list[CompletionItem[str]]:
        """Have the shell complete folders."""
        return [CompletionItem(incomplete, type="dir")]


class _NamedPlace(_NamedFolder):
    """A folder, or an address in an object store, whose slashes are not a path's."""

    def convert(
        self,
        value: str | os.PathLike[str],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Any:  # noqa: ANN401  # click's own
        return value if _is_address(value) else super().convert(value, param, ctx)


FOLDER: Final = _NamedFolder(path_type=Path)
PLACE: Final = _NamedPlace(path_type=Path)
PATH: Final = _NamedPath(path_type=Path)
SOURCE: Final = _NamedPath()


def _is_address(value: object) -> bool:
    return isinstance(value, str) and is_object_address(value)


def option(key: str, *names: str, **attributes: Any) -> Callable[[F], F]:  # noqa: ANN401  # click's own
    """Return an option whose value, where it is given, is the setting `key`."""
    return click.option(*names, key.replace(".", "__"), default=None, **attributes)


def flag(key: str, name: str, **attributes: Any) -> Callable[[F], F]:  # noqa: ANN401  # click's own
    """Return an option that turns the setting `key` on."""
    return click.option(
        name, key.replace(".", "__"), is_flag=True, flag_value=True, default=None, **attributes
    )


def with_options(function: F, *options: Callable[[F], F]) -> F:
    """Add options, which stand in the help in this order."""
    for add in reversed(options):
        function = add(function)
    return function


def config_option(function: F) -> F:
    """Add `-c`."""
    return click.option(
        "-c",
        "--config",
        "config_file",
        type=PATH,
        help="TOML configuration (default: ./batch-converter.toml, then the user's own).",
    )(function)


def output_options(function: F) -> F:
    """Add `-o` and `--state-dir`."""
    return with_options(
        function,
        option(
            "output.dir",
            "-o",
            "--output",
            type=PLACE,
            metavar="DIR",
            help="Where the PDFs go: a folder, or s3://BUCKET/PREFIX.",
        ),
        option(
            "output.state_dir",
            "--state-dir",
            type=FOLDER,
            metavar="DIR",
            help="Ledger, lock and scratch files (default: DIR/.batch-converter in the output).",
        ),
    )


def logging_options(function: F) -> F:
    """Add the options of the log: level, format, file."""
    return with_options(
        function,
        option(
            "logging.format",
            "--log-format",
            type=click.Choice(["auto", "console", "json"]),
            help="Of standard error (default: console on a terminal, else JSON).",
        ),
        option(
            "logging.file", "--log-file", type=PATH, metavar="FILE", help="Append JSON lines here."
        ),
        click.option("-v", "--verbose", count=True, help="Show more."),
        click.option("-q", "--quiet", count=True, help="Show less; repeatable."),
        option(
            "logging.level",
            "--log-level",
            type=click.Choice(["debug", "info", "warning", "error"]),
            help="What is shown at least (default: info).",
        ),
    )


def settings_from(
    config_file: Path | None,
    given: Mapping[str, Any],
    *,
    verbose: int = 0,
    quiet: int = 0,
) -> LoadedSettings:
    """Load the settings with the options that were given.

    Args:
        config_file: The file that `-c` names.
        given: Options by parameter name; None and empty ones were not given.
        verbose: How often `-v` was given.
        quiet: How often `-q` was given.

    Raises:
        ConfigError: A setting is refused, or would be passed over.
    """
    flags = {
        name.replace("__", "."): value for name, value in given.items() if value not in (None, ())
    }
    loaded = load_settings(flags=flags, config_file=config_file)
    if "dask.scheduler" in flags and loaded.settings.engine != "dask":
        raise ConfigError("--scheduler names a cluster for --engine dask: give that, too")
    if verbose == quiet:
        return loaded
    level = shifted_level(loaded.settings.logging.level, louder=verbose - quiet)
    return _with_level(loaded, level)


def _with_level(loaded: LoadedSettings, level: LogLevel) -> LoadedSettings:
    """Change the log level alone; the file is not read again, for a pipe cannot be."""
    logging = loaded.settings.logging.model_copy(update={"level": level})
    settings = loaded.settings.model_copy(update={"logging": logging})
    return replace(loaded, settings=settings, origins={**loaded.origins, "logging.level": "flag"})
