"""`serve`: the API-compatible conversion service."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Any

import anyio
import click
import structlog

from batch_converter.cli import event_loop
from batch_converter.cli.allocator import keep_freed_memory
from batch_converter.cli.clients import change_clients
from batch_converter.cli.collector import collect_seldom
from batch_converter.cli.draining import stopped_by_signals
from batch_converter.cli.options import (
    FOLDER,
    PATH,
    config_option,
    logging_options,
    option,
    settings_from,
)
from batch_converter.cli.output import OutputUnwritableError, give_up
from batch_converter.cli.session import logging_session
from batch_converter.cli.terminal import has_terminal
from batch_converter.engines.local import serving_engine
from batch_converter.errors import ExitCode
from batch_converter.machine_limits import check_limits
from batch_converter.processors import usable_processors
from batch_converter.server import serve as run_service

if TYPE_CHECKING:
    from pathlib import Path

    from batch_converter.config import Settings

log = structlog.get_logger()


@click.command(short_help="Serve the conversion API on this machine.")
@option("serve.host", "--host", metavar="HOST", help="Address to listen on (default: 127.0.0.1).")
@option(
    "serve.port",
    "--port",
    type=int,
    metavar="PORT",
    help="Port to listen on; 0 takes a free one (default: 8080).",
)
@option(
    "serve.client_id",
    "--client-id",
    metavar="ID",
    help="A client that is let in, beside those of --add-client.",
)
@option(
    "serve.client_secret_file",
    "--client-secret-file",
    type=PATH,
    metavar="FILE",
    help="Where its secret stands alone; or set BATCH_CONVERTER_SERVE__CLIENT_SECRET.",
)
@option(
    "serve.data_dir",
    "--data-dir",
    type=FOLDER,
    metavar="DIR",
    help="Where documents and results are kept, and found again (default: a temporary folder).",
)
@click.option(
    "--add-client",
    metavar="NAME",
    help="Let one more client in, print its secret (this once), and end;"
    " a service that runs need not be started again.",
)
@click.option(
    "--remove-client",
    metavar="NAME",
    help="Let that client in no more, and end: its tokens and sessions are over, too.",
)
@config_option
@logging_options
def serve(
    config_file: Path | None,
    verbose: int,
    quiet: int,
    add_client: str | None,
    remove_client: str | None,
    **given: Any,  # noqa: ANN401  # one parameter a setting, typed by the settings
) -> None:
    """Serve the interface of Aspose.OCR Cloud's DjVu conversion, with the embedded engine.

    Prints one line when it is ready: listening on http://HOST:PORT

    Without --client-id and without a file of clients everybody is let in, and only this machine
    served. --add-client and --remove-client keep that file: serve.clients_file, or clients.json
    in the data folder.
    """
    keep_freed_memory()
    check_limits()
    os.umask(0o077)  # what clients send is theirs: workers inherit it
    loaded = settings_from(config_file, given, verbose=verbose, quiet=quiet)
    if add_client is not None or remove_client is not None:
        with logging_session(loaded):
            change_clients(loaded.settings.serve, add=add_client, remove=remove_client)
        return
    workers = loaded.settings.local.workers or usable_processors()
    with logging_session(loaded):
        code = event_loop.run(_serve, loaded.settings, workers)
    sys.exit(code)


async def _serve(settings: Settings, workers: int) -> ExitCode:
    """Serve until the first signal; the second leaves at once.

    A SIGHUP is one only where the terminal that the service was started from has gone.
    Service managers and tools that rotate logs send it to have files read again, and
    there are none to be read: what changes in the file of clients is seen without it.
    """
    had_terminal = has_terminal()
    engine = serving_engine(settings, workers=workers)
    scope, code = anyio.CancelScope(), ExitCode.OK

    def stop(number: int) -> None:
        nonlocal code
        code = ExitCode.of_signal(number)
        log.info("server.stopping", signal=signal.Signals(number).name)
        scope.cancel()

    def passes_over(number: int) -> bool:
        if number != signal.SIGHUP or (had_terminal and not has_terminal()):
            return False
        log.info("server.hangup_passed_over")
        return True

    with stopped_by_signals(stop, passes_over=passes_over), scope:
        await run_service(settings.serve, engine, workers=workers, on_ready=_say_ready)
    return code


def _say_ready(address: str) -> None:
    """Print where it listens; a full disk behind standard output ends no service."""
    collect_seldom()
    try:
        click.echo(f"listening on {address}")
    except OutputUnwritableError as error:
        give_up()
        log.warning("server.address_not_printed", address=address, reason=error.strerror)
