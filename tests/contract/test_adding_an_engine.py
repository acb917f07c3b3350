"""An engine is one module and one row of the registry: shown with `example_engine`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio
import anyio.to_thread
import pikepdf
import pytest
from pydantic import SecretStr

import batch_converter
from batch_converter import api
from batch_converter.cli.options import settings_from
from batch_converter.config import InputSettings, Section, Settings, settings_with
from batch_converter.diagnosis import diagnose
from batch_converter.engines.registry import ENGINES, choose_engine, load_settings
from batch_converter.errors import ConfigError
from batch_converter.models import ApiCalls, FileStatus
from batch_converter.redaction import Redactor
from batch_converter.sources import Sources
from tests.contract import example_engine
from tests.contract.engines import BAD, GOOD
from tests.contract.example_engine import SPEC, ExampleSettings

if TYPE_CHECKING:
    from batch_converter.config import LoadedSettings

ALL: Final = (*ENGINES, SPEC)
PACKAGE: Final = Path(batch_converter.__file__).parent


def load(
    folder: Path, example: str = "", *, engine: str = "example", env: dict[str, str] | None = None
) -> LoadedSettings:
    """Load a configuration with `[example]` in it."""
    path = folder / "given.toml"
    path.write_text(f'engine = "{engine}"\n[output]\ndir = "{folder}/out"\n[example]\n{example}')
    path.chmod(0o600)
    return load_settings(config_file=path, environ=env or {}, engines=ALL)


async def settings_of(folder: Path, example: str = "") -> Settings:
    """Load it off the event loop, which may not wait for a file."""
    loaded = await anyio.to_thread.run_sync(load, folder, example)
    return loaded.settings


# A run


async def test_it_converts_as_its_section_says(tmp_path: Path) -> None:
    settings = await settings_of(tmp_path, "quality = 30\nprocesses = 1")
    report = await batch_converter.convert([GOOD, BAD], settings, engines=ALL)
    assert (report.summary.engine, report.summary.api_calls) == ("example", ApiCalls())
    assert (report.summary.totals.converted, report.summary.totals.failed) == (1, 1)
    files = await anyio.to_thread.run_sync(list, report.files())
    became = {file.source: file.status for file in files}
    assert became == {GOOD.name: FileStatus.CONVERTED, BAD.name: FileStatus.FAILED}
    with pikepdf.open(tmp_path / "out" / "bitonal.pdf") as pdf:
        assert len(pdf.pages) == 1


async def test_other_options_convert_anew_and_the_same_ones_do_not(tmp_path: Path) -> None:
    outcomes = []
    for quality in (30, 30, 60):
        settings = await settings_of(tmp_path, f"quality = {quality}")
        report = await batch_converter.convert([GOOD], settings, engines=ALL)
        outcomes.append((report.summary.totals.converted, report.summary.totals.skipped))
    assert outcomes == [(1, 0), (0, 1), (1, 0)]


async def test_a_dry_run_knows_it_and_changes_nothing(tmp_path: Path) -> None:
    settings = await settings_of(tmp_path)
    estimate = await api.dry_run(Sources(paths=(str(GOOD),)), settings, engines=ALL)
    assert (estimate.engine, estimate.totals.remaining) == ("example", 1)
    assert estimate.api_calls == ApiCalls()
    assert not (tmp_path / "out").exists()


# What doctor says


async def test_doctor_checks_it(tmp_path: Path) -> None:
    findings = await diagnose(await settings_of(tmp_path), Redactor(), engines=ALL)
    assert [finding.text for finding in findings][:2] == [
        "engine: example (example)",
        f"example engine: {shutil.which('ddjvu')}",
    ]
    assert all(finding.is_good for finding in findings)


async def test_doctor_says_what_it_lacks_and_a_run_does_not_begin(tmp_path: Path) -> None:
    settings = await settings_of(tmp_path, 'program = "no-such-program"')
    findings = await diagnose(settings, Redactor(), engines=ALL)
    assert [f.text for f in findings if not f.is_good] == [
        "example.program = 'no-such-program' is not installed"
    ]
    with pytest.raises(ConfigError, match="no-such-program"):
        await batch_converter.convert([GOOD], settings, engines=ALL)


# Its section of the configuration


def test_its_keys_are_known_and_told_with_their_origins(tmp_path: Path) -> None:
    env = {
        "BATCH_CONVERTER_EXAMPLE__PROCESSES": "3",
        "BATCH_CONVERTER_EXAMPLE__ARGUMENTS": '["-verbose"]',
    }
    loaded = load(tmp_path, "quality = 30\nprocesses = 1", env=env)
    assert loaded.settings.section(ExampleSettings) == ExampleSettings(
        quality=30, processes=3, arguments=("-verbose",)
    )
    told = {key: (value, origin) for key, value, origin in loaded.in_force()}
    assert told["example.quality"] == (30, f"file {tmp_path / 'given.toml'}")
    assert told["example.processes"] == (3, "environment BATCH_CONVERTER_EXAMPLE__PROCESSES")
    assert told["example.timeout_s"] == (300, "default")
    assert told["local.workers"] == (0, "default")


@pytest.mark.parametrize(
    ("example", "env", "message"),
    [
        ("qualty = 3", {}, r"unknown key 'example.qualty' in .*; .* 'example.quality'"),
        ("", {"BATCH_CONVERTER_EXAMPLE__PROCESS": "3"}, r"nearest known key is 'example.processes"),
        ("quality = 24", {}, r"example.quality \(file .*\): .*25"),
        ("quality = 151", {}, r"example.quality \(file .*\): .*150"),
        ("", {"BATCH_CONVERTER_EXAMPLE__ARGUMENTS": "-verbose"}, r"ARGUMENTS must be JSON"),
    ],
)
def test_its_keys_are_checked(
    tmp_path: Path, example: str, env: dict[str, str], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        load(tmp_path, example, env=env)


def test_what_only_it_can_judge_is_judged_when_it_is_chosen(tmp_path: Path) -> None:
    settings = load(tmp_path, 'arguments = ["-page=1"]').settings
    with pytest.raises(ConfigError, match=r"example\.arguments"):
        choose_engine(settings, ALL)
    other = load(tmp_path, 'arguments = ["-page=1"]', engine="local").settings
    assert choose_engine(other, ALL).name == "local"


def test_without_it_neither_its_section_nor_its_name_is_known(tmp_path: Path) -> None:
    path = tmp_path / "given.toml"
    for text, message in (
        ("[example]\nquality = 30", "unknown key 'example.quality'"),
        ('engine = "example"', "engine = 'example': there is auto, aspose, dask and local"),
    ):
        path.write_text(text)
        with pytest.raises(ConfigError, match=message):
            load_settings(config_file=path, environ={})
        with pytest.raises(ConfigError, match=message):  # as the command line loads it
            settings_from(path, {})


def test_an_engine_misspelt_is_told_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="local and example; the nearest is 'example'"):
        load(tmp_path, engine="exampel")


def test_settings_that_were_made_without_it_have_its_defaults() -> None:
    assert Settings().section(ExampleSettings) == ExampleSettings()
    assert Settings().section(InputSettings) is Settings().input


def test_a_section_cannot_take_the_place_of_another() -> None:
    for name in ("local", "engine", "section"):
        with pytest.raises(ValueError, match=f"there is a setting '{name}' already"):
            settings_with({name: ExampleSettings})


class SecretiveSettings(Section):
    """A section with a secret in it."""

    token: SecretStr | None = None


def test_secrets_of_all_sections_are_known_to_the_logs() -> None:
    model = settings_with({"secretive": SecretiveSettings})
    settings = model.model_validate(
        {"secretive": {"token": "t0ken"}, "serve": {"client_secret": "s3cret"}}
    )
    assert sorted(settings.secrets()) == ["s3cret", "t0ken"]
    assert not list(model().secrets())


# One module and one row


@pytest.mark.slow
def test_with_its_module_and_its_row_in_place_the_command_has_it(tmp_path: Path) -> None:
    package = tmp_path / "site" / "batch_converter"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    module = Path(example_engine.__file__)
    shutil.copyfile(module, package / "engines" / "example.py")
    registry = package / "engines" / "registry.py"
    text = registry.read_text(encoding="utf-8")
    with_row = text.replace("(ASPOSE, DASK, LOCAL)", "(ASPOSE, DASK, LOCAL, EXAMPLE)").replace(
        "from batch_converter.engines.local import SPEC as LOCAL\n",
        "from batch_converter.engines.local import SPEC as LOCAL\n"
        "from batch_converter.engines.example import SPEC as EXAMPLE\n",
    )
    assert with_row.count("EXAMPLE") == 2
    registry.write_text(with_row, encoding="utf-8")
    env = {key: value for key, value in os.environ.items() if not key.startswith("COVERAGE_")}
    env |= {"PYTHONPATH": str(package.parent), "BATCH_CONVERTER_EXAMPLE__QUALITY": "30"}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "batch_converter", *arguments]
        return subprocess.run(
            command, env=env, cwd=tmp_path, capture_output=True, text=True, check=False
        )

    done = run("convert", str(GOOD), "-o", "out", "--engine", "example", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["engine"] == "example"
    assert (tmp_path / "out" / "bitonal.pdf").exists()
    assert "example.quality = 30  # environment" in run("config", "check").stdout
    assert "ok    example engine: " in run("doctor", "--engine", "example", "-o", "out").stdout
    assert "example" in run("convert", "--help").stdout
    refused = run("convert", str(GOOD), "-o", "out", "--engine", "exampel")
    assert refused.returncode == 2
    assert "'example'" in refused.stderr
