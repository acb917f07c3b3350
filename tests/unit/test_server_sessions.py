"""Sessions of the page, and their cookies."""

from __future__ import annotations

import re
import stat
from datetime import timedelta
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_converter.errors import ConfigError
from batch_converter.server import sessions as module
from batch_converter.server.sessions import (
    COOKIE_NAME,
    IDLE,
    LIFETIME,
    RENEWAL,
    Session,
    Sessions,
    cookie_name_of,
    signing_key,
)
from tests.support.clocks import ManualClock

if TYPE_CHECKING:
    from pathlib import Path

KEY = b"k" * 32


class Clients:
    def __init__(self, **stamps: bytes) -> None:
        self.stamps = stamps
        self.is_open = not stamps

    def stamp_of(self, client: str) -> bytes | None:
        return b"open" if self.is_open else self.stamps.get(client)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def clients() -> Clients:
    return Clients(alice=b"1", bob=b"2")


@pytest.fixture
def sessions(clients: Clients, clock: ManualClock) -> Sessions:
    return Sessions(KEY, clients, now=clock.now)


def value_of(sessions: Sessions, session: Session) -> str:
    return SimpleCookie(sessions.cookie(session, secure=True, path="/"))[COOKIE_NAME].value


def test_a_cookie_brings_the_session_back_after_a_restart_too(
    sessions: Sessions, clients: Clients, clock: ManualClock
) -> None:
    session = sessions.begin("alice")
    value = value_of(sessions, session)
    assert sessions.read(value) == session
    assert Sessions(KEY, clients, now=clock.now).read(value) == session
    assert Sessions(b"x" * 32, clients, now=clock.now).read(value) is None
    assert session.owner == f"session:{session.key}"
    assert session.client == "alice"


def test_cookies_of_two_data_folders_have_two_names() -> None:
    names = {cookie_name_of(key) for key in (KEY, b"x" * 32, KEY)}
    assert len(names) == 2
    assert all(re.fullmatch(rf"{COOKIE_NAME}_[0-9a-f]{{8}}", name) for name in names)
    sessions = Sessions(KEY, Clients(), now=ManualClock().now, cookie_name=(name := min(names)))
    assert set(SimpleCookie(sessions.removal(secure=False, path="/"))) == {name}


def test_every_session_is_another() -> None:
    sessions = Sessions(KEY, Clients(), now=ManualClock().now)
    made = [sessions.begin(None) for _ in range(50)]
    assert len({one.owner for one in made}) == len({one.csrf for one in made}) == 50


@pytest.mark.parametrize("secure", [True, False])
def test_the_cookie_is_for_this_page_alone(sessions: Sessions, *, secure: bool) -> None:
    header = sessions.cookie(sessions.begin("alice"), secure=secure, path="/convert/")
    cookie = SimpleCookie(header)[COOKIE_NAME]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Strict", "/convert/")
    assert bool(cookie["secure"]) is secure
    assert cookie["max-age"] == str(30 * 24 * 3600)
    assert cookie["domain"] == ""
    assert len(header) < 4000


def test_the_removal_is_for_the_same_page(sessions: Sessions) -> None:
    cookie = SimpleCookie(sessions.removal(secure=True, path="/convert/"))[COOKIE_NAME]
    assert (cookie.value, cookie["path"], cookie["max-age"]) == ("", "/convert/", "0")


@pytest.mark.parametrize("path", ["", "convert", "/a;b", "/a b", "/a\r\nSet-Cookie: x=y", "/ä"])
def test_a_path_that_would_break_the_header_is_refused(sessions: Sessions, path: str) -> None:
    with pytest.raises(ValueError, match="path of a cookie"):
        sessions.cookie(sessions.begin("alice"), secure=True, path=path)


@pytest.mark.parametrize("client", ["alice", None])
def test_a_cookie_that_was_changed_anywhere_is_nobodys(
    sessions: Sessions, client: str | None
) -> None:
    value = value_of(sessions, sessions.begin(client))
    for index, char in enumerate(value):
        for other in "A-.9":
            if other != char:
                assert sessions.read(value[:index] + other + value[index + 1 :]) is None
    for end in range(len(value)):
        assert sessions.read(value[:end]) is None
    assert sessions.read(value + "A") is None


@pytest.mark.parametrize("junk", [None, "", "v1", "v1....", "x" * 100_000, "v1.\ud800", "é.é.é.é"])
def test_junk_is_nobodys(sessions: Sessions, junk: str | None) -> None:
    assert sessions.read(junk) is None


@given(st.text(max_size=200))
def test_no_text_is_a_session(text: str) -> None:
    assert Sessions(KEY, Clients(), now=ManualClock().now).read(text) is None


def test_parts_of_two_sessions_make_none(sessions: Sessions) -> None:
    first = value_of(sessions, sessions.begin("alice")).split(".")
    second = value_of(sessions, sessions.begin("bob")).split(".")
    for index in range(1, 5):
        mixed = first[:index] + second[index : index + 1] + first[index + 1 :]
        if mixed != first:
            assert sessions.read(".".join(mixed)) is None


def test_twelve_idle_hours_end_it_and_signing_in_again_goes_on(
    sessions: Sessions, clock: ManualClock
) -> None:
    session = sessions.begin("alice")
    value = value_of(sessions, session)
    clock.at_s += (IDLE - timedelta(seconds=1)).total_seconds()
    assert (early := sessions.read(value)) is not None
    assert early.is_signed_in
    assert sessions.is_live(session)
    clock.at_s += (timedelta(seconds=1)).total_seconds()
    late = sessions.read(value)
    assert late is not None
    assert not late.is_signed_in
    assert late.wrote(session.csrf)
    assert not sessions.is_live(session)
    assert sessions.renewed(late) is None
    with pytest.raises(PermissionError):
        _ = late.owner
    again = sessions.begin("alice", value)
    assert again.owner == session.owner
    assert sessions.begin("bob", value).key != session.key
    assert sessions.begin("alice", value[:-1]).key != session.key


