"""Pictures of first pages: what is on them, and what becomes of pages that have none."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from PIL import Image

from batch_converter.config import LocalSettings
from batch_converter.djvu.draw.picture import draw_first_page
from batch_converter.djvu.jobs.options import ConvertOptions
from batch_converter.djvu.work.worker_process import WorkerProcess
from batch_converter.engines.local import LocalEngine
from batch_converter.errors import EngineError, FileError, NotDjvuError, OutputError
from tests.support.bundles import Part, bundle_of, form
from tests.support.djvu_files import SAMPLES, chunk, info, page
from tests.support.djvu_layers import fax_mask, jpeg, mask, palette, wavelets

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

DAMAGED = SAMPLES.parent / "tests" / "data"
SIZE = {"width": 1000, "height": 500}
RED, WHITE, BLACK = (255, 0, 0), (255, 255, 255), (0, 0, 0)
IN_A_SHAPE, BESIDE_IT = (0.05, 0.4), (0.19, 0.4)
"""Places as shares of width and height; see `djvu_layers.marks`."""


@pytest.fixture
async def engine() -> AsyncIterator[LocalEngine]:
    async with LocalEngine(LocalSettings(), workers=1) as opened:
        yield opened


def picture(folder: Path, djvu: bytes, max_side_px: int = 240) -> Image.Image:
    """Draw as a worker does, in this process."""
    source, target = folder / "in.djvu", folder / "out.jpg"
    source.write_bytes(djvu)
    draw_first_page(os.fspath(source), os.fspath(target), max_side_px, ConvertOptions())
    assert names_in(folder) == ["in.djvu", "out.jpg"]
    with Image.open(target) as image:
        assert (image.format, image.mode) == ("JPEG", "RGB")
        image.load()
    return image


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def color_at(image: Image.Image, place: tuple[float, float]) -> tuple[int, ...]:
    found = image.getpixel((int(place[0] * image.width), int(place[1] * image.height)))
    assert isinstance(found, tuple)
    return found


def is_like(found: tuple[int, ...], color: tuple[int, ...]) -> bool:
    return max(abs(a - b) for a, b in zip(found, color, strict=True)) < 40


def test_a_blank_page_is_white(tmp_path: Path) -> None:
    found = picture(tmp_path, page(info(**SIZE)))
    assert found.size == (240, 120)
    assert found.getextrema() == ((255, 255),) * 3


def test_a_bitonal_page_is_black_on_white(tmp_path: Path) -> None:
    found = picture(tmp_path, page(info(**SIZE), mask(1000, 500)))
    assert is_like(color_at(found, IN_A_SHAPE), BLACK)
    assert is_like(color_at(found, BESIDE_IT), WHITE)


def test_a_fax_is_drawn_by_our_own_decoder(tmp_path: Path) -> None:
    found = picture(tmp_path, page(info(**SIZE), fax_mask(1000, 500)))
    assert is_like(color_at(found, IN_A_SHAPE), WHITE)  # its shapes are left out of the ink
    assert is_like(color_at(found, BESIDE_IT), BLACK)


def test_a_mask_of_many_shapes_is_drawn_by_the_other(tmp_path: Path) -> None:
    djvu = (SAMPLES / "bitonal.djvu").read_bytes()
    found = picture(tmp_path, djvu)
    assert found.size == (170, 240)
    shades = found.convert("L").histogram()
    assert sum(shades[:120])
    assert shades[255] > sum(shades) / 2


def shade() -> bytes:
    return wavelets(Image.new("RGB", (1000, 500), RED), "FG44")


@pytest.mark.parametrize(
    "ink", [palette([RED], [0] * 5), palette([RED, (0, 0, 255)], [0] * 4 + [1]), shade()]
)
@pytest.mark.parametrize("layer", ["wavelets", "JPEG"])
def test_a_colour_page_has_its_colours(tmp_path: Path, layer: str, ink: bytes) -> None:
    sky = Image.new("RGB", (1000, 500), (40, 90, 200))
    coded = wavelets(sky) if layer == "wavelets" else chunk("BGjp", jpeg(sky))
    data = page(info(**SIZE), mask(1000, 500), ink, coded)
    found = picture(tmp_path, data)
    assert is_like(color_at(found, IN_A_SHAPE), RED)
    assert is_like(color_at(found, BESIDE_IT), (40, 90, 200))


@pytest.mark.parametrize(
    ("flags", "size", "place"),
    [
        (1, (240, 120), (0.05, 0.4)),
        (6, (120, 240), (0.4, 0.95)),
        (2, (240, 120), (0.95, 0.6)),
        (5, (120, 240), (0.6, 0.05)),
    ],
    ids=["upright", "90", "180", "270"],
)
def test_a_page_is_turned_as_it_is_shown(
    tmp_path: Path,
    flags: int,
    size: tuple[int, int],
    place: tuple[float, float],
) -> None:
    sheet = Image.new("RGB", (1000, 500), "white")
    sheet.paste((255, 0, 0), (0, 150, 100, 250))
    data = page(info(**SIZE, flags=flags), chunk("BGjp", jpeg(sheet)))
    found = picture(tmp_path, data)
    assert found.size == size
    assert is_like(color_at(found, place), RED)
    opposite = color_at(found, (1 - place[0], 1 - place[1]))
    assert is_like(opposite, WHITE)


@pytest.mark.parametrize(("asked_px", "size"), [(100, (100, 50)), (2000, (1000, 500)), (1, (1, 1))])
def test_it_is_as_large_as_was_asked_and_never_larger_than_the_page(
    tmp_path: Path, asked_px: int, size: tuple[int, int]
) -> None:
    data = page(info(**SIZE), mask(1000, 500))
    assert (picture(tmp_path, data, max_side_px=asked_px)).size == size


def test_of_a_book_the_first_page_is_drawn(tmp_path: Path) -> None:
    sizes = [(400, 100), (100, 400)]
    forms = [form("DJVU", info(width=w, height=h), mask(w, h)) for w, h in sizes]
    parts = [Part(form=made, id=f"p{n}.djvu") for n, made in enumerate(forms)]
    assert (picture(tmp_path, bundle_of(parts))).size == (240, 60)


def damaged() -> dict[str, bytes]:
    whole = mask(1000, 500)
    return {
        "mask": page(info(**SIZE), whole[:8] + b"\x7f" * (len(whole) - 8)),
        "wavelets": page(info(**SIZE), chunk("BG44", b"\0\1\1\2")),
        "JPEG": page(info(**SIZE), chunk("BGjp", b"\xff\xd8\xff\xd9")),
        "size": page(mask(1000, 500)),
        "JPEG 2000": page(info(**SIZE), chunk("BG2k", b"\0" * 20)),
        "huge page": page(info(width=65535, height=65535), mask(1000, 500)),
        "huge JPEG": page(info(**SIZE), chunk("BGjp", huge_jpeg())),
        "shapes of nowhere": page(info(**SIZE), chunk("INCL", b"gone.djvu"), whole),
    }


def huge_jpeg() -> bytes:
    """A JPEG file that claims 65,500 pixels each way."""
    data = jpeg(Image.new("RGB", (8, 8)))
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + b"\xff\xdc" * 2 + data[at + 4 :]


@pytest.mark.parametrize("kind", sorted(damaged().keys() - {"shapes of nowhere"}))
def test_a_damaged_page_has_none(tmp_path: Path, kind: str) -> None:
    with pytest.raises(EngineError, match="first page"):
        picture(tmp_path, damaged()[kind])
    assert names_in(tmp_path) == ["in.djvu"]


def test_what_is_missing_and_not_needed_costs_nothing(tmp_path: Path) -> None:
    found = picture(tmp_path, damaged()["shapes of nowhere"])
    assert is_like(color_at(found, IN_A_SHAPE), BLACK)


async def test_the_engine_lives_on_after_what_cannot_be_drawn(
    engine: LocalEngine, tmp_path: Path
) -> None:
    target = os.fspath(tmp_path / "out.jpg")
    with pytest.raises(NotDjvuError):
        await engine.picture(os.fspath(Path(__file__)), target)
    with pytest.raises(FileError):
        await engine.picture(os.fspath(tmp_path / "missing.djvu"), target)
    with pytest.raises(OutputError):
        await engine.picture(os.fspath(SAMPLES / "book.djvu"), os.fspath(tmp_path / "no" / "x"))
    await engine.picture(os.fspath(SAMPLES / "book.djvu"), target)
    with Image.open(target) as image:
        assert image.size == (170, 240)


def test_a_page_that_djvu_rs_refuses_is_drawn_all_the_same(tmp_path: Path) -> None:
    wide, high = 9000, 8000  # more than 64 Mi pixels
    found = picture(tmp_path, page(info(width=wide, height=high), mask(wide, high)))
    assert found.size == (240, 213)
    assert is_like(color_at(found, IN_A_SHAPE), BLACK)
    assert is_like(color_at(found, BESIDE_IT), WHITE)


async def test_only_one_is_drawn_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ask = WorkerProcess.ask
    drawn = most = 0

    async def watched(self: WorkerProcess, job: Mapping[str, Any]) -> dict[str, Any]:
        nonlocal drawn, most
        drawn += 1
        most = max(most, drawn)
        try:
            return await ask(self, job)
        finally:
            drawn -= 1

    monkeypatch.setattr(WorkerProcess, "ask", watched)
    book = os.fspath(SAMPLES / "book.djvu")
    async with LocalEngine(LocalSettings(), workers=3) as engine, anyio.create_task_group() as tg:
        for number in range(6):
            tg.start_soon(engine.picture, book, os.fspath(tmp_path / f"{number}.jpg"))
    assert most == 1
    assert len(names_in(tmp_path)) == 6
