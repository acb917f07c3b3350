"""The embedded engine as the registry knows it."""

from __future__ import annotations

import os
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

import anyio.to_thread

from batch_converter.djvu.work.kernel_folder import NoKernelFolderError, kernel_folder
from batch_converter.engines.local.engine import LocalEngine
from batch_converter.engines.local.options import NAME
from batch_converter.engines.spec import EngineResources, EngineSpec, Finding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batch_converter.config import Settings
    from batch_converter.engines.base import Converter
    from batch_converter.redaction import Redactor


def _build(settings: Settings, resources: EngineResources) -> Converter:
    return LocalEngine(settings.local, threads=resources.threads)


async def _diagnose(_settings: Settings, _redactor: Redactor) -> Sequence[Finding]:
    kernels = await anyio.to_thread.run_sync(_kernels)
    texts = [f"embedded engine: djvu-rs {version('djvu-rs')}", f"kernels: {kernels}"]
    return [Finding(is_good=True, text=text) for text in texts]


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
)
