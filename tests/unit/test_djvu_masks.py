"""Pages whose masks djvu-rs refuses or gets wrong, converted and compared with DjVuLibre."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np
import pikepdf
import pytest
from PIL import Image

from batch_converter.djvu.draw import masks
from batch_converter.djvu.draw.bilevel import Bitmap, g4_data
from batch_converter.djvu.draw.convert import convert
from batch_converter.djvu.jobs.options import MIB, ConvertOptions
from batch_converter.errors import EngineError
from tests.support.djvu_files import SAMPLES, chunk, chunks_of, info, page
from tests.support.djvulibre import made, mask_of
from tests.support.jb2_coding import Jb2Writer
from tests.support.mmr_coding import smmr
from tests.support.netpbm import pbm

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from batch_converter.djvu.draw.geometry import Geometry
    from batch_converter.djvu.kernels.jb2 import Jb2Image
    from batch_converter.djvu.read.document import PageChunks

    Pixels = NDArray[np.bool_]

LETTER = np.kron(np.array([[1, 0, 1], [1, 1, 0]], np.bool_), np.ones((9, 9), np.bool_))


def versioned(width: int, height: int, version: int) -> bytes:
    head = bytearray(info(width=width, height=height))
    head[12] = version
    return bytes(head)


def ink_of(image: pikepdf.Object) -> Pixels:
    """A mask's ink; CCITT G4 as this project writes it."""
    assert isinstance(image, pikepdf.Stream)
    return np.asarray(pikepdf.PdfImage(image).as_pil_image().convert("L")) < 128


def drawn_ink(source: Path, number: int = 0, options: ConvertOptions | None = None) -> Pixels:
    """The ink of a page of the PDF, its masks put in their places."""
    target = source.with_suffix(".pdf")
    convert(source, target, options or ConvertOptions())
    with pikepdf.open(target) as pdf:
        shown = pdf.pages[number]
        scale = float(shown.Contents.read_bytes().split()[1])
        width, height = (round(float(side) / scale) for side in shown.MediaBox[2:])
        canvas = np.zeros((height, width), np.bool_)
        operators = pikepdf.parse_content_stream(shown)
        places = [[float(n) for n in o.operands] for o in operators if str(o.operator) == "cm"]
        for image, (*_, left, bottom) in zip(
            sorted(shown.Resources.XObject.items()), places[1:], strict=True
        ):
            mask = ink_of(image[1])
            start, top = round(left), height - round(bottom) - mask.shape[0]
            canvas[top : top + mask.shape[0], start : start + mask.shape[1]] |= mask[: height - top]
    return canvas


