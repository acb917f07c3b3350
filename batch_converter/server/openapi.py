"""The service described in OpenAPI 3.1, as `/openapi.json` gives it.

Bodies are described by the dataclasses that answers are written with (`wire.bodies`),
so that the description cannot say anything else than the service.
"""

from __future__ import annotations

import json
from importlib import metadata
from typing import Any, Final

from pydantic import TypeAdapter

from batch_converter.wire import (
    CONVERT_PATH,
    FORM_TYPE,
    ID_PARAMETER,
    JSON_TYPE,
    PROBLEM_TYPE,
    STATUS_PATH,
    TEXT_TYPE,
    TOKEN_PATH,
)
from batch_converter.wire.bodies import (
    Credentials,
    HealthAnswer,
    OCRDjVu2PDFBody,
    OCRResponse,
    ProblemDetails,
    Token,
    TokenError,
)

VERSION: Final = metadata.version("batch-converter")

_Json = dict[str, Any]

_TAKEN: Final = (Credentials, OCRDjVu2PDFBody)
_GIVEN: Final = (OCRResponse, ProblemDetails, Token, TokenError, HealthAnswer)

_REFUSALS: Final = {
    400: "The request is malformed: its `Host`, its query or its body.",
    401: "The token is missing, unknown or expired.",
    403: "A page from elsewhere may not do this (`Origin`, `Sec-Fetch-Site`).",
    408: "The request came too slowly.",
    413: "The body is larger than is taken (`serve.max_body_bytes`).",
    415: "The body has a `Content-Encoding`, which is not taken.",
    417: "Something else than `100-continue` is expected.",
    421: "The service does not answer to this name (`serve.hosts`).",
    429: "As much waits already as may (`serve.max_queued`), or too many wrong secrets were given.",
    500: "The service failed; its log says why.",
    503: "The service cannot do this now, or the address has too many connections.",
    507: "There is no room for the document and its PDF.",
}
_UNAUTHORIZED: Final = 401
_WAITING: Final = frozenset({429, 503, 507})
_ALWAYS: Final = (400, 408, 413, 415, 417, 421, 500, 503)
"""What any request may be answered with: the guards stand before every endpoint."""


def _schemas() -> _Json:
    """Return the schemas of all bodies, by name."""
    adapters: list[Any] = [(kind, "validation", TypeAdapter(kind)) for kind in _TAKEN]
    adapters += [(kind, "serialization", TypeAdapter(kind)) for kind in _GIVEN]
    _, found = TypeAdapter.json_schemas(adapters, ref_template="#/components/schemas/{model}")
    schemas: _Json = found["$defs"]
    return schemas


def _ref(kind: type) -> _Json:
    return {"$ref": f"#/components/schemas/{kind.__name__}"}


def _content(media_type: str, schema: _Json) -> _Json:
    return {media_type: {"schema": schema}}


def _answer(description: str, media_type: str, schema: _Json) -> _Json:
    return {"description": description, "content": _content(media_type, schema)}


def _refusal(status: int, description: str) -> _Json:
    answer = _answer(description, PROBLEM_TYPE, _ref(ProblemDetails))
    if status in _WAITING:
        answer["headers"] = {
            "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}
        }
    if status == _UNAUTHORIZED:
        answer["headers"] = {"WWW-Authenticate": {"schema": {"type": "string"}}}
    return answer


def _responses(answers: _Json, *refusals: int) -> _Json:
    """Return all answers of an operation, what its own say before what every one's do."""
    shared = {
        str(status): {"$ref": f"#/components/responses/{status}"}
        for status in (*_ALWAYS, *refusals)
    }
    return dict(sorted((shared | answers).items()))


def _operation(name: str, summary: str, responses: _Json, **more: object) -> _Json:
    return {"operationId": name, "summary": summary, "responses": responses, **more}


