"""The file of clients."""

from __future__ import annotations

import json
import os
import stat
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from filelock import FileLock

from batch_converter.errors import ConfigError, StateLockedError, UsageError
from batch_converter.server.clients import ClientsFile
from batch_converter.server.secret_hashes import HashedSecret

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path) -> ClientsFile:
    return ClientsFile(tmp_path / "data" / "clients.json")


def test_an_added_client_is_known_by_the_secret_that_was_made_for_it(file: ClientsFile) -> None:
    alice, bob = file.add("alice"), file.add("Bob B. (büro)")
    clients = file.read()
    assert list(clients) == ["Bob B. (büro)", "alice"]
    assert clients["alice"].matches(alice)
    assert not clients["alice"].matches(bob)
    assert len(alice) >= 43
    assert alice != bob


def test_the_file_keeps_no_secret_and_is_closed_to_others(file: ClientsFile) -> None:
    old = os.umask(0)
    try:
        secret = file.add("alice", now=lambda: datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC))
    finally:
        os.umask(old)
    text = file.path.read_text()
    assert secret not in text
    assert json.loads(text)["clients"]["alice"]["added_at"] == "2030-01-02T03:04:05Z"
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in file.path.parent.iterdir()}
    assert modes == {"clients.json": 0o600, ".clients.json.lock": 0o600}
    assert stat.S_IMODE(file.path.parent.stat().st_mode) == 0o700
    assert file.warnings() == []


@pytest.mark.parametrize("mode", [0o640, 0o604])
def test_a_file_that_others_may_read_draws_a_warning(file: ClientsFile, mode: int) -> None:
    file.add("alice")
    file.path.chmod(mode)
    assert file.warnings() == [
        f"others may read the clients file {file.path}; run: chmod 600 {file.path}"
    ]
    file.add("bob")
    assert file.warnings() == []


def test_a_name_that_is_there_is_refused_with_advice(file: ClientsFile) -> None:
    file.add("alice")
    before = file.path.read_bytes()
    with pytest.raises(UsageError, match="--remove-client alice"):
        file.add("alice")
    assert file.path.read_bytes() == before


def test_a_removed_client_is_gone_and_may_come_back_with_another_secret(file: ClientsFile) -> None:
    old = file.add("alice")
    file.add("bob")
    file.remove("alice")
    assert list(file.read()) == ["bob"]
    with pytest.raises(UsageError, match="there are: bob"):
        file.remove("alice")
    assert file.add("alice") != old
    assert not file.read()["alice"].matches(old)


def test_removing_from_a_file_that_is_not_there_makes_none(tmp_path: Path) -> None:
    file = ClientsFile(tmp_path / "clients.json")
    with pytest.raises(UsageError, match="there are: none"):
        file.remove("alice")
    assert not file.path.exists()


@pytest.mark.parametrize("name", ["", " a", "a ", "a\n", "a\tb", "a\x00b", "x" * 129])
def test_what_cannot_be_typed_is_no_name(file: ClientsFile, name: str) -> None:
    with pytest.raises(UsageError, match="a client's name must"):
        file.add(name)
    assert not file.path.exists()


def test_names_may_be_long_and_of_any_script(file: ClientsFile) -> None:
    for name in ("x" * 128, "архів", "-x", "a b", "a:b"):
        assert file.add(name)
    assert len(file.read()) == 5


