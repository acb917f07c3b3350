"""What the service may answer, and what the process then says."""

from __future__ import annotations

import base64
import json
import os
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from tests.support.cloud import Reply, pdf_for
from tests.support.command import Finished, run, started, wait_until
from tests.support.pdfs import djvu_bytes, make_archive

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.cloud import Cloud

THROTTLED = Reply(status=429, headers={"Retry-After": "0"})
UNAVAILABLE = Reply(status=503)
LOST = Reply(drop=True)


def failures(report: Path) -> dict[str, dict[str, Any]]:
    """Return the errors of a report by source."""
    files = json.loads(report.read_bytes())["files"]
    return {file["source"]: file["error"] for file in files if file["error"]}


def test_bad_weather_passes_and_is_counted(cloud: Cloud, source: Path, output: Path) -> None:
    paths = make_archive(source, 12)
    cloud.reply("token", UNAVAILABLE, LOST)
    cloud.reply("submit", THROTTLED, UNAVAILABLE, Reply(status=408), Reply(status=500))
    cloud.reply("poll", THROTTLED, LOST, Reply(status=502), Reply(body='{"id": "cut o'))

    done = run("convert", source, "-o", output, "--json")

    assert done.code == 0
    for path in paths:
        assert (output / f"{path.stem}.pdf").read_bytes() == pdf_for(path.read_bytes())
    assert done.json["api_calls"] == cloud.bill()
    assert set(cloud.submissions.values()) == {1}
    assert done.named("service.throttled")


def test_an_answer_that_was_lost_is_told_and_paid_for_again(
    cloud: Cloud, source: Path, output: Path
) -> None:
    make_archive(source, 3)
    cloud.reply("submit", Reply(drop=True, acts=True))

    done = run("convert", source, "-o", output, "--json")

    assert done.code == 0
    assert done.json["submit_unknown"] == 1
    assert done.json["api_calls"] == cloud.bill()
    assert cloud.calls["submit"] == 4
    assert sorted(cloud.submissions.values()) == [1, 1, 2]
    assert done.named("file.retrying")


def test_a_revoked_token_is_renewed_once_for_all(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path
) -> None:
    make_archive(source, 4)
    cloud.hold("poll")
    arguments = ("convert", source, "-o", output, "--json", "--max-in-flight", "4")
    with started(tmp_path / "p", *arguments) as process:
        wait_until(lambda: cloud.active["poll"] == 4, "polls")
        cloud.revoke_tokens()
        cloud.release("poll")
        done = process.finish()

    assert done.code == 0
    assert cloud.calls["poll"] >= 8
    assert cloud.calls["token"] == 2
    assert done.json["api_calls"] == cloud.bill()
    assert done.named("auth.token_obtained")


def test_a_refused_request_is_the_files_own_failure(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path
) -> None:
    for name in ("a", "b", "c", "d"):
        (source / f"{name}.djvu").write_bytes(djvu_bytes(mark=name.encode()))
    problem = json.dumps({"title": "One or more errors", "detail": "image is not supported"})
    json_type = {"Content-Type": "application/problem+json"}
    cloud.reply(
        "submit",
        Reply(status=400, body=problem, headers=json_type),
        Reply(status=413, body="<html><head><title>Too big</title></head></html>"),
        Reply(status=422, body="plain words"),
    )
    report = tmp_path / "report.json"

    one_by_one = ("--max-in-flight", "1", "--order", "name")
    done = run("convert", source, "-o", output, "--report", report, *one_by_one)

    assert done.code == 1
    errors = failures(report)
    codes = {name: error["code"] for name, error in errors.items()}
    assert codes == {"a.djvu": "rejected", "b.djvu": "too_large", "c.djvu": "rejected"}
    assert "image is not supported" in errors["a.djvu"]["message"]
    assert "plain words" in errors["c.djvu"]["message"]
    assert "<html>" not in errors["b.djvu"]["message"]
    assert "a.djvu" in done.out  # the summary names them
    assert (output / "d.pdf").exists()


@pytest.mark.parametrize("refusal", ["token 400", "token 401", "submit 402", "poll 403"])
def test_a_refused_account_ends_the_run_with_3(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path, refusal: str
) -> None:
    kind, status = refusal.split()
    make_archive(source, 20)
    cloud.always(kind, Reply(status=int(status), body="your plan is used up"))
    report = tmp_path / "report.json"

    done = run("convert", source, "-o", output, "--json", "--report", report)

    assert done.code == 3
    assert done.json["exit_code"] == 3
    assert done.json["totals"]["remaining"] == 20
    assert json.loads(report.read_bytes())["exit_code"] == 3
    assert "your plan is used up" in done.err
    if kind == "token":
        assert cloud.calls == {"token": 1}
    # Requests that were on their way when the run ended may not have reached the service.
    unread = done.json["api_calls"]["billed"] - cloud.billed
    assert 0 <= unread <= 16


