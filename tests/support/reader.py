"""A reader who types what a page shows, block by block, on a machine made for it.

The reader's home, the clone that they stand in and the folders of the system are folders of the
test; the cloud is the tests' own, the service listens on a free port. Programs that would change
a real machine are stand-ins that write down how they were called. Any other program has to be
named here: one that is not is not found, and fails the page.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.support.command import PATIENCE_S
from tests.support.command_lines import ROOT, Block, typed
from tests.support.installed import COMMAND

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PROGRAMS: Final = """
    awk base64 bash basename cat chmod cmp cp curl cut date diff dirname env find grep head
    id install ln ls mkdir mktemp mv printf rm rmdir sed seq sh sha256sum sleep sort stat
    tail tar tee tesseract test touch tr true uniq wc xargs
"""
"""What is run as it is: it reads and writes files, and asks the service."""
STAND_INS: Final = """
    apt apt-get aws az chown crontab docker docker-compose gcloud helm journalctl kubectl loginctl
    logrotate mail make mc nginx pip podman rsync sbatch scancel scontrol scp squeue srun
    ssh systemctl systemd-analyze systemd-run useradd
"""
"""What is only written down."""
_SYSTEM: Final = re.compile(
    r"(?<![\w./$}~-])/(?=(?:archive|data|etc|media|mnt|nas|opt|scratch|srv|var)\b)"
)
_ARCHIVE: Final = re.compile(r"(?<=[\s'\"=])[~/][\w./-]*/(?:scans|inbox)\b")
_COPIED: Final = ("samples", "contrib", "pyproject.toml", "Makefile", "config.example.toml")
_PORT: Final = "8080"
_WRITES_DOWN: Final = """#!/bin/bash
printf '%s\\n' "$(basename "$0")${*:+ ${*@Q}}" >>"@calls@"
"""
_SUDO: Final = """#!/bin/bash
while [[ ${1-} == -* ]]; do shift; done
exec "$@"
"""
_RUNUSER: Final = """#!/bin/bash
while [[ $1 != -- ]]; do shift; done
exec "${@:2}"
"""
_PYTHON: Final = """#!/bin/bash
if [[ ${1-} == -m && ${2-} == venv ]]; then
    mkdir -p "$3/bin"
    ln -sf "@bin@"/{pip,python3,batch-converter} "$3/bin/"
    exec ln -sf "@bin@/python3" "$3/bin/python"
fi
exec "@python@" "$@"
"""
_BATCH_CONVERTER: Final = """#!/bin/bash
goes_on() { # one that has ended may stand there until somebody asks how
    grep -qs '^State:.[^Z]' "/proc/$1/status"
}
stop() {
    if [[ -f "@root@/running" ]]; then
        kill "$(<"@root@/running")"
        while goes_on "$(<"@root@/running")"; do sleep 0.02; done
        rm "@root@/running"
    fi
}
case " $* " in
" serve "*" --add-client "* | " serve "*" --remove-client "* | *" --help ") ;;
" serve "* | " watch "*)
    stop
    "@command@" "$@" >"@root@/printed" 2>"@root@/logged" &
    echo $! >"@root@/running"
    until grep -q '^listening on ' "@root@/printed" || grep -q '"watch.started"' "@root@/logged"; do
        goes_on $! || { cat "@root@/logged" >&2; exit 1; }
        sleep 0.02
    done
    exit 0
    ;;
