from __future__ import annotations

import contextlib
import json
import os
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from batch_converter.cli.options import settings_from
from batch_converter.config import (
    AsposeSettings,
    Settings,
    is_loopback,
    load_settings,
    parse_shard,
    settings_of_run,
    settings_with,
)
from batch_converter.config.keys import KnownKeys
from batch_converter.config.units import parse_duration_s, parse_size
from batch_converter.engines.registry import choose_engine, extra_sections
from batch_converter.errors import ConfigError, ExitCode

if TYPE_CHECKING:
    from batch_converter.config import LoadedSettings

EVERYTHING = settings_with(extra_sections())
"""All that the installed engines know."""

EXAMPLE = Path(__file__).resolve().parents[2] / "config.example.toml"
SECRET = "s3cr3t-value"


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def private(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o600)
    return path


def load(
    toml: str = "", env: dict[str, str] | None = None, flags: dict[str, object] | None = None
) -> LoadedSettings:
    path = private(Path("given.toml"), toml)
    return load_settings(config_file=path, environ=env or {}, flags=flags)


def error(toml: str = "", env: dict[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        load(toml, env)
    assert caught.value.exit_code is ExitCode.USAGE
    return str(caught.value)


# Precedence and origins


def test_without_anything_the_defaults_are_in_force() -> None:
    loaded = load_settings(environ={})
    assert loaded.settings == Settings()
    assert (loaded.origins, loaded.warnings) == ({}, ())


def test_flags_win_over_environment_over_file_over_defaults() -> None:
    toml = "[concurrency]\nmax_submissions = 1\nmax_in_flight = 1\nmax_pollers = 1"
    env = {
        "BATCH_CONVERTER_CONCURRENCY__MAX_SUBMISSIONS": "2",
        "BATCH_CONVERTER_CONCURRENCY__MAX_IN_FLIGHT": "2",
    }
    loaded = load(toml, env, {"concurrency.max_submissions": 3})
    concurrency = loaded.settings.concurrency
    assert (concurrency.max_submissions, concurrency.max_in_flight) == (3, 2)
    assert (concurrency.max_pollers, loaded.settings.retry.max_attempts) == (1, 3)
    told = {key: origin for key, _, origin in loaded.in_force()}
    assert told["concurrency.max_submissions"] == "flag"
    assert told["concurrency.max_in_flight"] == (
        "environment BATCH_CONVERTER_CONCURRENCY__MAX_IN_FLIGHT"
    )
    assert told["concurrency.max_pollers"] == "file given.toml"
    assert told["retry.max_attempts"] == "default"


def test_every_key_is_told_in_force() -> None:
    assert [key for key, _, _ in load().in_force()] == list(KnownKeys.of(Settings))


def test_what_is_recorded_with_a_run_tells_no_secret() -> None:
    """The report is handed on: what `config check` masks is masked there."""
    flags = {
        "aspose.client_id": "me",
        "aspose.client_secret": "topsecret-1",
        "aspose.proxy": "http://user:topsecret-2@proxy:3128",
        "serve.client_secret": "topsecret-3",
        "serve.client_id": "me",
        "local.workers": 3,
        "output.dir": Path("out"),
    }
    recorded = {each.key: each for each in settings_of_run(load(flags=flags).settings)}
    assert not any("topsecret" in each.value for each in recorded.values())
    assert recorded["aspose.proxy"].value == '"http://***@proxy:3128"'
    assert recorded["local.workers"].value == "3"
    assert recorded["output.dir"].value == '"out"'
    assert recorded["aspose.ca_file"].value == "(not set)"
    changed = {key for key, each in recorded.items() if not each.is_default}
    assert changed == {key for key in flags if not key.startswith("serve.")}
    assert set(recorded) == {key for key in KnownKeys.of(Settings) if not key.startswith("serve.")}


def test_an_absent_flag_and_an_empty_variable_say_nothing() -> None:
    toml = "[polling]\ninterval = 5"
    loaded = load(toml, {"BATCH_CONVERTER_POLLING__INTERVAL": ""}, {"polling.interval": None})
    assert loaded.settings.polling.interval == 5


def test_the_folders_own_file_comes_before_the_users(tmp_path: Path) -> None:
    users = private(tmp_path / "xdg" / "batch-converter" / "config.toml", 'engine = "local"')
    env = {"XDG_CONFIG_HOME": str(tmp_path / "xdg")}
    assert load_settings(environ=env).origins == {"engine": f"file {users}"}
    private(Path("batch-converter.toml"), 'engine = "aspose"')
    loaded = load_settings(environ=env)
    assert loaded.settings.engine == "aspose"
    assert loaded.origins == {"engine": "file batch-converter.toml"}


def test_the_users_file_is_found_in_its_usual_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CONFIG_HOME")
    private(Path("~/.config/batch-converter/config.toml").expanduser(), 'engine = "local"')
    assert load_settings(environ={}).settings.engine == "local"


# What the environment may say


@pytest.mark.parametrize(
    ("name", "text", "key", "expected"),
    [
        ("ENGINE", "local", "engine", "local"),
        ("POLLING__INTERVAL", "2.5", "polling.interval", 2.5),
        ("INPUT__MAX_SIZE", "10M", "input.max_size", 10 * 1024**2),
        ("INPUT__FOLLOW_SYMLINKS", "true", "input.follow_symlinks", True),
        ("INPUT__INCLUDE", '["a/*.djvu", "b"]', "input.include", ("a/*.djvu", "b")),
        ("BUDGET__DEADLINE", "90m", "budget.deadline", 5400),
        ("ASPOSE__SETTINGS", '{"language": "Czech"}', "aspose.settings", {"language": "Czech"}),
        ("LOGGING__PROGRESS", "0", "logging.progress", False),
        ("REPORT__FILE", "/r.json", "report.file", Path("/r.json")),
    ],
)
def test_the_environment_names_every_key(name: str, text: str, key: str, expected: object) -> None:
    loaded = load(env={f"BATCH_CONVERTER_{name}": text})
    values = {key: value for key, value, _ in loaded.in_force()}
    assert values[key] == expected


def test_a_path_may_begin_with_the_home_folder() -> None:
    loaded = load('[report]\nfile = "~/r.json"')
    assert loaded.settings.report.file == Path("~/r.json").expanduser()


@pytest.mark.parametrize("text", ["*.djvu", "1" * 4301, "[" * 9999])
def test_lists_and_tables_in_the_environment_are_json(text: str) -> None:
    message = error(env={"BATCH_CONVERTER_INPUT__INCLUDE": text})
    assert message == 'BATCH_CONVERTER_INPUT__INCLUDE must be JSON, such as ["*.djvu"]'


def test_credentials_come_under_their_usual_names() -> None:
    env = {"ASPOSE_CLIENT_ID": "me", "ASPOSE_CLIENT_SECRET": SECRET}
    aspose = load('[aspose]\nclient_id = "other"', env).settings.aspose
    assert aspose.client_id == "me"
    assert aspose.client_secret == SecretStr(SECRET)
    assert aspose.has_credentials


@pytest.mark.parametrize("half", ["ASPOSE_CLIENT_ID", "ASPOSE_CLIENT_SECRET"])
def test_half_of_the_credentials_is_none(half: str) -> None:
    assert not load(env={half: "x"}).settings.aspose.has_credentials


@pytest.mark.parametrize("engine", ["auto", "aspose"])
@pytest.mark.parametrize(
    ("toml", "env", "missing"),
    [
        ("", {"ASPOSE_CLIENT_ID": "me"}, "ASPOSE_CLIENT_SECRET"),
        ("", {"ASPOSE_CLIENT_SECRET": SECRET}, "ASPOSE_CLIENT_ID"),
        ("", {"ASPOSE_CLIENT_ID": "me", "ASPOSE_CLIENT_SECRET": ""}, "ASPOSE_CLIENT_SECRET"),
        ("", {"ASPOSE_CLIENT_ID": " \r\n", "ASPOSE_CLIENT_SECRET": SECRET}, "ASPOSE_CLIENT_ID"),
        ('[aspose]\nclient_id = "me"', {}, "ASPOSE_CLIENT_SECRET"),
        ('[aspose]\nclient_id = "me"\nclient_secret = ""', {}, "client_secret_file"),
        (f'[aspose]\nclient_id = ""\nclient_secret = "{SECRET}"', {}, "ASPOSE_CLIENT_ID"),
        ("", {"BATCH_CONVERTER_ASPOSE__CLIENT_ID": "me"}, "ASPOSE_CLIENT_SECRET"),
    ],
)
def test_half_an_account_is_told_and_never_used(
    toml: str, env: dict[str, str], missing: str, engine: str
) -> None:
    settings = load(toml, env, {"engine": engine}).settings
    assert settings.account_fault is not None
    assert missing in settings.account_fault
    with pytest.raises(ConfigError, match="half an account"):
        choose_engine(settings)
    embedded = settings.model_copy(update={"engine": "local"})
    assert embedded.account_fault is None
    assert choose_engine(embedded).name == "local"


def test_an_account_may_come_from_two_places() -> None:
    settings = load('[aspose]\nclient_id = "me"', {"ASPOSE_CLIENT_SECRET": SECRET}).settings
    assert settings.account_fault is None
    assert choose_engine(settings).name == "aspose"
    assert choose_engine(load().settings).name == "local"


@pytest.mark.parametrize("dirt", ["\n", "\r\n", "\r", " ", "\t", "\u00a0", "\ufeff", "\u200b\n"])
def test_what_tools_leave_at_the_ends_of_an_account_is_taken_off_everywhere(dirt: str) -> None:
    Path("secret").write_text(f"{dirt}{SECRET}{dirt}", newline="")
    Path("secret").chmod(0o600)
    dirty_id, dirty_secret = (json.dumps(f"{dirt}{text}{dirt}") for text in ("me", SECRET))
    toml = f"[aspose]\nclient_id = {dirty_id}\nclient_secret = {dirty_secret}"
    env = {"ASPOSE_CLIENT_ID": f"me{dirt}", "ASPOSE_CLIENT_SECRET": f"{SECRET}{dirt}"}
    file = {"BATCH_CONVERTER_ASPOSE__CLIENT_SECRET_FILE": f"secret{dirt}"}
    for loaded in (load(toml), load(env=env), load(toml, file)):
        assert loaded.settings.aspose.client_id == "me"
        assert loaded.settings.aspose.client_secret == SecretStr(SECRET)


@pytest.mark.parametrize("inside", ["\n", "\r\n", "\0", "\x1b[200~", "\u00a0", "\udca0"])
def test_an_account_holds_nothing_inside_that_cannot_be_sent(inside: str) -> None:
    for name in ("ASPOSE_CLIENT_ID", "ASPOSE_CLIENT_SECRET"):
        message = error(env={name: f"one{inside}two"})
        assert name in message
        assert "one" not in message.partition(":")[2].replace(name, "")


@pytest.mark.parametrize("dirt", ["\n", "\r\n", " "])
def test_every_value_of_the_environment_is_freed_of_line_ends(dirt: str) -> None:
    env = {
        "BATCH_CONVERTER_ENGINE": f"local{dirt}",
        "BATCH_CONVERTER_ASPOSE__BASE_URL": f"http://127.0.0.1:1{dirt}",
        "BATCH_CONVERTER_OUTPUT__DIR": f"pdfs{dirt}",
        "BATCH_CONVERTER_POLLING__INTERVAL": f"2{dirt}",
    }
    settings = load(env=env).settings
    assert (settings.engine, settings.output.dir) == ("local", Path("pdfs"))
    assert settings.aspose.base_url == "http://127.0.0.1:1"
    assert settings.polling.interval == 2


# Unknown keys and refused values


@pytest.mark.parametrize(
    ("toml", "key"),
    [
        ("[polling]\nintervall = 5", "polling.intervall"),
        ("[poling]\ninterval = 5", "poling.interval"),
        ("[polling.interval]\nseconds = 5", "polling.interval.seconds"),
        ("[inputt]", "inputt"),
        ("[polling]\nmax_pollers = {}", "polling.max_pollers"),
        ("aspose = 5", "aspose"),
    ],
)
def test_an_unknown_key_in_the_file_is_named(toml: str, key: str) -> None:
    start = f"unknown key {key!r} in given.toml; the nearest known key is '"
    assert error(toml).startswith(start)


def test_the_nearest_key_is_the_one_that_was_meant() -> None:
    assert error("[polling]\nintervall = 5").endswith("the nearest known key is 'polling.interval'")
    assert error("max_in_flight = 5").endswith("key is 'concurrency.max_in_flight'")


def test_an_unknown_variable_is_named_with_the_nearest_key() -> None:
    message = error(env={"BATCH_CONVERTER_POLLING__INTERVALL": "5"})
    assert message == (
        "unknown key 'polling.intervall' in the environment variable"
        " BATCH_CONVERTER_POLLING__INTERVALL; the nearest known key is 'polling.interval'"
    )


def test_an_empty_section_and_free_settings_are_fine() -> None:
    loaded = load("[polling]\n[aspose.settings]\nanything = {deep = 1}")
    assert loaded.settings.aspose.settings == {"anything": {"deep": 1}}


@pytest.mark.parametrize(
    ("toml", "start"),
    [
        ("[polling]\ninterval = 0", "polling.interval (file given.toml): "),
        ("[polling]\ninterval = nan", "polling.interval (file given.toml): "),
        ("[retry]\nmax_wait_s = 1e14", "retry.max_wait_s (file given.toml): Input should be less"),
        ("[retry]\ninitial_wait_s = 1000000000.1", "retry.initial_wait_s (file given.toml): "),
        ("[retry]\nunavailable_after_s = 1e300", "retry.unavailable_after_s (file given.toml): "),
        ("[local]\npage_timeout_s = 1e300", "local.page_timeout_s (file given.toml): "),
        ("[serve]\nmax_document_s = inf", "serve.max_document_s (file given.toml): "),
        ("[concurrency]\nmax_pollers = 0", "concurrency.max_pollers (file given.toml): "),
        ('[input]\ninclude = ["a", 5]', "input.include (file given.toml): "),
        ('[input]\norder = "size"', "input.order (file given.toml): Input should be 'name', "),
        ('[input]\nmin_size = "big"', "input.min_size (file given.toml): 'big' is not a size"),
        ('[input]\nshard = "5/4"', "input.shard (file given.toml): '5/4' is not a shard"),
        ('[budget]\ndeadline = "soon"', "budget.deadline (file given.toml): 'soon' is not a dur"),
        ('[local]\nocr = "eng deu"', "local.ocr (file given.toml): has to be written like eng or"),
        ("[budget]\nmonth_starts_on = 29", "budget.month_starts_on (file given.toml): "),
        ('[aspose]\nbase_url = "ftp://x"', "aspose.base_url (file given.toml): base_url must be"),
        ("[serve]\nport = 65536", "serve.port (file given.toml): "),
        ("[serve]\nretention_hours = inf", "serve.retention_hours (file given.toml): "),
        ("[serve]\nretention_hours = 1_000_000.1", "serve.retention_hours (file given.toml): "),
    ],
)
def test_a_refused_value_is_named_with_its_origin(toml: str, start: str) -> None:
    assert error(toml).startswith(start)


def test_several_refused_values_are_all_told() -> None:
    message = error("[polling]\ninterval = 0", {"BATCH_CONVERTER_RETRY__MAX_ATTEMPTS": "x"})
    polling, retry = message.split("; ")
    assert polling.startswith("polling.interval (file given.toml): ")
    assert retry.startswith("retry.max_attempts (environment BATCH_CONVERTER_RETRY__MAX_ATTEMPTS):")


@pytest.mark.parametrize("text", ["not toml", "a = 1\na = 2"])
def test_a_file_that_is_no_toml_is_refused(text: str) -> None:
    assert error(text).startswith("the configuration file given.toml is not valid TOML")


def test_a_file_in_another_encoding_is_refused() -> None:
    Path("latin.toml").write_bytes(b'engine = "\xe9"')
    with pytest.raises(ConfigError, match=r"is not UTF-8 text \(line 1\); save it"):
        load_settings(config_file=Path("latin.toml"), environ={})


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_wide_text_is_named_as_the_cause(encoding: str) -> None:
    for name in ("wide.toml", "wide"):
        Path(name).write_bytes('client_id = "x"\n'.encode(encoding))
        Path(name).chmod(0o600)
    expected = f"{encoding.upper()[:6]} text; save it as UTF-8"
    with pytest.raises(ConfigError, match=rf"configuration file wide\.toml: it is {expected}"):
        load_settings(config_file=Path("wide.toml"), environ={})
    message = error('[aspose]\nclient_secret_file = "wide"')
    assert message == f"cannot read aspose.client_secret_file wide: it is {expected}"


def test_a_byte_order_mark_and_windows_line_ends_are_no_fault() -> None:
    toml = '\ufeff[aspose]\r\nclient_id = "me"\r\n'
    assert load(toml).settings.aspose.client_id == "me"


@pytest.mark.parametrize("space", ["\u00a0", "\u202f", "\u200b", "\ufeff"])
def test_a_space_that_is_none_is_named_as_the_cause(space: str) -> None:
    message = error(f'engine = "auto"\n[aspose]\nclient_id{space}= "me"\n')
    assert f"line 3 holds U+{ord(space):04X}" in message


def test_a_device_is_no_configuration() -> None:
    for path in ("/dev/zero", "/dev/full"):
        with pytest.raises(ConfigError, match="more than 1048576 bytes"):
            load_settings(config_file=Path(path), environ={})


def test_a_place_that_cannot_be_looked_at_is_passed_over_with_a_warning(tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    for place in (loop, "x" * 300):
        loaded = load_settings(environ={"XDG_CONFIG_HOME": str(place)})
        assert loaded.settings == Settings()
        (warning,) = loaded.warnings
        assert warning.startswith("cannot look for a configuration file at ")
    Path("batch-converter.toml").symlink_to("batch-converter.toml")
    assert len(load_settings(environ={"XDG_CONFIG_HOME": str(tmp_path)}).warnings) == 1


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user of whom the system knows no home folder."""
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)


@pytest.mark.usefixtures("nobody")
def test_a_user_without_a_home_has_no_file_of_settings() -> None:
    assert load_settings(environ={}).settings == Settings()


@pytest.mark.usefixtures("nobody")
@pytest.mark.parametrize(
    "key",
    [
        "output.dir",
        "report.file",
        "aspose.client_secret_file",
        "serve.client_secret_file",
        "serve.clients_file",
    ],
)
def test_a_home_that_nobody_knows_is_told(key: str) -> None:
    section, name = key.split(".")
    message = error(f'[{section}]\n{name} = "~/x"')
    assert message.startswith(f"{key} (file given.toml): begins with a home folder that nobody")


def test_a_file_that_is_named_must_be_there() -> None:
    with pytest.raises(ConfigError, match=r"cannot read the configuration file no\.toml: No such"):
        load_settings(config_file=Path("no.toml"), environ={})


# Secrets


def test_secrets_are_masked_in_every_repr_and_listing() -> None:
    toml = (
        f'[aspose]\nclient_secret = "{SECRET}"\nproxy = "http://user:{SECRET}@proxy:3128"\n'
        f'[serve]\nclient_secret = "{SECRET}"'
    )
    loaded = load(toml)
    assert SECRET not in repr(loaded) + str(loaded) + repr(loaded.settings.aspose)
    listing = "\n".join(f"{key} = {value}" for key, value, _ in loaded.in_force())
    assert SECRET not in listing
    assert "aspose.proxy = http://***@proxy:3128" in listing
    assert loaded.settings.aspose.proxy == f"http://user:{SECRET}@proxy:3128"


@pytest.mark.parametrize(
    "toml",
    [
        f'[aspose]\nclient_secret = ["{SECRET}"]',
        f'[aspose]\nclient_secret = "{SECRET}"\nbase_url = "http://elsewhere"',
        f'[aspose]\nbase_url = "https://user:{SECRET}@host"',
        f'[aspose]\nbase_url = "https://user:{SECRET}"',
        f'[aspose]\nbase_url = "https://host?key={SECRET}"',
        f'[aspose]\nclient_secret = "{SECRET}',
        f'[polling]\ninterval = "{SECRET}"',
    ],
)
def test_no_error_tells_a_secret(toml: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(toml)
    link: BaseException | None = caught.value
    while link is not None:
        assert SECRET not in f"{link!s} {link!r}"
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)


def secret_file(text: str = f"{SECRET}\n", mode: int = 0o600) -> str:
    path = private(Path("secret"), text)
    path.chmod(mode)
    return f'[aspose]\nclient_secret_file = "{path}"\n'


def test_the_secret_is_read_from_its_file_without_the_line_end() -> None:
    loaded = load(secret_file())
    assert loaded.settings.aspose.client_secret == SecretStr(SECRET)
    assert loaded.origins["aspose.client_secret"] == "file given.toml, read from secret"


def test_the_secret_of_the_service_is_read_from_a_file_of_its_own() -> None:
    private(Path("other"), "the service's\n")
    both = secret_file() + '[serve]\nclient_secret_file = "other"'
    settings = load(both).settings
    assert settings.aspose.client_secret == SecretStr(SECRET)
    assert settings.serve.client_secret == SecretStr("the service's")
    assert "the service's" in set(settings.secrets())
    Path("other").chmod(0o644)
    assert "others may read the secret file other" in repr(load(both).warnings)
    Path("other").unlink()
    assert error(both).startswith("cannot read serve.client_secret_file other")


@pytest.mark.parametrize(
    ("toml", "env", "expected"),
    [
        ('client_secret = "direct"', {}, "direct"),
        ("", {"ASPOSE_CLIENT_SECRET": "direct"}, "direct"),
        (
            'client_secret = "direct"',
            {"BATCH_CONVERTER_ASPOSE__CLIENT_SECRET_FILE": "secret"},
            SECRET,
        ),
        (
            "",
            {
                "BATCH_CONVERTER_ASPOSE__CLIENT_SECRET_FILE": "secret",
                "ASPOSE_CLIENT_SECRET": "direct",
            },
            "direct",
        ),
    ],
)
def test_the_stronger_layer_gives_the_secret_and_on_one_layer_the_direct_one(
    toml: str, env: dict[str, str], expected: str
) -> None:
    assert load(secret_file() + toml, env).settings.aspose.client_secret == SecretStr(expected)


def test_a_secret_file_that_is_not_needed_is_not_read() -> None:
    toml = '[aspose]\nclient_secret_file = "missing"'
    assert load(toml, {"ASPOSE_CLIENT_SECRET": "direct"}).warnings == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, "cannot read aspose.client_secret_file secret: No such file or directory"),
        (b"\xff" + SECRET.encode(), "cannot read aspose.client_secret_file secret: it is not UTF-"),
        (b" \n", "aspose.client_secret_file secret is empty"),
    ],
)
def test_a_secret_file_without_a_secret_is_an_error(text: bytes | None, expected: str) -> None:
    if text is not None:
        Path("secret").write_bytes(text)
    assert error('[aspose]\nclient_secret_file = "secret"').startswith(expected)


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o640, True), (0o604, True)])
def test_a_secret_file_that_others_may_read_draws_a_warning(mode: int, *, warned: bool) -> None:
    expected = ("others may read the secret file secret; run: chmod 600 secret",)
    assert load(secret_file(mode=mode)).warnings == (expected if warned else ())


@pytest.mark.parametrize("keys", ['client_cert_file = "c"\nclient_key_file', "client_cert_file"])
def test_a_key_file_that_others_may_read_draws_a_warning(keys: str) -> None:
    toml = f'[aspose]\n{keys} = "key"'
    private(Path("key"), "")
    assert load(toml).warnings == ()
    Path("key").chmod(0o644)
    assert load(toml).warnings == ("others may read the key file key; run: chmod 600 key",)


def test_a_key_without_its_certificate_is_an_error() -> None:
    assert "client_key_file is set and no client_cert_file" in error(
        '[aspose]\nclient_key_file = "key"'
    )


@pytest.mark.parametrize(
    ("toml", "warned"),
    [
        (f'[aspose]\nclient_id = "x"\nclient_secret = "{SECRET}"', True),
        (f'[serve]\nclient_id = "x"\nclient_secret = "{SECRET}"', True),
        (f'[aspose]\nproxy = "http://me:{SECRET}@proxy"', True),
        ('[aspose]\nclient_id = "x"\nclient_secret_file = "secret"', False),
        ('[output]\ndir = "pdfs"', False),
        ("", False),
    ],
)
def test_a_configuration_that_others_may_read_draws_a_warning_where_a_secret_stands_in_it(
    toml: str, *, warned: bool
) -> None:
    private(Path("secret"), SECRET)
    path = private(Path("given.toml"), toml)
    path.chmod(0o644)
    told = "others may read the configuration file given.toml; run: chmod 600 given.toml"
    environ = {"ASPOSE_CLIENT_SECRET": SECRET, "ASPOSE_CLIENT_ID": "x"}
    loaded = load_settings(config_file=path, environ={} if "aspose" in toml else environ)
    assert loaded.warnings == ((told,) if warned else ())


# The service's address


@pytest.mark.parametrize(
    "url",
    [
        "https://api.aspose.cloud",
        "https://example.org:8443/base/",
        "http://localhost:8080",
        "http://LOCALHOST",
        "http://a.localhost",
        "http://127.0.0.1:1",
        "http://127.9.9.9",
        "http://[::1]:8080",
    ],
)
def test_an_address_is_https_or_on_this_machine(url: str) -> None:
    assert AsposeSettings(base_url=url).base_url == url


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://example.org", "plain http"),
        ("http://localhost.example.org", "plain http"),
        ("http://10.0.0.1", "plain http"),
        ("http://0.0.0.0", "plain http"),
        ("http://[::2]", "plain http"),
        ("http://127.0.0.1@example.org", "must not carry a user"),
        ("https://user@example.org", "must not carry a user"),
        ("https://@example.org", "must not carry a user"),
        ("https://example.org/?a=b", "must not carry a user"),
        ("https://example.org/#a", "must not carry a user"),
        ("example.org", "must be an http or https address"),
        ("ftp://example.org", "must be an http or https address"),
        ("https://", "must be an http or https address"),
        ("https://[::1", "must be an http or https address"),
        ("https://example.org:99999", "must be an http or https address"),
        ("https://example.org:0", "must be an http or https address"),
        ("https://example.org ", "must be an http or https address"),
    ],
)
def test_other_addresses_are_refused(url: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        AsposeSettings(base_url=url)


def test_plain_http_can_be_allowed() -> None:
    url = "http://example.org"
    assert AsposeSettings(base_url=url, allow_insecure_http=True).base_url == url


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("x.localhost", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("notlocalhost", False),
        ("192.168.0.1", False),
        ("::", False),
    ],
)
def test_loopback_is_known_by_name_or_address(host: str, *, expected: bool) -> None:
    assert is_loopback(host) is expected


# Sizes, durations, shards


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (0, 0),
        ("1000", 1000),
        ("10b", 10),
        ("500K", 500 * 1024),
        ("10m", 10 * 1024**2),
        ("10Mi", 10 * 1024**2),
        ("10MiB", 10 * 1024**2),
        ("10MB", 10**7),
        ("1.5 G", 3 * 2**29),
        ("2T", 2**41),
        ("9007199254740993", 2**53 + 1),
    ],
)
def test_sizes(text: str | int, expected: int) -> None:
    assert parse_size(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "M", "-1", "1.", ".5", "1e3", "1X", "10ib", "10i", "10bb", "1 0", "10K\u0131", True],
)
def test_what_is_no_size_is_refused(text: str | int) -> None:
    with pytest.raises(ValueError, match="is not a size"):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (90, 90),
        (0.5, 0.5),
        ("45s", 45),
        ("90m", 5400),
        ("6H", 21_600),
        ("1h30m", 5400),
        ("1.5h", 5400),
        ("2d", 172_800),
        ("6w", 3_628_800),
        ("1w1d", 691_200),
        ("1d2h3m4.5s", 93_784.5),
    ],
)
def test_durations(text: str | float, expected: float) -> None:
    assert parse_duration_s(text) == expected


@pytest.mark.parametrize("text", ["", "h", "-5", "5x", "1m1h", "1.h", "5 m", "1d1w", "nan", "inf"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration_s(text)


@given(st.text(alphabet="0123456789.kmgtibdhs \u0131\u0130\u212a", max_size=8))
def test_any_text_is_a_quantity_or_a_value_error(text: str) -> None:
    for parse in (parse_size, parse_duration_s):
        with contextlib.suppress(ValueError):
            assert parse(text) >= 0


def test_shards() -> None:
    assert parse_shard("1/1") == (1, 1)
    assert parse_shard("2/4") == (2, 4)


@pytest.mark.parametrize("text", ["", "1", "0/4", "5/4", "-1/4", "1/0", "a/b", "1/2/3", "²/4"])
def test_what_is_no_shard_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a shard"):
        parse_shard(text)


# The models


def test_settings_compare_by_value_and_cannot_be_changed() -> None:
    settings = load("[retry]\nmax_attempts = 4").settings
    assert settings == load("[retry]\nmax_attempts = 4").settings != Settings()
    with pytest.raises(ValueError, match="frozen"):
        settings.retry.max_attempts = 5


# The example


def example_keys(text: str) -> list[str]:
    """Return every key of the file, those behind a `#` too, in its order."""
    keys, section = [], ""
    for line in text.splitlines():
        if header := re.fullmatch(r"\[([\w.]+)\]", line):
            section = f"{header[1]}."
            keys += [header[1]] if header[1] == "aspose.settings" else []
        elif (key := re.match(r"(?:# )?(\w+) = ", line)) and section != "aspose.settings.":
            keys.append(section + key[1])
    return keys


def uncommented(text: str) -> dict[str, Any]:
    return tomllib.loads(re.sub(r"^# (?=\w+ = )", "", text, flags=re.MULTILINE))


def test_the_example_is_the_defaults() -> None:
    path = private(Path("example.toml"), EXAMPLE.read_text())
    loaded = load_settings(config_file=path, environ={}, sections=extra_sections())
    assert loaded.settings == EVERYTHING()


def test_the_example_documents_every_key_once_and_in_order() -> None:
    assert example_keys(EXAMPLE.read_text()) == list(KnownKeys.of(EVERYTHING))


def test_what_the_example_suggests_is_valid() -> None:
    suggested = EVERYTHING.model_validate(uncommented(EXAMPLE.read_text()))
    for key in KnownKeys.of(EVERYTHING):
        value: Any = suggested
        for name in key.split("."):
            value = getattr(value, name)
        assert value is not None, key


def test_a_file_that_is_a_pipe_counts_whatever_the_log_level() -> None:
    reader, writer = os.pipe()
    os.write(writer, b"[local]\nworkers = 3\n")
    os.close(writer)
    loaded = settings_from(Path(f"/dev/fd/{reader}"), {}, quiet=1)
    os.close(reader)
    assert loaded.settings.local.workers == 3
    assert loaded.settings.logging.level == "warning"
    assert loaded.origins["logging.level"] == "flag"
