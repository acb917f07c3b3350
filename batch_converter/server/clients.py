"""The file of clients: who may use the service, by names and hashed secrets.

`serve --add-client` and `--remove-client` change it beside a running service, which
looks again before each token. It is replaced as a whole, so a reader sees the old file or
the new one.
"""

from __future__ import annotations

import json
import secrets
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from batch_converter.clock import SystemClock
from batch_converter.config.files import exposure_warnings
from batch_converter.errors import ConfigError, StateLockedError, UsageError
from batch_converter.foreign_text import read_text
from batch_converter.server.private_files import give_to_owner_of, write_private
from batch_converter.server.secret_hashes import HashedSecret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

CLIENTS_NAME: Final = "clients.json"
"""The file's name in the data folder."""

MAX_NAME_CHARS: Final = 128
_VERSION: Final = 1
_WHAT: Final = "the clients file"
_SECRET_BYTES: Final = 32
_MAX_FILE_BYTES: Final = 16 << 20
_PATIENCE_S: Final = 10.0


class _Content(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, strict=True)

    version: Literal[1]
    clients: dict[str, HashedSecret] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ClientsFile:
    """Names and hashed secrets in a file. All of it blocks."""

    path: Path

    def read(self) -> Mapping[str, HashedSecret]:
        """Return what is kept of each client's secret, by name.

        Raises:
            ConfigError: The file is missing, cannot be read, or is damaged.
        """
        text = read_text(self.path, _WHAT, max_bytes=_MAX_FILE_BYTES)
        try:
            content = _Content.model_validate(self._parsed(text))
        except ValidationError as error:
            raise ConfigError(f"{self._damaged}: {_first_fault(error)}") from None
        for name in content.clients:
            if fault := name_fault(name):
                raise ConfigError(f"{self._damaged}: the name {name[:MAX_NAME_CHARS]!r} {fault}")
        return content.clients

    def _parsed(self, text: str) -> Any:  # noqa: ANN401  # any JSON
        try:
            return json.loads(text, object_pairs_hook=_without_doubles)
        except (ValueError, RecursionError) as error:
            reason = error if isinstance(error, ValueError) else "it is nested too deeply"
            raise ConfigError(f"{self._damaged}: {reason}") from None

    @property
    def _damaged(self) -> str:
        return f"{_WHAT} {self.path} is damaged; mend it, or bring it back from a backup"

    def warnings(self) -> list[str]:
        """Say how to close the file where others may read it."""
        return exposure_warnings(self.path, _WHAT.removeprefix("the "))

    def signature(self) -> tuple[int, int, int] | None:
        """Return what changes when the file does; None where there is none.

        Raises:
            OSError: It cannot be looked at.
        """
        try:
            found = self.path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns

    def add(self, name: str, *, now: Callable[[], datetime] | None = None) -> str:
        """Let a client in, and return the secret that was made for it; only its hash is kept.

        Raises:
            UsageError: The name is no name, or is there already; the file cannot be written.
            ConfigError: The file is damaged.
            StateLockedError: Somebody else keeps it locked.
        """
        if fault := name_fault(name):
            raise UsageError(f"a client's name {fault}, and this one is {name[:MAX_NAME_CHARS]!r}")
        secret = secrets.token_hex(_SECRET_BYTES)
        moment = (now or SystemClock().now)().strftime("%Y-%m-%dT%H:%M:%SZ")
        with self._changing(make=True) as clients:
            if name in clients:
                raise UsageError(
                    f"there is a client {name!r} already; for a new secret, take it out first"
                    f" with --remove-client {name}, which ends its tokens and sessions"
                )
            clients[name] = HashedSecret.of(secret, added_at=moment)
        return secret

    def remove(self, name: str) -> None:
        """Let a client in no more.

        Raises:
            UsageError: There is none of this name, or the file cannot be written.
            ConfigError: The file is damaged.
            StateLockedError: Somebody else keeps it locked.
        """
        with self._changing(make=False) as clients:
            if clients.pop(name, None) is None:
                known = ", ".join(sorted(clients)) or "none"
                raise UsageError(f"there is no client {name!r} in {self.path}; there are: {known}")

    @contextmanager
    def _changing(self, *, make: bool) -> Iterator[dict[str, HashedSecret]]:
        try:
            if make:
                self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            elif not self.path.exists():
                yield {}  # without a lock, which would make the folder
                return
            with self._locked():
                clients = dict(self.read()) if self.path.exists() else {}
                yield clients
                self._write(clients)
        except OSError as error:
            raise UsageError(f"cannot write {_WHAT} {self.path}: {error.strerror}") from error

    @contextmanager
    def _locked(self) -> Iterator[None]:
        target = self.path.resolve()
        lock = FileLock(target.with_name(f".{target.name}.lock"), timeout=_PATIENCE_S, mode=0o600)
        try:
            lock.acquire()
        except Timeout:
            raise StateLockedError(f"another command is changing {self.path}; try again") from None
        try:
            give_to_owner_of(target, Path(lock.lock_file))
            yield
        finally:
            lock.release()

    def _write(self, clients: Mapping[str, HashedSecret]) -> None:
        content = {name: clients[name].as_json() for name in sorted(clients)}
        text = json.dumps({"version": _VERSION, "clients": content}, indent=2, ensure_ascii=False)
        write_private(self.path, f"{text}\n".encode())


def name_fault(name: str) -> str | None:
    """Say what keeps a text from being a client's name; None where nothing does."""
    if not name or name != name.strip() or not name.isprintable():
        return "must be printable, with no space around it"
    if len(name) > MAX_NAME_CHARS:
        return f"must have {MAX_NAME_CHARS} characters at most"
    return None


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands in it twice")
    return found


def _first_fault(error: ValidationError) -> str:
    detail = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(str(part) for part in detail["loc"]) or "its content"
    return f"{place}: {detail['msg'].removeprefix('Value error, ')}"
