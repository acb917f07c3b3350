"""A page's colours as a screen shows them: corrected by the gamma that its `INFO` states."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from PIL import Image

    from batch_converter.djvu.draw.palette import Color

_SHOWN_GAMMA: Final = 2.2
_GAMMA_AT: Final = 8
_LEAST: Final = 0.3
_MOST: Final = 5.0
_LEVELS: Final = 256


def needs_correction(info: bytes) -> bool:
    """Whether colours of this page are shown otherwise than they are stored."""
    return _table(_stored_gamma(info)) != tuple(range(_LEVELS))


def corrected_color(color: Color, info: bytes) -> Color:
    """Return a colour as it is shown.

    Args:
        color: As it is stored.
        info: The data of the page's `INFO`; empty if there is none.
    """
    table = _table(_stored_gamma(info))
    red, green, blue = color
    return table[red], table[green], table[blue]


def corrected_image(image: Image.Image, info: bytes) -> Image.Image:
    """Return a gray or RGB image as it is shown; the same where that is no difference."""
    if not needs_correction(info):
        return image
    return image.point(list(_table(_stored_gamma(info))) * len(image.getbands()))


def _stored_gamma(info: bytes) -> float:
    """Return the gamma for which colours were stored, in tenths in the ninth byte of `INFO`.

    A file without one means 2.2; what makes no sense is brought into the range from
    0.3 to 5.0 (DjVu3 spec 8.3.2; the range is DjVuLibre's).
    """
    if len(info) <= _GAMMA_AT:
        return _SHOWN_GAMMA
    return min(max(info[_GAMMA_AT] / 10, _LEAST), _MOST)


@lru_cache(maxsize=8)
def _table(stored_gamma: float) -> tuple[int, ...]:
    exponent = stored_gamma / _SHOWN_GAMMA
    return tuple(int(255 * (level / 255) ** exponent + 0.5) for level in range(_LEVELS))