@pytest.mark.parametrize("asked", ["0", "Thu, 01 Jan 1970 00:00:00 GMT", "none"])
def test_a_burst_of_complaints_slows_down_once(
    cloud: Cloud, source: Path, output: Path, asked: str
) -> None:
    make_archive(source, 24)
    cloud.hold("submit")
    cloud.reply("submit", *[Reply(status=429, headers={"Retry-After": asked})] * 8)
    with started(output.parent / "p", "convert", source, "-o", output, "--json") as process:
        process.wait_until(lambda: cloud.active["submit"] == 8, "all uploads under way")
        cloud.release("submit")
        done = process.finish()
    assert done.code == 0
    assert len(done.named("service.throttled")) == 1
    assert done.json["api_calls"] == cloud.bill()
    assert cloud.calls["submit"] == 24 + 8


@pytest.mark.slow
@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("kind", ["token", "submit"])
def test_no_pause_is_longer_than_an_unavailable_service_is_borne(
    cloud: Cloud, source: Path, output: Path, kind: str, status: int
) -> None:
    make_archive(source, 3)
    cloud.always(kind, Reply(status=status, headers={"Retry-After": "600"}))
    patience = {"BATCH_CONVERTER_RETRY__UNAVAILABLE_AFTER_S": "0.3"}
    done = run("convert", source, "-o", output, "--json", env=patience)
    assert done.code == 6
    assert done.json["totals"]["remaining"] == 3
    cloud.as_usual(kind)
    assert run("convert", source, "-o", output).code == 0


@pytest.mark.slow
@pytest.mark.parametrize("lifetime", ["0", '"soon"', "9" * 400, "0.0001"])
def test_no_lifetime_of_a_token_makes_it_useless(
    cloud: Cloud, source: Path, output: Path, lifetime: str
) -> None:
    make_archive(source, 6)
    token = "given-by-hand"
    cloud.tokens.append(token)
    body = f'{{"access_token": "{token}", "token_type": "bearer", "expires_in": {lifetime}}}'
    cloud.always("token", Reply(body=body, headers={"Content-Type": "application/json"}))
    assert run("convert", source, "-o", output).code == 0
    assert cloud.calls["token"] == 1


def test_a_token_that_is_refused_when_fresh_ends_the_run_with_3(
    cloud: Cloud, source: Path, output: Path
) -> None:
    make_archive(source, 5)
    cloud.always("submit", Reply(status=401))
    done = run("convert", source, "-o", output, "--json")
    assert done.code == 3
    assert cloud.calls["token"] == 2


def test_a_token_that_worked_may_be_refused_later(cloud: Cloud, source: Path, output: Path) -> None:
    make_archive(source, 1)
    cloud.reply("submit", Reply(status=401))
    cloud.reply("poll", Reply(status=401))
    assert run("convert", source, "-o", output).code == 0
    assert cloud.calls["token"] == 3


@pytest.mark.slow
def test_a_service_that_stays_away_ends_the_run_with_6(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path
) -> None:
    make_archive(source, 5)
    report = tmp_path / "report.json"
    base = ("convert", source, "-o", output, "--json", "--report", report)

    nobody = run(*base, "--base-url", "http://127.0.0.1:9")
    assert nobody.code == 6
    assert nobody.json["api_calls"]["billed"] == 0
    assert nobody.json["totals"]["remaining"] == 5
    assert json.loads(report.read_bytes())["exit_code"] == 6

    cloud.always("submit", Reply(status=503, headers={"Retry-After": "86400"}))
    later = run(*base)
    assert later.code == 6
    assert later.json["api_calls"] == cloud.bill()
    cloud.as_usual("submit")

    cloud.always("poll", Reply(status=500))
    down = run(*base, env={"BATCH_CONVERTER_RETRY__UNAVAILABLE_AFTER_S": "0.05"})
    assert down.code == 6
    cloud.as_usual("poll")

    good = run(*base)
    assert good.code == 0
    assert good.json["totals"]["converted"] == 5
    assert set(cloud.submissions.values()) == {1}  # what was out at the service was fetched


def test_unusable_results_are_asked_for_once_more_then_submitted_again(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path
) -> None:
    fates: dict[str, dict[str, Any]] = {
        "no-base64": {"results": [{"type": "Pdf", "data": "%%%%"}]},
        "no-pdf": {"results": [{"type": "Pdf", "data": "aGVsbG8gd29ybGQ="}]},
        "no-result": {"results": []},
        "gone": {"taskStatus": "NotExist", "responseStatusCode": "TaskNotFound"},
    }
    for name, fate in fates.items():
        document = djvu_bytes(mark=name.encode())
        (source / f"{name}.djvu").write_bytes(document)
        cloud.fates[document] = {"taskStatus": "Completed", "responseStatusCode": "Ok", **fate}
    report = tmp_path / "report.json"

    attempts = ("--max-attempts", "2")
    done = run("convert", source, "-o", output, "--json", "--report", report, *attempts)

    assert done.code == 1
    codes = {name: error["code"] for name, error in failures(report).items()}
    assert codes == {
        "no-base64.djvu": "bad_response",
        "no-pdf.djvu": "bad_pdf",
        "no-result.djvu": "bad_response",
        "gone.djvu": "expired",
    }
    assert set(cloud.submissions.values()) == {2}
    assert cloud.calls["poll"] == 3 * 2 * 2 + 2
    assert done.json["api_calls"] == cloud.bill()
    assert done.named("file.resubmitted")
    assert not list(output.glob("*.pdf"))


