from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import djvu_rs
import pytest
from PIL import Image, ImageOps

from tests.support.djvu_files import SAMPLES

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "tests" / "data"
TEXTS: dict[str, Any] = tomllib.loads((SAMPLES / "texts.toml").read_text(encoding="utf-8"))
LANGUAGES = {language["name"]: language["lines"] for language in TEXTS["languages"]}


def opened(path: Path) -> djvu_rs.Document:
    return djvu_rs.Document.open(str(path))


def words(zones: list[djvu_rs.TextZone]) -> Iterator[djvu_rs.TextZone]:
    for zone in zones:
        if zone["kind"] == "Word":
            yield zone
        yield from words(zone["children"])


def words_of(page: djvu_rs.Page) -> list[djvu_rs.TextZone]:
    layer = page.text_layer()
    assert layer is not None
    return list(words(layer["zones"]))


def ink_of(page: djvu_rs.Page) -> Image.Image:
    rendered: Image.Image = page.render().to_pil()
    return ImageOps.invert(rendered.convert("L"))


def cropped(picture: Image.Image, left: int, top: int, width: int, height: int) -> Image.Image:
    return picture.crop((left, top, left + width, top + height))


def assert_boxes_hold_ink(ink: Image.Image, zones: list[djvu_rs.TextZone]) -> None:
    blank = ink.copy()
    for zone in zones:
        rect = zone["rect"]
        inside = cropped(ink, rect["x"], rect["y"], rect["width"], rect["height"])
        assert inside.getbbox() == (0, 0, *inside.size), zone["text"]
        blank.paste(Image.new("L", inside.size), (rect["x"], rect["y"]))
    assert blank.getbbox() is None, "ink outside of all boxes"


def split(lines: list[str]) -> list[str]:
    return " ".join(lines).split()


@pytest.mark.parametrize(
    ("name", "pages", "dpi"),
    [
        ("bitonal", 1, 300),
        ("book", 6, 150),
        ("colour", 1, 150),
        ("languages", 5, 200),
        ("mixed", 1, 300),
        ("no-text", 1, 200),
        ("rotated", 1, 200),
    ],
)
def test_a_sample_has_its_pages_and_each_shows_something(name: str, pages: int, dpi: int) -> None:
    document = opened(SAMPLES / f"{name}.djvu")
    assert document.page_count() == pages
    assert document.page(0).dpi == dpi
    for number in range(pages):
        assert ink_of(document.page(number)).getbbox() is not None


def test_every_sample_is_named_above_and_all_are_small() -> None:
    files = sorted(SAMPLES.glob("*.djvu"))
    assert [file.stem for file in files] == [
        "bitonal",
        "book",
        "colour",
        "languages",
        "mixed",
        "no-text",
        "rotated",
    ]
    assert sum(file.stat().st_size for file in files) < 400_000


@pytest.mark.parametrize("name", ["bitonal", "mixed", "rotated"])
def test_a_text_layer_holds_the_printed_words(name: str) -> None:
    page = opened(SAMPLES / f"{name}.djvu").page(0)
    assert (page.text() or "").split() == split(TEXTS[name]["lines"])


@pytest.mark.parametrize("name", ["colour", "no-text"])
def test_a_page_without_text_layer(name: str) -> None:
    assert opened(SAMPLES / f"{name}.djvu").page(0).text() is None


@pytest.mark.parametrize(
    ("number", "language"), [*enumerate(["Czech", "Russian", "Greek", "Hebrew", "Chinese"])]
)
def test_a_language_has_its_words_where_they_are_printed(number: int, language: str) -> None:
    page = opened(SAMPLES / "languages.djvu").page(number)
    zones = words_of(page)
    assert [zone["text"].strip() for zone in zones] == split(LANGUAGES[language])
    assert_boxes_hold_ink(ink_of(page), zones)


def test_hebrew_runs_to_the_left_and_czech_to_the_right() -> None:
    document = opened(SAMPLES / "languages.djvu")
    czech, hebrew = words_of(document.page(0)), words_of(document.page(3))
    assert czech[0]["rect"]["x"] < czech[1]["rect"]["x"]
    assert hebrew[0]["rect"]["x"] > hebrew[1]["rect"]["x"]


