"""DjVu documents with titles, bookmarks and annotations, down to their last byte."""

from __future__ import annotations

import struct
import subprocess
from typing import TYPE_CHECKING

import pikepdf

from batch_converter.djvu.draw.convert import convert
from batch_converter.djvu.jobs.options import ConvertOptions
from tests.support.bundles import bzz, form
from tests.support.djvu_files import chunk, info

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from batch_converter.djvu.jobs.options import Converted

_HAS_NAME, _HAS_TITLE = 0x80, 0x40
_PAGE, _SHARED_ANNOTATIONS = 1, 3
SHARED = "shared_anno.iff"


def navm(*bookmarks: tuple[int, bytes, bytes]) -> bytes:
    """The unpacked bookmarks: number of children, title and address of each."""
    found = [struct.pack(">H", len(bookmarks))]
    for children, title, url in bookmarks:
        found += [bytes([children]), len(title).to_bytes(3, "big"), title]
        found += [len(url).to_bytes(3, "big"), url]
    return b"".join(found)


def leaf(*annotations: bytes, include: str = "") -> bytes:
    """A small white page of a document."""
    included = [chunk("INCL", include.encode())] if include else []
    return form(
        "DJVU",
        info(width=300, height=400),
        *included,
        *[chunk("ANTa", annotation) for annotation in annotations],
    )


def document(
    pages: Sequence[bytes],
    *,
    titles: Sequence[bytes] = (),
    names: Sequence[bytes] = (),
    outline: bytes = b"",
    shared: bytes = b"",
) -> bytes:
    """A bundle of pages `p1.djvu`, `p2.djvu`…; shared annotations come first.

    Args:
        pages: Each a whole `FORM:DJVU`.
        titles: Of the pages, empty for none.
        names: Of the pages' files, empty for none but the id.
        outline: Unpacked bookmarks.
        shared: Annotations in a part that a page includes by `SHARED`.
    """
    parts = [form("DJVI", chunk("ANTa", shared))] if shared else []
    flags = [_SHARED_ANNOTATIONS for _ in parts]
    strings = [SHARED.encode() for _ in parts]
    for index, _ in enumerate(pages):
        title = titles[index] if index < len(titles) else b""
        name = names[index] if index < len(names) else b""
        flags.append(_PAGE | (_HAS_NAME if name else 0) | (_HAS_TITLE if title else 0))
        strings += [
            b"p%d.djvu" % (index + 1),
            *([name] if name else []),
            *([title] if title else []),
        ]
    parts += pages
    sizes = b"".join(len(part).to_bytes(3, "big") for part in parts)
    directory = bzz(sizes + bytes(flags) + b"\0".join([*strings, b""]))
    others = chunk("NAVM", bzz(outline)) if outline else b""
    offset = 16 + 8 + 3 + 4 * len(parts) + len(directory)
    offset += (offset & 1) + len(others)
    offsets = []
    for part in parts:
        offsets.append(offset)
        offset += len(part)
    table = struct.pack(f">BH{len(parts)}I", 0x81, len(parts), *offsets)
    return b"AT&T" + form("DJVM", chunk("DIRM", table + directory), others, *parts)


def convert_bytes(
    tmp_path: Path, djvu: bytes, options: ConvertOptions | None = None
) -> tuple[Converted, pikepdf.Pdf]:
    """Convert and open; whoever calls closes it, or the test's end does."""
    source, target = tmp_path / "in.djvu", tmp_path / "out.pdf"
    source.write_bytes(djvu)
    done = convert(source, target, options or ConvertOptions())
    return done, pikepdf.open(target)


def outline_of(pdf: pikepdf.Pdf) -> list[tuple[int, str, int | str | None]]:
    """Depth, title and target (page index, address or None) of each bookmark, without recursion."""
    if "/Outlines" not in pdf.Root:
        return []
    pages: list[object] = [page.objgen for page in pdf.pages]
    found: list[tuple[int, str, int | str | None]] = []
    stack = [(0, pdf.Root.Outlines.First)]
    while stack:
        depth, item = stack.pop()
        target: int | str | None = None
        if "/Dest" in item:
            target = pages.index(item.Dest[0].objgen)
        elif "/A" in item:
            target = str(item.A.URI)
        found.append((depth, str(item.Title), target))
        stack += [(depth, item.Next)] if "/Next" in item else []
        stack += [(depth + 1, item.First)] if "/First" in item else []
    return found


def djvused(path: Path, *commands: str) -> str:
    """What djvused prints, as UTF-8."""
    command = ["djvused", "-u", "-e", ";".join(commands), str(path)]
    return subprocess.run(command, check=True, capture_output=True).stdout.decode("utf-8")


def annotations_on(pdf: pikepdf.Pdf, index: int = 0) -> Iterable[pikepdf.Object]:
    return list(pdf.pages[index].get("/Annots", []))
