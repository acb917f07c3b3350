"""Sessions of the page: a signed cookie says which, so none is stored and a restart ends none.

The cookie's value is `v1.KEY.CLIENT.SEEN.SIGNATURE`: a random key that owns documents, the
client that has signed in (Base64, empty where nobody has to), the second of its last renewal,
and an HMAC over these and the client's stamp, which changes with his secret.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import secrets
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Protocol

from batch_converter.errors import ConfigError
from batch_converter.server.private_files import write_private

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path


COOKIE_NAME: Final = "batch_converter_session"
"""Of a service whose data folder is temporary; others' names begin so, see `cookie_name_of`."""

KEY_NAME: Final = "session.key"
"""The file of the signing key in the data folder."""

IDLE: Final = timedelta(hours=12)
"""Of a session that has signed in."""

LIFETIME: Final = timedelta(days=30)
"""After the last visit: as long the browser keeps the cookie, and the key still means something."""

RENEWAL: Final = timedelta(minutes=10)
_CLOCKS_DIFFER: Final = timedelta(minutes=5)
_KEY_BYTES: Final = 32
_NAME_DIGITS: Final = 8
_MAX_COOKIE_CHARS: Final = 2048
_MAX_ENDED: Final = 10_000
_FORM: Final = re.compile(
    r"(?P<signed>v1\.(?P<key>[\w-]{43})\.(?P<client>[\w-]*)\.(?P<seen>\d{1,12}))"
    r"\.(?P<signature>[\w-]{43})",
    re.ASCII,
)
_PATH: Final = re.compile(r"/[!-:<-~]*", re.ASCII)


class KnownClients(Protocol):
    """Who is known, as `Accounts` says it."""

    @property
    def is_open(self) -> bool:
        """Whether everybody is let in."""
        ...

    def stamp_of(self, client: str) -> bytes | None:
        """Return what changes with the client's secret; None where he is unknown."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A browser that was here before.

    Attributes:
        key: What tells it from all others.
        client: Who has signed in; None where nobody has.
        seen_s: When the cookie was last renewed, in seconds since 1970.
        is_signed_in: Whether it may do anything; true as well where nobody has to sign in.
        csrf: What a writing request of its own page carries in a header.
    """

    key: str = field(repr=False)
    client: str | None
    seen_s: int
    is_signed_in: bool
    csrf: str = field(repr=False)

    @property
    def owner(self) -> str:
        """The owner of what it uploads.

        Raises:
            PermissionError: It is not signed in, so nothing is its own.
        """
        if not self.is_signed_in:
            raise PermissionError("a session that is not signed in owns nothing")
        return f"session:{self.key}"

    def wrote(self, csrf: str | None) -> bool:
        """Whether a request with this token comes from the session's own page."""
        return hmac.compare_digest((csrf or "").encode(errors="replace"), self.csrf.encode())