@pytest.mark.slow
def test_warnings_beside_a_result_are_recorded(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path
) -> None:
    [path] = make_archive(source, 1)
    cloud.reply("poll", completed(path.read_bytes(), warnings=["page 3 was empty"]))
    report = tmp_path / "report.json"
    done = run("convert", source, "-o", output, "--report", report)
    assert done.code == 0
    assert json.loads(report.read_bytes())["files"][0]["warnings"] == ["page 3 was empty"]
    [line] = done.named("file.converted")
    assert line["warnings"] == ["page 3 was empty"]


def completed(document: bytes, *, warnings: list[str]) -> Reply:
    """Return a completed task's answer with warnings, indented, its keys the other way round."""
    data = base64.b64encode(pdf_for(document)).decode()
    answer = {
        "error": {"messages": None, "warnings": warnings},
        "results": [{"data": "bm90IHRoaXM=", "type": "Text"}, {"data": data, "type": "Pdf"}],
        "responseStatusCode": "Ok",
        "taskStatus": "Completed",
    }
    return Reply(body=json.dumps(answer, indent=2), headers={"Content-Type": "application/json"})


@pytest.mark.slow
def test_secrets_stand_nowhere(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_archive(source, 4)
    echo = f"bad request: {cloud.client_secret} and client_secret=s3cr3t%2Bof%2Fthe%3Dtests"
    cloud.reply("submit", Reply(status=400, body=echo), Reply(status=500, body=echo))
    cloud.reply("poll", Reply(status=500, body=echo))
    monkeypatch.setenv("HTTPS_PROXY", "http://user:pr0xy-pass@127.0.0.1:9")
    secret_file = tmp_path / "secret"
    secret_file.write_text(cloud.client_secret + "\n")
    secret_file.chmod(0o600)
    monkeypatch.delenv("ASPOSE_CLIENT_SECRET")
    monkeypatch.setenv("BATCH_CONVERTER_ASPOSE__CLIENT_SECRET_FILE", os.fspath(secret_file))

    written = tmp_path / "written"
    files = ("--report", written / "report.json", "--log-file", written / "log")
    done: list[Finished] = [
        run("convert", source, "-o", output, "-v", *files, "--failed-list", written / "failed")
    ]
    assert done[0].code == 1
    done += [
        run("config", "check"),
        run("status", "-o", output),
        run("report", "-o", output),
        run("doctor", "-o", output),
    ]
    cloud.always("token", Reply(status=400, body=echo))
    done += [run("convert", source, "-o", output, "--overwrite", "always")]
    assert done[-1].code == 3

    everything = "".join(one.out + one.err for one in done).encode()
    for path in (*written.iterdir(), *(output / ".batch-converter").rglob("*")):
        if path.is_file():
            everything += path.read_bytes()
    secrets = [cloud.client_secret, "s3cr3t%2Bof%2Fthe%3Dtests", "pr0xy-pass", *cloud.tokens]
    assert cloud.tokens
    assert [secret for secret in secrets if secret.encode() in everything] == []
    assert b"QVQmVEZPUk0" not in everything  # the documents' first bytes in Base64


@pytest.mark.slow
def test_a_client_certificate_is_looked_at_before_anything_begins(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path
) -> None:
    make_archive(source, 1)
    pem = tmp_path / "client.pem"
    trustme.CA().issue_cert("client").private_key_and_cert_chain_pem.write_to_path(str(pem))
    pem.chmod(0o600)
    good, bad = (
        {"BATCH_CONVERTER_ASPOSE__CLIENT_CERT_FILE": os.fspath(path)}
        for path in (pem, tmp_path / "none.pem")
    )
    known = run("doctor", "-o", output, env=good)
    assert known.code == 0
    assert f"client certificate {pem}: " in known.out
    assert cloud.calls["token"] == 1
    why = f"aspose.client_cert_file {tmp_path}/none.pem cannot be read: No such file or directory"
    unknown = run("doctor", "-o", output, env=bad)
    assert (unknown.code, why in unknown.out) == (1, True)
    refused = run("convert", source, "-o", output, env=bad)
    assert (refused.code, why in refused.err) == (2, True)
    assert cloud.calls["token"] == 1
