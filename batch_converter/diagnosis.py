"""The checks of `doctor`, which change nothing and cost no billed call."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import anyio.to_thread

from batch_converter.engines.registry import ENGINES, choose_engine
from batch_converter.engines.spec import Finding
from batch_converter.errors import BatchConverterError, StartupError
from batch_converter.objects import ObjectAddress, ObjectClients
from batch_converter.output import free_bytes, nearest_folder
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
    try:
        place = output_place(settings)
        if isinstance(place, ObjectAddress):
            return _check_store(place, settings)
        return _check_folder(place)
    except StartupError as error:
        return Finding(is_good=False, text=f"output: {error}", exit_code=error.exit_code)
    except BatchConverterError as error:
        return _bad(f"output: {error}")


def _check_store(address: ObjectAddress, settings: Settings) -> Finding:
    try:
        next(ObjectClients(settings.remote, settings.retry).of(address).list(address.key), None)
    except OSError as error:
        return _bad(f"output {address}: {error.strerror}")
    return _good(f"output {address}: can be listed; state in {state_dir(settings)}")


def _check_folder(folder: Path) -> Finding:
    free = free_bytes(folder)
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
