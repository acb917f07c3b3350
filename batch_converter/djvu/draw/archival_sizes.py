"""Pages that are larger or smaller than PDF/A allows, counted in a unit of their own.

The sides of a page are 3 to 14,400 units (ISO 19005-2, 6.1.13), and a page may say how
long its unit is (`UserUnit`, ISO 32000-1, 14.11.2): a map of six metres stays one.
"""

from __future__ import annotations

import math
from decimal import ROUND_DOWN, Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from pikepdf import Array, Dictionary, Name, Object, Pdf

if TYPE_CHECKING:
    from pikepdf import Page

_LEAST: Final = 3
_MOST: Final = 14_400
_TEN_THOUSANDTH: Final = Decimal("0.0001")
_BILLIONTH: Final = Decimal("0.000000001")
_PLACES: Final = (Name.Rect, Name.QuadPoints, Name.L, Name.Vertices)


def settle_sizes(pdf: Pdf) -> None:
    """Give pages that are too large or too small a unit in which they are not.

    A page of which none makes both sides right, one being thousands of times the other,
    stays as it is.
    """
    for page in pdf.pages:
        unit = _unit(*[Fraction(str(side)) for side in page.mediabox.as_list()[2:]])
        if unit != 1:
            _count_in(unit, page)


def _unit(width: Fraction, height: Fraction) -> Fraction:
    """Return how many points a unit should have: a whole number, or one divided by one."""
    shorter, longer = min(width, height), max(width, height)
    if longer > _MOST:
        unit = Fraction(math.ceil(longer / _MOST))
    elif 0 < shorter < _LEAST:
        unit = Fraction(1, math.ceil(_LEAST / shorter))
    else:
        return Fraction(1)
    return unit if shorter >= _LEAST * unit and longer <= _MOST * unit else Fraction(1)


def _count_in(unit: Fraction, page: Page) -> None:
    page.obj.UserUnit = int(unit) if unit.denominator == 1 else _decimal(unit, _BILLIONTH)
    page.mediabox = _counted(page.mediabox, unit)
    scale = _decimal(1 / unit, _BILLIONTH)
    page.contents_add(f"{scale} 0 0 {scale} 0 0 cm".encode("ascii"), prepend=True)
    for annotation in page.obj.get(Name.Annots, []):
        _count_annotation_in(unit, annotation)


def _count_annotation_in(unit: Fraction, annotation: Object) -> None:
    """Its drawing, if it has one, is made to fit its rectangle by whoever shows it."""
    for key in _PLACES:
        if key in annotation:
            annotation[key] = _counted(annotation[key], unit)
    style = annotation.get(Name.BS, Dictionary())
    if Name.W in style:
        annotation.BS = Dictionary({**style, "/W": _decimal(Fraction(str(style.W)) / unit)})
    if Name.Border in annotation:
        annotation.Border = _counted(annotation.Border, unit)


def _counted(numbers: Object, unit: Fraction) -> Array:
    return Array([_decimal(Fraction(str(number)) / unit) for number in numbers.as_list()])


def _decimal(number: Fraction, exponent: Decimal = _TEN_THOUSANDTH) -> Decimal:
    exact = Decimal(number.numerator) / number.denominator
    return exact.quantize(exponent, ROUND_DOWN)
