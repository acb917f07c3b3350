"""Error bodies: what a server said about a request that it refused.

The text comes from outside and may be long, hold markup or echo what was sent:
it is shortened, flattened to one line and freed from secrets and documents.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from batch_converter.wire.bodies import ProblemDetails, TokenError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from batch_converter.redaction import Redactor

MAX_BODY_BYTES: Final = 64 * 1024
MAX_MESSAGE_CHARS: Final = 500
OMITTED: Final = "[…]"
_TAG: Final = re.compile(r"<[^<>]*>")
"""Ends at the next `<` too: or a page of nothing else would be read again and again."""

_TITLES: Final = tuple(
    (re.compile(rf"<{name}\b[^<>]*>", re.IGNORECASE), re.compile(f"</{name}", re.IGNORECASE))
    for name in ("title", "h1")
)
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\s]+")
_DOCUMENT: Final = re.compile(
    r"""(?: QVQmVEZP | JVBERi0 ) [A-Za-z0-9_+/=\\-]*  # the Base64 of the two file types' heads
    | (?: AT&TFORM | %PDF- ) [^\s.,;:'")]+ \S*        # the heads themselves, with what follows
    | AT&TFORM \s+ DJV \S*
    | [A-Za-z0-9_+/=\\-]{48,}                        # any long run of Base64
    | (?: \ufffd [^\s\ufffd]* ){2,}                   # bytes that are no text
    """,
    re.VERBOSE,
)
_SPOKEN: Final = ("detail", "title", "message", "error_description", "error", "messages", "errors")


def read_refusal(body: bytes) -> str:
    """Return what the body of an error says, on one line; empty where it says nothing.

    ProblemDetails, other JSON, plain text and HTML pages are understood. The
    result still has to pass `clean_message`.
    """
    text = body[:MAX_BODY_BYTES].decode("utf-8-sig", errors="replace").strip()
    return _one_line(_spoken(text))


def _spoken(text: str) -> str:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return _from_page(text) if text.startswith("<") else text
    return ": ".join(dict.fromkeys(_sentences(value)))


def _sentences(value: object, depth: int = 4) -> Iterable[str]:
    """Yield the sentences of a JSON error, the title before the detail."""
    if isinstance(value, str):
        yield value
    elif depth and isinstance(value, Mapping):
        known = [value[key] for key in ("title", *_SPOKEN) if key in value]
        for item in known or value.values():
            yield from _sentences(item, depth - 1)
    elif depth and isinstance(value, list):
        for item in value[:10]:
            yield from _sentences(item, depth - 1)


def _from_page(text: str) -> str:
    """Return the title of an HTML page, or its first heading; each is looked for once."""
    for opening, closing in _TITLES:
        begin = opening.search(text)
        end = begin and closing.search(text, begin.end())
        if begin and end:
            return html.unescape(_TAG.sub(" ", text[begin.end() : end.start()]))
    return ""


def _one_line(text: str) -> str:
    return _UNPRINTABLE.sub(" ", text).strip()


def clean_message(text: str, redactor: Redactor) -> str:
    """Mask secrets and everything that looks like a document.

    The result is one line of at most `MAX_MESSAGE_CHARS` characters.
    """
    text = _one_line(_DOCUMENT.sub(OMITTED, redactor.redact(text)))
    return text if len(text) <= MAX_MESSAGE_CHARS else text[: MAX_MESSAGE_CHARS - 1] + "…"


def write_problem(*, status: int, title: str, detail: str) -> bytes:
    """Write a ProblemDetails body (RFC 9457)."""
    problem = ProblemDetails(title=title, status=status, detail=detail)
    return json.dumps(asdict(problem)).encode()


def write_token_refusal(error: str = "invalid_client") -> bytes:
    """Write the token endpoint's error body (RFC 6749)."""
    return json.dumps(asdict(TokenError(error=error))).encode()
