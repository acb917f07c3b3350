"""Masks secrets in texts, in every spelling that an echo of them may have.

One mask for all that leaves the process as text: what a service says goes through it
before it stands in a message, a ledger or a report, and every value once more before
it stands in the log. Who learns a secret (a token, a proxy's password) adds it; from
that moment on nobody tells it.
"""

from __future__ import annotations

import base64
import binascii
import html.entities
import re
import threading
from collections import defaultdict, deque
from functools import cache, cached_property
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

MASK: Final = "***"

_SHORTEST: Final = 4  # masking "a" everywhere would tell more than it hides
_SHORTEST_BASE64: Final = 6  # of a secret inside a longer text; less stands in many a word
_LONGEST_SPELLED: Final = 256  # longer ones are tokens of letters, which nobody escapes
_KEPT_TOKENS: Final = 8
_ESCAPES: Final = re.compile(r"[%\\&]")
_BACKSLASHED: Final = re.compile(r"\\+(?:(u[0-9a-f]{4}|x[0-9a-f]{2})|(.))", re.DOTALL)
_DEEPEST: Final = 4  # HTML in JSON in a URL, and one more
_BACKSLASHES: Final = r"\\*"  # JSON within JSON doubles them
_SEMICOLON: Final = "(?:;|%(?:25)*3b)"
_AMPERSAND: Final = rf"(?:&|{_BACKSLASHES}u0026|%(?:25)*26)(?:amp{_SEMICOLON})*"
_NUMBER: Final = "(?:#|%(?:25)*23)"
_CREDENTIAL: Final = re.compile(r"\b(bearer|basic)((?:\s|%20)+)([\w.~+/=%-]{8,})", re.IGNORECASE)
_NAMED: Final = re.compile(
    r"""\b((?:access|refresh|id)_token|client_secret|password)  # what forms and answers call it
    ((?:\\*["'])?\s*[:=]\s*(?:\\*["'])?)
    ([^\s"'&,;<>{}\\]{8,})""",
    re.IGNORECASE | re.VERBOSE,
)
_TELLING: Final = ("bearer", "basic", "_token", "_secret", "password")


class Redactor:
    """Replaces known secrets wherever they stand in a text; usable from any thread.

    It knows each secret as it is, in any mixture of URL, JSON, HTML and backslash
    escapes, in Base64, alone or inside of something longer (as `user:password` is
    sent), and in any case, since host names lose theirs. Credentials that nobody has
    added are known by where they stand: after `Bearer`, `Basic` or `access_token=`.
    """

    def __init__(self, *secrets: str) -> None:
        self._lock = threading.Lock()
        self._kept: tuple[_Secret, ...] = ()
        self._passing: deque[_Secret] = deque(maxlen=_KEPT_TOKENS)
        self._all: tuple[_Secret, ...] = ()
        for secret in secrets:
            self.add(secret)

    def __repr__(self) -> str:
        return f"Redactor({len(self._all)} secrets)"

    def add(self, secret: str) -> None:
        """Mask `secret` from now on; shorter than four characters is no secret."""
        if len(secret) >= _SHORTEST:
            with self._lock:
                self._kept = (*self._kept, _Secret(secret))
                self._sort()

    def add_token(self, token: str) -> None:
        """Mask a token from now on; of many that follow each other the last ones are."""
        if len(token) >= _SHORTEST:
            with self._lock:
                self._passing.append(_Secret(token))
                self._sort()

    def _sort(self) -> None:
        """Put the longest first: a secret that holds another is masked whole."""
        known = {secret.plain: secret for secret in (*self._passing, *self._kept)}
        longest_first = sorted(known.values(), key=lambda secret: len(secret.plain), reverse=True)
        self._all = tuple(longest_first)

    def redact(self, text: str) -> str:
        """Return `text` with every secret replaced."""
        lowered = text.lower()
        unescaped = _unescaped(lowered) if _ESCAPES.search(text) else ""
        for secret in self._all:
            if unescaped and secret.may_stand_in(unescaped):
                text = secret.any_spelling.sub(MASK, text)
            elif secret.may_stand_in(lowered):
                text = secret.as_it_is.sub(MASK, text)
        if any(word in lowered for word in _TELLING):
            text = _NAMED.sub(rf"\1\2{MASK}", _CREDENTIAL.sub(_without_credential, text))
        return text

    def holds_secret(self, text: str) -> bool:
        """Whether anything of the text would be replaced."""
        return self.redact(text) != text


