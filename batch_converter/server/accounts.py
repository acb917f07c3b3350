"""Who is known: the pair of the configuration, and beside it the clients of the file."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import structlog

from batch_converter.errors import ConfigError, UsageError
from batch_converter.server.clients import CLIENTS_NAME, ClientsFile
from batch_converter.server.credentials import Credentials
from batch_converter.server.secret_hashes import HashedSecret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batch_converter.config import ServeSettings

_log = structlog.get_logger()

SHORTEST_SECRET: Final = 16
"""Characters of a configured secret where other machines can try."""

_OPEN_STAMP: Final = b"open"


@dataclass(frozen=True, slots=True)
class _Known:
    """The file as it was last read."""

    signature: tuple[int, int, int] | None = None
    clients: Mapping[str, HashedSecret] = field(default_factory=dict)


class Accounts:
    """Knows the clients, and sees what changes in their file without a restart.

    Without a pair and without a file everybody is let in, under the id that he gives. Once
    the file is there that ends, and does not come back while the service runs: whoever
    takes the file away, by mistake too, has closed the service and not opened it.

    Args:
        pair: The pair of the configuration; it wins over a client of the file of its name.
        file: The clients of the file; it need not be there.
    """

    def __init__(self, pair: Credentials | None, file: ClientsFile | None) -> None:
        self._pair = pair
        self._pair_digest = pair.digest if pair else b""
        self._file = file
        self._known = _Known()
        self._failed: object = None
        self._is_open = pair is None
        self._nobody = HashedSecret.of_nobody()
        self._key = secrets.token_bytes(32)
        self._proven: dict[str, tuple[bytes, bytes]] = {}

    @property
    def is_open(self) -> bool:
        """Whether everybody is let in."""
        return self._is_open

    def stamp_of(self, client: str) -> bytes | None:
        """Return what changes when the client gets another secret; None where he is unknown.

        Tokens and sessions that were given under another stamp are over. It is made of the
        secret or of its hash: keep it in the process.
        """
        if self._is_open:
            return _OPEN_STAMP
        if self._pair and client == self._pair.client_id:
            return hashlib.sha256(b"pair" + self._pair_digest).digest()
        hashed = self._known.clients.get(client)
        return None if hashed is None else _stamp_of_hash(hashed)

    def refresh(self, *, strict: bool = False) -> None:
        """Read the file again if it has changed; blocks.

        A file that became unreadable or damaged leaves the clients as they were, and is told
        once in the log; that it is there ends letting everybody in all the same.

        Raises:
            ConfigError: The file is damaged, where `strict` asks to be told.
        """
        if self._file is None:
            return
        try:
            signature = self._file.signature()
            if signature != self._known.signature:
                self._take(self._file, signature)
                self._failed = None
        except (OSError, ConfigError) as error:
            if strict:
                raise
            if self._failed != (told := str(error)):
                self._failed = told
                _log.error("server.clients_unreadable", message=told)

    def _take(self, file: ClientsFile, signature: tuple[int, int, int] | None) -> None:
        """Put what the file says in the place of what was known."""
        self._is_open = False
        self._known = known = _Known(signature, {} if signature is None else file.read())
        _log.info("server.clients_loaded", count=len(known.clients), file=str(file.path))
        for warning in file.warnings():
            _log.warning("config.warning", message=warning)
        if self._pair and self._pair.client_id in known.clients:
            message = "a client of the file has the id of serve.client_id, whose secret is in force"
            _log.warning("config.warning", message=message)

    def knows(self, given: Credentials) -> bool:
        """Whether the pair is known to be right without hashing it; False may still be right.

        It was right before: a digest under a key of this process remembers that, so that a
        client who asks for many tokens costs one scrypt.
        """
        if hmac.compare_digest(given.digest, self._pair_digest):
            return True
        stamp, proof = self._proven.get(given.client_id, (b"", b""))
        current = self.stamp_of(given.client_id)
        return stamp == current and hmac.compare_digest(proof, self._proof(given))

    def proven_stamp(self, given: Credentials) -> bytes | None:
        """Return the stamp of the account whose secret this is; None where it is nobody's.

        Blocks for some 50 ms, for an unknown client too; changes nothing.
        """
        hashed = self._hash_of(given.client_id)
        if not (hashed or self._nobody).matches(given.client_secret):
            return None
        return None if hashed is None else _stamp_of_hash(hashed)

    def remember(self, given: Credentials, stamp: bytes) -> bool:
        """Have `knows` say yes to a pair that was proven; False where the secret is another now.

        While it was hashed the client may have been removed, or given another secret.
        """
        if stamp != self.stamp_of(given.client_id):
            return False
        clients = self._known.clients
        self._proven = {name: one for name, one in self._proven.items() if name in clients}
        self._proven[given.client_id] = (stamp, self._proof(given))
        return True

    def _hash_of(self, client: str) -> HashedSecret | None:
        if self._pair and client == self._pair.client_id:
            return None  # it would have been known
        return self._known.clients.get(client)

    def _proof(self, given: Credentials) -> bytes:
        return hmac.digest(self._key, given.digest, "sha256")


def _stamp_of_hash(hashed: HashedSecret) -> bytes:
    return hashlib.sha256(b"file" + hashed.salt + hashed.hash).digest()


def pair_of(settings: ServeSettings) -> Credentials | None:
    """Return the pair of the configuration; None where there is none.

    Raises:
        UsageError: Half of the pair is given.
    """
    secret = settings.client_secret.get_secret_value() if settings.client_secret else None
    if not settings.client_id and not secret:
        return None
    if settings.client_id and secret:
        return Credentials(client_id=settings.client_id, client_secret=secret)
    raise UsageError(
        "give both --client-id and --client-secret-file (or serve.client_secret),"
        " or neither of them"
    )


def clients_file_of(settings: ServeSettings) -> ClientsFile | None:
    """Return the file of clients that the settings mean; None where there is no place for one."""
    if settings.clients_file is not None:
        return ClientsFile(settings.clients_file)
    return ClientsFile(settings.data_dir / CLIENTS_NAME) if settings.data_dir is not None else None


def open_accounts(settings: ServeSettings) -> Accounts:
    """Read the accounts that the settings mean; blocks.

    Raises:
        UsageError: Half of the pair is given.
        ConfigError: The file of clients is damaged, or is named and not there.
    """
    accounts = Accounts(pair_of(settings), file := clients_file_of(settings))
    if settings.clients_file is not None and file is not None and file.signature() is None:
        raise ConfigError(
            f"serve.clients_file {file.path} is not there;"
            " batch-converter serve --add-client NAME makes it"
        )
    accounts.refresh(strict=True)
    return accounts


def check_secret_length(settings: ServeSettings, *, is_loopback: bool) -> None:
    """Refuse a configured secret that can be guessed where other machines can try.

    Raises:
        ConfigError: It is shorter than 16 characters, and not only loopback is listened on.
    """
    secret = settings.client_secret.get_secret_value() if settings.client_secret else None
    if secret is None or len(secret) >= SHORTEST_SECRET:
        return
    fault = (
        f"serve.client_secret has fewer than {SHORTEST_SECRET} characters and can be guessed; take"
        " a longer one, or have one made: batch-converter serve --add-client NAME"
    )
    if not is_loopback:
        raise ConfigError(fault)
    _log.warning("config.warning", message=fault)
