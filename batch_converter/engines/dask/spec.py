"""The engine of clusters as the registry knows it; Dask itself is loaded when it is opened."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from batch_converter.engines.dask import NAME
from batch_converter.engines.dask.settings import DaskSettings
from batch_converter.engines.spec import EngineResources, EngineSpec, Finding
from batch_converter.errors import ConfigError, ServiceUnavailableError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batch_converter.config import Settings
    from batch_converter.engines.base import Converter
    from batch_converter.redaction import Redactor

_NEEDED: Final = ("distributed", "cryptography")


def _validate(_settings: Settings) -> None:
    lacking = [name for name in _NEEDED if find_spec(name) is None]
    if lacking:
        raise ConfigError(
            f"--engine dask needs {' and '.join(lacking)}: pip install 'batch-converter[dask]'"
        )


def _build(settings: Settings, resources: EngineResources) -> Converter:
    from batch_converter.engines.dask.engine import DaskEngine  # noqa: PLC0415  # an extra

    return DaskEngine(
        settings.section(DaskSettings),
        settings.local,
        max_in_flight=settings.concurrency.max_in_flight,
        threads=resources.threads,
        events=resources.events,
        open_source=resources.open_source,
    )


async def _diagnose(settings: Settings, _redactor: Redactor) -> Sequence[Finding]:
    from batch_converter.engines.dask.diagnosis import diagnose  # noqa: PLC0415  # an extra

    try:
        _validate(settings)
        return await diagnose(settings.section(DaskSettings), settings.local)
    except (ConfigError, ServiceUnavailableError) as error:
        return [Finding(is_good=False, text=str(error), exit_code=error.exit_code)]


SPEC: Final = EngineSpec(
    name=NAME,
    is_configured=lambda _: False,
    validate=_validate,
    build=_build,
    diagnose=_diagnose,
    section=DaskSettings,
)