def test_layers_of_the_mixed_page() -> None:
    page = opened(SAMPLES / "mixed.djvu").page(0)
    assert page.bg44_chunk_count > 0
    rect = words_of(page)[0]["rect"]
    rendered: Image.Image = page.render().to_pil().convert("RGB")
    inside = cropped(rendered, rect["x"], rect["y"], rect["width"], rect["height"])
    assert (150, 20, 30) in {colour for _, colour in inside.getcolors(1 << 20) or []}


def test_the_rotated_page_is_shown_upright_and_keeps_its_text_on_the_stored_side() -> None:
    page = opened(SAMPLES / "rotated.djvu").page(0)
    shown = ink_of(page)
    assert shown.size == (page.height, page.width)
    assert_boxes_hold_ink(shown.transpose(Image.Transpose.ROTATE_270), words_of(page))


def test_the_link_of_the_rotated_page_lies_on_the_page_as_shown() -> None:
    page = opened(SAMPLES / "rotated.djvu").page(0)
    annotations = page.annotations()
    assert annotations is not None
    [area] = annotations[1]
    assert "Rect" in area["shape"]
    rect, ink = area["shape"]["Rect"], ink_of(page)
    top = ink.height - rect["y"] - rect["height"]
    under = cropped(ink, rect["x"], top, rect["width"], rect["height"])
    assert under.getbbox() == (0, 0, *under.size)
    assert area["url"] == "https://example.org/turned"


def without_notes(bookmarks: list[Any], target: str) -> list[Any]:
    return [
        (mark["title"], mark[target], without_notes(mark.get("children", []), target))
        for mark in bookmarks
    ]


def test_the_book_has_its_bookmarks() -> None:
    document = opened(SAMPLES / "book.djvu")
    marks = without_notes(document.bookmarks(), "url")
    assert marks == without_notes(TEXTS["book"]["bookmarks"], "to")
    assert {title.isascii() for title, _, _ in marks} == {True, False}


def test_the_book_has_its_title_and_author() -> None:
    metadata = opened(SAMPLES / "book.djvu").metadata()
    assert metadata is not None
    assert metadata["title"] == TEXTS["book"]["title"]
    assert metadata["author"] == TEXTS["book"]["author"]


@pytest.mark.parametrize("number", [1, 2])
def test_the_book_has_its_links(number: int) -> None:
    annotations = opened(SAMPLES / "book.djvu").page(number).annotations()
    assert annotations is not None
    links = TEXTS["book"]["pages"][number]["links"]
    assert [area["url"] for area in annotations[1]] == [link["to"] for link in links]


def test_the_book_links_in_every_way_there_is() -> None:
    targets = {link["to"] for page in TEXTS["book"]["pages"] for link in page.get("links", [])}
    assert {"#4", "#p0005.djvu", "#103", "#+1"} < targets
    assert any(target.startswith("https://") for target in targets)


def form_end(document: bytes) -> int:
    assert document.startswith(b"AT&TFORM")
    return 12 + int.from_bytes(document[8:12], "big")


@pytest.mark.parametrize("name", ["broken", "blank"])
def test_damaged_files_pass_for_whole(name: str) -> None:
    path = DATA / f"{name}.djvu"
    document = path.read_bytes()
    assert form_end(document) == len(document)
    assert opened(path).page_count() == 1


def test_the_broken_page_cannot_be_decoded() -> None:
    page = opened(DATA / "broken.djvu").page(0)
    with pytest.raises(djvu_rs.DecodeError):
        page.render(dpi=10)


def test_the_blank_page_is_lost_without_an_error() -> None:
    assert ink_of(opened(DATA / "blank.djvu").page(0)).getbbox() is None


def test_the_truncated_file_ends_before_its_form() -> None:
    path = DATA / "truncated.djvu"
    document = path.read_bytes()
    assert form_end(document) > len(document)
    with pytest.raises(djvu_rs.DecodeError):
        opened(path)


def test_the_indirect_index_names_its_page_files() -> None:
    index = DATA / "indirect" / "index.djvu"
    with pytest.raises(djvu_rs.DecodeError, match="indirect"):
        opened(index)
    texts = [opened(index.with_name(f"page{number}.djvu")).page(0).text() for number in (1, 2)]
    assert [(text or "").split() for text in texts] == [
        split(lines) for lines in TEXTS["indirect"]["pages"]
    ]
