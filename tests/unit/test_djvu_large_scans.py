"""A scan beyond the limit from which pictures are worked on in strips, from file to PDF."""

from __future__ import annotations

import io
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import pikepdf
import pytest
from PIL import Image, ImageChops

from batch_converter.djvu.draw import rasters, wavelets
from batch_converter.djvu.draw.convert import convert
from batch_converter.djvu.draw.rasters import LARGE_PIXELS
from batch_converter.djvu.jobs.options import ConvertOptions
from batch_converter.djvu.work.environment import worker_environment
from tests.support.wavelet_cases import document, drawn, encoded, picture

if TYPE_CHECKING:
    from pathlib import Path

SIZE: Final = (3000, 4200)
FINE: Final = 400
_CONVERT: Final = """
import resource, sys
from batch_converter.djvu.draw.convert import convert
from batch_converter.djvu.jobs.options import ConvertOptions
assert not convert(sys.argv[1], sys.argv[2], ConvertOptions()).warnings
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
_KIB: Final = 1024 if sys.platform == "linux" else 1


def scan(size: tuple[int, int]) -> bytes:
    slope = Image.linear_gradient("L").resize(size)
    shades = Image.merge("RGB", (slope, slope.rotate(180), slope))
    return document(encoded(shades, "-slice", "74,84"), dpi=FINE)


def image_of(pdf: Path) -> Image.Image:
    with pikepdf.open(pdf) as opened:
        (found,) = opened.pages[0].get_images().values()
        size, data = (int(found.Width), int(found.Height)), found.read_raw_bytes()
    image: Image.Image = Image.open(io.BytesIO(data))
    assert image.size == size
    image.load()
    return image


def test_strips_of_many_tiles_are_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    chunks = encoded(picture("RGB", (700, 900)), "-slice", "74,89,99")
    whole = drawn(chunks)
    monkeypatch.setattr(wavelets, "LARGE_PIXELS", 0)
    assert [drawn(chunks, rows) == whole for rows in (64, 128, 301)] == [True] * 3


@pytest.mark.slow
@pytest.mark.parametrize("color_dpi", [0, 300])
def test_a_large_scan_has_the_pixels_of_one_that_is_drawn_at_once(
    color_dpi: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, in_strips, at_once = (tmp_path / name for name in ("s.djvu", "s.pdf", "w.pdf"))
    source.write_bytes(scan(SIZE))
    options = ConvertOptions(color_dpi=color_dpi)
    assert not convert(str(source), str(in_strips), options).warnings
    for module in (wavelets, rasters):
        monkeypatch.setattr(module, "LARGE_PIXELS", SIZE[0] * SIZE[1])
    assert not convert(str(source), str(at_once), options).warnings
    found, expected = image_of(in_strips), image_of(at_once)
    assert found.size == expected.size
    assert ImageChops.difference(found, expected).getbbox() is None
    assert in_strips.read_bytes() != at_once.read_bytes()


@pytest.mark.slow
def test_a_large_scan_takes_less_memory_than_its_pixels_twice(tmp_path: Path) -> None:
    assert SIZE[0] * SIZE[1] > LARGE_PIXELS
    peaks = []
    for size in ((32, 32), SIZE):
        source = tmp_path / "scan.djvu"
        source.write_bytes(scan(size))
        done = subprocess.run(
            [sys.executable, "-c", _CONVERT, str(source), str(tmp_path / "scan.pdf")],
            env=worker_environment({}),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        peaks.append(int(done.stdout) * _KIB)
    assert peaks[1] - peaks[0] < 6 * SIZE[0] * SIZE[1]
