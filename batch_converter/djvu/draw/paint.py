"""What a page of a PDF is painted with: one colour, pictures, and colours through masks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from batch_converter.djvu.draw.images import EncodedImage
    from batch_converter.djvu.draw.palette import Color
    from batch_converter.djvu.draw.shaped_masks import ShapedMask

    MaskImage = EncodedImage | ShapedMask

BLACK: Final[Color] = (0, 0, 0)
WHITE: Final[Color] = (255, 255, 255)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """One colour over the whole page."""

    color: Color


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """An image at the page's left edge.

    Attributes:
        width: Of the area that it covers, in the page's pixels.
        height: The same; may reach beyond the page, as `width` may.
        bottom: Where it begins; below the page where negative.
        mask: Bilevel; where it is set the picture shows. None: everywhere.
    """

    image: EncodedImage
    width: int
    height: int
    bottom: int = 0
    mask: MaskImage | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stencil:
    """One colour through a mask, which has hardly a margin; places in the page's pixels."""

    mask: MaskImage
    color: Color
    left: int
    bottom: int


Layer = Fill | Picture | Stencil
