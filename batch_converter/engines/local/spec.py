"""The embedded engine as the registry knows it."""

from __future__ import annotations

import os
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

import anyio.to_thread

from batch_converter.djvu.work.kernel_folder import NoKernelFolderError, kernel_folder
from batch_converter.engines.local.engine import LocalEngine
from batch_converter.engines.local.options import NAME
from batch_converter.engines.local.programs import check_programs
from batch_converter.engines.spec import EngineResources, EngineSpec, Finding
from batch_converter.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batch_converter.config import Settings
    from batch_converter.engines.base import Converter
    from batch_converter.redaction import Redactor


def _build(settings: Settings, resources: EngineResources) -> Converter:
    return LocalEngine(settings.local, threads=resources.threads)


def _check_means(settings: Settings) -> None:
    check_programs(ocr=settings.local.ocr, pdfa=settings.local.pdfa)


async def _diagnose(settings: Settings, _redactor: Redactor) -> Sequence[Finding]:
    return await anyio.to_thread.run_sync(_findings, settings)


def _findings(settings: Settings) -> list[Finding]:
    texts = [f"embedded engine: djvu-rs {version('djvu-rs')}", f"kernels: {_kernels()}"]
    found = [Finding(is_good=True, text=text) for text in texts]
    try:
        _check_means(settings)
    except ConfigError as error:
        found.append(Finding(is_good=False, text=str(error), exit_code=error.exit_code))
    return found


def _kernels() -> str:
    try:
        return f"compiled, kept in {kernel_folder(os.environ)}"
    except NoKernelFolderError as error:
        return f"plain Python, not compiled: {error}"


SPEC: Final = EngineSpec(
    name=NAME,
    is_configured=lambda _: True,
    validate=lambda _: None,
    build=_build,
    diagnose=_diagnose,
    check_means=_check_means,
)
