"""A converted PDF without its colours: what is left is every page's mask, black on white."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pikepdf

if TYPE_CHECKING:
    from pathlib import Path


def write_masks(source: Path, target: Path) -> None:
    """Write the PDF with its masks where they are, painted black; pictures, fills, notes go.

    The masks' streams are not touched: only what paints them is.
    """
    with pikepdf.open(source) as pdf:
        for page in pdf.pages:
            _blacken(pdf, page)
            if "/Annots" in page:
                del page.Annots
        pdf.save(target)


def _blacken(pdf: pikepdf.Pdf, page: pikepdf.Page) -> None:
    images = page.Resources.get("/XObject", pikepdf.Dictionary())
    pictures = set()
    for name, image in images.items():
        if "/Mask" in image:
            images[name] = image.Mask
        elif image.BitsPerComponent != 1:
            pictures.add(name)
    kept = [
        _in_black(instruction)
        for instruction in pikepdf.parse_content_stream(page)
        if not _draws(instruction, pictures)
    ]
    page.Contents = pdf.make_stream(pikepdf.unparse_content_stream(kept))


def _draws(
    instruction: pikepdf.ContentStreamInstruction | pikepdf.ContentStreamInlineImage,
    pictures: set[str],
) -> bool:
    """Whether this paints one of these pictures, or a plain background."""
    operator = str(instruction.operator)
    return operator in {"re", "f"} or (
        operator == "Do" and str(instruction.operands[0]) in pictures
    )


def _in_black(
    instruction: pikepdf.ContentStreamInstruction | pikepdf.ContentStreamInlineImage,
) -> pikepdf.ContentStreamInstruction | pikepdf.ContentStreamInlineImage:
    if str(instruction.operator) != "rg":
        return instruction
    return pikepdf.ContentStreamInstruction([0, 0, 0], instruction.operator)
