"""Title, author and the rest: the document information dictionary and XMP."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING, Final

from pikepdf import Dictionary, Name, Pdf, Stream, String

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PRODUCER: Final = "batch-converter (djvu-rs, pikepdf)"
_KNOWN: Final = {
    name.lower(): name
    for name in ("Title", "Author", "Subject", "Keywords", "Creator", "CreationDate", "ModDate")
}
_DATES: Final = frozenset({"CreationDate", "ModDate"})
_PDF_DATE: Final = re.compile(r"D:\d{4}(\d{2}){0,5}([-+Z](\d{2}'?)*)?")
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NO_KEY: Final = re.compile(r"[^A-Za-z0-9_.-]+")
_MAX_FACTS: Final = 200


def write_metadata(pdf: Pdf, facts: Iterable[tuple[str, str]]) -> None:
    """Set Info and XMP; of a fact that is told twice the first counts.

    Keys that PDF knows get its spelling, others keep theirs without what a name
    cannot hold. Dates that are none in PDF's sense are kept under `Year`-like
    names of their own. Nothing depends on the clock.
    """
    info = _document_information(facts)
    for key in sorted(info):
        pdf.docinfo[Name(f"/{key}")] = String(info[key])
    pdf.docinfo[Name.Producer] = String(PRODUCER)
    packet = Stream(pdf, _xmp(info).encode("utf-8"))
    packet.Type, packet.Subtype = Name.Metadata, Name.XML
    pdf.Root.Metadata = pdf.make_indirect(packet)
    pdf.Root.ViewerPreferences = Dictionary(DisplayDocTitle="Title" in info)


def _document_information(facts: Iterable[tuple[str, str]]) -> dict[str, str]:
    info: dict[str, str] = {}
    for raw, value in facts:
        key = _KNOWN.get(raw.lower()) or _NO_KEY.sub("", raw)
        if key in _DATES and not _PDF_DATE.fullmatch(value):
            key = f"Djvu{key}"
        if key and key != "Producer" and len(info) < _MAX_FACTS:
            info.setdefault(key[:1].upper() + key[1:], _NOT_XML.sub("\ufffd", value))
    return info


def _xmp(info: Mapping[str, str]) -> str:
    parts = [
        *_wrapped("dc:title", "rdf:Alt", info.get("Title"), ' xml:lang="x-default"'),
        *_wrapped("dc:creator", "rdf:Seq", info.get("Author")),
        *_wrapped("dc:description", "rdf:Alt", info.get("Subject"), ' xml:lang="x-default"'),
        *_wrapped("dc:publisher", "rdf:Bag", info.get("Publisher")),
        *_wrapped("dc:date", "rdf:Seq", info.get("Year")),
        *_plain("pdf:Keywords", info.get("Keywords")),
        *_plain("pdf:Producer", PRODUCER),
        *_plain("xmp:CreatorTool", info.get("Creator")),
    ]
    return _PACKET.format(parts="\n".join(parts))


def _wrapped(tag: str, container: str, value: str | None, attributes: str = "") -> Iterable[str]:
    if value:
        item = f"<rdf:li{attributes}>{escape(value)}</rdf:li>"
        yield f"<{tag}><{container}>{item}</{container}></{tag}>"


def _plain(tag: str, value: str | None) -> Iterable[str]:
    if value:
        yield f"<{tag}>{escape(value)}</{tag}>"


_PACKET: Final = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about=""
 xmlns:dc="http://purl.org/dc/elements/1.1/"
 xmlns:pdf="http://ns.adobe.com/pdf/1.3/"
 xmlns:xmp="http://ns.adobe.com/xap/1.0/">
{parts}
</rdf:Description>
</rdf:RDF>
</x:xmpmeta>
<?xpacket end="r"?>"""
