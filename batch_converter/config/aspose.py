"""The section of the service, Aspose.OCR Cloud or whatever speaks its API, and of the account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field, model_validator

from batch_converter.config.credentials import ClientId, ClientSecret, missing_half
from batch_converter.config.names import is_loopback, split_place
from batch_converter.config.section import Rate, Seconds, Section, Size, UserPath

if TYPE_CHECKING:
    from pathlib import Path


class AsposeSettings(Section):
    """The service and the account."""

    base_url: str = "https://api.aspose.cloud"
    client_id: ClientId = None
    client_secret: ClientSecret = None
    client_secret_file: UserPath | None = None
    connect_timeout_s: Seconds = 30
    read_timeout_s: Seconds = 120
    max_upload_bytes: Size = 0
    requests_per_second: Rate | None = None
    ca_file: UserPath | None = None
    client_cert_file: UserPath | None = None
    client_key_file: UserPath | None = None
    proxy: Annotated[str | None, Field(repr=False)] = None  # may hold a password
    allow_insecure_http: bool = False
    settings: dict[str, object] = Field(default_factory=dict)

    @property
    def has_credentials(self) -> bool:
        """Whether both halves of the credentials are there."""
        return self.client_id is not None and self.client_secret is not None

    @property
    def key_file(self) -> Path | None:
        """The file in which the key of the client's certificate stands, if there is one."""
        return self.client_key_file or self.client_cert_file

    @property
    def missing_half(self) -> str | None:
        """Say which half of the credentials is missing where the other one is there."""
        return missing_half(self.client_id, self.client_secret)

    @model_validator(mode="after")
    def _check_client_key(self) -> Self:
        if self.client_key_file is not None and self.client_cert_file is None:
            raise ValueError(
                "client_key_file is set and no client_cert_file, which has the certificate that"
                " the key belongs to; set both, or neither"
            )
        return self

    @model_validator(mode="after")
    def _check_base_url(self) -> Self:
        parts = split_place("base_url", self.base_url)
        is_safe = self.allow_insecure_http or is_loopback(parts.hostname or "")
        if parts.scheme == "http" and not is_safe:
            raise ValueError(
                "base_url is plain http to another machine, where credentials could be read on the"
                " way; use https, or set aspose.allow_insecure_http = true"
            )
        return self
