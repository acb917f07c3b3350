"""How a mask is coded: by its shapes and later, with its neighbours; or by itself and now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch_converter.djvu.draw.bilevel import Area, g4_data
from batch_converter.djvu.draw.images import Coding, EncodedImage
from batch_converter.djvu.draw.mask_coding import CodedMask, code_pixels
from batch_converter.djvu.draw.paint import Stencil
from batch_converter.djvu.draw.shaped_masks import least_g4_bytes
from batch_converter.djvu.kernels.compiling import COMPILED

if TYPE_CHECKING:
    from batch_converter.djvu.draw.bilevel import Bitmap
    from batch_converter.djvu.draw.geometry import Geometry
    from batch_converter.djvu.draw.paint import MaskImage
    from batch_converter.djvu.draw.palette import Color
    from batch_converter.djvu.draw.shaped_masks import PlacedShapes
    from batch_converter.djvu.jobs.options import ConvertOptions


def wants_jbig2(options: ConvertOptions) -> bool:
    """Whether masks are coded in JBIG2 where that makes them smaller."""
    return options.masks == "jbig2" or (options.masks == "auto" and COMPILED)


def mask_image(
    ink: Bitmap,
    area: Area,
    shapes: PlacedShapes | None,
    options: ConvertOptions,
    *,
    overlaid: bool = False,
) -> MaskImage:
    """Prepare a bilevel image for a PDF.

    Args:
        ink: Its pixels.
        area: Where it lies on the page, from the upper left corner.
        shapes: What it is made of, where that is known.
        options: How masks are coded.
        overlaid: Whether other shapes may hide some ink of these.
    """
    if not wants_jbig2(options):
        return _encoded(ink, CodedMask(coding=Coding.G4, data=g4_data(ink)))
    shaped = shapes and shapes.mask(ink, area, overlaid=overlaid)
    return shaped or _encoded(ink, code_pixels(ink, least_g4_bytes(ink)))


def stencil(
    ink: Bitmap,
    shapes: PlacedShapes | None,
    color: Color,
    geometry: Geometry,
    options: ConvertOptions,
    *,
    left: int = 0,
    top: int = 0,
    overlaid: bool = False,
) -> Stencil:
    """Paint the inked part of a bitmap.

    Args:
        ink: Its pixels.
        shapes: What it is made of, where that is known.
        color: Which to paint.
        geometry: The page's size.
        options: How masks are coded.
        left: Where its upper left corner stands on the page,
        top: from the upper left corner.
        overlaid: Whether other shapes may hide some ink of these.
    """
    inked = ink.inked_area()
    cut = ink.cropped(inked).with_room_below()
    area = Area(
        inked.left + left, inked.top + top, inked.right + left, inked.top + top + cut.height
    )
    return Stencil(
        mask=mask_image(cut, area, shapes, options, overlaid=overlaid),
        color=color,
        left=area.left,
        bottom=geometry.height - area.bottom,
    )


def _encoded(ink: Bitmap, coded: CodedMask) -> EncodedImage:
    return EncodedImage(
        coding=coded.coding,
        width=ink.width,
        height=ink.height,
        components=1,
        bits=1,
        data=coded.data,
    )
