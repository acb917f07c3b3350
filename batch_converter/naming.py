"""What a PDF is called: pure functions on names, no file is looked at.

Names are `str` as `os.fsdecode` gives them; slashes separate folders.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from typing import Final

_FILE_NAMES: Final = (sys.getfilesystemencoding(), sys.getfilesystemencodeerrors())
_UTF_8: Final = ("utf-8", "surrogateescape")
_PDF_FOLDER: Final = re.compile(r"\.pdf(?:~\d+)*(?=/)", re.ASCII)
_ADDED: Final = re.compile(r"(?:\.djvu|\.djv|\.pdf|~\d+)*\Z", re.ASCII)
_SUFFIXES: Final = (".djvu", ".djv")
_SYSTEM_NAMES: Final = frozenset({"@eadir", "#recycle", "$recycle.bin", "lost+found"})
_HIDDEN_PREFIXES: Final = (".", "~$")


def is_djvu_name(name: str) -> bool:
    """Tell whether a file of this name is taken for a DjVu."""
    return name.lower().endswith(_SUFFIXES)


def is_hidden_name(name: str) -> bool:
    """Tell whether a file or folder of this name is hidden, or left behind by a system.

    A leading dot (AppleDouble's `._x.djvu` among them), `~$` (an office's lock file), and the
    folders that storage systems keep for themselves: Synology's `@eaDir`, QNAP's `#recycle`,
    Windows' `$RECYCLE.BIN` and ext4's `lost+found`. Those are spelled in any case: a disk that
    has been through Windows says `$Recycle.Bin` as well.
    """
    return name.startswith(_HIDDEN_PREFIXES) or name.lower() in _SYSTEM_NAMES


def wanted_output(source: str) -> str:
    """Return the PDF's path for a path below a source, before clashes are settled.

    A file that is called nothing but `.djvu`, or that is no DjVu by its name, keeps
    its whole name.
    """
    folder, slash, name = source.rpartition("/")
    return folder + slash + _without_suffix(name) + ".pdf"


def _without_suffix(name: str) -> str:
    for suffix in _SUFFIXES:
        if name.lower().endswith(suffix) and len(name) > len(suffix):
            return name[: -len(suffix)]
    return name


def folded(text: str) -> str:
    """Return what texts share that differ in normal form and case alone."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def clash_key(output: str) -> str:
    """Return what two outputs share if any file system may take them for one.

    It is text as UTF-8 has it (`key_bytes`), whatever this machine decodes names by: others,
    which have another locale, work on the same archive.
    """
    return folded(output.encode(*_FILE_NAMES).decode(*_UTF_8))


def key_bytes(key: str) -> bytes:
    """Return a key of this module as bytes, which are the same on every machine."""
    return key.encode(*_UTF_8)


def clash_name(source: str, n: int) -> str:
    """Return the n-th (from 1) file name to try for a source that lost its wanted one."""
    name = source.rpartition("/")[2]
    return f"{name}.pdf" if n == 1 else f"{name}~{n}.pdf"


def clash_family(source: str) -> str:
    """Return what sources share whose PDFs may ever come to stand in each other's way, a key.

    A source that loses its wanted name takes one that another may have wanted (of `x.djv` and
    `x.djvu` the second becomes `x.djvu.pdf`, which `x.djvu.djvu` wants), and a PDF may bear the
    name of a folder. So whoever sees a whole family settles its names as if it saw everything.
    """
    key = clash_key(wanted_output(source))
    folder = _PDF_FOLDER.search(key)
    if folder is not None:
        key = key[: folder.end()]
    *folders, name = key.split("/")
    return "/".join((*folders, _ADDED.sub("", name, count=1) + ".pdf"))
