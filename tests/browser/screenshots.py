"""Write the pictures of the page that the documentation shows, from the real service.

Run: python -m tests.browser.screenshots docs/images
"""

from __future__ import annotations

import sys
import tempfile
from itertools import product
from pathlib import Path
from typing import Final, Literal

from playwright.sync_api import expect

from tests.browser.real_service import serving
from tests.browser.service_page import ServicePage
from tests.support.chromium import chromium
from tests.support.djvu_files import SAMPLES

FOLDER: Final = {
    "Letters/1911/book.djvu": "book.djvu",
    "Letters/1911/languages.djvu": "languages.djvu",
    "Letters/1912/rotated.djvu": "rotated.djvu",
    "Maps/colour.djvu": "colour.djvu",
    "Maps/mixed.djvu": "mixed.djvu",
}
WIDTHS: Final = {1280: 1.0, 360: 1.5}
"""Pixels of the style sheet, and the pixels of the picture for each of them."""
SCHEMES: Final[tuple[Literal["light", "dark"], ...]] = ("light", "dark")
PATIENCE_MS: Final = 60_000


def main(target: Path) -> None:
    """Write `serve-WIDTH-SCHEME.png` for both widths and both schemes."""
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, chromium() as browser:
        folder = _folder(Path(scratch))
        with serving(Path(scratch) / "serve") as (_, url):
            for (width, scale), scheme in product(WIDTHS.items(), SCHEMES):
                context = browser.new_context(
                    viewport={"width": width, "height": 1080},
                    color_scheme=scheme,
                    reduced_motion="reduce",
                    device_scale_factor=scale,
                )
                shown = ServicePage(context.new_page(), url)
                picture = target / f"serve-{width}-{scheme}.png"
                _picture(shown, folder, picture, whole=scale == 1)
                context.close()


def _folder(scratch: Path) -> Path:
    folder = scratch / "scans"
    for name, sample in FOLDER.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((SAMPLES / sample).read_bytes())
    (folder / "Maps" / "legend.djvu").write_bytes(b"%PDF-1.7, in spite of its name")
    return folder


def _picture(shown: ServicePage, folder: Path, target: Path, *, whole: bool) -> None:
    shown.open().choose_folder(folder)
    expect(shown.status).to_contain_text(f"{len(FOLDER)} ready", timeout=PATIENCE_MS)
    for picture in shown.table.get_by_role("img").all():
        picture.scroll_into_view_if_needed()
        expect(picture).to_have_js_property("complete", value=True)
    shown.tab.evaluate("scrollTo(0, 0)")
    shown.tab.screenshot(path=target, full_page=whole)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
