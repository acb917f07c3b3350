"""A service that echoes what it was sent, in every spelling and everywhere: none of it is told."""

from __future__ import annotations

import base64
import json
from random import Random
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import pytest

from tests.support.cloud import Reply
from tests.support.command import run
from tests.support.pdfs import make_archive
from tests.support.spellings import SPELLINGS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.cloud import Cloud
    from tests.support.command import Finished

TOKEN: Final = "t0k3n.of+the/tests~A1b2C3"


@pytest.fixture
def secrets(cloud: Cloud) -> tuple[str, ...]:
    """What must not be told."""
    cloud.next_token = TOKEN
    return cloud.client_secret, TOKEN


def spelled(secrets: tuple[str, ...]) -> list[str]:
    """Return every spelling of the secrets."""
    texts = [spell(secret) for secret in secrets for spell in SPELLINGS.values()]
    for secret in secrets:
        for around in (secret, f"acceptance-client:{secret}", f"Bearer {secret}", f"ab{secret}yz"):
            encoded = base64.b64encode(around.encode()).decode()
            texts += [encoded, quote(encoded, safe="")]
    return texts


def echoes(secrets: tuple[str, ...]) -> Iterator[str]:
    """Yield bodies that quote a spelling each, now in this form and now in that."""
    forms: tuple[Callable[[str], str], ...] = (
        str,
        lambda text: f"you sent: authorization=Bearer {text}&client_secret={text}",
        lambda text: json.dumps({"title": "Bad", "detail": text, "errors": {text: [text]}}),
        lambda text: f"<html><title>{text}</title></html>",
        lambda text: json.dumps({text: text}),
    )
    for number, text in enumerate(spelled(secrets)):
        yield forms[number % len(forms)](text)
        yield forms[(number + 1) % len(forms)](text)


def told(done: Finished, *folders: Path) -> dict[str, str]:
    """Return all that a run has left behind: its streams and its files."""
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    texts = {str(path): path.read_bytes().decode("latin-1") for path in files}
    return {"stdout": done.out, "stderr": done.err, **texts}


def assert_untold(texts: dict[str, str], secrets: tuple[str, ...]) -> None:
    for name, text in texts.items():
        lowered = text.lower()
        for spelling in spelled(secrets):
            assert spelling.lower() not in lowered, name


@pytest.mark.slow
def test_an_echo_in_any_answer_reaches_no_log_report_ledger_or_stream(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path, secrets: tuple[str, ...]
) -> None:
    replies = [Reply(status=400, body=body) for body in echoes(secrets)]
    for number, text in enumerate(spelled(secrets)):
        safe = quote(text, safe="%")
        replies += [
            Reply(status=302, headers={"Location": f"https://{_host(text)}.example/{safe}"}),
            Reply(status=307, headers={"Location": f"//elsewhere.example/?token={safe}"}),
            Reply(status=308, headers={"Location": f"{safe}://elsewhere.example"}),
            Reply(body=text),
            Reply(body=json.dumps(text)),
        ]
        if not number % 8:
            headers = {"Retry-After": safe, "WWW-Authenticate": safe}
            replies.append(Reply(status=503, headers=headers, body=text))
            replies.append(Reply(status=500, body=text))
    Random(7).shuffle(replies)
    cloud.reply("submit", *replies)
    make_archive(source, 600)
    reports = tmp_path / "reports"
    done = run(
        *("convert", source, "-o", output, "--json", "--log-file", reports / "log", "-v"),
        *("--report", reports / "report.json", "--html-report", reports / "report.html"),
        *("--metrics-file", reports / "x.prom", "--failed-list", reports / "failed"),
        env={"BATCH_CONVERTER_RETRY__MAX_WAIT_S": "0.02"},
    )
    assert done.code == 1, done.err
    assert cloud.calls["submit"] > len(replies), "all of it was said"
    cloud.surprises.clear()  # what is no address is taken for a path
    texts = told(done, reports, output)
    assert any("***" in text for text in texts.values())
    assert_untold(texts, secrets)


def test_an_echo_in_a_result_reaches_no_log_report_ledger_or_stream(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path, secrets: tuple[str, ...]
) -> None:
    spellings = spelled(secrets)
    documents = make_archive(source, len(spellings))
    kinds = (
        lambda text: {"taskStatus": "Error", "error": {"messages": [text, f"Bearer {text}"]}},
        lambda text: {"taskStatus": text, "responseStatusCode": text},
        lambda text: {"taskStatus": "Completed", "error": {"warnings": [text]}},
        lambda text: {"taskStatus": "Error", "error": text},
        lambda text: {"taskStatus": "Error", "error": {text: text}},
        lambda text: {"taskStatus": "Completed", "id": text},
    )
    for number, (document, text) in enumerate(zip(documents, spellings, strict=True)):
        cloud.fates[document.read_bytes()] = kinds[number % len(kinds)](text)
    reports = tmp_path / "reports"
    done = run(
        *("convert", source, "-o", output, "--json", "--log-file", reports / "log", "-v"),
        *("--report", reports / "report.json", "--html-report", reports / "report.html"),
        *("--task-timeout", "1"),
    )
    assert done.code == 1, done.err
    texts = told(done, reports, output)
    assert "***" in texts[str(reports / "report.json")]
    assert_untold(texts, secrets)


@pytest.mark.slow
@pytest.mark.parametrize("refusal", [("token", 400), ("submit", 401), ("submit", 403)])
def test_an_account_that_is_refused_with_an_echo_is_told_without_it(
    cloud: Cloud,
    source: Path,
    output: Path,
    secrets: tuple[str, ...],
    refusal: tuple[str, int],
) -> None:
    kind, status = refusal
    make_archive(source, 1)
    body = json.dumps({"title": "No", "detail": " ".join(spelled(secrets)[:12])})
    cloud.always(kind, Reply(status=status, body=body))
    done = run("convert", source, "-o", output, "--json")
    assert done.code == 3
    assert "***" in done.err
    assert_untold(told(done, output), secrets)
    if kind == "token":
        assert_untold({"doctor": run("doctor", "-o", output).out}, secrets)


def _host(text: str) -> str:
    """Return what a host's name can hold of a text."""
    return "".join(char if char.isalnum() and char.isascii() else "-" for char in text)[:60]
