"""JPEG layers of a page (`BGjp`, `FGjp`): checked, decoded, and kept as they are where they can be.

A PDF holds JPEG as a DjVu does, so most need no second coding and lose nothing by it.
libjpeg fills up what is missing of a damaged file and says so only to a log, so its
end is looked at here.
"""

from __future__ import annotations

import io
import struct
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from PIL import Image, ImageChops
from PIL.JpegImagePlugin import JpegImageFile

from batch_converter.djvu.draw.images import Coding, EncodedImage
from batch_converter.djvu.read.decoder import PageError

if TYPE_CHECKING:
    from collections.abc import Iterator

_START_OF_SCAN: Final = b"\xff\xda"
_END_OF_IMAGE: Final = b"\xff\xd9"
_BEFORE_THE_END: Final = b"\x5a\xa5\x33\xcc" * 16
_SMALL_SCALE: Final = 8
_LARGE_PIXELS: Final = 1_500_000
_FIRST_SEGMENT: Final = 2
_MARK: Final = 0xFF
_NO_MARKERS: Final = frozenset({0x00, _MARK})
_FRAMES_IN_PDF: Final = frozenset({0xC0, 0xC1, 0xC2})
"""What marks an image as baseline, extended and progressive, Huffman coded (ISO 32000-1, 7.4.8)."""

_OTHER_FRAMES: Final = frozenset(range(0xC3, 0xD0)) - {0xC4, 0xC8, 0xCC}
_UNMARKED_IDS: Final = (1, 2, 3)


class JpegLayer:
    """A JPEG file that is a layer; its header is read first, the rest where it is asked for.

    Raises:
        PageError: It is no JPEG file, or one of a kind that libjpeg does not decode.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        with _decoding():
            self._header = JpegImageFile(io.BytesIO(data))

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, as the header claims."""
        return self._header.size

    def decode(self) -> Image.Image:
        """Return its picture, gray as `L`, all others as `RGB`.

        Memory: one byte a pixel of a gray one, else four, twice that of a progressive one.
        Look at `size` before.

        Raises:
            PageError: It is damaged.
        """
        if self._frame() in _FRAMES_IN_PDF:  # an arithmetic decoder reads on beyond a sound end
            self._refuse_missing_end()
        image = _loaded(self._whole())
        return image if image.mode in {"L", "RGB"} else image.convert("RGB")

    def as_it_is(self) -> EncodedImage | None:
        """Return the file for a PDF, if readers will show the colours that `decode` returns."""
        header = self._header
        if header.mode not in {"L", "RGB"} or self._frame() not in _FRAMES_IN_PDF:
            return None
        if header.mode == "RGB" and not self._says_its_colors():
            return None
        return EncodedImage(
            coding=Coding.JPEG,
            width=header.width,
            height=header.height,
            components=len(header.getbands()),
            bits=8,
            data=self._whole(),
        )

    def _entropy_coded(self) -> bytes:
        """All up to the end of the image, which may be missing, and anything may follow."""
        end = self._data.find(_END_OF_IMAGE, self._data.rfind(_START_OF_SCAN))
        return self._data if end < 0 else self._data[:end]

    def _whole(self) -> bytes:
        return self._entropy_coded() + _END_OF_IMAGE

    def _refuse_missing_end(self) -> None:
        """Raise if the decoder needed more than there is: what is put there would show.

        A baseline file is looked at in an eighth of its size, where a lost block shows
        too; a large progressive one, whose last scan is of details, in half of it.
        """
        width, height = self.size
        fine = 1 if width * height <= _LARGE_PIXELS else 2
        scale = fine if "progressive" in self._header.info else _SMALL_SCALE
        longer = self._entropy_coded() + _BEFORE_THE_END + _END_OF_IMAGE
        usual, other = _loaded(self._whole(), scale), _loaded(longer, scale)
        if ImageChops.difference(usual, other).getbbox(alpha_only=False) is not None:
            raise PageError("its JPEG image breaks off")

    def _frame(self) -> int:
        """Return the marker that names the coding process (ISO/IEC 10918-1, B.1.1.3); 0 for none.

        Any marker may have fill bytes before it (B.1.1.2); libjpeg passes over others there, too.
        """
        data, at = self._data, _FIRST_SEGMENT
        while at + 4 <= len(data):
            marker = data[at + 1]
            if data[at] != _MARK or marker in _NO_MARKERS:
                at += 1
            elif marker in _FRAMES_IN_PDF or marker in _OTHER_FRAMES:
                return marker
            else:
                at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        return 0

    def _says_its_colors(self) -> bool:
        """Whether libjpeg and a PDF's reader take the same conversion of colours.

        A PDF heeds Adobe's marker alone, libjpeg JFIF's before it, then the components' ids.
        """
        info = self._header.info
        if "adobe_transform" in info:
            return "jfif" not in info or info["adobe_transform"] == 1
        return "jfif" in info or tuple(part[0] for part in self._header.layer) == _UNMARKED_IDS


def _loaded(data: bytes, scale: int = 1) -> Image.Image:
    with _decoding():
        image = JpegImageFile(io.BytesIO(data))
        if scale > 1:
            image.draft(None, (max(1, image.width // scale), max(1, image.height // scale)))
        image.load()
    return image


@contextmanager
def _decoding() -> Iterator[None]:
    """Turn what Pillow raises about damaged files into `PageError`."""
    try:
        yield
    except (OSError, SyntaxError, ValueError, TypeError, LookupError, struct.error) as error:
        raise PageError("its JPEG image is damaged") from error
