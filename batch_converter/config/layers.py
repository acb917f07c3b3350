"""Where settings come from: flags over environment over file over defaults.

Each layer is a flat mapping from dotted keys (`polling.interval`) to values, with
the place that each came from, so that `config check` can tell it.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import SecretStr, ValidationError

from batch_converter.config.files import (
    exposure_warnings,
    find_configuration,
    read_configuration,
    read_secret,
)
from batch_converter.config.in_force import values_in_force
from batch_converter.config.keys import KnownKeys
from batch_converter.config.run_variables import without_run_variables
from batch_converter.config.section import expand_user
from batch_converter.config.service_links import is_service_link
from batch_converter.config.settings import Settings, settings_with
from batch_converter.errors import ConfigError
from batch_converter.foreign_text import trimmed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from batch_converter.config.section import Section

ENV_PREFIX: Final = "BATCH_CONVERTER_"
CREDENTIALS: Final = {
    "ASPOSE_CLIENT_ID": "aspose.client_id",
    "ASPOSE_CLIENT_SECRET": "aspose.client_secret",
}
"""Variables with the account, as the service's own tools call them."""
_SECRETS: Final = ("aspose.client_secret", "serve.client_secret")
"""Each can stand in a file of its own, whose key ends with `_file`."""
_SECRET_KEYS: Final = (*_SECRETS, "aspose.proxy")
"""What a file is better not readable for: an address of a proxy may have a password."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A value as it was given, and where; its `repr` tells the place alone."""

    value: object = field(repr=False)
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedSettings:
    """The settings in force.

    Attributes:
        origins: Dotted key to where its value came from, for every key that is
            not a default.
        warnings: What the user should know about the files that were read.
    """

    settings: Settings
    origins: Mapping[str, str]
    warnings: tuple[str, ...]

    def in_force(self) -> Iterator[tuple[str, object, str]]:
        """Yield every key with its value and origin; secrets stay masked."""
        for key, value in values_in_force(self.settings):
            yield key, value, self.origins.get(key, "default")


def load_settings(
    *,
    flags: Mapping[str, object] | None = None,
    config_file: Path | None = None,
    environ: Mapping[str, str] | None = None,
    sections: Mapping[str, type[Section]] | None = None,
) -> LoadedSettings:
    """Read all layers and check them.

    Args:
        flags: Dotted keys given on the command line.
        config_file: The file that the user named; else the usual places.
        environ: The environment; `os.environ` where absent.
        sections: What there is beside the sections of `Settings`, by name.

    Raises:
        ConfigError: A key is unknown, a value is refused, a file is unreadable.
    """
    env = without_run_variables(os.environ if environ is None else environ)
    warnings: list[str] = []
    model = settings_with(sections or {})
    keys = KnownKeys.of(model)
    path = config_file or find_configuration(env, warnings)
    given = _from_file(path, keys)
    if path is not None and not given.keys().isdisjoint(_SECRET_KEYS):
        warnings += exposure_warnings(path, "configuration file")
    given |= _from_environment(env, keys, warnings)
    given |= _from_flags(flags or {})
    for key in _SECRETS:
        warnings += _resolve_secret_file(given, key)
    settings = _build(given, model)
    if (key_file := settings.aspose.key_file) is not None:
        warnings += exposure_warnings(key_file, "key file")
    origins = {key: item.origin for key, item in given.items()}
    return LoadedSettings(settings=settings, origins=origins, warnings=tuple(warnings))


def _from_file(path: Path | None, keys: KnownKeys) -> dict[str, Given]:
    if path is None:
        return {}
    return {
        keys.checked(key, where=str(path)): Given(value=value, origin=f"file {path}")
        for key, value in _flatten(read_configuration(path), keys)
    }


def _flatten(
    table: Mapping[str, Any], keys: KnownKeys, prefix: str = ""
) -> Iterator[tuple[str, object]]:
    for name, value in table.items():
        key = prefix + name
        if isinstance(value, dict) and not keys.is_table(key) and (value or keys.is_section(key)):
            yield from _flatten(value, keys, f"{key}.")
        else:
            yield key, value


