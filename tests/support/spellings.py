"""How a text may be spelled by whoever echoes it."""

from __future__ import annotations

import html
import json
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Callable

SPELLINGS: Final[dict[str, Callable[[str], str]]] = {
    "plain": str,
    "in capitals": str.upper,
    "as a host": str.lower,
    "JSON": lambda text: json.dumps(text)[1:-1],
    "JSON with letters": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "JSON with slashes escaped": lambda text: json.dumps(text)[1:-1].replace("/", r"\/"),
    "JSON within JSON": lambda text: json.dumps(json.dumps(text)[1:-1])[1:-1],
    "JSON of .NET": lambda text: "".join(
        char if char.isascii() and char.isalnum() else _u_escaped(char) for char in text
    ),
    "JSON, all of it escaped": lambda text: "".join(map(_u_escaped, text)),
    "quoted": quote,
    "quoted with slashes": lambda text: quote(text, safe=""),
    "quoted in lower case": lambda text: _lower_escapes(quote(text, safe="")),
    "of a form": quote_plus,
    "quoted twice": lambda text: quote(quote(text, safe=""), safe=""),
    "quoted, all of it": lambda text: "".join(f"%{byte:02x}" for byte in text.encode()),
    "HTML": html.escape,
    "HTML twice": lambda text: html.escape(html.escape(text)),
    "HTML by number": lambda text: "".join(f"&#{ord(char)};" for char in text),
    "HTML by hexadecimal number": lambda text: "".join(f"&#x{ord(char):X};" for char in text),
    "HTML within JSON": lambda text: json.dumps(html.escape(text))[1:-1],
    "HTML within a URL": lambda text: quote(html.escape(text), safe=""),
    "Python": lambda text: repr(text)[1:-1],
    "Python's bytes": lambda text: repr(text.encode())[2:-1],
    "hexadecimal": lambda text: text.encode().hex(),
}


def _u_escaped(text: str) -> str:
    units = text.encode("utf-16-be")
    return "".join(f"\\u{units[at : at + 2].hex().upper()}" for at in range(0, len(units), 2))


def _lower_escapes(text: str) -> str:
    head, *rest = text.split("%")
    return "%".join([head, *(part[:2].lower() + part[2:] for part in rest)])
