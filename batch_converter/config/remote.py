"""The section of object stores."""

from __future__ import annotations

from pydantic import field_validator

from batch_converter.config.names import split_place
from batch_converter.config.section import Section


class RemoteSettings(Section):
    """Object stores; credentials come from their usual environment, never from here.

    Attributes:
        endpoint: Address of a store that is not the provider's own (MinIO, Ceph, an emulator).
        region: Of S3.
        allow_http: Whether plain http may go to other machines than this one.
        anonymous: Requests are not signed: for public buckets.
    """

    endpoint: str | None = None
    region: str | None = None
    allow_http: bool = False
    anonymous: bool = False

    @field_validator("endpoint")
    @classmethod
    def _check_endpoint(cls, value: str | None) -> str | None:
        if value is not None:
            split_place("endpoint", value)
        return value