def _from_environment(
    env: Mapping[str, str], keys: KnownKeys, warnings: list[str]
) -> dict[str, Given]:
    layer: dict[str, Given] = {}
    links: list[str] = []
    for name in (*CREDENTIALS, *sorted(env)):
        text = trimmed(env.get(name, ""))  # scripts with CR LF leave the CR
        key = _key_of_variable(name)
        if key is None or not text:
            continue
        if key not in keys and is_service_link(name, text):
            links.append(name)
            continue
        keys.checked(key, where=f"the environment variable {name}")
        value = _decoded(text, name, keys.json_example(key))
        layer[key] = Given(value=value, origin=f"environment {name}")
    if links:
        warnings.append(
            f"passed over, as a cluster's links to a service of this name: {', '.join(links)}"
        )
    return layer


def _key_of_variable(name: str) -> str | None:
    """Return the key that a variable sets, known or not; None where it is not for us."""
    if name.startswith(ENV_PREFIX):
        return name.removeprefix(ENV_PREFIX).lower().replace("__", ".")
    return CREDENTIALS.get(name)


def _decoded(text: str, name: str, example: str | None) -> object:
    """Decode a value that is a list or a table, and so stands as JSON in a variable."""
    if example is None:
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:  # a number too long is no JSONDecodeError
        msg = f"{name} must be JSON, such as {example}"
        raise ConfigError(msg) from error


def _from_flags(flags: Mapping[str, object]) -> dict[str, Given]:
    """Take the flags that were given; None is how an absent one is passed on."""
    return {
        key: Given(value=value, origin="flag") for key, value in flags.items() if value is not None
    }


def _resolve_secret_file(given: dict[str, Given], key: str) -> list[str]:
    """Read the secret `key` from its file, unless a stronger layer gave it directly."""
    file_key = f"{key}_file"
    file, direct = given.get(file_key), given.get(key)
    order = ("file", "environment", "flag")
    if file is None or (direct and _rank(direct, order) >= _rank(file, order)):
        return []
    try:
        path = Path(str(expand_user(str(file.value))))
    except ValueError as error:
        raise ConfigError(f"{file_key} ({file.origin}): {error}") from error
    secret = read_secret(path, file_key)
    given[key] = Given(value=SecretStr(secret), origin=f"{file.origin}, read from {path}")
    return exposure_warnings(path, "secret file")


def _rank(given: Given, order: tuple[str, ...]) -> int:
    return order.index(given.origin.split(" ", 1)[0])


def _build(given: Mapping[str, Given], model: type[Settings]) -> Settings:
    tree: dict[str, Any] = {}
    for key, item in given.items():
        *parents, leaf = key.split(".")
        node = tree
        for name in parents:
            node = node.setdefault(name, {})
        node[leaf] = item.value
    try:
        return model.model_validate(tree)
    except ValidationError as error:
        raise ConfigError(_explain(error, given)) from None


def _explain(error: ValidationError, given: Mapping[str, Given]) -> str:
    """Say what is wrong with each value, never the value itself: it may be a secret."""
    lines = []
    for detail in error.errors(include_url=False, include_input=False, include_context=False):
        message = detail["msg"].removeprefix("Value error, ")
        place = ".".join(str(part) for part in detail["loc"])
        key = _given_key(place, message, given)
        where = f" ({given[key].origin})" if key in given else ""
        lines.append(f"{key}{where}: {message}")
    return "; ".join(lines)


def _given_key(place: str, message: str, given: Mapping[str, Given]) -> str:
    """Return the key that the user wrote and that an error at `place` is about.

    The place may lie inside the key's value (`input.include.0`), or be the whole
    section, whose rules name the key in their message.
    """
    inside = [key for key in given if place == key or place.startswith(f"{key}.")]
    named = [key for key in given if message.startswith(f"{key.removeprefix(f'{place}.')} ")]
    return next(iter(inside + named), place)