def test_visits_renew_it_now_and_then(sessions: Sessions, clock: ManualClock) -> None:
    session = sessions.begin("alice")
    for _ in range(200):
        clock.at_s += (RENEWAL - timedelta(seconds=1)).total_seconds()
        assert sessions.renewed(session) is None
        clock.at_s += (timedelta(seconds=1)).total_seconds()
        renewed = sessions.renewed(session)
        assert renewed is not None
        assert (renewed.owner, renewed.csrf) == (session.owner, session.csrf)
        session = renewed
        assert sessions.read(value_of(sessions, session)) == session


def test_nobody_who_has_to_sign_in_owns_anything_before(sessions: Sessions) -> None:
    guest = sessions.begin(None)
    assert not guest.is_signed_in
    assert guest.csrf
    assert not sessions.is_live(guest)
    with pytest.raises(PermissionError):
        _ = guest.owner
    assert sessions.begin("alice", value_of(sessions, guest)).key != guest.key


def test_without_accounts_a_session_lasts_a_month_after_the_last_visit(clock: ManualClock) -> None:
    sessions = Sessions(KEY, Clients(), now=clock.now)
    session = sessions.begin(None)
    value = value_of(sessions, session)
    clock.at_s += (LIFETIME - timedelta(seconds=1)).total_seconds()
    assert sessions.read(value) == session
    assert session.owner
    clock.at_s += (timedelta(seconds=1)).total_seconds()
    assert sessions.read(value) is None


def test_the_removal_of_the_client_or_another_secret_ends_it(
    sessions: Sessions, clients: Clients
) -> None:
    alice, bob = sessions.begin("alice"), sessions.begin("bob")
    values = [value_of(sessions, one) for one in (alice, bob)]
    del clients.stamps["alice"]
    clients.stamps["bob"] = b"another"
    assert [sessions.read(one) for one in values] == [None, None]
    assert not sessions.is_live(alice)
    assert sessions.begin("bob", values[1]).key != bob.key
    with pytest.raises(ValueError, match="gone"):
        sessions.cookie(alice, secure=True, path="/")


def test_accounts_that_come_or_go_end_what_was_begun_without_or_with_them(
    clock: ManualClock,
) -> None:
    without, with_them = Clients(), Clients(alice=b"1")
    guest = Sessions(KEY, without, now=clock.now).begin(None)
    value = value_of(Sessions(KEY, without, now=clock.now), guest)
    later = Sessions(KEY, with_them, now=clock.now).read(value)
    assert later is not None
    assert not later.is_signed_in
    signed_in = Sessions(KEY, with_them, now=clock.now).begin("alice")
    value = value_of(Sessions(KEY, with_them, now=clock.now), signed_in)
    assert Sessions(KEY, without, now=clock.now).read(value) is None


def test_what_is_signed_out_stays_so(sessions: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_ENDED", 10)
    session = sessions.begin("alice")
    value = value_of(sessions, session)
    sessions.end(session)
    assert sessions.read(value) is None
    assert not sessions.is_live(session)
    assert sessions.begin("alice", value).key != session.key
    for _ in range(50):
        sessions.end(sessions.begin("alice"))
    assert len(sessions._ended) == 10


def test_a_clock_that_was_set_back_gives_nobody_longer(
    sessions: Sessions, clock: ManualClock
) -> None:
    value = value_of(sessions, sessions.begin("alice"))
    clock.at_s -= (timedelta(minutes=5)).total_seconds()
    assert (near := sessions.read(value)) is not None
    assert near.is_signed_in
    clock.at_s -= (timedelta(days=5)).total_seconds()
    assert (far := sessions.read(value)) is not None
    assert not far.is_signed_in


def test_only_its_own_page_has_the_token_of_a_session(sessions: Sessions) -> None:
    alice, bob = sessions.begin("alice"), sessions.begin("bob")
    assert alice.wrote(alice.csrf)
    for wrong in (None, "", bob.csrf, alice.csrf[:-1], alice.csrf + "A", "é", "\ud800"):
        assert not alice.wrote(wrong)
    assert alice.csrf not in sessions.cookie(alice, secure=True, path="/")


def test_no_repr_tells_what_opens_a_session(sessions: Sessions) -> None:
    session = sessions.begin("alice")
    assert session.key not in repr(session)
    assert session.csrf not in repr(session)


def test_names_of_any_script_fit(clock: ManualClock) -> None:
    name = "\U0001d51e" * 256
    sessions = Sessions(KEY, Clients(**{name: b"1"}), now=clock.now)
    value = value_of(sessions, sessions.begin(name))
    assert (session := sessions.read(value)) is not None
    assert session.client == name
    assert len(value) < 4000


def test_the_key_is_made_once_and_closed_to_others(tmp_path: Path) -> None:
    key = signing_key(tmp_path)
    assert signing_key(tmp_path) == key
    assert len(key) == 32
    (path,) = tmp_path.iterdir()
    assert (path.name, stat.S_IMODE(path.stat().st_mode)) == ("session.key", 0o600)
    other = tmp_path / "other"
    other.mkdir()
    assert signing_key(other) != key


@pytest.mark.parametrize("data", [b"", b"k" * 31, b"k" * 33])
def test_a_damaged_key_is_told(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "session.key").write_bytes(data)
    with pytest.raises(ConfigError, match="is damaged; delete it"):
        signing_key(tmp_path)


def test_a_key_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot use the key"):
        signing_key(tmp_path / "missing")
