"""Write the pictures of the HTML report that README shows, of a made-up night.

Run: python -m tests.browser.report_picture docs/images
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Final

from PIL import Image

from batch_converter.errors import ErrorCode
from batch_converter.models import ApiCalls, FileReport, FileStatus, Phase, Price, Timeline
from batch_converter.report import write_html_report
from tests.support.chromium import chromium
from tests.support.report_page import converted, failed, left, summary_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batch_converter.models import RunSummary

NIGHT: Final = datetime(2026, 11, 28, 22, 30, tzinfo=UTC)
FOLDERS: Final = ("Letters/1911", "Letters/1912", "Maps/Moravia", "Newspapers/Lidové noviny")
DOCUMENTS: Final = 2_000
CUT: Final = "ends after 40,112 bytes and says that it has 51,200: it is cut off"


def main(target: Path) -> None:
    """Write `report-head.png` and `report-documents.png`."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "report.html"
        files = sorted(_files(), key=lambda file: file.source)
        price = Price(per_call=0.01, currency="EUR")
        write_html_report(path, _summary(files), lambda: iter(files), price=price)
        with chromium() as browser:
            page = browser.new_page(
                viewport={"width": 1280, "height": 1800}, device_scale_factor=0.75
            )
            page.goto(path.as_uri())
            _write(target / "report-head.png", page.screenshot())
            page.set_viewport_size({"width": 1280, "height": 860})
            page.evaluate("documents.scrollIntoView(); scrollBy(0, -24)")
            page.locator("#table button.name").nth(5).click()
            _write(target / "report-documents.png", page.screenshot())


def _write(path: Path, picture: bytes) -> None:
    """Write a picture in as few colours as it needs, which halves it."""
    Image.open(BytesIO(picture)).convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE).save(
        path, optimize=True
    )


def _summary(files: list[FileReport]) -> RunSummary:
    return replace(
        summary_of(files),
        run_id="20261128T223000Z-4f1c",
        started_at=NIGHT,
        finished_at=NIGHT + timedelta(seconds=DOCUMENTS * 2.7 + 60),
        api_calls=ApiCalls(
            token=2,
            submit=sum(file.attempts for file in files),
            poll=sum(file.polls for file in files),
        ),
        submit_unknown=0,
        causes=("the budget of 4,500 calls is spent",),
    )


def _files() -> Iterator[FileReport]:
    random = Random(4)  # the same picture each time
    at_s = 0.0
    for number in range(DOCUMENTS):
        name = f"{random.choice(FOLDERS)}/{number:05}"
        at_s += random.expovariate(1 / (1.6 if number // 400 % 2 else 3.4))
        if number > DOCUMENTS - 60:
            yield replace(left(name), source_root="/srv/scans")
        elif number % 600 == 5:
            code, said = random.choice(
                [
                    (ErrorCode.NOT_DJVU, f"{name}.djvu {CUT}"),
                    (
                        ErrorCode.CONVERSION_ERROR,
                        "the service could not convert it: image too large",
                    ),
                ]
            )
            yield _failed(name, at_s, code, said)
        else:
            yield _converted(name, at_s, random)


def _failed(name: str, at_s: float, code: ErrorCode, said: str) -> FileReport:
    is_sent = code is ErrorCode.CONVERSION_ERROR
    after = ((Phase.UPLOADING, 1.0), (Phase.AT_SERVICE, 17.0)) if is_sent else ()
    began_at = NIGHT + timedelta(seconds=at_s)
    return replace(
        failed(name, code=code, message=said),
        timeline=Timeline(began_at=began_at, phases=((Phase.QUEUED, 1.5), *after)),
        attempts=int(is_sent),
        polls=2 * int(is_sent),
        pages=64,
        bytes_in=5 << 20,
    )


def _converted(name: str, at_s: float, random: Random) -> FileReport:
    mib = random.lognormvariate(0.3, 0.8)
    phases = (
        (Phase.QUEUED, random.random() * 3),
        (Phase.UPLOADING, mib / 3 + random.random()),
        (Phase.AT_SERVICE, random.lognormvariate(2.6, 0.6)),
        (Phase.DOWNLOADING, mib / 4),
        (Phase.CHECKING, mib / 9),
    )
    began_at = NIGHT + timedelta(seconds=at_s)
    ended_at = began_at + timedelta(seconds=sum(seconds for _, seconds in phases))
    odd = random.random() < 0.001
    return replace(
        converted(name, mib=mib, polls=1 + int(random.expovariate(1.2))),
        status=FileStatus.CONVERTED,
        submitted_at=began_at + timedelta(seconds=phases[0][1] + phases[1][1]),
        completed_at=ended_at,
        pages=int(mib * 14) + 1,
        bytes_out=int(mib * random.lognormvariate(0.8, 0.4) * (1 << 20)),
        warnings=("the PDF has no text, and the DjVu has a text layer",) if odd else (),
        timeline=Timeline(began_at=began_at, phases=phases),
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
