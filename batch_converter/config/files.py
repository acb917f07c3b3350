"""Configuration and secret files: found, read, and checked for modes that let others read."""

from __future__ import annotations

import stat
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import platformdirs

from batch_converter.errors import ConfigError
from batch_converter.foreign_text import odd_space, read_text, trimmed

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE_NAME: Final = "batch-converter.toml"
_MAX_CONFIG_BYTES: Final = 1 << 20
_MAX_SECRET_BYTES: Final = 1 << 16


def find_configuration(env: Mapping[str, str], warnings: list[str]) -> Path | None:
    """Look in the usual places; one that cannot be looked at is passed over with a warning.

    Nobody has said that a file is there, so a working folder or a home folder that is
    closed to this user, as a service's often is, keeps nothing from running.
    """
    for place in (Path(FILE_NAME), _users_file(env)):
        try:
            if place is not None and stat.S_ISREG(place.stat().st_mode):
                return place
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            warnings.append(
                f"cannot look for a configuration file at {place}: {error.strerror};"
                " going on without it"
            )
    return None


def _users_file(env: Mapping[str, str]) -> Path | None:
    home = env.get("XDG_CONFIG_HOME")
    try:
        folder = Path(home) if home else platformdirs.user_config_path()
    except RuntimeError:  # a user without a name and without HOME has no folder either
        return None
    return folder / "batch-converter" / "config.toml"


def read_configuration(path: Path) -> dict[str, Any]:
    """Return the tables of a configuration file.

    Raises:
        ConfigError: It cannot be read, or is no TOML.
    """
    text = read_text(path, "the configuration file", max_bytes=_MAX_CONFIG_BYTES)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        msg = f"the configuration file {path} is not valid TOML: {error}{_hint(text)}"
        raise ConfigError(msg) from error


def _hint(text: str) -> str:
    """Name a space that only looks like one: copied from a page, it breaks the syntax unseen."""
    odd = odd_space(text)
    return "" if odd is None else f"; line {odd[0]} holds {odd[1]}, a space that is none"


def read_secret(path: Path, key: str) -> str:
    """Return the secret that is alone in a file.

    Raises:
        ConfigError: It cannot be read, or holds nothing.
    """
    secret = trimmed(read_text(path, key, max_bytes=_MAX_SECRET_BYTES))
    if not secret:
        msg = f"{key} {path} is empty"
        raise ConfigError(msg)
    return secret


def exposure_warnings(path: Path, what: str) -> list[str]:
    """Say how to close a file that others may read."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return []
    if mode & (stat.S_IRGRP | stat.S_IROTH):
        return [f"others may read the {what} {path}; run: chmod 600 {path}"]
    return []