class Sessions:
    """Begins sessions and knows them again.

    What has been signed out is remembered by this process only; after a restart the cookie
    of such a session, which its browser has deleted, would be good for what is left of its
    twelve hours.

    Args:
        key: Signs cookies; see `signing_key`.
        accounts: Who is known.
        now: The time of day: a cookie outlives the process.
        cookie_name: What browsers know the cookie by.
    """

    def __init__(
        self,
        key: bytes,
        accounts: KnownClients,
        *,
        now: Callable[[], datetime],
        cookie_name: str = COOKIE_NAME,
    ) -> None:
        self.cookie_name = cookie_name
        self._key = key
        self._accounts = accounts
        self._now = now
        self._ended: OrderedDict[str, None] = OrderedDict()

    def read(self, cookie: str | None) -> Session | None:
        """Return the session of a cookie's value; None where it is not (or no more) one of ours.

        One that has been idle for too long, or whose client has yet to sign in, is returned
        as not signed in: the sign-in form needs its `csrf`, and signing in again as the
        same client goes on with it. With the removal of its client, or another secret, it
        is gone.
        """
        match = _FORM.fullmatch(cookie) if cookie and len(cookie) <= _MAX_COOKIE_CHARS else None
        if match is None or match["key"] in self._ended:
            return None
        try:
            client = _unpacked(match["client"])
        except ValueError:
            return None
        expected = self._signature(match["signed"], client)
        if expected is None or not hmac.compare_digest(expected, match["signature"]):
            return None
        session = self._session(match["key"], client, int(match["seen"]))
        return None if self._age(session) >= LIFETIME else session

    def begin(self, client: str | None, cookie: str | None = None) -> Session:
        """Return a session of this client, or of nobody.

        Args:
            client: Who has just shown his credentials; None where nobody has to.
            cookie: What the browser sent. Where the same client was there before, it goes
                on with its documents; a key that another one could know is never taken over.
        """
        known = self.read(cookie) if client is not None else None
        is_same = known is not None and known.client == client
        key = known.key if known is not None and is_same else secrets.token_urlsafe(_KEY_BYTES)
        return self._session(key, client, self._now_s)

    def renewed(self, session: Session) -> Session | None:
        """Return the session as seen now, to be sent as a cookie; None where that can wait.

        Signed out by idleness is not undone by a visit.
        """
        needs_it = session.is_signed_in and self._age(session) >= RENEWAL
        return replace(session, seen_s=self._now_s) if needs_it else None

    def is_live(self, session: Session) -> bool:
        """Whether a session that was read a while ago, as for a stream, may still go on."""
        return session.key not in self._ended and self._may_act(session.client, self._age(session))

    def end(self, session: Session) -> None:
        """Sign it out: its cookie is good for nothing any more."""
        self._ended[session.key] = None
        if len(self._ended) > _MAX_ENDED:
            self._ended.popitem(last=False)

    def cookie(self, session: Session, *, secure: bool, path: str) -> str:
        """Return the value of `Set-Cookie`.

        Args:
            session: What it says.
            secure: Whether the browser is there over https.
            path: The page's own, such as `/` or `/convert/`.

        Raises:
            ValueError: The path is none, or the session's client is gone.
        """
        packed = _packed(session.client)
        signed = f"v1.{session.key}.{packed}.{session.seen_s}"
        signature = self._signature(signed, session.client)
        if signature is None:
            raise ValueError("the client of the session is gone")
        return self._set_cookie(f"{signed}.{signature}", LIFETIME, secure=secure, path=path)

    def removal(self, *, secure: bool, path: str) -> str:
        """Return the value of `Set-Cookie` that has the browser forget the session."""
        return self._set_cookie("", timedelta(0), secure=secure, path=path)

    def _set_cookie(self, value: str, lifetime: timedelta, *, secure: bool, path: str) -> str:
        if not _PATH.fullmatch(path):
            msg = f"{path!r} cannot be the path of a cookie"
            raise ValueError(msg)
        age_s = int(lifetime.total_seconds())
        flags = "; HttpOnly; SameSite=Strict" + ("; Secure" if secure else "")
        return f"{self.cookie_name}={value}; Path={path}; Max-Age={age_s}{flags}"

    @property
    def _now_s(self) -> int:
        return int(self._now().timestamp())

    def _age(self, session: Session) -> timedelta:
        return timedelta(seconds=self._now_s - session.seen_s)

    def _session(self, key: str, client: str | None, seen_s: int) -> Session:
        return Session(
            key=key,
            client=client,
            seen_s=seen_s,
            is_signed_in=self._may_act(client, timedelta(seconds=self._now_s - seen_s)),
            csrf=self._mac("csrf", f"{key}.{_packed(client)}"),
        )

    def _may_act(self, client: str | None, age: timedelta) -> bool:
        if client is None:
            return self._accounts.is_open
        is_known = self._accounts.stamp_of(client) is not None
        return is_known and -_CLOCKS_DIFFER <= age < IDLE

    def _signature(self, signed: str, client: str | None) -> str | None:
        """Sign; None where there is no such client."""
        stamp = b"" if client is None else self._accounts.stamp_of(client)
        return None if stamp is None else self._mac("cookie", signed, stamp)

    def _mac(self, label: str, text: str, stamp: bytes = b"") -> str:
        data = b"\0".join((label.encode(), text.encode(), stamp))
        return _base64(hmac.digest(self._key, data, "sha256"))


def signing_key(folder: Path) -> bytes:
    """Return the key of the data folder, made when it is first needed; blocks.

    The caller holds the folder's lock.

    Raises:
        ConfigError: It is damaged, or can neither be read nor written.
    """
    path = folder / KEY_NAME
    try:
        if not path.exists():
            write_private(path, secrets.token_bytes(_KEY_BYTES))
        key = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot use the key of the sessions {path}: {error.strerror}") from error
    if len(key) != _KEY_BYTES:
        raise ConfigError(
            f"the key of the sessions {path} is damaged; delete it, and browsers begin anew"
        )
    return key


def cookie_name_of(key: bytes) -> str:
    """Return a name of the data folder's own, which tells nothing of its key.

    Cookies know no ports: two services of a machine would take each other's for damaged, and
    replace it. Temporary folders, of which each start has another, would pile up in a browser
    until its requests are refused for their length: they share a name.
    """
    return f"{COOKIE_NAME}_{hmac.digest(key, b'name', 'sha256').hex()[:_NAME_DIGITS]}"


def _packed(client: str | None) -> str:
    return "" if client is None else _base64(client.encode(errors="surrogatepass"))


def _unpacked(text: str) -> str | None:
    """Return the client that stands in a cookie; None where there is none.

    Raises:
        ValueError: It is damaged.
    """
    if not text:
        return None
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ValueError("the client of the cookie is damaged") from error


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
