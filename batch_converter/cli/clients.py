"""`serve --add-client` and `--remove-client`: who may use the service."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from batch_converter.cli.output import OutputUnwritableError, standard_output_is_read
from batch_converter.errors import UsageError
from batch_converter.logs import printable
from batch_converter.server.accounts import clients_file_of

if TYPE_CHECKING:
    from batch_converter.config import ServeSettings
    from batch_converter.server.clients import ClientsFile


def change_clients(settings: ServeSettings, *, add: str | None, remove: str | None) -> None:
    """Let a client in, or in no more; a service that runs sees it by itself.

    Raises:
        UsageError: Both are asked for, there is no place for a file, or the name is not
            what it should be.
        ConfigError: The file is damaged.
    """
    if add is not None and remove is not None:
        raise UsageError("give --add-client or --remove-client, one at a time")
    file = clients_file_of(settings)
    if file is None:
        raise UsageError(
            "there is no place for the clients: give --data-dir, as the service has it, or set"
            " serve.clients_file"
        )
    if add is not None:
        _add(file, add, settings)
    elif remove is not None:
        file.remove(remove)
        _say(f"client {remove!r} is let in no more")


def _add(file: ClientsFile, name: str, settings: ServeSettings) -> None:
    """Print the secret, alone on its line; one that nobody could read is of no use to anybody."""
    if name == settings.client_id:
        raise UsageError(f"{name!r} is serve.client_id already; give the new client another name")
    secret = file.add(name)
    try:
        click.echo(secret)
        sys.stdout.flush()
    except OutputUnwritableError:
        file.remove(name)
        raise
    if not standard_output_is_read():
        file.remove(name)
        raise UsageError("nobody has read the secret, so the client was not added")
    _say(f"client {name!r} is let in; its secret is shown this once, only its hash is kept")


def _say(message: str) -> None:
    click.echo(printable(f"batch-converter: {message}"), err=True)
