"""Client ids and secrets: stripped of stray characters, checked, and looked at as a pair."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, SecretStr

from batch_converter.foreign_text import trimmed


def _cleaned(value: object) -> object:
    """Take off what shells and editors leave at both ends; nothing at all is absent."""
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    return trimmed(value) or None if isinstance(value, str) else value


def _legible(value: str | None) -> str | None:
    """Refuse what no account holds, and what could not be sent."""
    if value is not None and not value.isprintable():
        raise ValueError("holds a line break or another character inside that cannot be meant")
    return value


def _legible_secret(value: SecretStr | None) -> SecretStr | None:
    _legible(None if value is None else value.get_secret_value())
    return value


ClientId = Annotated[str | None, BeforeValidator(_cleaned), AfterValidator(_legible)]
ClientSecret = Annotated[
    SecretStr | None, BeforeValidator(_cleaned), AfterValidator(_legible_secret)
]


def missing_half(client_id: str | None, client_secret: SecretStr | None) -> str | None:
    """Say which half of the credentials is missing where the other one is there."""
    if (client_id is None) is (client_secret is None):
        return None
    if client_id is None:
        return (
            "a client secret is set and no client id: set ASPOSE_CLIENT_ID or aspose.client_id too"
        )
    return (
        "a client id is set and no client secret: set ASPOSE_CLIENT_SECRET,"
        " aspose.client_secret or aspose.client_secret_file too"
    )
