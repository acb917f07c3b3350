"""Who may see the page's documents, from where, and what a browser is told to keep and to load."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from aiohttp import ClientSession, DummyCookieJar

from batch_converter.server.page.assets import Assets
from batch_converter.server.sessions import COOKIE_NAME, IDLE
from tests.support.clocks import ManualClock
from tests.support.page_client import OPEN, address_of, another, browsing
from tests.support.service import ACCOUNT, DJVU, HandConverter, running

if TYPE_CHECKING:
    from pathlib import Path

WITH_ACCOUNT = {"client_id": "me", "client_secret": "the right secret"}
READING = ("api/documents", "api/changes?after=0", "api/events?after=0", "documents.zip")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


async def test_without_an_account_the_page_gives_a_session(
    tmp_path: Path, engine: HandConverter
) -> None:
    async with browsing(tmp_path, engine) as first:
        async with ClientSession(first.address) as http, http.get("") as response:
            assert response.status == 200
            assert response.content_type == "text/html"
            assert "<title>" in await response.text()
            assert response.headers["Content-Security-Policy"] == POLICY
            assert response.headers["Cache-Control"] == "no-store"
            cookie = response.headers["Set-Cookie"]
        assert cookie.startswith(f"{COOKIE_NAME}_")
        assert cookie.endswith("; HttpOnly; SameSite=Strict")
        assert "; Path=/;" in cookie
        session = await first.open()
        assert session == {
            "signed_in": True,
            "needs_sign_in": False,
            "csrf": session["csrf"],
            "retention_hours": 24,
            "max_body_bytes": 512 << 20,
            "chunk_bytes": 524_288,
            "version": session["version"],
        }
        async with first.http.get("") as response:
            assert "Set-Cookie" not in response.headers


@pytest.mark.parametrize("account", [{}, WITH_ACCOUNT])
@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site", "Accept": "*/*"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://127.0.0.1:1"},
        {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"},  # of a browser over plain HTTP
    ],
)
async def test_a_link_from_elsewhere_takes_no_session_away(
    tmp_path: Path, engine: HandConverter, headers: dict[str, str], account: dict[str, str]
) -> None:
    """A browser sends no strict cookie with it, so that a new one would replace it."""
    async with (
        browsing(tmp_path, engine, **account) as browser,
        ClientSession(browser.address, cookie_jar=DummyCookieJar()) as http,
    ):
        for path, status in (("", 200), ("api/session", 403)):
            async with http.get(path, headers=headers) as response:
                assert response.status == status
                assert "Set-Cookie" not in response.headers


@pytest.mark.parametrize(
    "headers", [{"Sec-Fetch-Site": site, "Accept": "text/html"} for site in ("none", "same-origin")]
)
async def test_who_comes_by_himself_gets_a_session_at_once(
    tmp_path: Path, engine: HandConverter, headers: dict[str, str]
) -> None:
    async with (
        browsing(tmp_path, engine) as browser,
        ClientSession(browser.address, cookie_jar=DummyCookieJar()) as http,
    ):
        for path in ("", "api/session"):
            async with http.get(path, headers=headers) as response:
                assert response.status == 200
                assert "Set-Cookie" in response.headers


async def test_services_with_temporary_folders_share_a_cookies_name(
    tmp_path: Path, engine: HandConverter
) -> None:
    """Each start has another folder: cookies of all of them would pile up in a browser."""
    async with browsing(tmp_path, engine, data_dir=None) as browser:
        assert {one.key for one in browser.http.cookie_jar} == {COOKIE_NAME}


async def test_two_services_of_a_machine_leave_each_other_their_sessions(
    tmp_path: Path, engine: HandConverter
) -> None:
    """Cookies know no ports: the browser sends both services the same."""
    async with (
        browsing(tmp_path / "one", engine) as browser,
        running(tmp_path / "other", HandConverter(), log_in=False, **OPEN) as other,
    ):
        before = await browser.open()
        async with browser.http.get(address_of(other)) as response:
            assert "Set-Cookie" in response.headers
        assert await browser.open() == before


async def test_nobody_is_let_in_who_has_not_signed_in(
    tmp_path: Path, engine: HandConverter
) -> None:
    async with browsing(tmp_path, engine, **WITH_ACCOUNT) as browser:
        session = await browser.open()
        assert (session["signed_in"], session["needs_sign_in"]) == (False, True)
        async with browser.http.get("") as response:
            assert response.status == 200
        for path in READING:
            assert await browser.status("GET", path) == 401
        assert await browser.status("POST", "api/uploads", json={}) == 401
        assert await browser.status("POST", "api/session", json=ACCOUNT | {"client_id": "x"}) == 401
        assert await browser.status("POST", "api/session", json=ACCOUNT) == 204
        assert await browser.status("POST", "api/uploads", json={}) == 403
        session = await browser.open()
        assert session["signed_in"] is True
        await browser.upload("a.djvu")
        cookies = {one.key: one.value for one in browser.http.cookie_jar}
        assert await browser.status("DELETE", "api/session") == 204
        assert await browser.status("GET", "api/documents") == 401
        browser.take_cookies(cookies)
        assert await browser.status("GET", "api/documents") == 401


async def test_two_browsers_of_one_client_do_not_see_each_others_documents(
    tmp_path: Path, engine: HandConverter
) -> None:
    async with (
        browsing(tmp_path, engine, **WITH_ACCOUNT) as browser,
        another(browser.service) as other,
    ):
        for one in (browser, other):
            assert await one.status("POST", "api/session", json=ACCOUNT) == 204
            await one.open()
        await browser.upload("a.djvu")
        assert await other.documents() == []
        assert len(await browser.documents()) == 1


async def test_guesses_are_slowed(tmp_path: Path, engine: HandConverter) -> None:
    async with browsing(tmp_path, engine, **WITH_ACCOUNT) as browser:
        statuses, wait = set(), ""
        for number in range(30):
            wrong = {"client_id": "me", "client_secret": f"{number}"}
            async with browser.write("POST", "api/session", json=wrong) as response:
                statuses.add(response.status)
                wait = response.headers.get("Retry-After", wait)
        assert statuses == {401, 429}
        assert int(wait) > 0


async def test_a_session_is_renewed_while_it_is_used_and_ends_when_idle(
    tmp_path: Path, engine: HandConverter
) -> None:
    clock = ManualClock()
    async with browsing(tmp_path, engine, clock=clock, retention_hours=99, **WITH_ACCOUNT) as one:
        assert await one.status("POST", "api/session", json=ACCOUNT) == 204
        await one.open()
        for _ in range(3):
            clock.at_s += IDLE.total_seconds() - 60
            async with one.http.get("api/documents") as response:
                assert response.status == 200
                assert COOKIE_NAME in response.headers["Set-Cookie"]
        clock.at_s += IDLE.total_seconds()
        assert await one.status("GET", "api/documents") == 401


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-CSRF-Token": "x"},
        {"X-CSRF-Token": "é"},
        {"Origin": "http://127.0.0.1:1", "right": ""},
        {"Origin": "null", "right": ""},
        {"Sec-Fetch-Site": "same-site", "right": ""},
        {"Sec-Fetch-Site": "cross-site", "right": ""},
    ],
)
async def test_only_the_page_itself_starts_anything(
    tmp_path: Path, engine: HandConverter, headers: dict[str, str]
) -> None:
    async with browsing(tmp_path, engine) as browser:
        document_id = await browser.ready("a.djvu")
        given = {name: value for name, value in headers.items() if name != "right"}
        if "right" in headers:
            given["X-CSRF-Token"] = browser.csrf
        for method, path in (
            ("POST", "api/uploads"),
            ("PATCH", f"api/uploads/{document_id}"),
            ("POST", "api/documents"),
            ("POST", f"api/documents/{document_id}/retry"),
            ("POST", f"api/documents/{document_id}/cancel"),
            ("DELETE", f"api/documents/{document_id}"),
            ("POST", "api/session"),
            ("DELETE", "api/session"),
        ):
            async with browser.http.request(method, path, json={}, headers=given) as response:
                assert response.status == 403, (method, path)
                assert response.content_type == "application/problem+json"
        assert (await browser.document(document_id))["state"] == "ready"


async def test_a_page_of_another_port_reads_nothing(tmp_path: Path, engine: HandConverter) -> None:
    """The browser sends it the cookie: `SameSite` knows no ports."""
    async with browsing(tmp_path, engine) as browser:
        document_id = await browser.ready("a.djvu")
        paths = (*READING, f"documents/{document_id}/pdf", f"documents/{document_id}/picture")
        for path in paths:
            for headers in ({"Sec-Fetch-Site": "same-site"}, {"Origin": "http://127.0.0.1:1"}):
                async with browser.http.get(path, headers=headers) as response:
                    assert response.status == 403, path
        for path in paths[:2]:
            async with browser.http.get(path, headers={"Sec-Fetch-Site": "none"}) as response:
                assert response.status == 200


@pytest.mark.parametrize("cookie", ["", "x", "v1." + "a" * 43 + "..1." + "b" * 43, "é", "x" * 5000])
async def test_a_cookie_that_was_made_up_is_nobodys(
    tmp_path: Path, engine: HandConverter, cookie: str
) -> None:
    async with browsing(tmp_path, engine) as browser:
        address = browser.address
        (name,) = {one.key for one in browser.http.cookie_jar}
        headers = {"Cookie": f"{name}={cookie}"}
        async with ClientSession(address, cookie_jar=DummyCookieJar()) as http:
            async with http.get("api/documents", headers=headers) as response:
                assert response.status == 401
            async with http.get("api/session", headers=headers) as response:
                assert (response.status, "Set-Cookie" in response.headers) == (200, True)


async def test_every_answer_is_hardened(tmp_path: Path, engine: HandConverter) -> None:
    async with browsing(tmp_path, engine) as browser:
        document_id = await browser.ready("a.djvu")
        for path in ("", "api/session", "api/documents", f"documents/{document_id}/pdf", "x/y"):
            async with browser.http.get(path) as response:
                headers = response.headers
            assert headers["Cache-Control"] == "no-store", path
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["Referrer-Policy"] == "no-referrer"
            assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]


async def test_a_path_behind_a_proxy_is_the_cookies(tmp_path: Path, engine: HandConverter) -> None:
    proxied = {
        "X-Forwarded-For": "192.0.2.7",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "scans.example.org",
        "X-Forwarded-Prefix": "/convert",
    }
    async with browsing(
        tmp_path, engine, trusted_proxies=["127.0.0.1"], hosts=["scans.example.org"], **WITH_ACCOUNT
    ) as browser:
        address = browser.address
        async with (
            ClientSession(address, cookie_jar=DummyCookieJar()) as http,
            http.get("api/session", headers=proxied) as response,
        ):
            cookie = response.headers["Set-Cookie"]
    assert "; Path=/convert/;" in cookie
    assert cookie.endswith("; Secure")


async def test_assets_are_asked_for_again_only_when_they_change(
    tmp_path: Path, engine: HandConverter
) -> None:
    async with browsing(tmp_path, engine) as browser:
        async with browser.http.get("assets/main.js") as response:
            assert response.status == 200
            assert response.content_type == "text/javascript"
            assert response.headers["Cache-Control"] == "no-cache"
            assert "Set-Cookie" not in response.headers
            etag = response.headers["ETag"]
        for asked, status in ((etag, 304), (f'W/{etag}, "x"', 304), ('"x"', 200), ("*", 304)):
            headers = {"If-None-Match": asked}
            async with browser.http.get("assets/main.js", headers=headers) as response:
                assert (response.status, response.headers["ETag"]) == (status, etag)
        for name in ("nothing.js", "..%2fapplication.py", "%2e%2e/application.py", "a/b"):
            assert await browser.status("GET", f"assets/{name}") == 404


def test_assets_are_what_stands_in_the_folder(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "a.css").write_text("p {}")
    (tmp_path / "a.unknown").write_text("?")
    assets = Assets.load(tmp_path)
    assert assets.response("a.css", headers={}).content_type == "text/css"
    assert assets.response("a.unknown", headers={}).content_type == "application/octet-stream"


async def test_a_restart_keeps_sessions_and_documents(
    tmp_path: Path, engine: HandConverter
) -> None:
    async with browsing(tmp_path, engine) as browser:
        await browser.upload("a.djvu", DJVU)
        cookies = {one.key: one.value for one in browser.http.cookie_jar}
        csrf = browser.csrf
    async with browsing(tmp_path, engine) as browser:
        browser.take_cookies(cookies)
        assert [row["name"] for row in await browser.documents()] == ["a.djvu"]
        assert (await browser.open())["csrf"] == csrf