def test_many_who_add_at_once_lose_none(file: ClientsFile) -> None:
    names = [f"client-{number}" for number in range(8)]
    threads = [threading.Thread(target=file.add, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(file.read()) == names


def test_a_lock_that_somebody_keeps_is_told(
    file: ClientsFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("batch_converter.server.clients._PATIENCE_S", 0.01)
    file.add("alice")
    with (
        FileLock(file.path.with_name(".clients.json.lock")),
        pytest.raises(StateLockedError, match="another command"),
    ):
        file.add("bob")


def test_a_link_stays_one(file: ClientsFile, tmp_path: Path) -> None:
    file.add("alice")
    link = ClientsFile(tmp_path / "link.json")
    link.path.symlink_to(file.path)
    link.add("bob")
    assert link.path.is_symlink()
    assert list(file.read()) == ["alice", "bob"]


def test_a_folder_that_cannot_be_written_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot write the clients file"):
        ClientsFile(tmp_path / "file" / "clients.json").add("alice")


@pytest.mark.parametrize("failing", ["sync_file", "sync_folder"])
def test_a_write_that_fails_leaves_the_old_file_or_the_new_one_and_nothing_else(
    file: ClientsFile, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    file.add("alice")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(f"batch_converter.server.private_files.{failing}", full)
    with pytest.raises(UsageError, match="No space left"):
        file.add("bob")
    assert set(file.read()) >= {"alice"}
    assert {path.name for path in file.path.parent.iterdir()} == {
        "clients.json",
        ".clients.json.lock",
    }


def test_root_leaves_the_file_to_the_user_of_the_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[object, int, int]] = []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "chown", lambda what, uid, gid: given.append((what, uid, gid)))
    ClientsFile(tmp_path / "clients.json").add("alice")
    owner = tmp_path.stat()
    assert len(given) == 2
    assert {(uid, gid) for _, uid, gid in given} == {(owner.st_uid, owner.st_gid)}


def changed(**changes: object) -> Callable[[dict[str, Any]], object]:
    return lambda content: content["clients"]["alice"].update(changes)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (changed(n=3), "parameters of scrypt"),
        (changed(n=1 << 30), "parameters of scrypt"),
        (changed(r=1 << 20), "parameters of scrypt"),
        (changed(n=1 << 16, r=1), "parameters of scrypt"),
        (changed(p=1 << 20), "parameters of scrypt"),
        (changed(n=0), "clients.alice.n"),
        (changed(n="16384"), "clients.alice.n"),
        (changed(n=True), "clients.alice.n"),
        (changed(kdf="md5"), "clients.alice.kdf"),
        (changed(salt=""), "clients.alice.salt"),
        (changed(salt="!!"), "clients.alice.salt: is not Base64"),
        (changed(hash="AAAA"), "clients.alice.hash"),
        (changed(hash=None), "clients.alice.hash: is not Base64"),
        (changed(secret="in the clear"), "clients.alice.secret"),
        (lambda content: content.update(version=2), "version"),
        (lambda content: content.pop("version"), "version"),
        (lambda content: content.update(clients=[]), "clients"),
        (lambda content: content["clients"].update({"a\nb": content["clients"]["alice"]}), "name"),
        (lambda content: content["clients"].update({"": content["clients"]["alice"]}), "name"),
    ],
    ids=range(19),
)
def test_a_damaged_file_is_told_by_its_place(
    file: ClientsFile, damage: Callable[[dict[str, Any]], object], message: str
) -> None:
    file.add("alice")
    content = json.loads(file.path.read_text())
    damage(content)
    file.path.write_text(json.dumps(content))
    with pytest.raises(ConfigError, match=message) as caught:
        file.read()
    assert str(file.path) in str(caught.value)
    assert "in the clear" not in str(caught.value)
    before = file.path.read_bytes()
    with pytest.raises(ConfigError):
        file.add("bob")
    assert file.path.read_bytes() == before


@pytest.mark.parametrize(
    "text",
    ["", "{", "null", "[]", '"x"', "[" * 100_000, '{"version": 1, "version": 1, "clients": {}}'],
)
def test_what_is_not_the_documented_json_is_damage(file: ClientsFile, text: str) -> None:
    file.path.parent.mkdir()
    file.path.write_text(text)
    with pytest.raises(ConfigError, match="is damaged"):
        file.read()


def test_a_file_that_is_cut_anywhere_is_damage(file: ClientsFile) -> None:
    file.add("alice")
    whole = file.path.read_bytes().rstrip()
    for end in range(len(whole)):
        file.path.write_bytes(whole[:end])
        with pytest.raises(ConfigError):
            file.read()


@pytest.mark.parametrize("data", [b"\xff\xfe{\x00}\x00", b"\xff"])
def test_a_file_in_another_encoding_is_told(file: ClientsFile, data: bytes) -> None:
    file.path.parent.mkdir()
    file.path.write_bytes(data)
    with pytest.raises(ConfigError, match="cannot read the clients file"):
        file.read()


def test_other_parameters_of_scrypt_are_taken_from_the_file() -> None:
    cheap = {"n": 2, "r": 1, "p": 1, "salt": "c2FsdHNhbHQ=", "hash": "A" * 22 + "=="}
    secret = HashedSecret.model_validate(cheap)
    assert not secret.matches("anything")
    assert HashedSecret.model_validate(secret.as_json()) == secret


def test_a_secret_is_known_in_any_script_and_only_whole() -> None:
    hashed = HashedSecret.of("пароль \udcff")
    assert hashed.matches("пароль \udcff")
    for wrong in ("", "пароль", "пароль \udcff ", "Пароль \udcff"):
        assert not hashed.matches(wrong)
    assert not HashedSecret.of_nobody().matches("")


def test_a_hash_stays_out_of_every_repr() -> None:
    hashed = HashedSecret.of("a secret")
    assert repr(hashed.hash) not in repr(hashed)


def test_where_there_is_no_file_nothing_is_removed_and_nothing_made(file: ClientsFile) -> None:
    with pytest.raises(UsageError, match="there are: none"):
        file.remove("alice")
    assert not file.path.parent.exists()