" convert "*) [[ ! -f "@root@/running" ]] || [[ " $* " == *" --base-url "* ]] || stop ;;
esac
exec @quick@ "$@"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Types blocks, one page's after the other.

    Attributes:
        root: The folder of all that the reader sees.
        cloud: The address of the service that stands for the cloud.
        quick: What is run, as a shell has it, for a command that ends by itself.
    """

    root: Path
    cloud: str
    quick: str = str(COMMAND)
    _environment: dict[str, str] = field(default_factory=dict)

    @property
    def clone(self) -> Path:
        """Where the reader stands at first."""
        return self.root / "clone"

    @property
    def home(self) -> Path:
        """The reader's home."""
        return self.root / "home"

    def prepare(self) -> None:
        """Make the machine."""
        for folder in ("bin", "home", "clone", "etc", "opt", "srv", "var/lib/node_exporter"):
            (self.root / folder).mkdir(parents=True)
        (self.root / "etc/systemd/system").mkdir(parents=True)
        for name in _COPIED:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, self.clone / name)
        for path in filter(Path.is_file, (self.clone / "contrib").iterdir()):
            path.write_text(_SYSTEM.sub(f"{self.root}/", path.read_text(encoding="utf-8")))
        for name in PROGRAMS.split():
            if (found := shutil.which(name)) is not None:
                (self.root / "bin" / name).symlink_to(found)
        places: dict[str, object] = {
            "root": self.root,
            "bin": self.root / "bin",
            "calls": self.root / "calls",
            "command": COMMAND,
            "quick": self.quick,
            "python": sys.executable,
        }
        scripts = dict.fromkeys(STAND_INS.split(), _WRITES_DOWN) | {
            "sudo": _SUDO,
            "runuser": _RUNUSER,
            "python": _PYTHON,
            "python3": _PYTHON,
            "batch-converter": _BATCH_CONVERTER,
        }
        for name, script in scripts.items():
            path = self.root / "bin" / name
            path.write_text(re.sub(r"@(\w+)@", lambda place: str(places[place[1]]), script))
            path.chmod(0o755)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        self._environment.update(
            PATH=str(self.root / "bin"),
            HOME=str(self.home),
            USER="reader",
            LANG="C.UTF-8",
            TMPDIR=str(self.root),
            NUMBA_DISABLE_JIT="1",
            BATCH_CONVERTER_ASPOSE__BASE_URL=self.cloud,
            BATCH_CONVERTER_SERVE__PORT=port,
        )

    def has_archives(self, blocks: Sequence[Block]) -> None:
        """Put a few DjVu files into every archive of a page, and one into `recovered`."""
        text = "\n".join(self._here(block.text) for block in blocks)
        folders = {name.replace("~", str(self.home)) for name in _ARCHIVE.findall(text)}
        for folder in [self.home / "scans", *map(Path, sorted(folders))]:
            (folder / "maps").mkdir(parents=True, exist_ok=True)
            for place in ("bitonal.djvu", "book.djvu", "maps/colour.djvu"):
                shutil.copy(self.clone / "samples" / Path(place).name, folder / place)
        (self.home / "recovered").mkdir()
        shutil.copy(self.clone / "samples/no-text.djvu", self.home / "recovered/file0001.chk")

    def follow(self, blocks: Sequence[Block], *, env: Mapping[str, str] | None = None) -> None:
        """Type all blocks in one shell; a command that fails, or prints other lines, fails."""
        lines = ["set -o pipefail"]
        shown: list[tuple[str, str, list[str], Path]] = []
        for block in blocks:
            lines.append(
                f"place={shlex.quote(block.place)}; trap 'echo \"failed at $place\" >&2' ERR"
            )
            if block.language == "console":
                lines.append("set +e")
                for command, expected in typed(block):
                    printed = self.root / f"printed-{len(shown)}"
                    lines.append(f"{{ {self._here(command)}\n}} >{shlex.quote(str(printed))}")
                    shown.append((block.place, command, expected, printed))
            else:
                lines += ["set -e", self._here(block.text)]
        done = subprocess.run(
            [self.root / "bin/bash", "-c", "\n".join(lines)],
            cwd=self.clone,
            env={**self._environment, **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        self._stop()
        assert done.returncode == 0, done.stderr
        for place, command, expected, printed in shown:
            text = printed.read_text(encoding="utf-8")
            assert fits(expected, text.splitlines()), f"{place}: {command}\n{text}{done.stderr}"

    def calls(self) -> list[list[str]]:
        """Return how stand-ins were called."""
        path = self.root / "calls"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return [shlex.split(line) for line in lines]

    def _here(self, text: str) -> str:
        """Return the text as this machine has it: its folders of the system, its port."""
        port = self._environment["BATCH_CONVERTER_SERVE__PORT"]
        return _SYSTEM.sub(f"{self.root}/", text).replace(_PORT, port)

    def _stop(self) -> None:
        """Stop what has been left running."""
        running = self.root / "running"
        if running.exists():
            with suppress(ProcessLookupError):
                os.kill(int(running.read_text()), signal.SIGTERM)


def fits(expected: Sequence[str], printed: Sequence[str]) -> bool:
    """Whether lines are those of a page, in which `…` is any text, alone on a line any lines."""
    pattern = ""
    for line in expected:
        if line == "…":
            pattern += r"(?:.*\n)*?"
        else:
            pattern += re.escape(line.rstrip()).replace("…", ".*") + r"[ ]*\n"
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in printed)) is not None
