"""Checking pairs, and who is known."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import pytest
from anyio.to_thread import run_sync as off_loop
from structlog.testing import capture_logs

from batch_converter.config import ServeSettings
from batch_converter.errors import ConfigError, UsageError
from batch_converter.server import sign_in
from batch_converter.server.accounts import Accounts, check_secret_length, open_accounts
from batch_converter.server.clients import ClientsFile
from batch_converter.server.credentials import Credentials
from batch_converter.server.secret_hashes import HashedSecret
from batch_converter.server.sign_in import Refusal, SignIn
from tests.support.clocks import ManualClock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from structlog.typing import EventDict

HERE = "192.0.2.1"
PAIR = Credentials(client_id="me", client_secret="the configured secret")


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[EventDict]]:
    with capture_logs() as captured:
        yield captured


@pytest.fixture
def file(tmp_path: Path) -> ClientsFile:
    return ClientsFile(tmp_path / "clients.json")


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Count what is hashed."""
    seen: list[str] = []
    real = HashedSecret.matches

    def counted(self: HashedSecret, secret: str) -> bool:
        seen.append(secret)
        return real(self, secret)

    monkeypatch.setattr(HashedSecret, "matches", counted)
    return seen


def pair(client: str, secret: str) -> Credentials:
    return Credentials(client_id=client, client_secret=secret)


async def enter(desk: SignIn, given: Credentials, address: str = HERE) -> str | Refusal:
    return await desk.check(given, address, purpose="token")


async def test_clients_of_the_file_and_of_the_configuration_are_let_in(file: ClientsFile) -> None:
    alice = await off_loop(file.add, "alice")
    desk = SignIn(Accounts(PAIR, file), clock=ManualClock().monotonic_s)
    assert await enter(desk, PAIR) == "me"
    assert await enter(desk, pair("alice", alice)) == "alice"
    for wrong in (
        pair("me", alice),
        pair("alice", "no"),
        pair("bob", alice),
        pair("alice ", alice),
    ):
        assert await enter(desk, wrong) == Refusal()


async def test_a_client_that_is_added_or_removed_is_seen_at_once(file: ClientsFile) -> None:
    desk = SignIn(Accounts(PAIR, file), clock=ManualClock().monotonic_s)
    alice = pair("alice", await off_loop(file.add, "alice"))
    assert await enter(desk, alice) == "alice"
    await off_loop(file.remove, "alice")
    assert await enter(desk, alice) == Refusal()
    again = pair("alice", await off_loop(file.add, "alice"))
    assert await enter(desk, alice) == Refusal()
    assert await enter(desk, again) == "alice"


async def test_a_right_pair_is_hashed_once_and_a_wrong_one_always(
    file: ClientsFile, hashed: list[str]
) -> None:
    alice = pair("alice", await off_loop(file.add, "alice"))
    desk = SignIn(Accounts(PAIR, file), clock=ManualClock().monotonic_s)
    for _ in range(5):
        assert await enter(desk, alice) == "alice"
        assert await enter(desk, PAIR) == "me"
    assert hashed == [alice.client_secret]
    for wrong in (pair("alice", "1"), pair("me", "2"), pair("nobody", "3")):
        assert await enter(desk, wrong, "198.51.100.7") == Refusal()
    assert hashed[1:] == ["1", "2", "3"]


async def test_who_has_to_wait_costs_no_hash(file: ClientsFile, hashed: list[str]) -> None:
    alice = pair("alice", await off_loop(file.add, "alice"))
    clock = ManualClock()
    desk = SignIn(Accounts(None, file), clock=clock.monotonic_s)
    for number in range(200):
        answer = await enter(desk, pair("alice", str(number)))
        assert answer == Refusal(retry_after_s=None if number < 5 else 10)
        clock.at_s += 0.001
    assert len(hashed) == 5
    assert await enter(desk, alice) == Refusal(retry_after_s=10)
    assert await enter(desk, alice, "198.51.100.7") == "alice"
    clock.at_s += 10
    assert await enter(desk, alice) == "alice"


async def test_guesses_that_come_together_are_slowed_as_one_after_another(
    file: ClientsFile, hashed: list[str]
) -> None:
    await off_loop(file.add, "alice")
    desk = SignIn(Accounts(None, file), clock=ManualClock().monotonic_s)
    answers: list[object] = []

    async def attempt(number: int) -> None:
        answers.append(await enter(desk, pair("alice", str(number))))

    async with anyio.create_task_group() as tasks:
        for number in range(300):
            tasks.start_soon(attempt, number)
    assert len(hashed) <= 6  # two at once
    assert answers.count(Refusal()) == len(hashed)
    assert not desk._waiting


