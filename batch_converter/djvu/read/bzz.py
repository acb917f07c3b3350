"""BZZ, the general compressor of DjVu: the Z'-coder and a block-sorting transform.

Directory, bookmarks and annotations are read with it (djvu-rs hides names, loses
octal escapes and bytes that are not UTF-8). In plain Python: 100 to 200 KB/s of what is
hard to compress, some MB/s of what is repetitive, as everything very long is; where kernels
are compiled, thirty times that. Appendix 4 of the DjVu 3 specification describes the stream.
"""

from __future__ import annotations

from typing import Final

from batch_converter.djvu.kernels.bzz_stream import BzzBlockError, BzzStream

_MAX_BLOCK: Final = 4 << 20


class BzzError(ValueError):
    """The stream is damaged; `found` is what its whole blocks held."""

    def __init__(self, found: bytes = b"") -> None:
        super().__init__("damaged")
        self.found = found


class BzzTooLargeError(BzzError):
    """The stream may be whole, but yields more than is allowed; `found` is its beginning."""


def decompress(data: bytes, *, max_bytes: int) -> bytes:
    """Decode a whole BZZ stream.

    Raises:
        BzzTooLargeError: It yields more than `max_bytes`.
        BzzError: It is damaged.
    """
    stream = BzzStream(data)
    out = bytearray()
    while (size := stream.size()) != 0:
        if size > _MAX_BLOCK:
            raise BzzError(bytes(out))
        if size > max_bytes - len(out) + 1:
            raise BzzTooLargeError(bytes(out))
        try:
            out += stream.block(size)
        except BzzBlockError as error:
            raise BzzError(bytes(out)) from error
    return bytes(out)
