"""DjVu files made on the spot, from djvu-rs's editor and the samples."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING

import djvu_rs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from djvu_rs import TextZoneInput

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
WIDTH, HEIGHT = 1240, 1748


def chunk(kind: str, data: bytes) -> bytes:
    return kind.encode() + struct.pack(">I", len(data)) + data + b"\0" * (len(data) & 1)


def info(*, width: int = WIDTH, height: int = HEIGHT, dpi: int = 300, flags: int = 1) -> bytes:
    size = struct.pack(">HHBB", width, height, 24, 0)
    return chunk("INFO", size + struct.pack("<HBB", dpi, 22, flags))


def page(*chunks: bytes) -> bytes:
    """A single-page document from packed chunks."""
    return b"AT&T" + chunk("FORM", b"DJVU" + b"".join(chunks))


def chunks_of(data: bytes) -> list[tuple[str, bytes]]:
    """The chunks of a single-page document."""
    found, place = [], 16
    while place + 8 <= len(data):
        size = int.from_bytes(data[place + 4 : place + 8], "big")
        found.append((data[place : place + 4].decode(), data[place + 8 : place + 8 + size]))
        place += 8 + size + (size & 1)
    return found


def zone(
    kind: str, box: tuple[int, int, int, int], text: str, children: Sequence[TextZoneInput] = ()
) -> TextZoneInput:
    """A text zone; the box is left, top, width, height."""
    left, top, width, height = box
    return {
        "kind": kind,  # type: ignore[typeddict-item]  # a literal at the call
        "rect": {"x": left, "y": top, "width": width, "height": height},
        "text": text,
        "children": children,
    }


def with_text(text: str, zones: Sequence[TextZoneInput], *, flags: int = 1) -> bytes:
    """A white page with a hidden text layer."""
    editor = djvu_rs.Editor.from_bytes(page(info(flags=flags)))
    editor.set_page_text_layer(0, {"text": text, "zones": zones})
    return editor.to_bytes()
