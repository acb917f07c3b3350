"""Settings as they may be told: every key with its value, secrets masked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from pydantic import SecretStr

from batch_converter.config.keys import KnownKeys
from batch_converter.models import SettingInForce

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batch_converter.config.settings import Settings

_PROXY: Final = "aspose.proxy"
_OF_THE_SERVICE: Final = "serve."


def values_in_force(settings: Settings) -> Iterator[tuple[str, object]]:
    """Yield every key with its value; secrets stay masked."""
    for key in KnownKeys.of(type(settings)):
        value: object = settings
        for name in key.split("."):
            value = getattr(value, name)
        if key == _PROXY and value is not None:
            value = _without_password(str(value))
        yield key, value


def told(value: object) -> str:
    """Return a value of `values_in_force` as text."""
    if value is None:
        return "(not set)"
    if isinstance(value, SecretStr):
        return json.dumps(str(value))
    return json.dumps(value, default=str, ensure_ascii=False)


def settings_of_run(settings: Settings) -> Iterator[SettingInForce]:
    """Yield what a run goes by, to be recorded with it; `serve` has no part in one."""
    defaults = dict(values_in_force(type(settings)()))
    for key, value in values_in_force(settings):
        if not key.startswith(_OF_THE_SERVICE):
            is_default = value == defaults[key]
            yield SettingInForce(key=key, value=told(value), is_default=is_default)


def _without_password(url: str) -> str:
    scheme, separator, rest = url.rpartition("://")
    user, at, host = rest.rpartition("@")
    return f"{scheme}{separator}{'***' if user else ''}{at}{host}"
