"""The description of the service, and whether the service is as it says."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import fields
from http import HTTPStatus
from typing import TYPE_CHECKING

import anyio
import pytest

from batch_converter.codec import SubmissionScanner
from batch_converter.server.openapi import DESCRIPTION
from batch_converter.wire.bodies import OCRDjVu2PDFBody
from tests.support.service import TOKEN, HandConverter, StreamingConverter, running

if TYPE_CHECKING:
    from pathlib import Path

SEED = 15
LEAST_CASES = 500
EXPECTATIONS = """
[[operations]]
include-path = "/connect/token"
checks.positive_data_acceptance.expected-statuses = ["2xx", 400]
"""
"""Credentials that are refused are 400 by OAuth (RFC 6749, 5.2), whatever form they have."""


@pytest.mark.slow
@pytest.mark.usefixtures("unmeasured", "unmeasured_processes")
async def test_schemathesis_finds_nothing(tmp_path: Path) -> None:
    """Hundreds of requests, right and wrong ones, made from the description."""
    (tmp_path / "schemathesis.toml").write_text(EXPECTATIONS)
    async with running(
        tmp_path, StreamingConverter(), client_id=None, client_secret=None
    ) as client:
        address = client.session._build_url("/openapi.json")
        token = client.headers["Authorization"]
        command = [sys.executable, "-m", "schemathesis.cli", "run", str(address), "--no-color"]
        command += ["--seed", str(SEED), "--max-examples", "60", "--checks", "all"]
        command += ["--request-timeout", "120", "--header", f"Authorization: {token}"]
        with anyio.fail_after(400):
            done = await anyio.run_process(
                command, check=False, cwd=tmp_path, stderr=subprocess.STDOUT
            )
    said = done.stdout.decode()
    assert done.returncode == 0, said
    made = re.search(r"(\d+) generated", said)
    assert made, said
    assert int(made[1]) >= LEAST_CASES


def test_every_refusal_is_described_as_problem_details() -> None:
    for status, response in DESCRIPTION["components"]["responses"].items():
        assert HTTPStatus(int(status)) >= HTTPStatus.BAD_REQUEST
        assert set(response["content"]) == {"application/problem+json"}


def test_what_a_submission_holds_is_what_its_reader_looks_for() -> None:
    assert {one.name for one in fields(OCRDjVu2PDFBody)} == SubmissionScanner.documented


async def test_health_is_as_described(tmp_path: Path, engine: HandConverter) -> None:
    schema = DESCRIPTION["components"]["schemas"]["HealthAnswer"]
    async with running(tmp_path, engine) as client:
        await client.submit()
        async with client.session.get("/health") as response:
            health = await response.json()
    assert set(health) == set(schema["required"])
    assert set(health["tasks"]) <= set(DESCRIPTION["components"]["schemas"]["TaskStatus"]["enum"])


@pytest.mark.parametrize("name", ["client_id", "client_secret"])
async def test_an_empty_half_of_a_pair_is_refused_as_described(
    tmp_path: Path, engine: HandConverter, name: str
) -> None:
    assert DESCRIPTION["components"]["schemas"]["Credentials"]["properties"][name]["minLength"] == 1
    form = {"grant_type": "client_credentials", "client_id": "a", "client_secret": "b"} | {name: ""}
    async with (
        running(tmp_path, engine, log_in=False, client_id=None, client_secret=None) as client,
        client.session.post(TOKEN, data=form) as response,
    ):
        assert response.status == 400
