"""The service described in OpenAPI 3, as `/openapi.json` gives it."""

from __future__ import annotations

import json
from importlib import metadata
from typing import Final

from batch_converter.wire import (
    CONVERT_PATH,
    FORM_TYPE,
    ID_PARAMETER,
    JSON_TYPE,
    PROBLEM_TYPE,
    STATUS_PATH,
    TEXT_TYPE,
    TOKEN_PATH,
    ResponseCode,
    TaskStatus,
)

VERSION: Final = metadata.version("batch-converter")

_Json = dict[str, object]


def _ref(name: str) -> _Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _answer(description: str, media_type: str, schema: _Json) -> _Json:
    return {"description": description, "content": {media_type: {"schema": schema}}}


def _problem(description: str) -> _Json:
    return _answer(description, PROBLEM_TYPE, _ref("ProblemDetails"))


def _text(description: str) -> _Json:
    return {"type": "string", "description": description}


def _object(required: list[str], properties: _Json) -> _Json:
    fields: _Json = {"type": "object", "properties": properties}
    return fields | ({"required": required} if required else {})


def _list_of(schema: _Json) -> _Json:
    return {"type": "array", "nullable": True, "items": schema}


_TASK_ID: Final[_Json] = {
    "name": ID_PARAMETER,
    "in": "query",
    "required": True,
    "description": "The task id that the submission was answered with.",
    "schema": {"type": "string", "format": "uuid"},
}
_SECURED: Final[_Json] = {"security": [{"bearer": []}]}
_UNAUTHORIZED: Final = _problem("The token is missing, unknown or expired.")
_TASK_ANSWER: Final = _answer("Where the task stands.", JSON_TYPE, _ref("OCRResponse"))


def _about_task(operation: str, summary: str, answer: _Json) -> _Json:
    responses = {
        "200": answer,
        "400": _problem("The id is missing."),
        "401": _UNAUTHORIZED,
    }
    return _SECURED | {
        "operationId": operation,
        "summary": summary,
        "parameters": [_TASK_ID],
        "responses": responses,
    }


def _open(operation: str, summary: str, media_type: str) -> _Json:
    answer = _answer(summary, media_type, {"type": "string"})
    return {"operationId": operation, "summary": summary, "responses": {"200": answer}}


_TOKEN: Final[_Json] = {
    "operationId": "Token",
    "summary": "Exchange the client's credentials for an access token.",
    "requestBody": {
        "required": True,
        "content": {FORM_TYPE: {"schema": _ref("Credentials")}},
    },
    "responses": {
        "200": _answer("A token.", JSON_TYPE, _ref("Token")),
        "400": _answer("The credentials are refused.", JSON_TYPE, _ref("TokenError")),
        "429": _answer(
            "Too many failures with one pair; Retry-After says how long.",
            JSON_TYPE,
            _ref("TokenError"),
        ),
    },
}

_SUBMIT: Final[_Json] = _SECURED | {
    "operationId": "PostDjVu2PDF",
    "summary": "Submit a DjVu document for conversion.",
    "requestBody": {
        "required": True,
        "content": {JSON_TYPE: {"schema": _ref("OCRDjVu2PDFBody")}},
    },
    "responses": {
        "200": _answer("The task id, a GUID.", TEXT_TYPE, {"type": "string"}),
        "400": _problem("The body is malformed."),
        "401": _UNAUTHORIZED,
        "507": _problem("The disk of the service is full."),
    },
}

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
    "/health": {"get": _open("Health", "Whether the service is up.", JSON_TYPE)},
    "/metrics": {"get": _open("Metrics", "Counters for Prometheus.", TEXT_TYPE)},
    "/openapi.json": {"get": _open("OpenAPI", "This description.", JSON_TYPE)},
    "/": {"get": _open("Page", "A page about the service.", "text/html")},
}

_SCHEMAS: Final[_Json] = {
    "Credentials": _object(
        ["grant_type", "client_id", "client_secret"],
        {
            "grant_type": {"type": "string", "enum": ["client_credentials"]},
            "client_id": {"type": "string"},
            "client_secret": {"type": "string", "format": "password"},
        },
    ),
    "Token": _object(
        ["access_token", "expires_in", "token_type"],
        {
            "access_token": {"type": "string"},
            "expires_in": {"type": "integer", "description": "Seconds."},
            "token_type": {"type": "string"},
        },
    ),
    "TokenError": _object(["error"], {"error": {"type": "string"}}),
    "OCRDjVu2PDFBody": _object(
        ["image"],
        {
            "image": _text("The DjVu file, Base64.") | {"format": "byte"},
            "settings": {
                "type": "object",
                "description": "Recognition settings of the vendor; accepted, without effect.",
            },
        },
    ),
    "OCRResponse": _object(
        ["id", "taskStatus", "responseStatusCode"],
        {
            "id": {"type": "string", "nullable": True},
            "taskStatus": {"type": "string", "enum": list(TaskStatus)},
            "responseStatusCode": {"type": "string", "enum": list(ResponseCode)},
            "results": _list_of(_ref("OCRResult")),
            "error": {"allOf": [_ref("OCRError")], "nullable": True},
        },
    ),
    "OCRResult": _object(
        ["type", "data"],
        {"type": _text("`Pdf`."), "data": _text("The PDF, Base64.") | {"format": "byte"}},
    ),
    "OCRError": _object(
        [],
        {"messages": _list_of({"type": "string"}), "warnings": _list_of({"type": "string"})},
    ),
    "ProblemDetails": _object(
        ["title", "status"],
        {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
        },
    ),
}

DESCRIPTION: Final[_Json] = {
    "openapi": "3.0.3",
    "info": {
        "title": "batch-converter",
        "version": VERSION,
        "description": "DjVu to PDF over the interface of Aspose.OCR Cloud v5.0. "
        "Paths match in any case.",
    },
    "paths": _PATHS,
    "components": {
        "schemas": _SCHEMAS,
        "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
    },
}

BODY: Final = json.dumps(DESCRIPTION, indent=2).encode()
