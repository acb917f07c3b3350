"""`completion`: the script that lets a shell complete the command's words."""

from __future__ import annotations

import click

from batch_converter.cli.shells import SHELLS, script


@click.command(short_help="Print the shell's completion script.")
@click.argument("shell", type=click.Choice(list(SHELLS)))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script that completes commands, options and values in bash, zsh or fish.

    For bash (4.4 or newer) put it into
    ~/.local/share/bash-completion/completions/batch-converter, for zsh into a file
    _batch-converter in a folder of $fpath, for fish into
    ~/.config/fish/completions/batch-converter.fish.
    """
    click.echo(script(shell, context.find_root().command), nl=False)
