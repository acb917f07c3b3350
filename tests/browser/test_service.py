"""What a person does, from beginning to end, with the real service behind the page."""

from __future__ import annotations

import re
import signal
import socket
import threading
import zipfile
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pikepdf
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from batch_converter.errors import EngineError
from tests.browser.real_service import DirectedService, serving
from tests.browser.service_page import ServicePage
from tests.support.command import wait_until
from tests.support.djvu_files import SAMPLES
from tests.support.service import DJVU

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Download, Locator, Page

pytestmark = pytest.mark.slow  # a browser and processes

PATIENCE_MS = 60_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two scans in folders, something else, and a file that only claims to be a scan."""
    folder = tmp_path / "scans"
    copy("book.djvu", folder / "a" / "book.djvu")
    copy("colour.djvu", folder / "Ördög & Söhne" / "colour.djv")
    (folder / "a" / "notes.txt").write_text("no scan")
    (folder / "broken.djvu").write_bytes(b"words, " * 99)
    return folder


def copy(sample: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes((SAMPLES / sample).read_bytes())


def downloaded(tab: Page, link: Locator) -> Download:
    with tab.expect_download() as waiting:
        link.click()
    return waiting.value


def test_a_folder_becomes_pdfs(page: Page, tmp_path: Path, folder: Path) -> None:
    with serving(tmp_path / "serve") as (_, url):
        shown = ServicePage(page, url).open()
        shown.choose_folder(folder)
        expect(shown.status).to_contain_text("2 ready", timeout=PATIENCE_MS)
        expect(shown.row("broken.djvu")).to_contain_text(re.compile("failed.*not_djvu: "))
        expect(page.get_by_role("list", name="Notices")).to_contain_text("a/notes.txt")

        expect(shown.row("a/book.djvu").locator("td.pages")).to_have_text("6")
        expect(shown.row("a/book.djvu")).to_contain_text(re.compile(r"Kept until \w+day \d\d:\d\d"))
        picture = page.get_by_role("img", name="First page of a/book.djvu")
        expect(picture).to_be_visible()
        expect(picture).not_to_have_class("broken")
        expect(picture).to_have_js_property("complete", value=True)
        assert picture.evaluate("picture => picture.naturalWidth") > 40

        one = downloaded(page, shown.link("Download a/book.pdf"))
        assert one.suggested_filename == "book.pdf"
        with pikepdf.open(one.path()) as pdf:
            assert len(pdf.pages) == 6
        whole = downloaded(page, shown.link("Download all"))
        with zipfile.ZipFile(whole.path()) as archive:
            assert set(archive.namelist()) == {
                "a/book.pdf", "Ördög & Söhne/colour.pdf", "MANIFEST.txt",
            }  # fmt: skip
            assert b"broken.djvu" in archive.read("MANIFEST.txt")

        page.reload()
        shown.expect_state("a/book.djvu", "ready")
        shown.filter.fill("söhne")
        shown.expect_names("Ördög & Söhne/colour.djv")
        shown.filter.fill("")
        shown.button("Remove a/book.djvu").click()
        expect(shown.row("a/book.djvu")).to_have_count(0)
        shown.button("Remove all ended").click()
        shown.expect_names()


def test_waiting_converting_cancelled_and_wanted_after_all(page: Page, tmp_path: Path) -> None:
    with DirectedService().running(tmp_path) as service:
        shown = ServicePage(page, service.url).open()
        shown.choose({f"{letter}.djvu": DJVU + letter.encode() for letter in "abc"})
        expect(shown.status).to_contain_text("1 converting")
        expect(shown.status).to_contain_text("2 waiting")
        expect(shown.table).to_contain_text("2nd in the queue")

        being_converted = shown.row_in("converting")
        name = being_converted.get_by_role("rowheader").inner_text()
        shown.button(f"Cancel {name}").click()
        shown.expect_state(name, "cancelled")
        expect(shown.link(f"Download {name}".replace(".djvu", ".pdf"))).to_have_count(0)

        engine = service.engine
        wait_until(lambda: len(engine.documents) == 2 and engine.running == 1, "the next one")
        service.let_one_batch_end(EngineError("page 1: made up"))
        expect(shown.status).to_contain_text("1 failed")
        expect(shown.row_in("failed")).to_contain_text("page 1: made up")
        shown.tab.get_by_label("State", exact=True).select_option("cancelled")
        shown.expect_names(name)
        shown.button(f"Retry {name}").click()
        shown.expect_names()
        shown.tab.get_by_label("State", exact=True).select_option("")
        shown.expect_state(name, "waiting")
        shown.button("Cancel all").click()
        expect(shown.status).to_contain_text("2 cancelled")
        shown.button("Retry all failed").click()
        expect(shown.status).to_contain_text("1 converting")


def test_two_browsers_see_nothing_of_each_other(browser: Browser, tmp_path: Path) -> None:
    mine, theirs = browser.new_context(), browser.new_context()
    with serving(tmp_path / "serve") as (_, url):
        shown = ServicePage(mine.new_page(), url).open()
        other = ServicePage(theirs.new_page(), url).open()
        shown.choose({"a.djvu": (SAMPLES / "no-text.djvu").read_bytes()})
        shown.expect_state("a.djvu", "ready")
        address = shown.link("Download a.pdf").get_attribute("href")
        other.tab.reload()
        expect(other.tab.get_by_text("No documents yet")).to_be_visible()
        other.expect_names()
        assert theirs.request.get(f"{url}{address}").status == 404
        assert mine.request.get(f"{url}{address}").ok
        other.choose({"b.djvu": (SAMPLES / "no-text.djvu").read_bytes()})
        other.expect_state("b.djvu", "ready")
        shown.expect_names("a.djvu")
    mine.close()
    theirs.close()


ATTACK = """async (url) => {
    const told = [];
    const tries = [
        ['api/documents?offset=0&limit=9', {}],
        ['api/documents', {method: 'POST', body: '{"action":"remove_ended"}'}],
        ['api/documents', {method: 'POST', mode: 'no-cors', body: '{"action":"remove_ended"}'}],
        ['api/uploads', {method: 'POST', mode: 'no-cors', body: '{"name":"x","size_bytes":9}'}],
        ['api/session', {}],
        ['documents.zip', {mode: 'no-cors'}],
    ];
    for (const [path, options] of tries) {
        try {
            const answer = await fetch(url + path, {credentials: 'include', ...options});
            told.push(await answer.text());
        } catch {
            told.push('');
        }
    }
    return told.join('');
}"""
FORM = """(url) => {
    const form = document.createElement('form');
    form.action = url + 'api/documents';
    form.method = 'post';
    form.enctype = 'text/plain';
    const field = document.createElement('input');
    field.name = '{"action":"remove_ended","x":"';
    field.value = '"}';
    form.append(field);
    document.body.append(form);
    form.submit();
}"""


def test_a_page_of_another_port_reads_and_starts_nothing(page: Page, tmp_path: Path) -> None:
    with serving(tmp_path / "serve") as (_, url), hostile_origin() as elsewhere:
        shown = ServicePage(page, url).open()
        shown.choose({"a.djvu": (SAMPLES / "no-text.djvu").read_bytes()})
        shown.expect_state("a.djvu", "ready")
        attacker = page.context.new_page()  # the same cookies: a port is no other site
        attacker.goto(elsewhere)
        assert attacker.evaluate(ATTACK, url) == ""
        with attacker.expect_navigation() as sent:
            attacker.evaluate(FORM, url)
        assert sent.value.status == 403
        attacker.goto(elsewhere)
        attacker.set_content(f"<iframe src='{url}'></iframe>")
        frame = attacker.frame_locator("iframe")
        expect(frame.get_by_role("table")).to_have_count(0)
        page.reload()
        shown.expect_names("a.djvu")
        shown.expect_state("a.djvu", "ready")


@contextmanager
def hostile_origin() -> Iterator[str]:
    """Serve an empty page from another port of the same host."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Empty)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Empty(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!DOCTYPE html><title>elsewhere</title>")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_signing_in_and_out(page: Page, tmp_path: Path) -> None:
    (secret := tmp_path / "secret").write_text("wonderful secret")
    account = ("--client-id", "archive", "--client-secret-file", secret)
    with serving(tmp_path / "serve", *account) as (_, url):
        shown = ServicePage(page, url).open()
        sign_in(shown, "archive", "another secret")
        expect(page.get_by_role("alert")).to_contain_text("do not belong together")
        assert page.request.get(f"{url}api/documents?offset=0&limit=1").status == 401
        sign_in(shown, "archive", "wonderful secret")
        shown.choose({"a.djvu": (SAMPLES / "no-text.djvu").read_bytes()})
        shown.expect_state("a.djvu", "ready")
        (cookie,) = page.context.cookies()
        assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
        shown.button("Sign out").click()
        expect(shown.table).to_be_hidden()
        # Who signs in next, under whatever name, sees nothing of the session that has ended.
        expect(page.locator("table")).not_to_contain_text("a.djvu")
        sign_in(shown, "archive", "wonderful secret")
        expect(page.get_by_text("No documents yet")).to_be_visible()
        shown.expect_names()


