"""The checks of `doctor`, which leave nothing behind and cost no billed call."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import anyio.to_thread

from batch_converter.engines.registry import ENGINES, choose_engine
from batch_converter.engines.spec import Finding
from batch_converter.errors import OutputError, StartupError
from batch_converter.objects import ObjectAddress, ObjectClients
from batch_converter.output import check_takes_files
from batch_converter.state import output_place, state_dir

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from batch_converter.config import Settings
    from batch_converter.engines.spec import EngineSpec
    from batch_converter.redaction import Redactor


async def diagnose(
    settings: Settings, redactor: Redactor, *, engines: Sequence[EngineSpec] = ENGINES
) -> list[Finding]:
    """Check engine, credentials, reachability and output folder, in this order."""
    try:
        spec = choose_engine(settings, engines)
    except StartupError as error:
        text = f"engine: {error}"
        findings = [Finding(is_good=False, text=text, exit_code=error.exit_code)]
    else:
        findings = [_good(f"engine: {spec.name} ({settings.engine})")]
        findings += await spec.diagnose(settings, redactor)
    findings.append(await anyio.to_thread.run_sync(_check_output, settings))
    return findings


def _check_output(settings: Settings) -> Finding:
    """Look at where PDFs go, and at the state directory, without which no run begins."""
    try:
        place, state = output_place(settings), state_dir(settings)
        if isinstance(place, ObjectAddress):
            found = f"{_listed(place, settings)}; state in {state}"
        else:
            found = _writable(place)
        check_takes_files(state)
    except StartupError as error:
        return Finding(is_good=False, text=f"output: {error}", exit_code=error.exit_code)
    except OutputError as error:
        return Finding(is_good=False, text=f"output: {error}")
    return _good(f"output {place}: {found}")


def _listed(address: ObjectAddress, settings: Settings) -> str:
    try:
        next(ObjectClients(settings.remote, settings.retry).of(address).list(address.key), None)
    except OSError as error:
        raise OutputError(f"{address}: {error.strerror}") from error
    return "can be listed"


def _writable(folder: Path) -> str:
    free_bytes = check_takes_files(folder)
    return "writable" if math.isinf(free_bytes) else f"writable, {free_bytes / 1e9:.1f} GB free"


def _good(text: str) -> Finding:
    return Finding(is_good=True, text=text)
