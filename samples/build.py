"""Rebuild the sample DjVu files, and the damaged ones that the tests use.

    python -m samples.build

Needs Pillow, DjVuLibre's tools and the fonts that drawing.py and texts.toml name (Debian:
djvulibre-bin, fonts-dejavu-core, fonts-droid-fallback). The same versions of these give the same
bytes. The files are committed: only who changes a page has to run this.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
import tempfile
import tomllib
from itertools import cycle, groupby, islice
from pathlib import Path
from string import ascii_letters, digits
from typing import Any

from PIL import Image

from samples.drawing import INK, PAPER, Box, Leaf, Style, draw_landscape, draw_leaf

HERE = Path(__file__).resolve().parent
TEST_DATA = HERE.parent / "tests" / "data"
TEXTS: dict[str, Any] = tomllib.loads((HERE / "texts.toml").read_text(encoding="utf-8"))

INK_COLOURS = ((20, 30, 90), (150, 20, 30))  # of INK and HEADING_INK
TRANSPARENT_RUN = 0xFFF  # in csepdjvu's colour RLE
BACKGROUND_REDUCTION = 3
PLAIN_BYTES = frozenset((ascii_letters + digits).encode())


# What the tools read


def union(boxes: list[Box]) -> Box:
    """Give the smallest box around boxes."""
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return (min(lefts), min(tops), max(rights), max(bottoms))


def corners(box: Box, height: int) -> str:
    """Write a box as text layers count: from the bottom left corner of the page."""
    left, top, right, bottom = box
    return f"{left} {height - bottom} {right} {height - top}"


def quoted(text: str) -> str:
    """Write a string as djvused reads it, all bytes but the plainest in octal."""
    escaped = (chr(b) if b in PLAIN_BYTES else f"\\{b:03o}" for b in text.encode())
    return '"' + "".join(escaped) + '"'


def text_layer(leaf: Leaf) -> str:
    """Write the text layer of a page as djvused reads it."""
    width, height = leaf.drawing.size
    zones = [f"(page 0 0 {width} {height}"]
    for line in filter(None, leaf.lines):
        zones.append(f" (line {corners(union([word.box for word in line]), height)}")
        zones += [f"  (word {corners(w.box, height)} {quoted(w.text)})" for w in line]
        zones.append(" )")
    return "\n".join([*zones, ")"])


def link_areas(leaf: Leaf, links: list[dict[str, Any]]) -> str:
    """Write the links of a page, each around one of its lines, as djvused reads them."""
    areas = []
    for link in links:
        left, top, right, bottom = union([word.box for word in leaf.lines[link["line"]]])
        place = f"(rect {left} {leaf.drawing.height - bottom} {right - left} {bottom - top})"
        areas.append(f"(maparea {quoted(link['to'])} {quoted(link['note'])} {place} (xor))")
    return "\n".join(areas)


def outline(bookmarks: list[dict[str, Any]]) -> str:
    """Write bookmarks, nested as they are, as djvused reads them."""
    return "\n".join(
        f"({quoted(mark['title'])} {quoted(mark['to'])} {outline(mark.get('children', []))})"
        for mark in bookmarks
    )


def separated(leaf: Leaf, background: Image.Image) -> bytes:
    """Write a page as csepdjvu reads it: coloured ink in runs, then what lies below it."""
    width, height = leaf.drawing.size
    header = f"R6 {width} {height} {len(INK_COLOURS)}\n".encode()
    pixels = leaf.drawing.tobytes()
    runs = bytearray()
    for start in range(0, len(pixels), width):
        for ink, run_of in groupby(pixels[start : start + width]):
            colour = TRANSPARENT_RUN if ink == PAPER else ink - INK
            runs += struct.pack(">I", colour << 20 | len(list(run_of)))
    ppm = f"P6 {background.width} {background.height} 255\n".encode() + background.tobytes()
    return header + bytes(sum(INK_COLOURS, ())) + bytes(runs) + ppm


# Running the tools


def run(tool: str, *arguments: object) -> None:
    """Run one of DjVuLibre's tools, which must succeed."""
    path = shutil.which(tool)
    if path is None:
        raise SystemExit(f"{tool} is not installed (Debian: djvulibre-bin)")
    subprocess.run([path, *map(str, arguments)], check=True)


def edit(document: Path, *commands: str) -> None:
    """Change a document by djvused's commands; data after a command ends with a lone period."""
    script = document.with_suffix(".dsed")
    script.write_text("\n".join(commands), encoding="ascii")
    run("djvused", "-f", script, "-s", document)
    script.unlink()


def with_data(command: str, data: str) -> str:
    """Write one of djvused's commands with the data that it takes."""
    return f"{command}\n{data}\n."


def make_bitonal(target: Path, leaf: Leaf, *, text: bool = True) -> None:
    """Make a page of one JB2 mask."""
    scan = target.with_suffix(".pbm")
    leaf.drawing.point(lambda ink: 0 if ink else 255).convert("1").save(scan)
    run("cjb2", "-dpi", leaf.dpi, scan, target)
    scan.unlink()
    if text:
        edit(target, "select 1", with_data("set-txt", text_layer(leaf)))


