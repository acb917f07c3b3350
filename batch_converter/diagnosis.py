"""Is everything in place? Checks that change nothing and cost no billed call."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

import anyio.to_thread

from batch_converter.engines.aspose import AsposeEngine
from batch_converter.errors import AccountRefusedError, BatchConverterError, ExitCode, StartupError
from batch_converter.models import CallOutcome, EngineName
from batch_converter.output import free_bytes, nearest_folder
from batch_converter.state import output_dir
from batch_converter.wiring import choose_engine

if TYPE_CHECKING:
    from pathlib import Path

    from batch_converter.config import Settings
    from batch_converter.models import CallKind, Document
    from batch_converter.redaction import Redactor


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The outcome of one check, in a line.

    Attributes:
        exit_code: What it makes of the whole, where it is not good.
    """

    is_good: bool
    text: str
    exit_code: ExitCode = ExitCode.SOME_FAILED


class _Uncounted:
    """A meter for requests that cost nothing and belong to no run."""

    async def begin(self, kind: CallKind, document: Document | None) -> int:  # noqa: ARG002  # the Protocol's
        return 0

    def end(self, call_id: int, outcome: CallOutcome, *, http_status: int | None = None) -> None:
        pass


async def diagnose(settings: Settings, redactor: Redactor) -> list[Finding]:
    """Check engine, credentials, reachability and output folder, in this order."""
    try:
        engine = choose_engine(settings)
        findings = [_good(f"engine: {engine} ({settings.engine})")]
    except StartupError as error:
        text = f"engine: {error}"
        engine, findings = None, [Finding(is_good=False, text=text, exit_code=error.exit_code)]
    if engine is EngineName.ASPOSE:
        findings += await _check_account(settings, redactor)
    elif engine is EngineName.LOCAL:
        findings.append(_good(f"embedded engine: djvu-rs {version('djvu-rs')}"))
    findings.append(await anyio.to_thread.run_sync(_check_output, settings))
    return findings


async def _check_account(settings: Settings, redactor: Redactor) -> list[Finding]:
    """Ask for a token, once: that proves the address, the way to it and the credentials."""
    where = settings.aspose.base_url
    once = settings.retry.model_copy(update={"request_attempts": 1})
    try:
        async with AsposeEngine(
            settings.aspose, once, meter=_Uncounted(), max_submissions=1, redactor=redactor
        ) as engine:
            await engine.authorize()
    except AccountRefusedError as error:
        return [_bad(f"credentials: {error}"), _good(f"service {where}: reached")]
    except BatchConverterError as error:
        return [_bad("credentials: could not be tried"), _bad(f"service {where}: {error}")]
    return [_good("credentials: accepted"), _good(f"service {where}: reached")]


def _check_output(settings: Settings) -> Finding:
    try:
        folder = output_dir(settings)
        free = free_bytes(folder)
    except BatchConverterError as error:
        return _bad(f"output: {error}")
    there: Path = nearest_folder(folder)
    if blocker := next((place for place in (folder, *folder.parents) if place.is_file()), None):
        return _bad(f"output {folder}: {blocker} is a file")
    if not os.access(there, os.W_OK | os.X_OK):
        return _bad(f"output {folder}: {there} cannot be written")
    return _good(f"output {folder}: writable, {free / 1e9:.1f} GB free")


def _good(text: str) -> Finding:
    return Finding(is_good=True, text=text)


def _bad(text: str) -> Finding:
    return Finding(is_good=False, text=text)
