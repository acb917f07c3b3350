"""The public Python API on the embedded engine."""

from __future__ import annotations

import shutil
from pathlib import Path

import anyio.to_thread
import pytest

from batch_converter import ErrorCode, ExitCode, FileStatus, Settings, convert
from batch_converter.errors import StateLockedError, UsageError
from batch_converter.state import held_state_dir

SAMPLES = Path(__file__).parents[2] / "samples"


def settings_for(output: Path) -> Settings:
    return Settings.model_validate(
        {"engine": "local", "output": {"dir": output}, "report": {"file": output / "report.json"}}
    )


async def test_a_program_converts_a_folder_and_gets_the_report(tmp_path: Path) -> None:
    scans = tmp_path / "scans"
    scans.mkdir()
    shutil.copy(SAMPLES / "bitonal.djvu", scans)
    (scans / "broken.djvu").write_bytes(b"no DjVu")
    report = await convert([scans], settings_for(tmp_path / "pdfs"))
    files = {file.source: file for file in await anyio.to_thread.run_sync(list, report.files())}
    assert report.summary.exit_code == ExitCode.SOME_FAILED
    assert files["bitonal.djvu"].status is FileStatus.CONVERTED
    error = files["broken.djvu"].error
    assert error is not None
    assert error.code is ErrorCode.NOT_DJVU
    failed = await anyio.to_thread.run_sync(list, report.failed_paths())
    assert failed == [str(scans / "broken.djvu")]
    assert (tmp_path / "pdfs/report.json").read_bytes().startswith(b'{"schema": 1')


async def test_bad_usage_starts_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        await convert([tmp_path / "nowhere"], settings_for(tmp_path / "pdfs"))
    assert not (tmp_path / "pdfs").exists()


@pytest.mark.parametrize("which", ["file", "html_file", "metrics_file", "manifest", "failed_list"])
async def test_a_report_that_could_not_be_written_starts_nothing(
    tmp_path: Path, which: str
) -> None:
    occupied = tmp_path / "occupied"
    occupied.touch()
    wanted = {"engine": "local", "output": {"dir": tmp_path / "pdfs"}}
    settings = Settings.model_validate({**wanted, "report": {which: occupied / "report"}})
    with pytest.raises(UsageError, match="cannot write"):
        await convert([SAMPLES], settings)
    assert not (tmp_path / "pdfs").exists()


async def test_a_second_run_beside_the_first_is_kept_out(tmp_path: Path) -> None:
    settings = settings_for(tmp_path / "pdfs")
    async with held_state_dir(settings):
        with pytest.raises(StateLockedError):
            await convert([SAMPLES], settings)
