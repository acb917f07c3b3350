"""What PDFs are called where they are downloaded: names that any system takes, each once."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from batch_converter.naming import folded, wanted_output

_FORBIDDEN: Final = re.compile(r'[<>:"|?*\\]')
"""Windows takes none of these, and a backslash is a folder's end there."""

_AT_THE_END: Final = re.compile(r"[\s.]+\Z")
"""Windows leaves these out there, and finds nothing of such a name any more."""

_RESERVED: Final = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE)
_UNSEEN: Final = frozenset({"Cc", "Cs", "Co", "Cn", "Zl", "Zp"})
_TURNING: Final = frozenset(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)
"""These make a name look like another one."""

_MAX_BYTES: Final = 200
"""Of a file's or folder's name: below every file system's 255, with room for a number."""

_SUFFIX: Final = ".pdf"
_NAMELESS: Final = "document"


def pdf_path(name: str) -> str:
    """Return a document's path in an archive, below its top, without `..` and the like."""
    parts = [_part(part) for part in name.split("/") if part not in {"", ".", ".."}]
    folders, last = parts[:-1], wanted_output(parts[-1] if parts else _NAMELESS)
    return "/".join([*folders, _short(last.removesuffix(_SUFFIX)) + _SUFFIX])


def pdf_name(name: str) -> str:
    """Return what a document's PDF is called by itself."""
    return pdf_path(name).rpartition("/")[2]


def _part(part: str) -> str:
    kept = "".join(
        "_" if unicodedata.category(one) in _UNSEEN else one for one in part if one not in _TURNING
    )
    cleaned = _AT_THE_END.sub("", _short(_FORBIDDEN.sub("_", kept).strip()))
    return "_" + cleaned if _RESERVED.fullmatch(cleaned) else cleaned or "_"


def _short(part: str) -> str:
    return part.encode()[:_MAX_BYTES].decode(errors="ignore")


class ArchiveNames:
    """Gives each PDF of an archive a path of its own, on systems that know no case as well.

    Args:
        taken: What else is at the archive's top.
    """

    def __init__(self, *taken: str) -> None:
        self._files = set(map(folded, taken))
        self._folders: set[str] = set()
        self._tried: dict[str, int] = {}

    def take(self, name: str) -> str:
        """Return the path of a document's PDF; `a.pdf` is `a~2.pdf` where it is taken."""
        *folders, last = pdf_path(name).split("/")
        folder = ""
        for part in folders:
            folder = self._folder(folder, part)
        stem = folder + last.removesuffix(_SUFFIX)
        number = self._tried.get(key := folded(stem), 1)
        path = _numbered(stem, number) + _SUFFIX
        while (taken := folded(path)) in self._files or taken in self._folders:
            number += 1
            path = _numbered(stem, number) + _SUFFIX
        self._tried[key] = number + 1
        self._files.add(taken)
        return path

    def _folder(self, above: str, part: str) -> str:
        """Return a folder's path with its slash; another one's where a PDF is called so."""
        number, path = 1, above + part
        while (key := folded(path)) in self._files:
            number += 1
            path = above + _numbered(part, number)
        self._folders.add(key)
        return path + "/"


def _numbered(name: str, number: int) -> str:
    return name if number == 1 else f"{name}~{number}"
