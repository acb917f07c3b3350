"""Tokens over real HTTP."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from batch_converter.server.tokens import TOKEN_LIFETIME_S
from tests.support.service import (
    CONVERT,
    DJVU,
    STATUS,
    TOKEN,
    HandConverter,
    running,
    submission,
    token_form,
)

if TYPE_CHECKING:
    from pathlib import Path


async def test_a_token_is_given_for_the_right_pair(tmp_path: Path, engine: HandConverter) -> None:
    async with (
        running(tmp_path, engine, log_in=False) as client,
        client.session.post(TOKEN, data=token_form()) as response,
    ):
        answer = await response.json()
    assert response.status == 200
    assert answer["expires_in"] == 3600
    assert answer["token_type"] == "bearer"
    assert answer["access_token"]


async def test_wrong_pairs_get_400_and_after_five_429_for_ten_minutes(
    tmp_path: Path, engine: HandConverter
) -> None:
    wrong = token_form(client_secret="wrong")
    seen = []
    async with running(tmp_path, engine, log_in=False) as client:
        for _ in range(6):
            async with client.session.post(TOKEN, data=wrong) as response:
                assert (await response.json()) == {"error": "invalid_client"}
                seen.append((response.status, response.headers.get("Retry-After")))
        client.clock.at_s += 600
        async with client.session.post(TOKEN, data=wrong) as response:
            seen.append((response.status, response.headers.get("Retry-After")))
    assert seen == [(400, None)] * 5 + [(429, "600"), (400, None)]


@pytest.mark.parametrize(
    ("form", "error"),
    [
        (token_form(grant_type="password"), "unsupported_grant_type"),
        (token_form(client_secret=""), "invalid_client"),
        (token_form(client_id=""), "invalid_client"),
        ({str(number): "x" for number in range(50)}, "invalid_request"),
        (b"grant_type=client_credentials", "invalid_request"),
        ({}, "invalid_request"),
    ],
)
async def test_a_malformed_token_request_is_refused(
    tmp_path: Path, engine: HandConverter, form: object, error: str
) -> None:
    async with (
        running(tmp_path, engine, log_in=False, client_id=None, client_secret=None) as client,
        client.session.post(TOKEN, data=form) as response,
    ):
        assert (response.status, await response.json()) == (400, {"error": error})


async def test_a_form_of_many_bytes_is_refused(tmp_path: Path, engine: HandConverter) -> None:
    async with (
        running(tmp_path, engine, log_in=False) as client,
        client.session.post(TOKEN, data=token_form(client_id="x" * 100_000)) as response,
    ):
        assert (response.status, response.content_type) == (413, "application/problem+json")


async def test_without_an_account_any_pair_will_do(tmp_path: Path, engine: HandConverter) -> None:
    async with running(tmp_path, engine, client_id=None, client_secret=None) as client:
        assert await client.submit()


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer made-up", "Basic bWU6cmlnaHQ="])
@pytest.mark.parametrize(
    ("method", "path"), [("POST", CONVERT), ("GET", CONVERT), ("DELETE", CONVERT), ("GET", STATUS)]
)
async def test_without_a_token_nothing_is_answered(
    tmp_path: Path, engine: HandConverter, header: str | None, method: str, path: str
) -> None:
    headers = {} if header is None else {"Authorization": header}
    async with (
        running(tmp_path, engine) as client,
        client.session.request(method, f"{path}?id=x", headers=headers) as response,
    ):
        assert response.status == 401
        assert response.content_type == "application/problem+json"
        assert response.headers["WWW-Authenticate"] == "Bearer"
        problem = json.loads(await response.read())
    assert problem["status"] == 401
    assert problem["title"] == "Unauthorized"


async def test_a_token_ends_after_its_hour(tmp_path: Path, engine: HandConverter) -> None:
    async with running(tmp_path, engine) as client:
        client.clock.at_s += TOKEN_LIFETIME_S
        async with client.post_body(submission(DJVU)) as response:
            assert response.status == 401
        await client.log_in()
        assert await client.submit()


async def test_the_scheme_of_the_token_is_known_in_any_case(
    tmp_path: Path, engine: HandConverter
) -> None:
    async with running(tmp_path, engine) as client:
        client.headers["Authorization"] = client.headers["Authorization"].replace(
            "Bearer", "bearer"
        )
        assert await client.submit()
