"""The section of `serve`, the service on the embedded engine."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BeforeValidator, Field

from batch_converter.config.credentials import ClientId, ClientSecret  # noqa: TC001  # pydantic's
from batch_converter.config.names import parse_host, parse_network
from batch_converter.config.section import MOST_SECONDS, Count, Seconds, Section, Size, UserPath
from batch_converter.config.units import parse_size

_MOST_HOURS: Final = 1_000_000


class ServeSettings(Section):
    """The API-compatible service.

    Attributes:
        max_pages: Pages of a document; 0 is no limit, here and in the next two.
        max_pdf_bytes: Length of a document's PDF.
        max_document_s: Time that workers spend on a document, all together.
        retention_hours: How long a document and its PDF are kept from its submission; a
            million hours, 114 years, at most: the calendar of a program ends with the year 9999.
        max_body_bytes: The longest document; a body that holds one may be twice as long.
        max_disk_bytes: What all documents and PDFs together may take.
        max_queued: Documents that have not ended, of all clients.
        max_queued_per_client: The same of one.
        hosts: Names that requests may be addressed to, beside those of loopback; empty
            for any. Without an account only loopback's are answered.
        trusted_proxies: Addresses or networks whose `X-Forwarded-*` are believed.
        max_connections: Of all clients; 0 is as many as open files allow, 4,096 at most.
        max_connections_per_address: Of one client (of IPv6 its /64); not of trusted proxies.
        header_timeout_s: From a request's first byte to the end of its headers.
        keep_alive_s: How long a connection may stay open without a request.
        min_body_bytes_per_s: Bodies and answers that go slower are given up, after a while.
        write_timeout_s: Patience with a client that reads nothing of its answer.
    """

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8080
    client_id: ClientId = None
    client_secret: ClientSecret = None
    client_secret_file: UserPath | None = None
    clients_file: UserPath | None = None
    data_dir: UserPath | None = None
    max_pages: Annotated[int, Field(ge=0)] = 10_000
    max_pdf_bytes: Size = 4 << 30
    max_document_s: Annotated[float, Field(ge=0, le=MOST_SECONDS)] = 3600
    retention_hours: Annotated[float, Field(gt=0, le=_MOST_HOURS)] = 24
    max_body_bytes: Annotated[int, BeforeValidator(parse_size), Field(ge=1)] = 512 << 20
    max_disk_bytes: Annotated[int, BeforeValidator(parse_size), Field(ge=1)] = 20 << 30
    max_queued: Count = 10_000
    max_queued_per_client: Count = 5_000
    hosts: tuple[Annotated[str, BeforeValidator(parse_host)], ...] = ()
    trusted_proxies: tuple[Annotated[str, BeforeValidator(parse_network)], ...] = ()
    max_connections: Annotated[int, Field(ge=0)] = 0
    max_connections_per_address: Count = 512
    header_timeout_s: Seconds = 10
    keep_alive_s: Seconds = 30
    min_body_bytes_per_s: Size = 1024
    write_timeout_s: Seconds = 60