async def test_few_are_hashed_at_once_off_the_loop_and_the_line_is_short(
    file: ClientsFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sign_in, "_MAX_WAITING", 6)
    monkeypatch.setattr(sign_in, "_MAX_WAITING_THERE", 4)
    await off_loop(file.add, "alice")
    gate, running, peaks = threading.Event(), [0], [0]
    lock = threading.Lock()

    def slow(_self: HashedSecret, _secret: str) -> bool:
        assert threading.current_thread() is not threading.main_thread()
        with lock:
            running[0] += 1
            peaks.append(running[0])
        gate.wait(20)
        with lock:
            running[0] -= 1
        return False

    monkeypatch.setattr(HashedSecret, "matches", slow)
    desk = SignIn(Accounts(None, file), clock=ManualClock().monotonic_s)
    answers: list[tuple[str, Any]] = []

    async def attempt(address: str, number: int) -> None:
        answers.append((address, await enter(desk, pair("alice", str(number)), address)))

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            for number in range(6):
                tasks.start_soon(attempt, HERE, number)
            for number in range(4):
                tasks.start_soon(attempt, f"198.51.100.{number}", number + 10)
            while len(answers) < 4 or running[0] < 2:
                await anyio.lowlevel.checkpoint()
            gate.set()
    assert max(peaks) == 2
    busy = Refusal(retry_after_s=1)
    assert [answer for _, answer in answers[:4]] == [busy] * 4
    assert answers.count((HERE, busy)) == 2
    assert [answer for _, answer in answers[4:]] == [Refusal()] * 6


async def test_without_any_account_everybody_is_let_in_under_his_own_name(
    file: ClientsFile, hashed: list[str]
) -> None:
    desk = SignIn(Accounts(None, file), clock=ManualClock().monotonic_s)
    for number in range(30):
        assert await enter(desk, pair(f"c{number}", "any")) == f"c{number}"
    for name in ("a\nb", "\x00", "x" * 257):
        assert await enter(desk, pair(name, "any")) == Refusal()
    assert hashed == []


async def test_the_first_client_closes_an_open_service_for_good(file: ClientsFile) -> None:
    accounts = Accounts(None, file)
    desk = SignIn(accounts, clock=ManualClock().monotonic_s)
    assert await enter(desk, pair("any", "any")) == "any"
    stamp = accounts.stamp_of("any")
    alice = pair("alice", await off_loop(file.add, "alice"))
    assert await enter(desk, pair("any", "any")) == Refusal()
    assert (stamp, accounts.stamp_of("any"), accounts.is_open) == (b"open", None, False)
    assert await enter(desk, alice) == "alice"
    file.path.unlink()
    assert await enter(desk, alice) == Refusal()
    assert not accounts.is_open


@pytest.mark.parametrize("was_open", [True, False])
async def test_a_file_that_becomes_damaged_changes_nothing_and_opens_nothing(
    file: ClientsFile, logs: list[EventDict], *, was_open: bool
) -> None:
    alice = pair("alice", await off_loop(file.add, "alice"))
    content = file.path.read_bytes()
    if was_open:
        file.path.unlink()
    accounts = Accounts(None, file)
    desk = SignIn(accounts, clock=ManualClock().monotonic_s)
    assert await enter(desk, alice) == "alice"
    file.path.write_bytes(content[:-9])
    for _ in range(3):
        assert await enter(desk, alice) == (Refusal() if was_open else "alice")
    assert not accounts.is_open
    events = [one["event"] for one in logs]
    assert events.count("server.clients_unreadable") == 1
    file.path.write_bytes(content)
    assert await enter(desk, alice) == "alice"


async def test_who_was_let_in_or_refused_is_in_the_log_and_no_secret(
    file: ClientsFile, logs: list[EventDict]
) -> None:
    alice = pair("alice", await off_loop(file.add, "alice"))
    desk = SignIn(Accounts(None, file), clock=ManualClock().monotonic_s)
    await enter(desk, alice)
    for number in range(50):
        await enter(desk, pair("mallory", f"guess {number}"), "198.51.100.7")
    await desk.check(alice, HERE, purpose="session")
    told = [one for one in logs if one["event"] != "server.clients_loaded"]
    here = {"client": "alice", "address": HERE, "log_level": "info"}
    there = {"client": "mallory", "address": "198.51.100.7", "log_level": "warning"}
    refused = {"event": "server.token_refused", **there}
    assert told == [
        {"event": "server.token_granted", **here},
        *[{**refused, "wait_s": None}] * 5,
        {**refused, "wait_s": 10},
        {"event": "server.session_granted", **here},
    ]
    assert alice.client_secret not in repr(logs)
    assert "guess" not in repr(logs)


