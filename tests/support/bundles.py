"""Multi-page DjVu files put together from parts, as sound or as odd as a test wants them."""

from __future__ import annotations

import struct
import subprocess
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from tests.support.djvu_files import chunk, chunks_of, info

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH, HEIGHT = 96, 120
SHARED, PAGE, THUMBNAILS, SHARED_ANNOTATIONS = range(4)
_NAME_FLAGS = ((0x02, 0x04), (0x80, 0x40))
_TABLE = (struct.Struct(">IBH"), struct.Struct(">I"))


@cache
def bzz(data: bytes) -> bytes:
    """Compress as DjVuLibre does, in blocks of up to 4 MB."""
    return made_by("bzz", "-e4096", "-", "-", given=data)


def made_by(*command: str, given: bytes) -> bytes:
    return subprocess.run(command, input=given, capture_output=True, check=True).stdout


def form(kind: str, *chunks: bytes) -> bytes:
    return chunk("FORM", kind.encode() + b"".join(chunks))


@cache
def mask() -> bytes:
    """A bar across a small page."""
    rows = [b"\0" * (WIDTH // 8)] * 30 + [b"\x0f" * (WIDTH // 8)] * 40 + [b"\0" * (WIDTH // 8)] * 50
    bitmap = b"P4 %d %d\n" % (WIDTH, HEIGHT) + b"".join(rows)
    return next(chunk(k, d) for k, d in coded_by("cjb2", bitmap) if k == "Sjbz")


def coded_by(program: str, picture: bytes, *options: str) -> list[tuple[str, bytes]]:
    """The chunks that one of DjVuLibre's encoders makes of a Netpbm picture."""
    with TemporaryDirectory() as folder:
        plain, coded = Path(folder, "in.pnm"), Path(folder, "out.djvu")
        plain.write_bytes(picture)
        subprocess.run([program, *options, plain, coded], check=True, capture_output=True)
        return chunks_of(coded.read_bytes())


def page_form(dpi: int = 300, *more: bytes) -> bytes:
    """A small page; its resolution tells it from others."""
    return form("DJVU", info(width=WIDTH, height=HEIGHT, dpi=dpi), mask(), *more)


@cache
def photo_form(kind: str = "PM44") -> bytes:
    """A page that is nothing but wavelets."""
    pixels = b"".join(bytes((4 * x, 6 * y, 99)) for y in range(40) for x in range(60))
    waves = [wave for k, wave in coded_by("c44", b"P6 60 40 255\n" + pixels) if k == "BG44"]
    return form(kind, *(chunk(kind, wave) for wave in waves))


ANNOTATIONS = form("DJVI", chunk("ANTa", b'(metadata (title "Shared"))'))
ASKS_FOR_SHAPES = chunk("Sjbz", bytes.fromhex("14033a00081f92f20ede4b62"))
"""A mask that begins by asking for shapes of a dictionary."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A component and its line in the directory.

    Attributes:
        at: Where the directory says it is, if not where it is.
        size: How long the directory says it is, if not as long as it is.
        stored: Whether it is in the file at all.
    """

    form: bytes
    id: str
    kind: int = PAGE
    name: str | None = None
    title: str | None = None
    at: int | None = None
    size: int | None = None
    stored: bool = True


def pages(count: int = 3) -> list[Part]:
    return [Part(form=page_form(300 + n), id=f"p{n}.djvu") for n in range(1, count + 1)]


def put(parts: Sequence[Part], place: int, **changes: object) -> list[Part]:
    """Change one of the parts."""
    changed = list(parts)
    changed[place] = replace(changed[place], **changes)  # type: ignore[arg-type]  # fields by name
    return changed


def bundle_of(
    parts: Sequence[Part],
    *,
    version: int = 1,
    names: bytes | None = None,
    between: bytes = b"",
    behind: bytes = b"",
) -> bytes:
    """A bundled document; `names` in place of the directory's compressed part."""
    packed = packed_names(parts, version) if names is None else names
    offsets = offsets_of(parts, len(packed), version=version, between=between)
    rows = [
        (offset, *_size_row(part)) if not version else (offset,)
        for part, offset in zip(
            parts,
            (p.at if p.at is not None else o for p, o in zip(parts, offsets, strict=True)),
            strict=True,
        )
    ]
    table = b"".join(_TABLE[min(version, 1)].pack(*row) for row in rows)
    head = struct.pack(">BH", 0x80 | version, len(parts)) + table + packed
    body = b"".join(part.form for part in parts if part.stored)
    return b"AT&T" + form("DJVM", chunk("DIRM", head), between, body, behind)


def offsets_of(
    parts: Sequence[Part], names_bytes: int, *, version: int = 1, between: bytes = b""
) -> list[int]:
    """Where each part is in `bundle_of` them."""
    directory = 3 + _TABLE[min(version, 1)].size * len(parts) + names_bytes
    place = 16 + 8 + directory + (directory & 1) + len(between)
    found = []
    for part in parts:
        found.append(place)
        place += len(part.form) if part.stored else 0
    return found


def _size_row(part: Part) -> tuple[int, int]:
    size = len(part.form) if part.size is None else part.size
    return size >> 16, size & 0xFFFF


def packed_names(parts: Sequence[Part], version: int = 1) -> bytes:
    """The compressed part of a directory."""
    with_name, with_title = _NAME_FLAGS[min(version, 1)]
    sizes = b"".join(
        (len(part.form) if part.size is None else part.size).to_bytes(3, "big") for part in parts
    )
    flags = bytes(
        part.kind
        | (with_name if part.name is not None else 0)
        | (with_title if part.title is not None else 0)
        for part in parts
    )
    texts = [
        text.encode(errors="surrogateescape") + b"\0"
        for part in parts
        for text in (part.id, part.name, part.title)
        if text is not None
    ]
    return bzz((sizes if version else b"") + flags + b"".join(texts))


def index_of(parts: Sequence[Part], folder: Path, *, version: int = 1) -> Path:
    """Write an index, and beside it those of its parts that are stored."""
    folder.mkdir(parents=True, exist_ok=True)
    head = struct.pack(">BH", version, len(parts)) + packed_names(parts, version)
    index = folder / "index.djvu"
    index.write_bytes(b"AT&T" + form("DJVM", chunk("DIRM", head)))
    for part in parts:
        if part.stored:
            (folder / (part.name or part.id)).write_bytes(b"AT&T" + part.form)
    return index
