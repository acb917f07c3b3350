"""The bodies of the REST interface as dataclasses, by the names that they have on the wire.

The service writes its answers with them, and describes itself by them in OpenAPI.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Final, Literal

from pydantic import Field, WithJsonSchema

from batch_converter.wire.vocabulary import ResponseCode, TaskStatus

RESULT_TYPE: Final = "Pdf"
_BASE64: Final = "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})$"

Base64 = Annotated[
    str, Field(min_length=4, pattern=_BASE64, json_schema_extra={"contentEncoding": "base64"})
]
StatusWord = Annotated[str | None, WithJsonSchema({"type": "string", "enum": list(TaskStatus)})]
CodeWord = Annotated[str | None, WithJsonSchema({"type": "string", "enum": list(ResponseCode)})]
RefusalWord = Annotated[
    str,
    WithJsonSchema(
        {"type": "string", "enum": ["invalid_client", "invalid_request", "unsupported_grant_type"]}
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """The form that asks for a token."""

    grant_type: Literal["client_credentials"]
    client_id: Annotated[str, Field(min_length=1, max_length=256)]
    client_secret: Annotated[
        str, Field(min_length=1, repr=False, json_schema_extra={"format": "password"})
    ] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token, and for how many seconds it is valid."""

    access_token: str = field(repr=False)
    expires_in: int
    token_type: Literal["bearer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenError:
    """Why there is no token (RFC 6749, 5.2)."""

    error: RefusalWord


@dataclass(frozen=True, slots=True, kw_only=True)
class OCRDjVu2PDFBody:
    """A submission: the DjVu in Base64; the vendor's settings are taken without effect."""

    image: Base64
    settings: dict[str, object] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OCRResult:
    """The PDF, in Base64."""

    type: Literal["Pdf"]
    data: Annotated[str, Field(json_schema_extra={"contentEncoding": "base64"})]


@dataclass(frozen=True, slots=True, kw_only=True)
class OCRError:
    """Why a task failed, or what is to be known beside its result."""

    messages: list[str]
    warnings: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class OCRResponse:
    """Where a task stands and, once it is there, the PDF."""

    id: str | None
    taskStatus: StatusWord  # noqa: N815  # the name on the wire
    responseStatusCode: CodeWord  # noqa: N815  # the name on the wire
    results: list[OCRResult] | None
    error: OCRError | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemDetails:
    """Why a request was refused (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthAnswer:
    """Whether the service can do its work, and how many tasks stand in each state."""

    status: Literal["ok", "degraded"]
    version: str
    tasks: dict[TaskStatus, int]
    reasons: list[str]
