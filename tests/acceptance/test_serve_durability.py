"""`serve` that is killed at any instant and started again loses nothing that it accepted."""

from __future__ import annotations

import base64
import shutil
import urllib.error
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from batch_converter.fault_points import VARIABLE
from tests.acceptance.test_serve_command import serving
from tests.support.api_client import ApiClient
from tests.support.command import wait_until
from tests.support.disks import small_disk

if TYPE_CHECKING:
    from tests.support.command import Running

SAMPLE = next((Path(__file__).parents[2] / "samples").rglob("*.djvu")).read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize(
    "step", ["queue.committing#7", "queue.committing#9", "queue.committed#6", "queue.committed#8"]
)
def test_it_can_be_killed_at_any_step(tmp_path: Path, step: str) -> None:
    data, accepted = tmp_path / "data", []
    with serving(tmp_path, "--data-dir", data, **{VARIABLE: step}) as (service, address):
        try:
            client = ApiClient(address)
            for _ in range(5):
                accepted.append(client.submit(SAMPLE))  # noqa: PERF401  # those before it died count
        except OSError:
            pass
        wait_until(lambda: service.is_over, "its death")
        assert service.finish().code == -9
    _check_all_come(tmp_path, data, accepted)


@pytest.mark.slow
@pytest.mark.parametrize("signum", [9, 15])
def test_what_was_accepted_is_converted_by_the_next_service(tmp_path: Path, signum: int) -> None:
    data = tmp_path / "data"
    with serving(tmp_path, "--data-dir", data) as (service, address):
        client = ApiClient(address)
        accepted = [client.submit(SAMPLE) for _ in range(6)]
        wait_until(lambda: client.is_ready(accepted[0]), "the first")
        service.signal(signum)
        service.finish()
    _check_all_come(tmp_path, data, accepted)
    modes = {path.name: path.stat().st_mode & 0o077 for path in [data, *data.iterdir()]}
    assert set(modes.values()) == {0}, modes


def _check_all_come(tmp_path: Path, data: Path, accepted: list[str]) -> None:
    with serving(tmp_path / "again", "--data-dir", data) as (service, address):
        client = ApiClient(address)
        for task_id in accepted:
            wait_until(partial(client.is_ready, task_id), "a PDF")
            [result] = client.ask(task_id)["results"]
            assert base64.b64decode(result["data"]).startswith(b"%PDF-")
        service.signal(15)
        service.finish()
    names = {path.name for path in data.glob("task-*")}
    assert {f"task-{task_id}.pdf" for task_id in accepted} <= names


@pytest.mark.slow
def test_a_full_disk_answers_507_and_loses_nothing(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", size_bytes=40 << 20) as disk:
        data = disk.path / "data"
        with serving(tmp_path, "--data-dir", data) as (service, address):
            client = ApiClient(address)
            accepted = [client.submit(SAMPLE)]
            wait_until(lambda: client.is_ready(accepted[0]), "the PDF")
            _fill(disk.path / "filler", leave_bytes=1 << 20)
            with pytest.raises(urllib.error.HTTPError) as caught:
                client.submit(SAMPLE)
            assert caught.value.code == 507
            assert caught.value.headers["Retry-After"]
            assert client.is_ready(accepted[0])
            (disk.path / "filler").unlink()
            accepted.append(client.submit(SAMPLE))
            wait_until(lambda: client.is_ready(accepted[1]), "the second")
            _stop(service)


def _fill(path: Path, *, leave_bytes: int) -> None:
    with path.open("wb") as file:
        file.write(bytes(shutil.disk_usage(path.parent).free - leave_bytes))


def _stop(service: Running) -> None:
    service.signal(15)
    service.finish()
