"""The completion scripts, in shells that ask the installed command."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.command import PATIENCE_S, run, run_each
from tests.support.installed import COMMAND

if TYPE_CHECKING:
    from pathlib import Path

COMMANDS = {
    "convert",
    "status",
    "retry",
    "report",
    "merge",
    "verify",
    "bag",
    "cancel",
    "serve",
    "config",
    "doctor",
    "completion",
    "watch",
}

ASK = r"""
eval "$(batch-converter completion bash)"
compopt() { printf 'compopt %s\n' "$*"; }
function_of_the_command=$(complete -p batch-converter | sed -E 's/.* -F ([^ ]+) .*/\1/')
while IFS= read -r line; do
    IFS=' ' read -r -a COMP_WORDS <<<"$line"
    [[ $line == *' ' ]] && COMP_WORDS+=('')
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMPREPLY=()
    $function_of_the_command batch-converter "${COMP_WORDS[COMP_CWORD]}"
    printf '%s\n' "${COMPREPLY[@]}"
    echo .
done
"""
"""What bash does at a TAB: words, the number of the one to complete, and the function."""


def answers_in_bash(folder: Path, lines: list[str]) -> list[set[str]]:
    """Return what bash is offered at the end of each line, split into words as bash does."""
    bash = shutil.which("bash")
    assert bash is not None
    done = subprocess.run(
        [bash, "--norc", "--noprofile", "-c", ASK],
        input="".join(f"{line}\n" for line in lines),
        env={**os.environ, "PATH": f"{COMMAND.parent}{os.pathsep}{os.environ['PATH']}"},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=True,
    )
    assert done.stderr == ""
    return [set(answer.split()) for answer in done.stdout.split("\n.\n")[:-1]]


BASH: list[tuple[str, set[str]]] = [
    ("batch-converter ", COMMANDS),
    ("batch-converter re", {"retry", "report"}),
    ("batch-converter config ", {"check"}),
    ("batch-converter completion ", {"bash", "zsh", "fish"}),
    ("batch-converter convert --max-a", {"--max-api-calls", "--max-attempts", "--max-age"}),
    ("batch-converter convert --engine ", {"auto", "aspose", "dask", "local"}),
    ("batch-converter convert --engine = lo", {"local"}),
    ("batch-converter convert --engine =", {"auto", "aspose", "dask", "local"}),
    ("batch-converter convert --engine local --order ", {"name", "smallest", "largest", "oldest"}),
    ("batch-converter convert --overwrite ", {"if-changed", "always", "never"}),
    ("batch-converter convert --log-level w", {"warning"}),
    ("batch-converter serve --log-format ", {"auto", "console", "json"}),
    ("batch-converter convert --after k", {"keep"}),
    ("batch-converter convert --after m", {"move:", "compopt", "-o", "nospace"}),
    ("batch-converter convert ", {"compopt", "-o", "default"}),
    ("batch-converter convert sca", {"compopt", "-o", "default"}),
    ("batch-converter convert scans -o ", {"compopt", "-o", "dirnames"}),
    ("batch-converter convert --output = pd", {"compopt", "-o", "dirnames"}),
    ("batch-converter status --state-dir ", {"compopt", "-o", "dirnames"}),
    ("batch-converter serve --data-dir ", {"compopt", "-o", "dirnames"}),
    ("batch-converter convert --files-from ", {"compopt", "-o", "default"}),
    ("batch-converter convert --exclude-from ", {"compopt", "-o", "default"}),
    ("batch-converter convert -c ", {"compopt", "-o", "default"}),
    ("batch-converter convert --max-errors ", set()),
    ("batch-converter convert --frobnicate --engine l", {"local"}),
    ("batch-converter frobnicate ", COMMANDS),
]


@pytest.mark.slow
@pytest.mark.usefixtures("unmeasured_processes")
def test_bash_is_offered_commands_options_and_values(tmp_path: Path) -> None:
    answers = answers_in_bash(tmp_path, [line for line, _ in BASH])
    assert dict(zip([line for line, _ in BASH], answers, strict=True)) == dict(BASH)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_zsh_and_fish_ask_with_whole_words(tmp_path: Path) -> None:
    for name in ("done", "dossier", ".hidden", "odd\nname"):
        (tmp_path / name).mkdir()
    (tmp_path / "doc.djvu").touch()
    (tmp_path / os.fsdecode(b"do\xff")).mkdir()
    words = {
        "--engine=lo": ["--engine=local"],
        "--after=move:do": ["--after=move:done/", "--after=move:dossier/"],
        "--order=": [f"--order={order}" for order in ("name", "smallest", "largest", "oldest")],
    }
    for word, expected in words.items():
        line = f"batch-converter convert {word}"
        zsh = ask("zsh", tmp_path, line, "2").splitlines()
        fish = ask("fish", tmp_path, line, word).splitlines()
        assert zsh[1::3] == expected
        assert fish == [f"plain,{each}" for each in expected]


def ask(shell: str, folder: Path, line: str, word: str) -> str:
    """Return the command's answer to what a script asks it."""
    question = {
        "_BATCH_CONVERTER_COMPLETE": f"{shell}_complete",
        "COMP_WORDS": line,
        "COMP_CWORD": word,
    }
    done = run(env=question, cwd=folder)
    assert (done.code, done.err) == (0, "")
    return done.out


@pytest.mark.parametrize(
    ("shell", "told"),
    [
        ("bash", "complete -o nosort -F _batch_converter_completion_joined batch-converter"),
        ("zsh", "#compdef batch-converter"),
        ("fish", "complete --no-files --command batch-converter"),
    ],
)
def test_the_script_is_the_shells_own(tmp_path: Path, shell: str, told: str) -> None:
    done = run("completion", shell)
    assert (done.code, done.err) == (0, "")
    assert told in done.out
    if (program := shutil.which(shell)) is None:
        return  # whoever has it, has its opinion too
    (tmp_path / "script").write_text(done.out)
    subprocess.run([program, "-n", tmp_path / "script"], timeout=PATIENCE_S, check=True)


@pytest.mark.slow
def test_another_shell_is_2_and_prints_nothing() -> None:
    for done in run_each(
        [["completion"], *(["completion", name] for name in ("tcsh", "BASH", ""))]
    ):
        assert (done.code, done.out) == (2, "")
        assert "bash" in done.err
