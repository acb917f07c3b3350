"""The report as one page for a browser: all in one file, and nothing from elsewhere.

Its head, plots and lists of failures are plain HTML, there without any script. The table of
all files is drawn by the page's script, from data in the page, a hundred rows at a time.
Style and script are named by their digests in the page's policy: nothing else is obeyed,
whatever a name holds.
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from importlib import metadata, resources
from typing import TYPE_CHECKING, Final, NamedTuple

from batch_converter.logs import printable
from batch_converter.report.atomic_writer import replacing
from batch_converter.report.formatting import cost, duration, pluralized, short_duration, size
from batch_converter.report.human import headline
from batch_converter.report.json_report import moment_text
from batch_converter.report.page_data import PageData
from batch_converter.report.plot_data import FigureCollector
from batch_converter.report.run_ending import run_ending
from batch_converter.report.trouble_lists import TroubleLists

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime
    from pathlib import Path

    from jinja2 import Template

    from batch_converter.models import FileReport, Price, RunSummary

_FLUSH_PIECES: Final = 500
_SMALL_SHARE: Final = 0.005


def write_html_report(
    path: Path,
    summary: RunSummary,
    files: Callable[[], Iterable[FileReport]],
    *,
    price: Price,
) -> None:
    """Write the page; it appears whole, on disk, or not at all.

    Args:
        path: Where it goes; missing folders are made.
        summary: The run.
        files: Gives what it did with each file, one at a time; called three times.
        price: Of a billed call.

    Raises:
        OutputError: It cannot be written.
    """
    collector, troubles = FigureCollector(summary), TroubleLists()
    for file in files():
        collector.add(file)
        troubles.add(file)
    stream = _template().stream(
        summary=summary,
        headline=headline(summary),
        ending=run_ending(summary),
        cost=cost(summary.api_calls, price),
        figures=collector.figures(),
        troubles=troubles,
        data=PageData(summary, files),
        style=_inline("report.css"),
        script=_inline("report.js"),
        version=metadata.version("batch-converter"),
    )
    stream.enable_buffering(_FLUSH_PIECES)
    with replacing(path, "HTML report") as out:
        for piece in stream:
            out.write(piece.encode())


class _Inline(NamedTuple):
    """A text that stands in the page, and its name in the page's policy."""

    text: str
    digest: str


@cache
def _inline(name: str) -> _Inline:
    text = resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return _Inline(text=text, digest=f"sha256-{digest}")


@cache
def _template() -> Template:
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415  # for few runs

    environment = Environment(
        loader=PackageLoader("batch_converter.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "duration": duration,
        "moment": moment_text,
        "pluralized": pluralized,
        "printable": printable,
        "share": _share,
        "short_duration": _short_duration,
        "size": size,
        "thousands": "{:,}".format,
        "utc": _utc,
    }
    return environment.get_template("report.html.jinja")


def _utc(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _short_duration(seconds: float) -> str:
    """Return it with no line break between a number and its unit."""
    return re.sub(r"(?<=\d) ", "\N{NO-BREAK SPACE}", short_duration(seconds))


def _share(part: float) -> str:
    return "<\N{NO-BREAK SPACE}1%" if 0 < part < _SMALL_SHARE else f"{part:.0%}"