def sign_in(shown: ServicePage, client_id: str, secret: str) -> None:
    shown.tab.get_by_label("Client ID").fill(client_id)
    shown.tab.get_by_label("Client secret").fill(secret)
    shown.button("Sign in").click()


def test_a_service_that_is_killed_in_the_middle_loses_nothing(page: Page, tmp_path: Path) -> None:
    port, data = free_port(), tmp_path / "data"
    scan = (SAMPLES / "book.djvu").read_bytes()
    large = scan + bytes(12_000_000)  # padding behind the document is no part of it
    contents = {f"{number:02}.djvu": scan for number in range(12)} | {"large.djvu": large}
    with serving(tmp_path / "1", "--data-dir", data, port=port) as (service, url):
        shown = ServicePage(page, url).open()
        shown.choose(contents)
        expect(shown.row_in("ready").first).to_be_visible(timeout=PATIENCE_MS)
        service.signal(signal.SIGKILL)
        service.finish()
    with serving(tmp_path / "2", "--data-dir", data, port=port):
        expect(shown.status).to_contain_text("13 ready", timeout=PATIENCE_MS)
        page.reload()
        expect(shown.status).to_contain_text("13 ready")
        shown.expect_names(*contents)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@pytest.mark.parametrize("width", [1280, 360])
def test_axe_finds_nothing(browser: Browser, tmp_path: Path, folder: Path, width: int) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme="dark")
    with serving(tmp_path / "serve") as (_, url):
        shown = ServicePage(context.new_page(), url).open()
        shown.choose_folder(folder)
        expect(shown.status).to_contain_text("2 ready", timeout=PATIENCE_MS)
        found = Axe().run(shown.tab, options={"resultTypes": ["violations"]})
        assert found.generate_snapshot() == ""
    context.close()