def make_colour(target: Path, leaf: Leaf) -> None:
    """Make a page of one IW44 picture, with the ink of the leaf, where there is some, in it."""
    picture = draw_landscape(leaf.drawing.size)
    picture.paste((255, 255, 255), mask=leaf.drawing.point(lambda ink: 255 if ink else 0))
    photo = target.with_suffix(".ppm")
    picture.save(photo)
    run("c44", "-dpi", leaf.dpi, "-slice", "72+11+10", photo, target)
    photo.unlink()
    if leaf.lines:
        edit(target, "select 1", with_data("set-txt", text_layer(leaf)))


def make_mixed(target: Path, leaf: Leaf) -> None:
    """Make a page of a mask with coloured shapes over a coarser picture."""
    width, height = (-(-side // BACKGROUND_REDUCTION) for side in leaf.drawing.size)
    picture = draw_landscape((width, height))
    paper = Image.blend(picture, Image.new("RGB", picture.size, "white"), 0.6)
    layers = target.with_suffix(".sep")
    layers.write_bytes(separated(leaf, paper))
    run("csepdjvu", "-d", leaf.dpi, layers, target)
    layers.unlink()
    edit(target, "select 1", with_data("set-txt", text_layer(leaf)))


def make_rotated(target: Path) -> None:
    """Make a page that is stored on its side and says so."""
    upright = draw_leaf(TEXTS["rotated"]["lines"], Style(dpi=200))
    make_bitonal(target, upright.on_its_side())
    # Text is counted on the page as it is stored, links on the page as it is shown.
    links = link_areas(upright, TEXTS["rotated"]["links"])
    edit(target, "select 1", "set-rotation 1", with_data("set-ant", links))


def make_languages(target: Path, scratch: Path) -> None:
    """Bundle one page a language."""
    pages = []
    for language in TEXTS["languages"]:
        options = {k: language[k] for k in ("font", "right_to_left", "spaced") if k in language}
        leaf = draw_leaf(language["lines"], Style(dpi=200, **options), headed=False)
        pages.append(scratch / f"{language['name'].lower()}.djvu")
        make_bitonal(pages[-1], leaf)
    run("djvm", "-c", target, *pages)


def make_book(target: Path, scratch: Path) -> None:
    """Bundle a coloured cover and printed pages; add labels, links, bookmarks and metadata."""
    book = TEXTS["book"]
    pages, commands = [], []
    for number, page in enumerate(book["pages"], start=1):
        name = scratch / f"p{number:04}.djvu"
        leaf = draw_leaf(page["lines"], Style(dpi=150 if number == 1 else 300))
        make = make_colour if number == 1 else make_bitonal
        make(name, leaf)
        pages.append(name)
        commands += [f"select {number}", f"set-page-title {quoted(page['label'])}"]
        if "links" in page:
            commands.append(with_data("set-ant", link_areas(leaf, page["links"])))
    run("djvm", "-c", target, *pages)
    metadata = f"title {quoted(book['title'])}\nauthor {quoted(book['author'])}"
    commands += ["create-shared-ant", with_data("set-meta", metadata)]
    commands += [with_data("set-outline", f"(bookmarks {outline(book['bookmarks'])})")]
    edit(target, *commands)


def make_indirect(folder: Path, scratch: Path) -> None:
    """Make an index and its page files."""
    pages = []
    for number, lines in enumerate(TEXTS["indirect"]["pages"], start=1):
        pages.append(scratch / f"page{number}.djvu")
        make_bitonal(pages[-1], draw_leaf(lines, Style(dpi=150)))
    bundle = scratch / "bundle.djvu"
    run("djvm", "-c", bundle, *pages)
    folder.mkdir(exist_ok=True)
    run("djvmcvt", "-i", bundle, folder, "index.djvu")


def damaged(document: bytes, start: float, pattern: bytes) -> bytes:
    """Overwrite the mask of a page from a share of it on: lengths still hold, shapes do not."""
    mask = document.index(b"Sjbz") + 8
    (length,) = struct.unpack_from(">I", document, mask - 4)
    begin, end = mask + int(length * start), mask + length
    return document[:begin] + bytes(islice(cycle(pattern), end - begin)) + document[end:]


def main() -> None:
    """Write all files where they are kept."""
    TEST_DATA.mkdir(parents=True, exist_ok=True)
    plain = draw_leaf(TEXTS["bitonal"]["lines"], Style(dpi=300))
    make_bitonal(HERE / "bitonal.djvu", plain)
    make_colour(HERE / "colour.djvu", draw_leaf([], Style(dpi=150)))
    make_mixed(HERE / "mixed.djvu", draw_leaf(TEXTS["mixed"]["lines"], Style(dpi=300)))
    silent = draw_leaf(TEXTS["no-text"]["lines"], Style(dpi=200))
    make_bitonal(HERE / "no-text.djvu", silent, text=False)
    make_rotated(HERE / "rotated.djvu")
    with tempfile.TemporaryDirectory() as scratch:
        make_languages(HERE / "languages.djvu", Path(scratch))
        make_book(HERE / "book.djvu", Path(scratch))
        make_indirect(TEST_DATA / "indirect", Path(scratch))
    whole = (HERE / "bitonal.djvu").read_bytes()
    (TEST_DATA / "broken.djvu").write_bytes(damaged(whole, 0.5, bytes(1)))
    noise = bytes(n * 37 % 256 for n in range(256))
    (TEST_DATA / "blank.djvu").write_bytes(damaged(whole, 0, noise))
    (TEST_DATA / "truncated.djvu").write_bytes(whole[: len(whole) // 2])


if __name__ == "__main__":
    main()
