"""Facts in a PDF/A: XMP of the schemas that it knows, and Info for what they have no place for.

PDF/A-2 takes XMP only of schemas that ISO 19005-2 names (6.6.2.3), and our checker knows
no descriptions of others, nor metadata of single pages. The document information
dictionary may hold any text, so what is plain goes there, and nothing is lost by it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pikepdf import Dictionary, Name, Pdf, Stream, String, pdfa

from batch_converter.djvu.draw.dates import read_date
from batch_converter.djvu.draw.metadata import info_name, xmp_tag_of
from batch_converter.djvu.draw.xmp import (
    LANG,
    PDF,
    PDF_A,
    RDF,
    XMP,
    packet,
    read_properties,
    simple,
    values_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from xml.etree.ElementTree import Element

    from pikepdf import Object

_PART: Final = "2"
_CONFORMANCE: Final = "B"
FLAVOUR: Final = f"{_PART}{_CONFORMANCE.lower()}"

_CHANGED_AT: Final = f"{{{XMP}}}MetadataDate"
_UNTOUCHED: Final = frozenset(
    {f"{{{XMP}}}CreateDate", f"{{{XMP}}}ModifyDate", f"{{{PDF}}}Producer"}
)
"""Properties that pikepdf writes by this machine's time zone, or of itself."""

_ALTERNATIVES: Final = f"{{{RDF}}}Alt"
_SHOWN_NAMES: Final = 5


def settle_facts(pdf: Pdf) -> list[str]:
    """Leave in XMP what PDF/A takes, and move the rest to Info; returns what was lost.

    Args:
        pdf: With the facts of the document and of its pages in place.
    """
    lost = [f"the document's facts: {loss}" for loss in _settle_document(pdf)]
    for number, page in enumerate(pdf.pages, start=1):
        if Name.Metadata in page.obj:
            losses = _Moving(pdf, page.obj.Metadata).all_of_page(number)
            del page.obj.Metadata
            lost += [f"page {number}: its facts: {loss}" for loss in losses]
    return lost


def _settle_document(pdf: Pdf) -> list[str]:
    moving = _Moving(pdf, pdf.Root.Metadata)
    kept = moving.all_but_permitted()
    identity = [simple(f"{{{PDF_A}}}part", _PART), simple(f"{{{PDF_A}}}conformance", _CONFORMANCE)]
    stream = Stream(pdf, packet([*identity, *kept], {**moving.prefixes, PDF_A: "pdfaid"}))
    stream.Type, stream.Subtype = Name.Metadata, Name.XML
    pdf.Root.Metadata = pdf.make_indirect(stream)
    return moving.losses()


class _Moving:
    """Takes facts out of one packet of ours.

    Attributes:
        prefixes: The packet's own, by their name spaces.
    """

    def __init__(self, pdf: Pdf, stream: Object) -> None:
        self.prefixes: dict[str, str] = {}
        self._pdf = pdf
        self._data = data = stream.read_bytes()
        self._info = dict(stream.get(Name.Info, pdf.docinfo).items())
        self._told = {xmp_tag_of(key[1:]) for key in self._info}
        self._properties = read_properties(data.decode("utf-8"), self.prefixes)
        self._lost: list[str] = []

    def losses(self) -> list[str]:
        """Tell what had no place."""
        if not self._lost:
            return []
        more = ", …" if len(self._lost) > _SHOWN_NAMES else ""
        shown = ", ".join(ascii(name)[1:-1] for name in self._lost[:_SHOWN_NAMES])
        return [f"PDF/A has no place for some of the XMP, which was left out: {shown}{more}"]

    def all_but_permitted(self) -> list[Element]:
        """Move what PDF/A takes no XMP of; returns what it takes, as it takes it."""
        permitted = {element.tag: element for element in _permitted(self._data)}
        kept: list[Element] = []
        for element in self._properties:
            taken = _taken(element, permitted)
            if taken is not None:
                kept.append(taken)
                if _has_more(element, taken):
                    self._lost.append(f"details of {self._label(element)}")
            else:
                self._move(element, self._label(element))
        return kept

    def all_of_page(self, number: int) -> list[str]:
        """Move everything to the document, under the page's number."""
        for key, value in self._info.items():
            self._tell(f"Page {number} {key[1:]}", str(value))
        for element in self._properties:
            self._move(element, f"Page {number} {self._label(element)}")
        return self.losses()

    def _move(self, element: Element, key: str) -> None:
        """Say in Info what a property says, unless Info says it under a key of its own."""
        if not _is_plain(element):
            self._lost.append(key)
        elif element.tag not in self._told:
            self._tell(key, "; ".join(values_of(element)))

    def _tell(self, key: str, value: str) -> None:
        """Say it in Info, unless a key that begins with the same 127 bytes does."""
        name = info_name(key)
        if name in self._pdf.docinfo:
            self._lost.append(key)
        else:
            self._pdf.docinfo[name] = String(value)

    def _label(self, element: Element) -> str:
        space, _, local = element.tag[1:].partition("}")
        return f"{self.prefixes.get(space, space)}:{local}"


def _permitted(data: bytes) -> Iterable[Element]:
    """Return a packet's properties that PDF/A takes, as pikepdf writes them."""
    with Pdf.new() as scratch:
        scratch.Root.Metadata = Stream(scratch, data, Type=Name.Metadata, Subtype=Name.XML)
        scratch.trailer.Info = scratch.make_indirect(Dictionary())
        pdfa.prepare(scratch, FLAVOUR, output_intent=None)
        return read_properties(scratch.Root.Metadata.read_bytes().decode("utf-8"), {})


def _taken(element: Element, permitted: dict[str, Element]) -> Element | None:
    """Return a property in the form that PDF/A takes; None where it takes none."""
    if element.tag == _CHANGED_AT:
        moment = read_date("".join(values_of(element)))
        return simple(_CHANGED_AT, moment.xmp) if moment else None
    if element.tag in permitted and element.tag in _UNTOUCHED:
        return simple(element.tag, element.text or "")
    return permitted.get(element.tag)


def _has_more(element: Element, taken: Element) -> bool:
    """Whether a property said more than what is taken of it: languages, qualifiers."""
    return _attributes(element) > _attributes(taken)


def _attributes(element: Element) -> int:
    return sum(len(part.attrib) for part in element.iter())


def _is_plain(element: Element) -> bool:
    """Whether a property is a text, or a list of texts of no more than one language."""
    if any(set(part.attrib) - {LANG} for part in element.iter()):
        return False
    if not len(element):
        return True
    (container, *others) = element
    is_choice = container.tag == _ALTERNATIVES and len(container) > 1
    return not others and not is_choice and not any(len(item) for item in container)