_SECURED: Final[_Json] = {"security": [{"bearer": []}]}
_TASK_ID: Final[_Json] = {
    "name": ID_PARAMETER,
    "in": "query",
    "required": True,
    "description": "The task id that the submission was answered with; given once.",
    "schema": {"type": "string", "minLength": 1},
}
_TASK_ANSWER: Final = _answer("Where the task stands.", JSON_TYPE, _ref(OCRResponse))


def _about_task(name: str, summary: str, answer: _Json) -> _Json:
    responses = _responses({"200": answer}, _UNAUTHORIZED)
    return _operation(name, summary, responses, parameters=[_TASK_ID], **_SECURED)


def _text(name: str, summary: str, media_type: str) -> _Json:
    return _operation(
        name, summary, _responses({"200": _answer(summary, media_type, {"type": "string"})})
    )


def _token_refusal(status: int, description: str) -> _Json:
    """Return a refusal that is in OAuth's words, or the service's own where a guard refuses."""
    answer = _refusal(status, description)
    answer["content"] |= _content(JSON_TYPE, _ref(TokenError))
    return answer


def _body(media_type: str, kind: type) -> _Json:
    return {"required": True, "content": _content(media_type, _ref(kind))}


_TOKEN: Final = _operation(
    "Token",
    "Exchange the client's credentials for an access token.",
    _responses(
        {
            "200": _answer("A token.", JSON_TYPE, _ref(Token)),
            "400": _token_refusal(400, "The credentials are refused, or the form is malformed."),
            "429": _token_refusal(429, "Too many failures; `Retry-After` says how long to wait."),
        },
        403,
    ),
    requestBody=_body(FORM_TYPE, Credentials),
)
_SUBMIT: Final = _operation(
    "PostDjVu2PDF",
    "Submit a DjVu document for conversion.",
    _responses(
        {"200": _answer("The task id, a GUID.", TEXT_TYPE, {"type": "string"})},
        _UNAUTHORIZED,
        429,
        507,
    ),
    requestBody=_body(JSON_TYPE, OCRDjVu2PDFBody),
    **_SECURED,
)
_HEALTH: Final = _operation(
    "Health",
    "Whether the service can do its work.",
    _responses(
        {
            "200": _answer("It can.", JSON_TYPE, _ref(HealthAnswer)),
            "503": {
                "description": "It cannot, and the body says why.",
                "content": _content(JSON_TYPE, _ref(HealthAnswer))
                | _content(PROBLEM_TYPE, _ref(ProblemDetails)),
            },
        }
    ),
)
_OPENAPI: Final = _operation(
    "OpenAPI",
    "This description.",
    _responses({"200": _answer("OpenAPI 3.1.", JSON_TYPE, {"type": "object"})}),
)

_PATHS: Final[_Json] = {
    TOKEN_PATH: {"post": _TOKEN},
    CONVERT_PATH: {
        "post": _SUBMIT,
        "get": _about_task("GetDjVu2PDF", "Fetch the status and the PDF.", _TASK_ANSWER),
        "delete": _about_task(
            "CancelDjVu2PDF", "Cancel the task, or delete its PDF.", {"description": "Done."}
        ),
    },
    STATUS_PATH: {
        "get": _about_task("GetTaskStatus", "Fetch the status without results.", _TASK_ANSWER)
    },
    "/health": {"get": _HEALTH},
    "/metrics": {"get": _text("Metrics", "Counters for Prometheus.", TEXT_TYPE)},
    "/openapi.json": {"get": _OPENAPI},
    "/": {"get": _text("Page", "A page about the service.", "text/html")},
}

DESCRIPTION: Final[_Json] = {
    "openapi": "3.1.0",
    "info": {
        "title": "batch-converter",
        "version": VERSION,
        "description": "DjVu to PDF over the interface of Aspose.OCR Cloud v5.0. "
        "Paths match in any case.",
    },
    "paths": _PATHS,
    "components": {
        "schemas": _schemas(),
        "responses": {
            str(status): _refusal(status, description) for status, description in _REFUSALS.items()
        },
        "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
    },
}

BODY: Final = json.dumps(DESCRIPTION, indent=2).encode()
