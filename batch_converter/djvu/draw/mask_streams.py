"""Masks as images of a PDF; those that are coded together get their data when all are known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pikepdf import Dictionary, Name, Object, Pdf, Stream

from batch_converter.djvu.draw.images import Coding, EncodedImage
from batch_converter.djvu.draw.mask_coding import code_masks

if TYPE_CHECKING:
    from batch_converter.djvu.draw.paint import MaskImage
    from batch_converter.djvu.draw.shaped_masks import ShapedMask

_MOST_BYTES: Final = 64 << 20
"""What masks may take that wait for each other."""


class MaskStreams:
    """Writes masks into a PDF; `finish` writes those that are still without data."""

    def __init__(self, pdf: Pdf) -> None:
        self._pdf = pdf
        self._waiting: list[tuple[ShapedMask, Stream]] = []
        self._waiting_bytes = 0

    def add(self, mask: MaskImage, *, stencil: bool) -> Object:
        """Return a bilevel image: one to paint through, or black on white."""
        stream = Stream(self._pdf, b"")
        stream.update(image_entries(mask.width, mask.height, bits=1))
        if stencil:
            stream.ImageMask = True
        else:
            stream.ColorSpace = Name.DeviceGray
        image = self._pdf.make_indirect(stream)
        if isinstance(mask, EncodedImage):
            _write(image, mask.coding, mask.data, None)
        else:
            self._waiting.append((mask, image))
            self._waiting_bytes += mask.size_bytes
            if self._waiting_bytes > _MOST_BYTES:
                self.finish()
        return image

    def finish(self) -> None:
        """Code what waits; later masks share nothing with it."""
        coded = code_masks([mask for mask, _ in self._waiting])
        shared = self._pdf.make_indirect(Stream(self._pdf, coded.shared)) if coded.shared else None
        for (_, image), one in zip(self._waiting, coded.masks, strict=True):
            _write(image, one.coding, one.data, shared if one.shares else None)
        self._waiting = []
        self._waiting_bytes = 0


def image_entries(width: int, height: int, *, bits: int) -> dict[str, Object | int]:
    """Return what every image of a PDF says of itself."""
    return {
        "/Type": Name.XObject,
        "/Subtype": Name.Image,
        "/Width": width,
        "/Height": height,
        "/BitsPerComponent": bits,
    }


def _write(image: Object, coding: Coding, data: bytes, shared: Object | None) -> None:
    if coding is Coding.JBIG2:
        parameters = None if shared is None else Dictionary(JBIG2Globals=shared)
        image.write(data, filter=Name.JBIG2Decode, decode_parms=parameters)
    else:
        parameters = Dictionary(K=-1, Columns=image.Width, Rows=image.Height)
        image.write(data, filter=Name.CCITTFaxDecode, decode_parms=parameters)
