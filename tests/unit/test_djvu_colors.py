"""Colour layers: JPEG and wavelets in every mixture, palettes, and the gamma of them all."""

from __future__ import annotations

import io
import itertools
import subprocess
from typing import TYPE_CHECKING

import pikepdf
import pypdfium2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageCms, ImageStat
from PIL.JpegImagePlugin import JpegImageFile

from batch_converter.djvu.draw.convert import convert
from batch_converter.djvu.draw.jpeg import JpegLayer
from batch_converter.djvu.jobs.options import ConvertOptions
from batch_converter.djvu.read.decoder import PageError
from batch_converter.errors import EngineError
from tests.support.djvu_files import chunk, page
from tests.support.djvu_layers import (
    MARKS,
    fax_mask,
    info_with_gamma,
    jpeg,
    marks,
    mask,
    palette,
    plain,
    shaded,
    wavelets,
)

if TYPE_CHECKING:
    from pathlib import Path

WIDTH, HEIGHT, DPI = 241, 163, 300
PAPER, INK = (255, 230, 180), (200, 120, 60)
MASK = mask(WIDTH, HEIGHT)


def size_at(reduction: int) -> tuple[int, int]:
    return -(-WIDTH // reduction), -(-HEIGHT // reduction)


def document(*layers: bytes, gamma: int = 22) -> bytes:
    return page(info_with_gamma(gamma, width=WIDTH, height=HEIGHT, dpi=DPI), *layers)


def ours(tmp_path: Path, djvu: bytes, options: ConvertOptions | None = None) -> Image.Image:
    source, target = tmp_path / "in.djvu", tmp_path / "out.pdf"
    source.write_bytes(djvu)
    convert(source, target, options or ConvertOptions())
    with pypdfium2.PdfDocument(target) as pdf:
        image: Image.Image = pdf[0].render(scale=DPI / 72).to_pil().convert("RGB")
    return image


def theirs(tmp_path: Path, djvu: bytes) -> Image.Image | None:
    """Return the page as DjVuLibre shows it; None where it refuses to."""
    source, target = tmp_path / "theirs.djvu", tmp_path / "theirs.ppm"
    source.write_bytes(djvu)
    command = ["ddjvu", "-format=ppm", str(source), str(target)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        return None
    return Image.open(target).convert("RGB")


def jpegs_in(tmp_path: Path) -> list[bytes]:
    with pikepdf.open(tmp_path / "out.pdf") as pdf:
        images = [image for _, image in pdf.pages[0].Resources.get("/XObject", {}).items()]
        return [image.read_raw_bytes() for image in images if image.Filter == "/DCTDecode"]


def mean_square_error(first: Image.Image, second: Image.Image) -> float:
    assert first.size == second.size
    bands = ImageStat.Stat(ImageChops.difference(first, second)).sum2
    return float(sum(bands) / (3 * first.width * first.height))


def places() -> list[tuple[int, int]]:
    """A pixel of each mark, and one of the paper."""
    boxes = marks(WIDTH, HEIGHT)
    return [((left + right) // 2, (top + bottom) // 2) for left, top, right, bottom in boxes] + [
        (1, 1)
    ]


def colors(image: Image.Image | None) -> list[tuple[int, ...]]:
    assert image is not None
    return [image.getpixel(place) for place in places()]  # type: ignore[misc]  # RGB


def near(first: list[tuple[int, ...]], second: list[tuple[int, ...]], tolerance: int = 1) -> bool:
    pairs = zip(itertools.chain(*first), itertools.chain(*second), strict=True)
    return all(abs(one - other) <= tolerance for one, other in pairs)


# JPEG where DjVuLibre has it


def background(kind: str, reduction: int) -> bytes:
    image = shaded(*size_at(reduction))
    return {
        "BGjp": lambda: chunk("BGjp", jpeg(image)),
        "gray BGjp": lambda: chunk("BGjp", jpeg(image.convert("L"))),
        "progressive BGjp": lambda: chunk("BGjp", jpeg(image, progressive=True)),
        "BG44": lambda: wavelets(image),
    }[kind]()


def foreground(kind: str, reduction: int) -> bytes:
    image = shaded(*size_at(reduction), dark=True)
    return {
        "FGjp": lambda: chunk("FGjp", jpeg(image)),
        "gray FGjp": lambda: chunk("FGjp", jpeg(image.convert("L"))),
        "FG44": lambda: wavelets(image, "FG44"),
    }[kind]()


@pytest.mark.parametrize("reduction", range(1, 13))
def test_a_jpeg_background_is_shown_as_djvulibre_shows_it(tmp_path: Path, reduction: int) -> None:
    djvu = document(background("BGjp", reduction))
    reference = theirs(tmp_path, djvu)
    assert reference is not None
    assert mean_square_error(ours(tmp_path, djvu), reference) < 10


@pytest.mark.parametrize("gamma", [22, 10])
@pytest.mark.parametrize("reductions", [(1, 12), (12, 1), (5, 7)])
@pytest.mark.parametrize("ink", ["FGjp", "gray FGjp", "FG44"])
@pytest.mark.parametrize("paper", ["BGjp", "gray BGjp", "progressive BGjp", "BG44"])
def test_jpeg_and_wavelets_mix_as_djvulibre_mixes_them(
    tmp_path: Path, paper: str, ink: str, reductions: tuple[int, int], gamma: int
) -> None:
    below, above = reductions
    djvu = document(MASK, foreground(ink, above), background(paper, below), gamma=gamma)
    reference = theirs(tmp_path, djvu)
    assert reference is not None
    shown = ours(tmp_path, djvu, ConvertOptions(jpeg_quality=95))
    assert mean_square_error(shown, reference) < 20
    assert near(colors(shown), colors(reference), 20)  # dark levels are spread by the gamma


@pytest.mark.parametrize("stencil", [MASK, fax_mask(WIDTH, HEIGHT)], ids=["JB2", "MMR"])
@pytest.mark.parametrize("order", [1, -1])
def test_plain_colours_are_djvulibres_to_the_level(
    tmp_path: Path, stencil: bytes, order: int
) -> None:
    ink = chunk("FGjp", jpeg(plain(INK, *size_at(12))))
    paper = chunk("BGjp", jpeg(plain(PAPER, *size_at(3))))
    djvu = document(*[stencil, ink, paper][::order])
    assert near(colors(ours(tmp_path, djvu)), colors(theirs(tmp_path, djvu)))
    assert not jpegs_in(tmp_path)  # a fill and a stencil say it shorter


def test_ink_has_its_colour_without_a_background_and_a_background_its_own_without_ink(
    tmp_path: Path,
) -> None:
    """DjVuLibre draws neither: here no layer is passed over."""
    ink = chunk("FGjp", jpeg(plain(INK, *size_at(12))))
    paper = chunk("BGjp", jpeg(plain(PAPER, *size_at(3))))
    red, white = colors(ours(tmp_path, document(MASK, ink)))[-2:]
    assert near([red, white], [INK, (255, 255, 255)])
    black, yellow = colors(ours(tmp_path, document(MASK, paper)))[-2:]
    assert near([black, yellow], [(0, 0, 0), PAPER])


@pytest.mark.parametrize("kind", ["BGjp", "FGjp"])
@pytest.mark.parametrize(
    ("size", "sound"),
    [
        (size_at(1), True),
        (size_at(12), True),
        (size_at(13), False),
        ((WIDTH, HEIGHT - 1), False),
        ((WIDTH + 1, HEIGHT), False),
        ((size_at(3)[0], size_at(3)[1] - 1), False),
        ((2 * WIDTH, 2 * HEIGHT), False),
        ((1, 1), False),
    ],
)
def test_a_jpeg_of_another_pages_size_is_damage_for_both(
    tmp_path: Path, kind: str, size: tuple[int, int], *, sound: bool
) -> None:
    other = wavelets(plain(PAPER, *size_at(3)), "FG44" if kind == "BGjp" else "BG44")
    djvu = document(MASK, other, chunk(kind, jpeg(plain(INK, *size))))
    assert (theirs(tmp_path, djvu) is not None) is sound
    if sound:
        ours(tmp_path, djvu)
    else:
        with pytest.raises(EngineError, match="do not fit together"):
            ours(tmp_path, djvu)


BACKGROUNDS = {
    "BG44": wavelets(plain(PAPER, *size_at(3))),
    "BGjp": chunk("BGjp", jpeg(plain(PAPER, *size_at(3)))),
    "BG2k": chunk("BG2k", b"\0\0\0\x0cjP  \r\n\x87\n"),
}
INKS = {
    "FG44": wavelets(plain(INK, *size_at(12)), "FG44"),
    "FGjp": chunk("FGjp", jpeg(plain(INK, *size_at(12)))),
    "FGbz": palette([INK], [0] * MARKS),
    "FG2k": chunk("FG2k", b"\0\0\0\x0cjP  \r\n\x87\n"),
}


@pytest.mark.parametrize(
    ("layers", "says"),
    [
        *[
            (pair, "more than one background")
            for pair in [("BG44", "BGjp"), ("BGjp", "BG44"), ("BGjp", "BGjp")]
        ],
        *[
            (pair, "more than one foreground colour")
            for pair in itertools.product(["FG44", "FGjp", "FGbz"], repeat=2)
            if pair != ("FG44", "FG44")
        ],
    ],
)
def test_two_layers_for_one_thing_are_damage_for_both(
    tmp_path: Path, layers: tuple[str, ...], says: str
) -> None:
    chosen = [(BACKGROUNDS | INKS)[name] for name in layers]
    others = [BACKGROUNDS["BG44"]] if "foreground" in says else [INKS["FGbz"]]
    djvu = document(MASK, *chosen, *others)
    assert theirs(tmp_path, djvu) is None
    with pytest.raises(EngineError, match=says):
        ours(tmp_path, djvu)


@pytest.mark.parametrize(
    "layers", [["BG2k"], ["FG2k"], ["FGjp", "BG2k"], ["FG2k", "BGjp"], ["FG2k", "BG44"]]
)
def test_jpeg_2000_is_refused_by_name(tmp_path: Path, layers: list[str]) -> None:
    """DjVuLibre passes over it, so that the rest comes out black on white."""
    djvu = document(MASK, *[(BACKGROUNDS | INKS)[name] for name in layers])
    kind = next(name for name in layers if "2k" in name)
    with pytest.raises(EngineError, match=rf"JPEG 2000 \({kind}\), which is not supported"):
        ours(tmp_path, djvu)


# JPEG that stays as it is


def adobe_rgb(image: Image.Image) -> bytes:
    """A JPEG in RGB itself, which nothing but the components' ids tells."""
    data = jpeg(image, keep_rgb=True)
    at = data.index(b"\xff\xee")
    return data[:at] + data[at + 2 + int.from_bytes(data[at + 2 : at + 4], "big") :]


def padded(data: bytes) -> bytes:
    """Put fill bytes before each marker of a JPEG's head, as any may have them."""
    head, scan = data.split(b"\xff\xda", 1)
    at, marked = 2, head[:2]
    while at < len(head):
        end = at + 2 + int.from_bytes(head[at + 2 : at + 4], "big")
        marked += b"\xff" * (at % 3) + head[at:end]
        at = end
    return marked + b"\xff\xff\xda" + scan


LARGE = shaded(*size_at(2))


@pytest.mark.parametrize(
    "data",
    [
        jpeg(LARGE),
        jpeg(LARGE, quality=30, subsampling=2),
        jpeg(LARGE.convert("L")),
        jpeg(LARGE, progressive=True),
        padded(jpeg(LARGE)),
        jpeg(LARGE, keep_rgb=True),
        jpeg(LARGE, icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()),
    ],
    ids=[
        "colour",
        "rough",
        "gray",
        "progressive",
        "fill bytes",
        "RGB with Adobe's marker",
        "with a profile",
    ],
)
def test_a_jpeg_that_a_pdf_can_hold_loses_nothing(tmp_path: Path, data: bytes) -> None:
    ours(tmp_path, document(chunk("BGjp", data)))
    assert jpegs_in(tmp_path) == [data]
    ours(tmp_path, document(MASK, chunk("FGjp", data), BACKGROUNDS["BG44"]))
    assert jpegs_in(tmp_path) == [data]


@pytest.mark.parametrize(
    ("change", "gamma", "options"),
    [
        (lambda image: jpeg(image.convert("CMYK")), 22, ConvertOptions()),
        (adobe_rgb, 22, ConvertOptions()),
        (jpeg, 21, ConvertOptions()),
        (jpeg, 22, ConvertOptions(color_dpi=100)),
    ],
    ids=["CMYK", "RGB without a marker", "another gamma", "too fine"],
)
def test_other_jpegs_are_coded_anew_in_the_right_colours(
    tmp_path: Path, change: object, gamma: int, options: ConvertOptions
) -> None:
    data = change(LARGE)  # type: ignore[operator]  # one of the above
    shown = ours(tmp_path, document(chunk("BGjp", data), gamma=gamma), options)
    (coded,) = jpegs_in(tmp_path)
    assert coded != data
    with Image.open(io.BytesIO(coded)) as image:
        assert image.mode == "RGB"
        assert image.size == (LARGE.size if options.color_dpi == 300 else (81, 55))
    expected = shaded(WIDTH, HEIGHT)
    assert mean_square_error(shown, expected) < 60


def test_what_follows_a_jpeg_is_left_out_and_a_missing_end_is_added(tmp_path: Path) -> None:
    whole = jpeg(LARGE)
    for data in (whole[:-2], whole + b"\0", whole + b"more \xff\xd9 more"):
        ours(tmp_path, document(chunk("BGjp", data)))
        assert jpegs_in(tmp_path) == [whole]


# JPEG that is damaged


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("ended", [False, True])
@pytest.mark.parametrize("left", [0.3, 0.6, 0.95])
def test_a_jpeg_that_breaks_off_is_damage(
    tmp_path: Path, left: float, *, ended: bool, progressive: bool
) -> None:
    """DjVuLibre fills it up with gray."""
    data = jpeg(LARGE, progressive=progressive)
    cut = data[: int(len(data) * left)] + b"\xff\xd9" * ended
    for layers in (
        [chunk("BGjp", cut)],
        [chunk("BGjp", padded(cut))],
        [MASK, chunk("FGjp", cut), BACKGROUNDS["BG44"]],
    ):
        with pytest.raises(EngineError, match="page 1 cannot be decoded: its JPEG image"):
            ours(tmp_path, document(*layers))


@pytest.mark.parametrize(
    "data", [b"", b"\xff", b"\xff\xd8", b"hello", jpeg(LARGE)[:100], b"GIF89a"]
)
def test_what_is_no_jpeg_is_damage(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(EngineError, match="its JPEG image is damaged"):
        ours(tmp_path, document(chunk("BGjp", data)))


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from([jpeg(plain(INK, 40, 30)), jpeg(shaded(40, 30), progressive=True)]),
    st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), min_size=1, max_size=6),
)
def test_any_damage_of_a_jpeg_is_an_image_or_a_page_error(
    data: bytes, changes: list[tuple[int, int]]
) -> None:
    changed = bytearray(data)
    for place, byte in changes:
        changed[place % len(changed)] = byte
    try:
        layer = JpegLayer(bytes(changed))
        if layer.size == (40, 30):
            assert layer.decode().mode in {"L", "RGB"}
            layer.as_it_is()
    except PageError:
        pass


def bomb(width: int, height: int) -> bytes:
    data = bytearray(jpeg(plain(INK, 8, 8)))
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    return bytes(data)


@pytest.mark.parametrize(
    ("claimed", "page_size", "says"),
    [
        ((65500, 65500), (WIDTH, HEIGHT), "do not fit together"),
        ((65500, 65500), (65500, 65500), "exceed the memory limit"),
        ((20000, 20000), (20000, 20000), "exceed the memory limit"),
    ],
)
def test_a_jpeg_bomb_is_refused_before_it_is_decoded(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    claimed: tuple[int, int],
    page_size: tuple[int, int],
    says: str,
) -> None:
    def load(_image: JpegImageFile) -> None:
        raise AssertionError("it was decoded")

    monkeypatch.setattr(JpegImageFile, "load", load)
    info = info_with_gamma(22, width=page_size[0], height=page_size[1])
    with pytest.raises(EngineError, match=says):
        ours(tmp_path, page(info, chunk("BGjp", bomb(*claimed))))


# Palettes

THREE = [INK, (1, 2, 3), (90, 255, 17)]


@pytest.mark.parametrize(
    ("chosen", "sound"),
    [
        (palette(THREE, [0, 1, 2, 1, 0]), True),
        (palette(THREE, [0, 1, 3, 1, 0]), False),
        (palette(THREE, [0, -1, 2, 1, 0]), False),
        (palette([INK], [0, 0, 0, 0, 0]), True),
        (palette([INK], [0, 0, 1, 0, 0]), False),
        (palette(THREE, [0, 1, 2, 1, 0], version=0x81), False),
        (palette([INK], [], version=0x01), False),
        (palette(THREE, [0, 1, 2, 1, 0], said=6), False),
        (chunk("FGbz", palette(THREE, [0, 1, 2, 1, 0])[8:20]), False),
        (chunk("FGbz", palette(THREE, [0, 1, 2, 1, 0])[8:21]), False),
        (chunk("FGbz", palette(THREE, [0, 1, 2, 1, 0])[8:15]), False),
        (palette([(n % 256, n // 256, 7) for n in range(300)], [0, 150, 299, 255, 254]), True),
    ],
)
def test_a_palette_that_is_damage_for_djvulibre_is_damage(
    tmp_path: Path, chosen: bytes, *, sound: bool
) -> None:
    """Colours that do not exist were made up, without a word."""
    djvu = document(MASK, chosen, BACKGROUNDS["BG44"])
    reference = theirs(tmp_path, djvu)
    assert (reference is not None) is sound
    if sound:
        assert near(colors(ours(tmp_path, djvu)), colors(reference))
    else:
        with pytest.raises(EngineError, match="its palette is damaged"):
            ours(tmp_path, djvu)


@pytest.mark.parametrize(
    ("chosen", "says"),
    [
        (palette(THREE, [], version=0), "does not say what has which colour"),
        (palette([], []), "has no colours"),
        (palette([], [], version=0), "has no colours"),
    ],
)
def test_colours_that_cannot_be_told_are_black_and_told(
    tmp_path: Path, chosen: bytes, says: str
) -> None:
    djvu = document(MASK, chosen, BACKGROUNDS["BG44"])
    assert near(colors(ours(tmp_path, djvu))[:-1], colors(theirs(tmp_path, djvu))[:-1])
    done = convert(tmp_path / "in.djvu", tmp_path / "out.pdf", ConvertOptions())
    assert [says in warning for warning in done.warnings] == [True]


def test_a_single_colour_needs_no_numbers(tmp_path: Path) -> None:
    djvu = document(MASK, palette([INK], [], version=0), BACKGROUNDS["BG44"])
    assert colors(ours(tmp_path, djvu))[0] == INK
    done = convert(tmp_path / "in.djvu", tmp_path / "out.pdf", ConvertOptions())
    assert not done.warnings


# Gamma

GAMMAS = [0, 3, 4, 10, 21, 22, 23, 50, 51, 255]


@pytest.mark.parametrize("gamma", GAMMAS)
@pytest.mark.parametrize(
    "layers",
    [
        (palette([INK], [0] * MARKS), BACKGROUNDS["BG44"]),
        (palette([INK, (1, 2, 3), (90, 255, 17)], [0, 1, 2, 1, 0]), BACKGROUNDS["BGjp"]),
        (INKS["FG44"], BACKGROUNDS["BG44"]),
        (INKS["FGjp"], BACKGROUNDS["BGjp"]),
        (INKS["FGjp"], BACKGROUNDS["BG44"]),
        (INKS["FG44"], BACKGROUNDS["BGjp"]),
    ],
    ids=["one colour", "three colours", "wavelets", "JPEG", "JPEG on BG44", "FG44 on JPEG"],
)
def test_every_layer_is_corrected_as_djvulibre_corrects_it(
    tmp_path: Path, layers: tuple[bytes, ...], gamma: int
) -> None:
    djvu = document(MASK, *layers, gamma=gamma)
    assert near(colors(ours(tmp_path, djvu)), colors(theirs(tmp_path, djvu)), 0)


@pytest.mark.parametrize("length", [5, 8, 9, 10])
def test_an_info_that_ends_before_the_gamma_means_the_usual_one(
    tmp_path: Path, length: int
) -> None:
    info = chunk("INFO", info_with_gamma(10, width=WIDTH, height=HEIGHT)[8 : 8 + length])
    djvu = page(info, MASK, INKS["FGbz"], BACKGROUNDS["BG44"])
    assert near(colors(ours(tmp_path, djvu)), colors(theirs(tmp_path, djvu)), 0)
    assert colors(theirs(tmp_path, djvu))[0] == (INK if length < 9 else (228, 181, 132))