def marked(width: int, height: int) -> Pixels:
    pixels = np.zeros((height, width), np.bool_)
    for top in range(0, height - 27, max(1, height // 7)):
        for left in range(0, width - 27, max(1, width // 5)):
            pixels[top : top + 18, left : left + 27] = LETTER
    pixels[-1, -40:] = pixels[0, :40] = True
    return pixels


@pytest.mark.parametrize("size", [(8192, 8192), (8193, 8192), (7016, 9921)])
def test_pages_of_any_size_are_drawn(tmp_path: Path, size: tuple[int, int]) -> None:
    pixels = marked(*size)
    (tmp_path / "page.pbm").write_bytes(pbm(pixels))
    made("cjb2", "-dpi", "600", tmp_path / "page.pbm", tmp_path / "page.djvu")
    assert (drawn_ink(tmp_path / "page.djvu") == pixels).all()


@pytest.mark.slow
def test_a_book_with_a_large_page_has_all_its_pages(tmp_path: Path) -> None:
    names = []
    for number, size in enumerate([(600, 800), (7016, 9921), (600, 800)]):
        (tmp_path / "page.pbm").write_bytes(pbm(marked(*size)))
        names.append(tmp_path / f"{number}.djvu")
        made("cjb2", tmp_path / "page.pbm", names[-1])
    made("djvm", "-c", tmp_path / "book.djvu", *names)
    for number, size in enumerate([(600, 800), (7016, 9921), (600, 800)]):
        assert (drawn_ink(tmp_path / "book.djvu", number) == marked(*size)).all()


def fax(pixels: Pixels, rows: int = 0) -> bytes:
    """An `Smmr` chunk's data, coded by libtiff; in stripes if `rows` is given."""
    height, width = pixels.shape
    head = b"MMR" + bytes([2 * bool(rows)]) + struct.pack(">HH", width, height)
    if not rows:
        return head + g4_data(Bitmap.of_pixels(pixels))
    stripes = [g4_data(Bitmap.of_pixels(pixels[y : y + rows])) for y in range(0, height, rows)]
    coded = b"".join(struct.pack(">I", len(stripe)) + stripe for stripe in stripes)
    return head + struct.pack(">H", rows) + coded


@pytest.mark.parametrize(
    ("width", "height", "rows"),
    [(8200, 8193, 0), (8200, 8193, 500), (300, 200, 30), (300, 200, 200), (300, 200, 0)],
)
def test_fax_pages_are_drawn(tmp_path: Path, width: int, height: int, rows: int) -> None:
    pixels = marked(width, height)
    chunks = versioned(width, height, 26), chunk("Smmr", fax(pixels, rows))
    (tmp_path / "page.djvu").write_bytes(page(*chunks))
    assert (drawn_ink(tmp_path / "page.djvu") == pixels).all()


def test_inverted_fax_pages_in_stripes_are_drawn(tmp_path: Path) -> None:
    pixels = marked(100, 90)
    data = smmr(pixels, rows=40, inverted=True)
    (tmp_path / "page.djvu").write_bytes(page(versioned(100, 90, 26), chunk("Smmr", data)))
    assert (drawn_ink(tmp_path / "page.djvu") == pixels).all()


@pytest.mark.parametrize("rows", [0, 30])
def test_a_fax_page_that_breaks_off_is_no_silent_blank(tmp_path: Path, rows: int) -> None:
    data = fax(marked(300, 200), rows)
    chunks = versioned(300, 200, 26), chunk("Smmr", data[: len(data) // 2])
    (tmp_path / "page.djvu").write_bytes(page(*chunks))
    with pytest.raises(EngineError, match="the mask breaks off"):
        convert(tmp_path / "page.djvu", tmp_path / "page.pdf", ConvertOptions())


@pytest.mark.parametrize("version", [0, 17, 18, 19, 26])
def test_places_are_counted_as_the_version_says(tmp_path: Path, version: int) -> None:
    shape = np.pad(LETTER, ((2, 5), (3, 4)))
    writer = Jb2Writer(crops=version > 18).start(300, 200).direct(shape, 10, 20)
    for step in range(5):
        writer.copy(0, 50 + 30 * step, 20 + step)
    for step in range(5):
        writer.copy(0, 10 + 40 * step, 100 - step, new_line=not step)
    (tmp_path / "page.djvu").write_bytes(
        page(versioned(300, 200, version), chunk("Sjbz", writer.end()))
    )
    theirs = mask_of(tmp_path / "page.djvu")
    assert theirs is not None
    assert theirs.sum() == 11 * LETTER.sum()
    assert (drawn_ink(tmp_path / "page.djvu") == theirs).all()


def _short() -> list[tuple[bytes, bytes | None]]:
    words = [
        b"",
        b"\x16",
        b"\x16\x24",
        b"\x16\x24\x3f",
        b"\x16\x24\x3f\x00",
        b"\xff" * 4,
        b"\0" * 3,
    ]
    shared = [None, b"", b"\xe4", b"\xe4\xff", b"\x00", b"\xff"]
    return [(word, part) for word in words for part in shared]


@pytest.mark.parametrize(("data", "shared"), _short())
def test_streams_of_a_few_bytes_are_drawn_where_ddjvu_draws_them(
    tmp_path: Path, data: bytes, shared: bytes | None
) -> None:
    source = tmp_path / "page.djvu"
    parts = [] if shared is None else [chunk("Djbz", shared)]
    source.write_bytes(page(versioned(1, 1, 24), *parts, chunk("Sjbz", data)))
    theirs = mask_of(source)
    if theirs is not None and shared != b"":
        assert (drawn_ink(source) == theirs).all()
        return
    try:  # an empty chunk makes ddjvu pass over all that follow
        assert not drawn_ink(source).any()
    except EngineError as error:
        assert "page 1 cannot be decoded: its image data is damaged: the mask" in str(error)  # noqa: PT017  # either will do


def colour_page(tmp_path: Path, size: tuple[int, int], numbers: list[int]) -> tuple[bytes, ...]:
    """Three shapes, the last of which covers a part of the second, and a palette of two colours."""
    width, height = size
    writer = Jb2Writer().start(width, height).direct(LETTER, 10, 20)
    data = writer.copy(0, 100, 50).copy(0, 112, 55).end()
    (tmp_path / "raw").write_bytes(struct.pack(f">{len(numbers)}H", *numbers))
    made("bzz", "-e", tmp_path / "raw", tmp_path / "packed")
    palette = b"\x80\0\x02" + bytes([60, 120, 200]) + bytes([200, 10, 20])
    palette += len(numbers).to_bytes(3, "big") + (tmp_path / "packed").read_bytes()
    return versioned(width, height, 26), chunk("Sjbz", data), chunk("FGbz", palette)


def stencils(source: Path) -> dict[tuple[str, ...], int]:
    """The colours of a page and the pixels of each."""
    convert(source, source.with_suffix(".pdf"), ConvertOptions())
    found = {}
    with pikepdf.open(source.with_suffix(".pdf")) as pdf:
        colour: tuple[str, ...] = ()
        for step in pikepdf.parse_content_stream(pdf.pages[0]):
            if str(step.operator) == "rg":
                colour = tuple(f"{float(part) * 255:.0f}" for part in step.operands)
            if str(step.operator) == "Do":
                image = pdf.pages[0].Resources.XObject[str(step.operands[0])]
                found[colour] = int(ink_of(image).sum())
    return found


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_what_ends_the_last_stripe_may_be_missing(tmp_path: Path, cut: int) -> None:
    pixels = np.kron(np.eye(9, dtype=np.bool_), np.ones((20, 20), np.bool_))
    data = fax(pixels, 25)[:-cut]
    source = tmp_path / "page.djvu"
    source.write_bytes(page(info(width=180, height=180), chunk("Smmr", data)))
    theirs = mask_of(source)
    assert theirs is not None
    assert (drawn_ink(source) == theirs).all()


@pytest.mark.parametrize(
    ("kinds", "what"),
    [("SS", "mask"), ("SM", "mask"), ("MM", "mask"), ("IS", "size"), ("IM", "size")],
)
def test_a_second_mask_or_size_is_damage(tmp_path: Path, kinds: str, what: str) -> None:
    pixels = np.kron(np.eye(9, dtype=np.bool_), np.ones((20, 20), np.bool_))
    mask = Jb2Writer().start(180, 180).direct(pixels, 0, 0).end()
    chunks = {
        "I": info(width=180, height=180),
        "S": chunk("Sjbz", mask),
        "M": chunk("Smmr", smmr(pixels)),
    }
    source = tmp_path / "page.djvu"
    source.write_bytes(page(chunks["I"], *(chunks[kind] for kind in kinds)))
    assert mask_of(source) is None  # nor does ddjvu draw it
    with pytest.raises(EngineError, match=f"it has more than one {what} "):
        drawn_ink(source)
    source.write_bytes(page(chunks["I"], chunks[kinds[1]]))
    assert (drawn_ink(source) == pixels).all()


@pytest.mark.parametrize("size", [(300, 200), (8193, 8192)])
def test_shapes_have_their_colours_on_pages_of_any_size(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    source = tmp_path / "page.djvu"
    source.write_bytes(page(*colour_page(tmp_path, size, [0, 0, 1])))
    ink = int(LETTER.sum())
    shown = stencils(source)
    assert shown.keys() == {("200", "120", "60"), ("20", "10", "200")}
    assert shown["20", "10", "200"] == ink
    assert ink < shown["200", "120", "60"] < 2 * ink


def test_a_palette_that_is_not_the_shapes_is_noticed_or_black(tmp_path: Path) -> None:
    source = tmp_path / "page.djvu"
    source.write_bytes(page(*colour_page(tmp_path, (8193, 8192), [0, 1])))
    assert stencils(source).keys() == {("0", "0", "0")}  # as ddjvu shows it
    done = convert(source, tmp_path / "out.pdf", ConvertOptions())
    assert done.warnings == ("page 1: its palette is not that of its shapes: it is drawn in black",)
    source.write_bytes(page(*colour_page(tmp_path, (8193, 8192), [0, 1, 2])))
    with pytest.raises(EngineError, match="its palette is damaged"):
        stencils(source)


@pytest.mark.parametrize("difference", [-69, -1, 0, 1, 70])
def test_more_or_fewer_numbers_of_colours_than_shapes_are_told(
    tmp_path: Path, difference: int
) -> None:
    """A page that djvu-rs would draw in colours of other shapes, without a word."""
    writer = Jb2Writer().start(900, 60).direct(LETTER, 10, 20)
    for n in range(69):
        writer.copy(0, 40 + 12 * n, 10 + n * n * 7 % 31)
    numbers = [n % 2 for n in range(70 + difference)]
    (tmp_path / "raw").write_bytes(struct.pack(f">{len(numbers)}H", *numbers))
    made("bzz", "-e", tmp_path / "raw", tmp_path / "packed")
    palette = b"\x80\0\x02" + bytes([60, 120, 200]) + bytes([200, 10, 20])
    palette += len(numbers).to_bytes(3, "big") + (tmp_path / "packed").read_bytes()
    mask = writer.end()
    assert len(mask) > 48  # few bytes djvu-rs is not asked for
    source = tmp_path / "page.djvu"
    source.write_bytes(page(versioned(900, 60, 26), chunk("Sjbz", mask), chunk("FGbz", palette)))
    done = convert(source, source.with_suffix(".pdf"), ConvertOptions())
    assert (stencils(source).keys() == {("0", "0", "0")}) == bool(difference)
    assert len(done.warnings) == bool(difference)


def test_more_colours_than_one_look_can_tell_apart(tmp_path: Path) -> None:
    writer = Jb2Writer().start(8193, 8192).direct(np.ones((2, 2), np.bool_), 5, 5)
    numbers = [*range(300)]
    for number in numbers[1:]:
        writer.copy(0, 10 + 4 * number, 9)
    (tmp_path / "raw").write_bytes(struct.pack(">300H", *numbers))
    made("bzz", "-e", tmp_path / "raw", tmp_path / "packed")
    colours = b"".join(bytes([n % 250, n // 250, 7]) for n in numbers)
    palette = b"\x80" + struct.pack(">H", 300) + colours + (300).to_bytes(3, "big")
    chunks = (
        chunk("Sjbz", writer.end()),
        chunk("FGbz", palette + (tmp_path / "packed").read_bytes()),
    )
    source = tmp_path / "page.djvu"
    source.write_bytes(page(versioned(8193, 8192, 26), *chunks))
    assert list(stencils(source).values()) == [4] * 300


@pytest.mark.slow
@pytest.mark.parametrize("reduction", [3, 12])
def test_large_pages_have_their_pictures(tmp_path: Path, reduction: int) -> None:
    width, height = 8400, 8160
    Image.new("RGB", (width // reduction, height // reduction), (20, 200, 90)).save(
        tmp_path / "paper.ppm"
    )
    made("c44", tmp_path / "paper.ppm", tmp_path / "paper.djvu")
    (paper,) = [d for k, d in chunks_of((tmp_path / "paper.djvu").read_bytes()) if k == "BG44"][:1]
    mask = Jb2Writer().start(width, height).direct(LETTER, 10, 20).end()
    layers_of_it = chunk("Sjbz", mask), chunk("FG44", paper)
    (tmp_path / "page.djvu").write_bytes(page(versioned(width, height, 26), *layers_of_it))
    shown = stencils(tmp_path / "page.djvu")
    ((colour, pixels),) = shown.items()
    assert pixels == LETTER.sum()
    assert abs(int(colour[1]) - 200) < 4


def test_pages_that_no_memory_holds_are_refused_and_smaller_ones_drawn(tmp_path: Path) -> None:
    data = Jb2Writer().start(20_000, 20_000).direct(LETTER, 10, 20).end()
    source = tmp_path / "page.djvu"
    source.write_bytes(page(versioned(20_000, 20_000, 26), chunk("Sjbz", data)))
    enough = ConvertOptions(max_memory_bytes=200 * MIB + 200_000_000)
    assert drawn_ink(source, options=enough).sum() == LETTER.sum()
    short = ConvertOptions(max_memory_bytes=enough.max_memory_bytes - 1)
    with pytest.raises(EngineError, match="memory limit"):
        drawn_ink(source, options=short)


def test_a_shape_larger_than_memory_is_refused(tmp_path: Path) -> None:
    writer = Jb2Writer().start(300, 200)
    writer.begin_direct(262_142, 262_142)
    source = tmp_path / "page.djvu"
    source.write_bytes(page(versioned(300, 200, 26), chunk("Sjbz", writer.coder.finish())))
    with pytest.raises(EngineError, match="memory limit"):
        drawn_ink(source)


def test_a_mask_of_another_size_belongs_to_another_page(tmp_path: Path) -> None:
    data = Jb2Writer().start(8193, 8192).direct(LETTER, 10, 20).end()
    source = tmp_path / "page.djvu"
    source.write_bytes(page(versioned(8193, 8193, 26), chunk("Sjbz", data)))
    assert mask_of(source) is None
    with pytest.raises(EngineError, match="do not fit together"):
        drawn_ink(source)


def lines_of_letters(writer: Jb2Writer, top: int, bottom: int) -> Jb2Writer:
    """Letters of which none is like another: so the stream is shorter than CCITT G4 would be."""
    random = np.random.default_rng(top)
    for row in range(top, bottom, 30):
        for left in range(10, 270, 30):
            writer.direct(
                np.kron(random.random((3, 3)) < 0.7, np.ones((8, 8), np.bool_)), left, row
            )
    return writer


@pytest.mark.parametrize(
    ("width", "height", "fits"),
    [(300, 400, True), (299, 400, False), (301, 400, False), (300, 399, False), (300, 401, False)],
)
def test_a_mask_is_not_cut_to_the_size_of_another_page(
    tmp_path: Path, width: int, height: int, *, fits: bool
) -> None:
    data = lines_of_letters(Jb2Writer().start(300, 400), 10, 370).end()
    source = tmp_path / "page.djvu"
    source.write_bytes(page(versioned(width, height, 26), chunk("Sjbz", data)))
    if fits:
        assert (drawn_ink(source) == mask_of(source)).all()
        return
    assert mask_of(source) is None
    with pytest.raises(EngineError, match="do not fit together"):
        drawn_ink(source)


@pytest.mark.parametrize(("place", "bit"), [(165, 4), (190, 3), (250, 4), (319, 7), (365, 6)])
def test_a_mask_that_stops_making_sense_is_told_however_much_there_is_before(
    tmp_path: Path, place: int, bit: int
) -> None:
    """djvu-rs stops there without a word, and shows what it has: all down the page."""
    data = bytearray(lines_of_letters(Jb2Writer().start(300, 400), 10, 370).end())
    data[place] ^= 1 << bit
    source = tmp_path / "page.djvu"
    source.write_bytes(page(versioned(300, 400, 26), chunk("Sjbz", bytes(data))))
    with pytest.raises(EngineError, match="breaks off"):
        drawn_ink(source)


@pytest.mark.parametrize("name", ["bitonal", "mixed"])
def test_a_false_alarm_costs_a_second_look_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    source = SAMPLES / f"{name}.djvu"
    convert(source, tmp_path / "usual.pdf", ConvertOptions())
    monkeypatch.setattr(masks, "whole_ink", lambda *_: None)
    looked: list[object] = []
    exact = masks.mask_shapes

    def looking(page: PageChunks, geometry: Geometry, options: ConvertOptions) -> Jb2Image | None:
        looked.append(page)
        return exact(page, geometry, options)

    monkeypatch.setattr(masks, "mask_shapes", looking)
    convert(source, tmp_path / "second.pdf", ConvertOptions())
    assert looked
    assert (tmp_path / "usual.pdf").read_bytes() == (tmp_path / "second.pdf").read_bytes()


@pytest.mark.parametrize("name", ["bitonal", "languages", "no-text", "rotated"])
def test_in_plain_python_our_own_decoder_is_not_asked_for_whole_masks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """It takes up to ten times as long: so no mask that is whole may seem broken off."""

    def unwanted(*_: object) -> None:
        raise AssertionError("a whole mask was decoded again")

    monkeypatch.setattr(masks, "mask_shapes", unwanted)
    convert(SAMPLES / f"{name}.djvu", tmp_path / "page.pdf", ConvertOptions())


@pytest.mark.parametrize("name", ["bitonal", "mixed", "book", "rotated", "languages"])
def test_where_kernels_are_compiled_no_mask_is_decoded_twice_and_all_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    source = SAMPLES / f"{name}.djvu"
    convert(source, tmp_path / "plain.pdf", ConvertOptions())

    def unwanted(*_: object, **__: object) -> None:
        raise AssertionError("djvu-rs was asked for a mask")

    decoded: list[object] = []
    exact = masks.mask_shapes

    def counted(page: PageChunks, geometry: Geometry, options: ConvertOptions) -> Jb2Image | None:
        decoded.append(page)
        return exact(page, geometry, options)

    monkeypatch.setattr(masks, "COMPILED", True)
    monkeypatch.setattr(masks, "whole_ink", unwanted)
    monkeypatch.setattr(masks, "mask_shapes", counted)
    convert(source, tmp_path / "compiled.pdf", ConvertOptions())
    assert 0 < len(decoded) == len({id(page) for page in decoded})
    assert (tmp_path / "plain.pdf").read_bytes() == (tmp_path / "compiled.pdf").read_bytes()


@pytest.mark.parametrize(
    ("width", "says"), [(8192, "image data is damaged"), (8193, "no more than 64 Mi")]
)
def test_wavelets_beyond_what_can_be_decoded_are_told_as_that(
    tmp_path: Path, width: int, says: str
) -> None:
    head = b"\0\x01\x01\x02" + struct.pack(">HH", width, 8192)
    source = tmp_path / "page.djvu"
    source.write_bytes(page(versioned(width, 8192, 26), chunk("BG44", head)))
    with pytest.raises(EngineError, match=says):
        convert(source, tmp_path / "page.pdf", ConvertOptions())