def test_the_configured_pair_wins_over_a_client_of_its_name(
    file: ClientsFile, logs: list[EventDict]
) -> None:
    secret = file.add("me")
    accounts = Accounts(PAIR, file)
    accounts.refresh()
    assert accounts.knows(PAIR)
    assert accounts.proven_stamp(pair("me", secret)) is None
    assert "serve.client_id" in repr([one for one in logs if one["event"] == "config.warning"])


async def test_a_secret_that_is_replaced_while_it_is_hashed_lets_nobody_in(
    file: ClientsFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = pair("alice", await off_loop(file.add, "alice"))
    accounts = Accounts(PAIR, file)
    desk, real = SignIn(accounts, clock=ManualClock().monotonic_s), HashedSecret.matches

    def replaced_meanwhile(self: HashedSecret, secret: str) -> bool:
        is_right = real(self, secret)
        file.remove("alice")
        file.add("alice")
        accounts.refresh()
        return is_right

    with monkeypatch.context() as patched:
        patched.setattr(HashedSecret, "matches", replaced_meanwhile)
        assert await enter(desk, old) == Refusal()
    assert not accounts.knows(old)
    assert await enter(desk, old) == Refusal()


def test_a_stamp_changes_with_the_secret_alone(file: ClientsFile) -> None:
    first, other = Accounts(PAIR, file), Accounts(pair("me", "another"), file)
    assert first.stamp_of("me") == Accounts(PAIR, None).stamp_of("me") != other.stamp_of("me")
    assert first.stamp_of("alice") is None
    file.add("alice")
    first.refresh()
    before = first.stamp_of("alice")
    file.add("bob")
    first.refresh()
    assert first.stamp_of("alice") == before is not None
    file.remove("alice")
    file.add("alice")
    first.refresh()
    assert first.stamp_of("alice") not in {before, None}


def settings(**given: object) -> ServeSettings:
    return ServeSettings.model_validate(given)


def test_the_file_of_the_data_folder_is_the_default(tmp_path: Path) -> None:
    assert open_accounts(settings()).is_open
    assert open_accounts(settings(data_dir=tmp_path)).is_open
    ClientsFile(tmp_path / "clients.json").add("alice")
    accounts = open_accounts(settings(data_dir=tmp_path))
    assert not accounts.is_open
    assert accounts.stamp_of("alice")
    elsewhere = ClientsFile(tmp_path / "other" / "names.json")
    elsewhere.add("bob")
    accounts = open_accounts(settings(data_dir=tmp_path, clients_file=elsewhere.path))
    assert (accounts.stamp_of("alice"), bool(accounts.stamp_of("bob"))) == (None, True)


def test_a_file_without_clients_lets_nobody_in(file: ClientsFile) -> None:
    file.add("alice")
    file.remove("alice")
    assert not open_accounts(settings(clients_file=file.path)).is_open


def test_a_service_does_not_begin_with_a_file_that_it_cannot_trust(file: ClientsFile) -> None:
    with pytest.raises(ConfigError, match=r"is not there.*--add-client"):
        open_accounts(settings(clients_file=file.path))
    file.path.write_text("{")
    with pytest.raises(ConfigError, match="is damaged"):
        open_accounts(settings(clients_file=file.path))
    with pytest.raises(ConfigError, match="is damaged"):
        open_accounts(settings(data_dir=file.path.parent))


def test_a_file_that_others_may_read_is_warned_of(file: ClientsFile, logs: list[EventDict]) -> None:
    file.add("alice")
    os.chmod(file.path, 0o644)  # noqa: PTH101  # as a user does
    open_accounts(settings(clients_file=file.path))
    assert [one["message"] for one in logs if one["event"] == "config.warning"] == file.warnings()


@pytest.mark.parametrize("half", [{"client_id": "me"}, {"client_secret": "s" * 16}])
def test_half_a_pair_is_refused(half: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="--client-id and --client-secret-file"):
        open_accounts(settings(**half))


@pytest.mark.parametrize(("length", "is_refused"), [(1, True), (15, True), (16, False)])
def test_a_short_secret_is_refused_beyond_loopback_and_warned_of_on_it(
    length: int, logs: list[EventDict], *, is_refused: bool
) -> None:
    given = settings(client_id="me", client_secret="s" * length)
    check_secret_length(given, is_loopback=True)
    warned = [one["message"] for one in logs]
    assert ["serve.client_secret" in one for one in warned] == [True] * is_refused
    if is_refused:
        with pytest.raises(ConfigError, match="fewer than 16 characters") as caught:
            check_secret_length(given, is_loopback=False)
        assert "ssss" not in str(caught.value)
    else:
        check_secret_length(given, is_loopback=False)


def test_without_a_configured_secret_none_is_too_short() -> None:
    check_secret_length(settings(), is_loopback=False)
