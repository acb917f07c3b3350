"""The embedded engine as the registry knows it."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Final

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
    return [Finding(is_good=True, text=f"embedded engine: djvu-rs {version('djvu-rs')}")]


SPEC: Final = EngineSpec(
    name=NAME,
    is_configured=lambda _: True,
    validate=lambda _: None,
    build=_build,
    diagnose=_diagnose,
)
