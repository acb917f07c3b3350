"""What is refused before anything starts, and what is in force."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.command import Finished, run, run_each
from tests.support.disks import AS_ORDINARY_USER
from tests.support.pdfs import make_archive

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.cloud import Cloud


BAD_USAGE: list[tuple[list[str], str]] = [
    (["-o", "{output}"], "nothing to convert"),
    (["{source}"], "-o DIR"),
    (["{source}", "-o", "{output}", "--max-errrors", "1"], "--max-err"),
    (["{source}", "-o", "{output}", "--max-in-flight", "0"], "max_in_flight"),
    (["{source}/not-there", "-o", "{output}"], "not-there"),
    (["--files-from", "{source}/not-there", "-o", "{output}"], "not-there"),
    (["{source}", "-o", "{output}", "--report", "{source}"], "report"),
    (["{source}", "-o", "{output}", "--log-file", "{source}"], "log file"),
    (["{source}", "-o", "{output}", "-c", "{source}/none.toml"], "none.toml"),
    (["{source}", "-o", "{output}", "--base-url", "http://example.org"], "http"),
    (["{source}", "-o", "{output}", "--base-url", "https://u:pass@example.org"], "password"),
]


@pytest.mark.slow
def test_bad_usage_is_2_and_starts_nothing(source: Path, output: Path) -> None:
    make_archive(source, 1)
    commands = [
        [argument.format(source=source, output=output) for argument in arguments]
        for arguments, _ in BAD_USAGE
    ]
    finished = run_each([("convert", *arguments, "--json") for arguments in commands])
    for done, (_, told) in zip(finished, BAD_USAGE, strict=True):
        assert done.code == 2, done
        assert told in done.err
        assert "pass@" not in done.err
        assert done.out == ""
    assert not output.exists()


@pytest.mark.slow
def test_without_credentials_the_local_engine_is_chosen_and_aspose_refused(
    source: Path, output: Path
) -> None:
    make_archive(source, 1)
    chosen = run("convert", source, "-o", output, "--json")
    assert chosen.json["engine"] == "local"
    assert chosen.named("run.started")[0]["engine"] == "local"
    refused = run("convert", source, "-o", output, "--engine", "aspose")
    assert refused.code == 2
    assert "ASPOSE_CLIENT_ID" in refused.err


def test_an_empty_path_does_not_mean_the_current_folder(source: Path, output: Path) -> None:
    for arguments in (("convert", source, "-o", ""), ("convert", "", "-o", output)):
        done = run(*arguments, cwd=source)
        assert done.code == 2
        assert "the path is empty" in done.err
    assert not output.exists()


def test_what_cannot_be_used_is_told_by_its_key_and_the_nearest_known_one(tmp_path: Path) -> None:
    path = tmp_path / "batch-converter.toml"
    path.write_text("[concurrency]\nmax_inflight = 3\n")
    done = run("config", "check", cwd=tmp_path)
    assert done.code == 2
    assert "concurrency.max_inflight" in done.err
    assert "concurrency.max_in_flight" in done.err

    misspelt = run("config", "check", env={"BATCH_CONVERTER_POLING__INTERVAL": "3"})
    assert misspelt.code == 2
    assert "polling.interval" in misspelt.err

    path.write_text('engine = "aspose"\n[aspose]\nclient_cert_file = "gone.pem"\n')
    unusable = run("config", "check", cwd=tmp_path)
    assert unusable.code == 2
    assert "aspose.client_cert_file gone.pem cannot be read" in unusable.err

    path.write_text('[aspose.settings]\nlangage = "Czech"\n')
    sent = run("config", "check", cwd=tmp_path)
    assert sent.code == 2
    assert "aspose.settings.langage" in sent.err
    assert "'language'" in sent.err


def test_flags_win_over_environment_over_file_over_defaults(tmp_path: Path) -> None:
    path = tmp_path / "batch-converter.toml"
    path.write_text(
        '[output]\ndir = "pdfs"\n[polling]\ninterval = 1\n[retry]\nmax_attempts = 7\n'
        '[aspose]\nclient_id = "from-file"\nclient_secret = "keep-this-quiet"\n'
    )
    path.chmod(0o644)
    env = {"BATCH_CONVERTER_POLLING__INTERVAL": "2", "ASPOSE_CLIENT_ID": "from-environment"}

    done = run("config", "check", cwd=tmp_path, env=env)

    assert done.code == 0
    lines = dict(line.split(" = ", 1) for line in done.out.splitlines())
    assert lines["polling.interval"].startswith("2")
    assert "BATCH_CONVERTER_POLLING__INTERVAL" in lines["polling.interval"]
    assert lines["retry.max_attempts"].startswith("7")
    assert "batch-converter.toml" in lines["retry.max_attempts"]
    assert lines["concurrency.max_submissions"].startswith("8")
    assert "default" in lines["concurrency.max_submissions"]
    assert lines["aspose.client_id"].startswith('"from-environment"')
    assert "keep-this-quiet" not in done.out + done.err
    assert "aspose.client_secret" in lines
    assert "chmod 600" in done.err  # others may read it, and there is a secret in it


@pytest.mark.slow
def test_the_flag_wins_in_a_run(cloud: Cloud, source: Path, output: Path, tmp_path: Path) -> None:
    make_archive(source, 4)
    cloud.latency_s = 0.01
    config = tmp_path / "my.toml"
    config.write_text(f'[output]\ndir = "{output}"\n[concurrency]\nmax_in_flight = 4\n')
    config.chmod(0o600)
    done = run("convert", source, "-c", config, "--max-in-flight", "1")
    assert done.code == 0
    assert cloud.peak_in_flight == 1
    assert (output / "00000.pdf").exists()


def test_the_example_configuration_is_in_force_as_it_stands(tmp_path: Path) -> None:
    shown = run("config", "check", "-c", "config.example.toml").out
    defaults = run("config", "check", cwd=tmp_path).out
    assert [line.split("  # ")[0] for line in shown.splitlines()] == [
        line.split("  # ")[0] for line in defaults.splitlines()
    ]


def test_help_and_version_and_module() -> None:
    assert run("--version").out.startswith("batch-converter, version ")
    module = [sys.executable, "-m", "batch_converter", "--help"]
    done = subprocess.run(module, capture_output=True, check=True)
    for command in (b"convert", b"status", b"retry", b"report", b"verify", b"config"):
        assert command in done.stdout


def test_commands_on_a_ledger_that_is_not_there_say_so(output: Path) -> None:
    commands = ("status", "report", "verify", "retry")
    for done in run_each([(command, "-o", output) for command in commands]):
        assert done.code == 2
        assert "no ledger" in done.err
    assert not output.exists()


@pytest.mark.slow
def test_doctor_says_a_line_for_each_check(cloud: Cloud, output: Path) -> None:
    healthy = run("doctor", "-o", output)
    assert healthy.code == 0, healthy.out
    assert cloud.calls == {"token": 1}
    assert starts(healthy) == ["ok  "] * 4
    unreachable, no_folder = run_each(
        [
            ("doctor", "-o", output, "--base-url", "http://127.0.0.1:9"),
            ("doctor", "-o", "pyproject.toml/pdfs"),
        ]
    )
    assert unreachable.code == no_folder.code == 1
    assert starts(unreachable) == ["ok  ", "FAIL", "FAIL", "ok  "]
    assert starts(no_folder) == ["ok  ", "ok  ", "ok  ", "FAIL"]
    wrong = run("doctor", "-o", output, env={"ASPOSE_CLIENT_SECRET": "wrong-one"})
    assert wrong.code == 1
    assert starts(wrong) == ["ok  ", "FAIL", "ok  ", "ok  "]
    assert "wrong-one" not in wrong.out + wrong.err
    local = run("doctor", "-o", output, "--engine", "local", env={"ASPOSE_CLIENT_ID": ""})
    assert local.code == 0, local.out
    assert "ok    kernels: plain Python, not compiled: NUMBA_DISABLE_JIT is set\n" in local.out
    folder = output / "not" / "made"
    compiled = run(
        *("doctor", "-o", output, "--engine", "local"),
        env={"ASPOSE_CLIENT_ID": "", "NUMBA_DISABLE_JIT": "", "NUMBA_CACHE_DIR": str(folder)},
    )
    assert compiled.code == 0, compiled.out
    assert f"ok    kernels: compiled, kept in {folder}\n" in compiled.out
    assert not folder.exists()


def test_doctor_ends_with_2_where_no_output_is_configured(source: Path) -> None:
    make_archive(source, 1)
    for command in (("doctor",), ("convert", source)):
        done = run(*command, "--engine", "local")
        assert done.code == 2, done
        assert "no output folder: give -o DIR" in done.out + done.err


@pytest.mark.slow
def test_doctor_finds_what_convert_refuses(source: Path, output: Path, tmp_path: Path) -> None:
    make_archive(source, 1)
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    places: list[tuple[str | Path, ...]] = [
        ("-o", tmp_path / "link"),
        ("-o", "/proc/x"),
        ("-o", closed / "pdfs"),
        ("-o", output, "--state-dir", closed),
        ("-o", output, "--state-dir", closed / "state"),
        ("-o", output, "--state-dir", tmp_path / "link"),
    ]
    for place in places:
        done = run("doctor", *place, "--engine", "local", through=AS_ORDINARY_USER)
        assert (done.code, starts(done)[-1]) == (1, "FAIL"), done
        refused = run("convert", source, *place, "--engine", "local", through=AS_ORDINARY_USER)
        assert refused.code == 2, refused
    assert not output.exists()


def starts(done: Finished) -> list[str]:
    """Return how each line begins."""
    return [line[:4] for line in done.out.splitlines()]


def test_a_report_that_cannot_be_written_in_the_end_costs_no_result(
    cloud: Cloud, source: Path, output: Path
) -> None:
    make_archive(source, 1)
    done = run("convert", source, "-o", output, "--report", "/dev/full", "--json")
    assert done.code != 0
    assert "/dev/full" in done.err
    assert json.loads(done.out)["totals"]["converted"] == 1
    assert cloud.calls["submit"] == 1


def test_standard_output_may_be_closed_early(source: Path, output: Path) -> None:
    make_archive(source, 1)
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "batch_converter", "convert", str(source), "-o", str(output)]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert b"Traceback" not in done.stderr
