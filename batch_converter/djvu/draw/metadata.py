"""Title, author and the rest: the document information dictionary and XMP, which agree.

`(metadata …)` and `(xmp …)` of a DjVu both tell facts. Each has one place in Info and
one in XMP; where both tell it and differ, `(metadata …)` counts, and that is told.
Nothing depends on the clock.
"""

from __future__ import annotations

import re
from itertools import chain, count
from typing import TYPE_CHECKING, Final, NamedTuple

from pikepdf import Dictionary, Name, Object, Pdf, Stream, String

from batch_converter.djvu.draw.dates import read_date
from batch_converter.djvu.draw.xmp import (
    DC,
    PDF,
    PDFX,
    XMP,
    XmpError,
    listed,
    name_for,
    packet,
    read_properties,
    simple,
    values_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from xml.etree.ElementTree import Element

PRODUCER: Final = "batch-converter (djvu-rs, pikepdf)"


class _Place(NamedTuple):
    """Where XMP has what Info has under a key; `container` is empty for a plain value."""

    tag: str
    container: str = ""


_PLACES: Final = {
    "Title": _Place(f"{{{DC}}}title", "Alt"),
    "Author": _Place(f"{{{DC}}}creator", "Seq"),
    "Subject": _Place(f"{{{DC}}}description", "Alt"),
    "Keywords": _Place(f"{{{PDF}}}Keywords"),
    "Creator": _Place(f"{{{XMP}}}CreatorTool"),
    "CreationDate": _Place(f"{{{XMP}}}CreateDate"),
    "ModDate": _Place(f"{{{XMP}}}ModifyDate"),
}
_OF_XMP: Final = {
    "Publisher": _Place(f"{{{DC}}}publisher", "Bag"),
    "Year": _Place(f"{{{DC}}}date", "Seq"),
    "Rights": _Place(f"{{{DC}}}rights", "Alt"),
    "Copyright": _Place(f"{{{DC}}}rights", "Alt"),
}
_PRODUCER_TAG: Final = f"{{{PDF}}}Producer"
_SUBJECTS_TAG: Final = f"{{{DC}}}subject"
_KNOWN: Final = {name.lower(): name for name in _PLACES}
_DATES: Final = frozenset({"CreationDate", "ModDate"})
# Ours to say, or no strings in PDF.
_TAKEN: Final = {"producer": "DjvuProducer", "trapped": "DjvuTrapped"}
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SEPARATORS: Final = re.compile(r"\s*(?:[;,&]|\band\b)\s*")
_MAX_FACTS: Final = 2000
_MAX_NAME_BYTES: Final = 127


def write_metadata(
    pdf: Pdf, facts: Iterable[tuple[str, str]], packets: Sequence[str] = ()
) -> list[str]:
    """Set Info and XMP of a document; returns what was lost, one sentence each.

    Keys that PDF knows get its spelling, others keep their own with a capital, in
    Info and as Adobe's `pdfx` in XMP. Of a fact that is told twice the last counts.

    Args:
        pdf: Where they go.
        facts: Keys and values, in order.
        packets: Of XMP; of a property that several have the last packet's counts.
    """
    told = _Facts(facts, packets)
    for key in sorted(told.info):
        pdf.docinfo[info_name(key)] = String(told.info[key])
    pdf.docinfo[Name.Producer] = String(PRODUCER)
    pdf.Root.Metadata = _stream(pdf, told.packet(simple(_PRODUCER_TAG, PRODUCER)))
    pdf.Root.ViewerPreferences = Dictionary(DisplayDocTitle="Title" in told.info)
    return told.losses


def page_metadata(
    pdf: Pdf, facts: Iterable[tuple[str, str]], packets: Sequence[str], *, with_info: bool = False
) -> tuple[Object, list[str]]:
    """Return XMP of what is told of a single page, and what was lost of it.

    Args:
        pdf: Where it goes.
        facts: As for `write_metadata`.
        packets: The same.
        with_info: Whether the stream gets an `Info`, too, until it is known what becomes of it.
    """
    told = _Facts(facts, packets)
    stream = _stream(pdf, told.packet())
    if with_info:
        stream.Info = Dictionary({str(info_name(key)): told.info[key] for key in told.info})
    return stream, told.losses


def _stream(pdf: Pdf, data: bytes) -> Object:
    stream = Stream(pdf, data)
    stream.Type, stream.Subtype = Name.Metadata, Name.XML
    return pdf.make_indirect(stream)


def info_name(key: str) -> Name:
    """Return a name of at most 127 bytes, as PDF has them; XMP has the whole."""
    return Name("/" + key.encode("utf-8")[:_MAX_NAME_BYTES].decode("utf-8", "ignore"))


def xmp_tag_of(key: str) -> str:
    """Return the property of XMP that says what Info says under a key."""
    return _place_of(key).tag


def _place_of(key: str) -> _Place:
    return _PLACES.get(key) or _OF_XMP.get(key) or _Place(f"{{{PDFX}}}{name_for(key)}")


class _Facts:
    """Brings together what `(metadata …)` and `(xmp …)` tell.

    Attributes:
        info: What the document information dictionary says.
        losses: What was not kept.
    """

    def __init__(self, facts: Iterable[tuple[str, str]], packets: Sequence[str]) -> None:
        self.losses: list[str] = []
        self._prefixes: dict[str, str] = {}
        self._properties: dict[str, Element] = {}
        for told in reversed(packets):
            self._take_packet(told)
        self._properties = dict(sorted(self._properties.items()))
        self.info = self._information(facts)
        self._agree()

    def packet(self, *more: Element) -> bytes:
        """Return all of it as XMP."""
        return packet([*self._properties.values(), *more], self._prefixes)

    def _take_packet(self, told: str) -> None:
        try:
            for element in read_properties(told, self._prefixes):
                self._properties.setdefault(element.tag, element)
        except XmpError:
            self.losses.append("an XMP packet is damaged, or is not to be read, and was left out")

    def _information(self, facts: Iterable[tuple[str, str]]) -> dict[str, str]:
        latest: dict[str, str] = {}
        twice: dict[str, None] = {}
        for key, value in facts:
            if latest.setdefault(key, value) != value:
                twice[key] = None
                latest[key] = value
        if twice:
            self.losses.append(f"told twice, of which the last counts: {_shown(twice)}")
        if len(latest) > _MAX_FACTS:
            self.losses.append(f"{len(latest) - _MAX_FACTS} facts are too many and were left out")
        info: dict[str, str] = {}
        for raw in sorted(list(latest)[:_MAX_FACTS], key=lambda key: _spelled(key) != key):
            key, value = _entry(_spelled(raw), _NOT_XML.sub(" ", latest[raw]))
            if info.setdefault(key, value) != value:
                info[_unused(_NOT_XML.sub(" ", raw), info)] = value  # `title` beside `Title`
        return info

    def _agree(self) -> None:
        """Let Info and XMP say the same, whichever of them it comes from."""
        foreign = self._properties.pop(_PRODUCER_TAG, None)
        if foreign is not None and (by := values_of(foreign)) and by != [PRODUCER]:
            self.info.setdefault("DjvuProducer", by[0])
        subjects = self._properties.get(_SUBJECTS_TAG)
        if subjects is not None and _PLACES["Keywords"].tag not in self._properties:
            keywords = ", ".join(values_of(subjects))
            self._properties |= {_PLACES["Keywords"].tag: simple(_PLACES["Keywords"].tag, keywords)}
        for key, place in _PLACES.items():
            if key in self.info:
                self._put(key, place)
            else:
                self._learn(key, place)
        for key in sorted(self.info.keys() - _PLACES.keys()):
            self._put(key, _place_of(key))

    def _learn(self, key: str, place: _Place) -> None:
        """Take a value that only XMP has into Info."""
        element = self._properties.get(place.tag)
        values = values_of(element) if element is not None else []
        if key in _DATES and values:
            moment = read_date(values[0])
            values = [moment.pdf] if moment else []
        if values:
            self.info[key] = "; ".join(values)

    def _put(self, key: str, place: _Place) -> None:
        """Say in XMP what Info says, unless it says so already."""
        value = self.info[key]
        if key in _DATES and (moment := read_date(value)):
            value = moment.xmp
        element = self._properties.get(place.tag)
        if element is not None:
            if _same(values_of(element), value, is_date=key in _DATES):
                return
            self.losses.append(
                f"the metadata and the XMP differ, the metadata counts: {_shown([key])}"
            )
        made = (
            listed(place.tag, place.container, value)
            if place.container
            else simple(place.tag, value)
        )
        self._properties[place.tag] = made


def _spelled(key: str) -> str:
    lower = key.lower()
    return _TAKEN.get(lower) or _KNOWN.get(lower) or key[:1].upper() + key[1:]


def _unused(key: str, info: Mapping[str, str]) -> str:
    """Return a key that is no other fact's: two may differ in letters that XML cannot have."""
    names = chain([key], (f"{key} {number}" for number in count(2)))
    return next(name for name in names if name not in info)


def _entry(key: str, value: str) -> tuple[str, str]:
    """Return a key and its value as Info has them; a date that is none has no date's key."""
    key = _NOT_XML.sub(" ", key)
    if key not in _DATES:
        return key, value
    moment = read_date(value)
    return (key, moment.pdf) if moment else (f"Djvu{key}", value)


def _same(values: Sequence[str], value: str, *, is_date: bool) -> bool:
    """Whether a list of values and one value say the same."""
    if is_date:
        return bool(values) and read_date(values[0]) == read_date(value)
    if len(values) > 1:
        return list(values) == _SEPARATORS.split(value.strip())
    return list(values) == [value.strip()]


def _shown(keys: Iterable[str] | Mapping[str, None]) -> str:
    return ", ".join(ascii(key)[1:-1] for key in list(keys)[:5])
