"""The drawing of the sample pages: words with the boxes of their ink, and a landscape."""

from __future__ import annotations

from dataclasses import dataclass, field

from PIL import Image, ImageDraw, ImageFilter, ImageFont

PAGE_MM = (105, 148)  # A6
MARGIN_MM = 11
HEADING_PT, TEXT_PT = 18, 11
MM_PER_INCH, PT_PER_INCH = 25.4, 72
PAPER, INK, HEADING_INK = range(3)  # the values of a drawing's pixels

Box = tuple[int, int, int, int]  # left, top, right, bottom in pixels from the top left corner


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How the lines of a page are printed."""

    dpi: int
    font: str = "DejaVuSerif.ttf"
    right_to_left: bool = False
    spaced: bool = True

    def pixels(self, millimetres: float) -> int:
        """Give a length on the page in pixels."""
        return round(millimetres / MM_PER_INCH * self.dpi)


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A printed word and the box of its ink."""

    text: str
    box: Box


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line to print, the first of a page larger than the others."""

    text: str
    style: Style
    is_heading: bool = False

    def face(self) -> ImageFont.FreeTypeFont:
        """Load the font in this line's size."""
        size = (HEADING_PT if self.is_heading else TEXT_PT) * self.style.dpi / PT_PER_INCH
        return ImageFont.truetype(self.style.font, size, layout_engine=ImageFont.Layout.BASIC)

    def draw(self, drawing: Image.Image, baseline: int) -> list[Word]:
        """Print the words one after the other in the direction of the script."""
        face, margin = self.face(), self.style.pixels(MARGIN_MM)
        gap = face.getlength(" ") if self.style.spaced else 0
        words = []
        travelled: float = margin
        for text in self.text.split():
            advance = face.getlength(text)
            left = drawing.width - travelled - advance if self.style.right_to_left else travelled
            words.append(self._draw_word(drawing, text, (round(left), baseline)))
            travelled += advance + gap
        if travelled - gap > drawing.width - margin:
            raise SystemExit(f"a line is too long for its page: {self.text}")
        return words

    def _draw_word(self, drawing: Image.Image, text: str, at: tuple[int, int]) -> Word:
        stamp = Image.new("1", drawing.size)
        # The basic layout knows no scripts: it is given the letters in the order of the page.
        glyphs = text[::-1] if self.style.right_to_left else text
        ImageDraw.Draw(stamp).text(at, glyphs, font=self.face(), anchor="ls", fill=1)
        box = stamp.getbbox()
        if box is None:
            raise SystemExit(f"{self.style.font} cannot print {text}")
        drawing.paste(HEADING_INK if self.is_heading else INK, mask=stamp)
        return Word(text=text, box=box)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """A drawn page and its words; a line that prints nothing is an empty list."""

    drawing: Image.Image
    dpi: int
    lines: list[list[Word]] = field(default_factory=list)

    def on_its_side(self) -> Leaf:
        """Turn the page clockwise by a quarter, as a scanner sees it."""
        height = self.drawing.height
        lines = [
            [Word(text=w.text, box=turned_clockwise(w.box, height)) for w in line]
            for line in self.lines
        ]
        drawing = self.drawing.transpose(Image.Transpose.ROTATE_270)  # counted the other way
        return Leaf(drawing=drawing, dpi=self.dpi, lines=lines)


def draw_leaf(lines: list[str], style: Style, *, headed: bool = True) -> Leaf:
    """Print lines on an empty page."""
    drawing = Image.new("L", (style.pixels(PAGE_MM[0]), style.pixels(PAGE_MM[1])), PAPER)
    baseline: float = style.pixels(MARGIN_MM)
    words = []
    for number, text in enumerate(lines):
        line = Line(text=text, style=style, is_heading=headed and number == 0)
        baseline += 1.5 * line.face().size
        words.append(line.draw(drawing, round(baseline)))
    return Leaf(drawing=drawing, dpi=style.dpi, lines=words)


def draw_landscape(size: tuple[int, int]) -> Image.Image:
    """Paint hills under a low sun: smooth colours, as in a photograph."""
    width, height = size
    dusk = Image.linear_gradient("L").resize(size)
    sky = Image.composite(
        Image.new("RGB", size, (250, 190, 130)), Image.new("RGB", size, (70, 120, 190)), dusk
    )
    glow = Image.radial_gradient("L").resize((width, width)).point(lambda v: max(0, 255 - 3 * v))
    sky.paste((255, 240, 190), (width // 5, height // 4), glow)
    pen = ImageDraw.Draw(sky)
    for number, colour in enumerate([(110, 130, 150), (80, 110, 90), (40, 70, 50)]):
        top = height * (55 + 13 * number) // 100
        side = width * (2 * number - 2) // 5
        pen.ellipse((side - width // 3, top, side + width * 5 // 4, height * 2), fill=colour)
    smooth = sky.filter(ImageFilter.GaussianBlur(width / 200))
    # Fine detail, so that the coder has something to do.
    branches = Image.effect_mandelbrot(size, (-0.78, 0.08, -0.70, 0.19), 100).convert("RGB")
    return Image.blend(smooth, branches, 0.12)


def turned_clockwise(box: Box, height: int) -> Box:
    """Follow a box when its page, so many pixels high, is turned clockwise by a quarter."""
    left, top, right, bottom = box
    return (height - bottom, left, height - top, right)
