"""All engines, one row each: the only place that names them."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final

from batch_converter import config
from batch_converter.engines.aspose.spec import SPEC as ASPOSE
from batch_converter.engines.dask.spec import SPEC as DASK
from batch_converter.engines.local import SPEC as LOCAL
from batch_converter.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from batch_converter.config import LoadedSettings, Section, Settings
    from batch_converter.engines.spec import EngineSpec

AUTO: Final = "auto"
"""Means the first engine that is configured."""

ENGINES: Final[Sequence[EngineSpec]] = (ASPOSE, DASK, LOCAL)
"""In the order in which `auto` looks at them; the last is always configured."""


def engine_names(engines: Sequence[EngineSpec] = ENGINES) -> list[str]:
    """Return what `--engine` takes."""
    return [AUTO, *(spec.name for spec in engines)]


def extra_sections(engines: Sequence[EngineSpec] = ENGINES) -> Mapping[str, type[Section]]:
    """Return the sections of the configuration that engines bring along."""
    return {spec.name: spec.section for spec in engines if spec.section is not None}


def load_settings(
    *,
    flags: Mapping[str, object] | None = None,
    config_file: Path | None = None,
    environ: Mapping[str, str] | None = None,
    engines: Sequence[EngineSpec] = ENGINES,
) -> LoadedSettings:
    """Read flags, environment and configuration file, the sections of engines with them.

    Args:
        flags: Dotted keys (`output.dir`) and values that come before all else.
        config_file: A TOML file; the usual places are looked at where absent.
        environ: The environment; `os.environ` where absent.
        engines: What there is to choose from; a program may bring one of its own.

    Raises:
        ConfigError: A key or an engine is unknown, a value is refused, a file is
            unreadable.
    """
    loaded = config.load_settings(
        flags=flags, config_file=config_file, environ=environ, sections=extra_sections(engines)
    )
    for spec in engines:
        spec.check(loaded.settings)
    if loaded.settings.engine != AUTO:
        find_engine(loaded.settings.engine, engines)
    return loaded


def choose_engine(settings: Settings, engines: Sequence[EngineSpec] = ENGINES) -> EngineSpec:
    """Return the engine that was asked for, or the one that `auto` means.

    Raises:
        ConfigError: There is none of that name, or its settings cannot be used.
    """
    chosen = _wanted_engine(settings, engines)
    chosen.validate(settings)
    return chosen


def check_means(settings: Settings, engines: Sequence[EngineSpec] = ENGINES) -> None:
    """Open the files, and look for the programs, that the settings of the engine name; blocking.

    Its account need not be there: it may come from the environment of whoever runs it.

    Raises:
        ConfigError: One cannot be used.
    """
    _wanted_engine(settings, engines).check_means(settings)


def _wanted_engine(settings: Settings, engines: Sequence[EngineSpec]) -> EngineSpec:
    if settings.engine == AUTO:
        return next(spec for spec in engines if spec.is_configured(settings))
    return find_engine(settings.engine, engines)


def choose_service(settings: Settings, engines: Sequence[EngineSpec] = ENGINES) -> EngineSpec:
    """Return the service that tasks may be out at: the chosen engine, else what is configured.

    Raises:
        ConfigError: None is configured; the message says what is missing.
    """
    services = [spec for spec in engines if spec.has_tasks]
    chosen = [spec for spec in services if spec.name == settings.engine]
    configured = [spec for spec in services if spec.is_configured(settings)]
    service = next(iter(chosen + configured + services))
    service.validate(settings)
    return service


def find_engine(name: str, engines: Sequence[EngineSpec] = ENGINES) -> EngineSpec:
    """Return the engine of that name.

    Raises:
        ConfigError: There is none.
    """
    for spec in engines:
        if spec.name == name:
            return spec
    names = engine_names(engines)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.0)[0]
    raise ConfigError(
        f"engine = {name!r}: there is {', '.join(names[:-1])} and {names[-1]};"
        f" the nearest is {near!r}"
    )
