"""What `contrib/` offers fits the command, and is what the programs that read it accept."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import click
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from batch_converter.cli.group import cli
from batch_converter.config import load_settings
from batch_converter.errors import ExitCode
from batch_converter.models import Price
from batch_converter.report import write_metrics_file
from tests.support.summaries import SUMMARY

ROOT: Final = Path(__file__).parents[2]
CONTRIB: Final = ROOT / "contrib"
UNIT: Final = CONTRIB / "batch-converter-serve.service"
NIGHTLY: Final = CONTRIB / "batch-converter-nightly.service"
WATCH: Final = CONTRIB / "batch-converter-watch.service"
PROGRAM: Final = "/opt/batch-converter/bin/batch-converter"


def joined(path: Path) -> list[str]:
    """Return the lines that say something, continued ones as one."""
    text = re.sub(r"\\\n\s*", "", path.read_text(encoding="utf-8"))
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def directives(unit: Path = UNIT) -> dict[str, str]:
    found = [line.partition("=") for line in joined(unit) if "=" in line]
    single = {name: value for name, _, value in found if name != "Environment"}
    assert len(single) == len(found) - len(environment(unit))
    return single


def environment(unit: Path = UNIT) -> dict[str, str]:
    given = [line.partition("=")[2] for line in joined(unit) if line.startswith("Environment=")]
    return {name: value for name, _, value in (one.partition("=") for one in given)}


def parsed(arguments: list[str], name: str = "serve") -> click.Context:
    """Have a command take the arguments, as far as it can without doing anything."""
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    return command.make_context(name, arguments)


def test_the_unit_starts_the_command_as_it_is() -> None:
    program, name, *arguments = shlex.split(directives()["ExecStart"])
    assert (Path(program).name, name) == ("batch-converter", "serve")
    given = parsed(arguments).params
    assert given["config_file"] == Path("/etc/batch-converter/serve.toml")
    assert given["serve__data_dir"] == Path("%S") / directives()["StateDirectory"]
    credential = directives()["LoadCredential"].partition(":")[0]
    assert given["serve__client_secret_file"] == Path("%d") / credential


def test_kernels_are_kept_where_only_the_service_writes() -> None:
    folder = Path(environment()["NUMBA_CACHE_DIR"])
    assert folder == Path("%C") / directives()["CacheDirectory"]
    assert directives()["CacheDirectoryMode"] == "0700"
    whole = (CONTRIB / "Containerfile").read_text(encoding="utf-8")
    (named,) = re.findall(r"NUMBA_CACHE_DIR=(\S+)", whole)
    (made,) = re.findall(r"install -d -m 0700 -o \S+ -g \S+ (.*)", whole)
    assert named in made.split()
    assert "'/source[fast]'" in whole


def test_the_unit_is_closed() -> None:
    wanted = {
        "DynamicUser": "yes",
        "NoNewPrivileges": "yes",
        "ProtectSystem": "strict",
        "ProtectHome": "yes",
        "PrivateTmp": "yes",
        "PrivateDevices": "yes",
        "CapabilityBoundingSet": "",
        "MemoryDenyWriteExecute": "yes",
        "RestrictNamespaces": "user net",  # workers leave the network by these
        "SystemCallFilter": "@system-service",
        "SuccessExitStatus": "143",
        "OOMPolicy": "continue",
        "KillMode": "mixed",
    }
    found = directives()
    assert {name: found.get(name) for name in wanted} == wanted
    assert int(found["LimitNOFILE"]) >= 4096
    assert found["MemoryMax"]
    assert "WatchdogSec" not in found  # nobody would notify


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd")
def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    copies = []
    for unit in (*CONTRIB.glob("*.service"), *CONTRIB.glob("*.timer")):
        copy = tmp_path / unit.name
        copy.write_text(unit.read_text(encoding="utf-8").replace(PROGRAM, sys.executable))
        copies.append(str(copy))
    assert len(copies) >= 5
    verify = ["systemd-analyze", "verify", "--man=no", *copies]
    done = subprocess.run(verify, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    for unit in (UNIT, NIGHTLY, WATCH):  # 25 of 100, where 100 may do everything
        rate = ["systemd-analyze", "security", "--offline=true", "--threshold=25", "--no-pager"]
        done = subprocess.run([*rate, str(unit)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


WALLS: Final = (
    *("NoNewPrivileges", "CapabilityBoundingSet", "AmbientCapabilities", "ProtectSystem"),
    *("PrivateTmp", "PrivateDevices", "MemoryDenyWriteExecute", "RestrictAddressFamilies"),
    *(
        "RestrictNamespaces",
        "SystemCallFilter",
        "OOMPolicy",
        "KillMode",
        "MemoryMax",
        "LimitNOFILE",
    ),
)


@pytest.mark.parametrize(
    ("unit", "name", "file"), [(NIGHTLY, "convert", "nightly.toml"), (WATCH, "watch", "watch.toml")]
)
def test_units_of_runs_are_as_closed_as_the_service_and_write_where_they_must(
    unit: Path, name: str, file: str
) -> None:
    found, of_service = directives(unit), directives()
    assert {name: found[name] for name in WALLS} == {name: of_service[name] for name in WALLS}
    program, *called = shlex.split(found["ExecStart"])
    assert (program, called[0]) == (PROGRAM, name)
    given = parsed(called[1:], name).params
    assert given["config_file"] == Path("/etc/batch-converter") / file
    settings = load_settings(config_file=CONTRIB / file, environ={}).settings
    assert str(settings.output.dir) == found["ReadWritePaths"]
    assert found["RequiresMountsFor"].split() == [*given["paths"], found["ReadWritePaths"]]
    folder = Path(environment(unit)["NUMBA_CACHE_DIR"])
    assert folder == Path("%C") / found["CacheDirectory"]
    assert (CONTRIB / found["OnFailure"]).exists()


def test_a_watch_is_started_again_unless_somebody_has_to_look() -> None:
    found = directives(WATCH)
    assert found["SuccessExitStatus"] == str(int(ExitCode.SIGTERM))
    waits = {ExitCode(int(code)) for code in found["RestartPreventExitStatus"].split()}
    assert waits == {ExitCode.USAGE, ExitCode.ACCOUNT_REFUSED}
    assert found["Restart"] == "on-failure"


def test_the_nightly_unit_tries_again_what_another_try_may_mend_and_mails_the_rest() -> None:
    found = directives(NIGHTLY)
    ends_well = {ExitCode(int(code)) for code in found["SuccessExitStatus"].split()}
    assert ends_well == {ExitCode.STOPPED_EARLY}
    waits = {ExitCode(int(code)) for code in found["RestartPreventExitStatus"].split()}
    assert ExitCode.UNAVAILABLE not in waits
    others = {ExitCode.OK, ExitCode.UNAVAILABLE, ExitCode.SIGINT, ExitCode.SIGTERM}
    assert waits | ends_well | others == set(ExitCode)
    assert int(found["StartLimitBurst"]) > 1
    assert (CONTRIB / found["OnFailure"]).exists()
    timer = directives(NIGHTLY.with_suffix(".timer"))
    assert timer["Persistent"] == "yes"


def test_the_mail_of_a_failed_night_has_what_that_run_said(tmp_path: Path) -> None:
    unit = directives(NIGHTLY.with_name(directives(NIGHTLY)["OnFailure"]))
    for name in ("journalctl", "mail"):
        stub = tmp_path / name
        stub.write_text(f'#!/bin/sh\necho {name}; printf "<%s>\\n" "$@"; [ -t 0 ] || cat\n')
        stub.chmod(0o755)
    command = shlex.split(unit["ExecStart"].replace("$$", "$").replace("%H", "host"))
    told = {"INVOCATION_ID": "1f2e", "UNIT": "x.service", "EXIT_STATUS": "6"}
    environ = {f"MONITOR_{name}": value for name, value in told.items()}
    done = subprocess.run(
        command,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "MONITOR_SERVICE_RESULT": "exit-code", **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("mail\n<-s>\n<x.service on host: exit-code, 6>\n<root>\n")
    assert "\n<_SYSTEMD_INVOCATION_ID=1f2e>\n" in done.stdout
    level = directives(NIGHTLY)["SyslogLevel"]  # what the summary is printed with
    assert f"<--priority={level}>" in done.stdout


def test_the_line_of_cron_is_one_that_cron_takes() -> None:
    crontab = [line for line in joined(CONTRIB / "crontab") if not line.startswith("MAILTO=")]
    (line,) = crontab
    *when, command = line.split(maxsplit=5)
    assert when == ["0", "1", "*", "*", "*"]
    assert "%" not in command  # cron's line break
    assert shlex.split(command) == [
        *(PROGRAM, "convert", "-q", "--config", "/etc/batch-converter/nightly.toml", "/srv/scans")
    ]


def test_the_settings_of_the_unit_are_settings() -> None:
    settings = load_settings(config_file=CONTRIB / "serve.toml", environ={}).settings.serve
    assert settings.client_id
    assert settings.hosts
    assert settings.trusted_proxies == ("127.0.0.1/32", "::1/128")


def instructions() -> list[tuple[str, str]]:
    pairs = [line.strip().partition(" ") for line in joined(CONTRIB / "Containerfile")]
    return [(name, rest) for name, _, rest in pairs]


def test_the_container_runs_the_command_as_nobody_in_particular() -> None:
    last = max(i for i, (name, _) in enumerate(instructions()) if name == "FROM")
    stage = dict(instructions()[last:])
    version = re.search(r"python:3\.(\d+)-slim", stage["FROM"])
    assert version
    assert int(version[1]) >= 11
    uid, _, _ = stage["USER"].partition(":")
    assert int(uid) > 0
    program, name, *arguments = json.loads(stage["ENTRYPOINT"])
    assert (program, name) == ("batch-converter", "serve")
    given = parsed(arguments).params
    assert given["serve__data_dir"] == Path(stage["VOLUME"])
    assert given["serve__port"] == int(stage["EXPOSE"])
    assert stage["STOPSIGNAL"] == "SIGTERM"


def test_the_container_looks_at_the_health() -> None:
    (health,) = [rest for name, rest in instructions() if name == "HEALTHCHECK"]
    program, option, code = json.loads(health.partition("CMD ")[2])
    assert (program, option) == ("python", "-c")
    compile(code, "healthcheck", "exec")
    assert ":8080/health" in code


def test_the_container_is_built_of_files_that_are_there() -> None:
    for name, rest in instructions():
        if name == "COPY" and not rest.startswith("--from"):
            *sources, _ = rest.split()
            assert all((ROOT / source).exists() for source in sources)


@pytest.mark.slow
def test_the_container_is_given_all_that_the_package_is_built_of(tmp_path: Path) -> None:
    for name, rest in instructions():
        if name == "COPY" and not rest.startswith("--from"):
            *sources, target = rest.split()
            for source in sources:
                place = tmp_path / target.strip("/")
                if (ROOT / source).is_dir():
                    shutil.copytree(ROOT / source, place, ignore=shutil.ignore_patterns("__*__"))
                else:
                    place.mkdir(parents=True, exist_ok=True)
                    shutil.copy(ROOT / source, place)
    build = "import sys, hatchling.build; hatchling.build.build_wheel(sys.argv[1])"
    command = [sys.executable, "-c", build, str(tmp_path)]
    subprocess.run(command, cwd=tmp_path / "source", check=True, capture_output=True)
    assert list(tmp_path.glob("*.whl"))


@pytest.mark.parametrize("name", ["nginx.conf", "Caddyfile"])
def test_proxies_pass_on_what_the_service_wants_to_know(name: str) -> None:
    text = (CONTRIB / name).read_text(encoding="utf-8")
    assert "127.0.0.1:8080" in text
    assert "X-Forwarded-Prefix /djvu" in text
    megabytes = re.search(r"1100\s?m", text, re.IGNORECASE)
    assert megabytes  # twice serve.max_body_bytes, and what stands beside it


def test_nginx_passes_on_who_asks_and_waits_for_nothing() -> None:
    text = (CONTRIB / "nginx.conf").read_text(encoding="utf-8")
    for header in ("Host", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-For"):
        assert f"proxy_set_header {header} $" in text
    assert "proxy_buffering off;" in text
    assert "proxy_request_buffering off;" in text


@pytest.mark.skipif(shutil.which("nginx") is None, reason="no nginx")
def test_nginx_accepts_its_file(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    new = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"]
    made = [*new, "-subj", "/CN=test", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(made, check=True, capture_output=True)
    server = (CONTRIB / "nginx.conf").read_text(encoding="utf-8")
    server = re.sub(r"/etc/ssl/\S+\.pem", str(certificate), server)
    server = re.sub(r"/etc/ssl/\S+\.key", str(key), server)
    whole = tmp_path / "nginx.conf"
    whole.write_text(f"pid {tmp_path}/pid;\nevents {{}}\nhttp {{\n{server}\n}}\n")
    check = ["nginx", "-t", "-p", str(tmp_path), "-c", str(whole), "-e", str(tmp_path / "log")]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "warn" not in done.stderr


def test_caddy_accepts_its_file() -> None:
    caddy = shutil.which("caddy") or "true"  # it is large; what it is told is checked above
    check = [caddy, "validate", "--adapter", "caddyfile", "--config", str(CONTRIB / "Caddyfile")]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_logrotate_moves_log_files_away_and_lets_the_last_line_be_written(tmp_path: Path) -> None:
    text = (CONTRIB / "logrotate").read_text(encoding="utf-8")
    _, _, inside = text.partition("{")
    words = {line.split()[0] for line in inside.splitlines() if line.strip()} - {"#", "}"}
    assert {"delaycompress", "compress", "missingok"} <= words
    assert not words & {"copytruncate", "postrotate"}  # may lose lines; nobody needs a signal
    logrotate = shutil.which("logrotate") or "true"
    (tmp_path / "run.log").write_text("a line")
    copy = tmp_path / "batch-converter"
    copy.write_text(text.replace("/var/log/batch-converter", str(tmp_path)))
    copy.chmod(0o644)
    check = [logrotate, "--debug", "--state", str(tmp_path / "state"), str(copy)]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def alerts() -> list[dict[str, Any]]:
    rules = yaml.safe_load((CONTRIB / "prometheus-alerts.yml").read_text(encoding="utf-8"))
    assert set(rules) == {"groups"}
    for group in rules["groups"]:
        assert set(group) == {"name", "rules"}
    return [rule for group in rules["groups"] for rule in group["rules"]]


def test_alerts_have_what_prometheus_wants_of_them() -> None:
    names = [rule["alert"] for rule in alerts()]
    assert len(names) == len(set(names))
    for rule in alerts():
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        assert re.fullmatch(r"[a-zA-Z_]\w*", rule["alert"])
        assert re.fullmatch(r"\d+[smhd]", rule.get("for", "1h"))
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
        assert set(rule["annotations"]) == {"summary", "description"}
        assert rule["expr"].count("(") == rule["expr"].count(")")


def test_alerts_ask_for_metrics_and_labels_that_a_run_writes(tmp_path: Path) -> None:
    path = tmp_path / "run.prom"
    write_metrics_file(path, SUMMARY, price=Price(), last_success=None)
    families = text_string_to_metric_families(path.read_text())
    written = {(s.name, *s.labels.items()) for family in families for s in family.samples}
    for rule in alerts():
        asked = re.findall(r'(batch_converter_\w+)(?:\{(\w+)="(\w+)"\})?', rule["expr"])
        assert asked
        for name, *label in asked:
            assert (name, *([tuple(label)] if label[0] else [])) in written
    codes = re.findall(r"exit_code == (\d+)", str(alerts()))
    assert {ExitCode(int(code)) for code in codes} == {
        ExitCode.ACCOUNT_REFUSED,
        ExitCode.UNAVAILABLE,
    }