class _Secret:
    """A secret in its spellings; their patterns are made when one is first needed."""

    def __init__(self, plain: str) -> None:
        self.plain = plain
        encoded = plain.encode(errors="surrogateescape")
        self._encoded = (*dict.fromkeys(_in_base64(encoded)), encoded.hex())
        url_safe = [text.translate(_URL_SAFE) for text in self._encoded]
        self._literals = tuple(dict.fromkeys(t.lower() for t in (plain, *self._encoded, *url_safe)))
        odd = _ESCAPES.search(plain) or any(char.isspace() for char in plain)
        self._is_plain = plain.isascii() and not odd

    def may_stand_in(self, lowered: str) -> bool:
        """Whether a text in lower case, its escapes undone, can hold it."""
        if not self._is_plain:  # how it may be written is too much to look for beforehand
            return True
        return any(literal in lowered for literal in self._literals)

    @cached_property
    def as_it_is(self) -> re.Pattern[str]:
        """What it looks like without any escape."""
        return self._pattern(_literal)

    @cached_property
    def any_spelling(self) -> re.Pattern[str]:
        """What it looks like with any escapes; this takes a while to be made."""
        return self._pattern(_any_spelling)

    def _pattern(self, spelled: Callable[[str], str]) -> re.Pattern[str]:
        ways = [_spelled(text, spelled) + _AROUND for text in self._encoded]
        ways.append(_spelled(self.plain, spelled))
        return re.compile("|".join(sorted(ways, key=len, reverse=True)), re.IGNORECASE)


def _spelled(text: str, spelled: Callable[[str], str]) -> str:
    if len(text) <= _LONGEST_SPELLED:
        return "".join(map(spelled, text))
    return "".join(char if char.isalnum() and char.isascii() else spelled(char) for char in text)


_URL_SAFE: Final = str.maketrans("+/", "-_")
_SAME: Final = {"+": "-", "/": "_"}  # in the two alphabets of Base64
_AROUND: Final = r"[\w+/-]?(?:=|%3D){0,2}"  # digits that tell of the byte after it, too


def _in_base64(secret: bytes) -> Iterator[str]:
    """Yield what Base64 makes of it wherever it begins, but for digits that others share."""
    for before in range(3):
        digits = base64.b64encode(bytes(before) + secret).decode()
        first = -(-before * 4 // 3)
        inner = digits[first : (before + len(secret)) * 8 // 6]
        if len(inner) >= _SHORTEST_BASE64:
            yield inner


def _unescaped(text: str) -> str:
    """Return a text with its escapes undone, also those of one within another."""
    for _ in range(_DEEPEST):
        before = text
        text = html.unescape(unquote(_BACKSLASHED.sub(_unbackslashed, text)))
        if text == before:
            break
    return text.lower()


def _unbackslashed(match: re.Match[str]) -> str:
    number, char = match.groups()
    return chr(int(number[1:], 16)) if number else char


def _literal(char: str) -> str:
    if char.isspace():
        return r"\s+"
    return f"[{re.escape(char + _SAME[char])}]" if char in _SAME else re.escape(char)


def _any_spelling(char: str) -> str:
    """Return a pattern of a character in every way of writing it."""
    return f"(?:{'|'.join(dict.fromkeys(_spellings(char)))})"


def _spellings(char: str) -> Iterator[str]:
    if char == " ":
        yield r"\+"
    # First: the escape of an escape begins like the escape alone.
    numbers = rf"{_NUMBER}(?:0*{ord(char)}|x0*{ord(char):x})"
    yield rf"{_AMPERSAND}(?:{'|'.join([numbers, *map(re.escape, _entities()[char])])}){_SEMICOLON}?"
    encoded = char.encode(errors="surrogateescape")
    yield "".join(f"%(?:25)*{byte:02x}" for byte in encoded)
    yield "".join(rf"\\+x{byte:02x}" for byte in encoded)  # ... and bytes
    if len(char.encode("latin-1", errors="ignore")):  # as Python writes text
        yield rf"\\+x{ord(char):02x}"
    units = char.encode("utf-16-be", errors="surrogatepass")
    yield "".join(rf"\\+u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
    # Last: the signs that escapes begin with may stand for themselves.
    yield _literal(char) if char.isalnum() else _BACKSLASHES + _literal(char)


@cache
def _entities() -> Mapping[str, list[str]]:
    """Return HTML's names of each character."""
    names: defaultdict[str, list[str]] = defaultdict(list)
    for name, char in html.entities.html5.items():
        names[char].append(name.removesuffix(";"))
    return names


def _without_credential(match: re.Match[str]) -> str:
    scheme, blank, told = match.groups()
    looks_secret = _is_pair(told) if scheme.lower() == "basic" else _is_token(told)
    return f"{scheme}{blank}{MASK}" if looks_secret else match[0]


def _is_pair(text: str) -> bool:
    """Whether it is user and password in Base64, and no word that follows "basic"."""
    try:
        return b":" in base64.b64decode(text.replace("%3D", "="), validate=True)
    except (binascii.Error, ValueError):
        return False


def _is_token(text: str) -> bool:
    """Whether it is no word, nor a file's name, that follows "bearer"."""
    if text.lower().endswith((".djvu", ".djv", ".pdf")):
        return False
    return not (text.isalpha() and (text.islower() or text.isupper() or text.istitle()))
