"""Shells that complete the command's words: click's own, with what they do to `--option=value`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    add_completion_class,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    import click

_PROGRAM: Final = "batch-converter"
_VARIABLE: Final = "_BATCH_CONVERTER_COMPLETE"
"""Where click looks for a shell's question; it derives the name from the program's."""

_NO_SPACE: Final = """
%(complete_func)s_joined() {
    %(complete_func)s "$@"
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *: ]]; then
        compopt -o nospace
    fi
}

complete -o nosort -F %(complete_func)s_joined %(prog_name)s
"""
"""What follows a colon (`--after move:DIR`) is the same word for the command."""


class _Bash(BashComplete):
    """Bash, which takes `--engine=local` for three words and completes the last."""

    source_template = BashComplete.source_template + _NO_SPACE

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the words before, and the one to complete, without the `=` between them."""
        words, incomplete = super().get_completion_args()
        before = ["", *words]
        joins = [
            word == "=" and option.startswith("--")
            for option, word in zip(before, words, strict=False)
        ]
        return [word for word, is_join in zip(words, joins, strict=True) if not is_join], incomplete


class _WholeWord:
    """Shells to which `--engine=local` is one word: a candidate must be all of it."""

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem[Any]]:
        """Return the candidates with the option that stands in front of the value."""
        items: list[CompletionItem[Any]] = super().get_completions(args, incomplete)  # type: ignore[misc]  # mixed into ShellComplete
        option, equals, _ = incomplete.partition("=")
        if not (equals and option.startswith("--")):
            return items
        return [
            CompletionItem(f"{option}={item.value}", item.type, item.help)
            if item.type == "plain"
            else item
            for item in items
        ]


class _Zsh(_WholeWord, ZshComplete):
    """Zsh."""


class _Fish(_WholeWord, FishComplete):
    """Fish."""


SHELLS: Final[Mapping[str, type[ShellComplete]]] = {"bash": _Bash, "zsh": _Zsh, "fish": _Fish}


def register() -> None:
    """Have click answer with these in the place of its own."""
    for kind in SHELLS.values():
        add_completion_class(kind)


def script(shell: str, command: click.Command) -> str:
    """Return what a shell reads to complete the words of a command."""
    return SHELLS[shell](command, {}, _PROGRAM, _VARIABLE).source()
