"""XMP packets: read without trust, put together, and written with their own prefixes.

A packet is RDF in XML. What is hostile is refused before it is held: a document type
(with it go entities, the billion laughs, and files of others), depth, and number.
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Final
from xml.etree.ElementTree import Element, ParseError, XMLParser
from xml.parsers import expat

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

RDF: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
DC: Final = "http://purl.org/dc/elements/1.1/"
PDF: Final = "http://ns.adobe.com/pdf/1.3/"
PDFX: Final = "http://ns.adobe.com/pdfx/1.3/"
XMP: Final = "http://ns.adobe.com/xap/1.0/"
_XML: Final = "http://www.w3.org/XML/1998/namespace"
LANG: Final = f"{{{_XML}}}lang"
_PREFIXES: Final = {RDF: "rdf", DC: "dc", PDF: "pdf", PDFX: "pdfx", XMP: "xmp", _XML: "xml"}
PDF_A: Final = "http://www.aiim.org/pdfa/ns/id/"
_CONTAINERS: Final = frozenset({f"{{{RDF}}}{name}" for name in ("Alt", "Bag", "Seq")})
_ITEM: Final = f"{{{RDF}}}li"
_MAX_DEPTH: Final = 64

# As `xml.sax.saxutils` would, which loads HTTP and mail: 5 % of what a worker's start takes.
_IN_TEXT: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})
_IN_VALUE: Final = _IN_TEXT | str.maketrans({'"': "&quot;", "\n": "&#10;", "\t": "&#9;"})
_MAX_ELEMENTS: Final = 200_000
_DECLARATION: Final = re.compile(r"\s*<\?xml\s[^>]*\?>")
_PREFIX: Final = re.compile(r"[A-Za-z][\w.-]*", re.ASCII)
_ESCAPE_MARK: Final = "\u2182"
_PLAIN_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9._-]*")


class XmpError(ValueError):
    """A packet is no XML, no RDF, or one that is not to be read."""


def read_properties(packet: str, prefixes: dict[str, str]) -> list[Element]:
    """Return the properties of a packet in order; all are of the document.

    Args:
        packet: As in the DjVu.
        prefixes: Gets the packet's own prefixes by their name spaces.

    Raises:
        XmpError: It is damaged, or has what no packet needs.
    """
    data = _DECLARATION.sub("", packet.lstrip("\ufeff \t\r\n"), count=1).encode("utf-8")
    _look_through(data, prefixes)
    parser = XMLParser()  # noqa: S314  # a packet with a document type was refused just now
    try:
        parser.feed(data)
        root = parser.close()
    except ParseError as error:
        raise XmpError from error
    graph = root if root.tag == f"{{{RDF}}}RDF" else root.find(f".//{{{RDF}}}RDF")
    if graph is None:
        raise XmpError
    return [p for node in graph for p in _properties(node) if not p.tag.startswith(f"{{{PDF_A}}}")]


def _look_through(data: bytes, prefixes: dict[str, str]) -> None:
    """Go through a packet without holding it, and refuse what is hostile."""
    depth = count = 0

    def start(_name: str, _attributes: Mapping[str, str]) -> None:
        nonlocal depth, count
        depth, count = depth + 1, count + 1
        if depth > _MAX_DEPTH or count > _MAX_ELEMENTS:
            raise XmpError

    def end(_name: str) -> None:
        nonlocal depth
        depth -= 1

    def refuse(*_arguments: object) -> None:
        raise XmpError

    def name(prefix: str | None, space: str | None) -> None:
        if prefix and space and _PREFIX.fullmatch(prefix):
            prefixes.setdefault(space, prefix)

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.StartNamespaceDeclHandler = name
    try:
        parser.Parse(data, True)  # noqa: FBT003  # positional only
    except expat.ExpatError as error:
        raise XmpError from error


def _properties(node: Element) -> Iterable[Element]:
    """A node's properties: its elements, and the attributes that stand for some."""
    for name, value in node.attrib.items():
        if name.startswith("{") and not name.startswith((f"{{{RDF}}}", f"{{{_XML}}}")):
            yield simple(name, value)
    yield from (child for child in node if child.tag.startswith("{"))


def simple(tag: str, text: str) -> Element:
    """Return a property of one value."""
    element = Element(tag)
    element.text = text
    return element


def listed(tag: str, container: str, text: str) -> Element:
    """Return a property that is a list of one value: an `Alt`, a `Seq` or a `Bag`."""
    element = Element(tag)
    items = Element(f"{{{RDF}}}{container}")
    item = simple(_ITEM, text)
    if container == "Alt":
        item.set(LANG, "x-default")
    items.append(item)
    element.append(items)
    return element


def values_of(element: Element) -> list[str]:
    """Return a property's values; of alternatives only the default one, or the first."""
    if len(element) and element[0].tag in _CONTAINERS:
        items = [i for i in element[0] if i.tag == _ITEM]
        if element[0].tag == f"{{{RDF}}}Alt":
            items = [i for i in items if i.get(LANG) == "x-default"][:1] or items[:1]
        return [text for item in items if (text := "".join(item.itertext()).strip())]
    text = "".join(element.itertext()).strip()
    return [text] if text else []


def name_for(key: str) -> str:
    """Return a name in XML for any key: what cannot stand in one is escaped as Adobe does it."""
    if _PLAIN_NAME.fullmatch(key) or _is_xml_name(key):
        return key
    escaped = "".join(
        c if c.isascii() and c.isalnum() else f"{_ESCAPE_MARK}{ord(c):04X}" for c in key
    )
    return escaped if not escaped[:1].isdigit() else f"_{escaped}"


def _is_xml_name(key: str) -> bool:
    if ":" in key or not key.replace("-", "").replace(".", "").isalnum():
        return False
    try:
        expat.ParserCreate().Parse(f"<{key}/>".encode(), True)  # noqa: FBT003  # positional only
    except expat.ExpatError:
        return False
    return True


def packet(properties: Iterable[Element], prefixes: Mapping[str, str]) -> bytes:
    """Write a packet that says these properties of the document it is in."""
    names = _Names(prefixes)
    body = "\n".join(_written(element, names) for element in properties)
    spaces = "".join(
        f"\n xmlns:{prefix}={_value(space)}"
        for space, prefix in names.used.items()
        if space not in {RDF, _XML}
    )
    return _PACKET.format(spaces=spaces, properties=body).encode("utf-8")


class _Names:
    """Gives each name space one prefix, the usual one where it can."""

    def __init__(self, prefixes: Mapping[str, str]) -> None:
        self._wanted = {**prefixes, **_PREFIXES}
        self.used: dict[str, str] = {}

    def of(self, tag: str) -> str:
        """Return the prefixed form of `{space}local`."""
        space, _, local = tag[1:].partition("}") if tag.startswith("{") else ("", "", tag)
        if not space:
            return local
        if space not in self.used:
            wanted = self._wanted.get(space, "")
            taken = {"x", *_PREFIXES.values(), *self.used.values()}
            own = _PREFIXES.get(space) or (wanted if wanted and wanted not in taken else "")
            numbered = (f"ns{number}" for number in itertools.count(len(self.used)))
            self.used[space] = own or next(prefix for prefix in numbered if prefix not in taken)
        return f"{self.used[space]}:{local}"


def _written(element: Element, names: _Names) -> str:
    tag = names.of(element.tag)
    attributes = "".join(f" {names.of(n)}={_value(v)}" for n, v in element.attrib.items())
    inside = _text(element.text) + "".join(
        _written(child, names) + _text(child.tail) for child in element
    )
    return f"<{tag}{attributes}>{inside}</{tag}>" if inside else f"<{tag}{attributes}/>"


def _text(text: str | None) -> str:
    return (text or "").translate(_IN_TEXT)


def _value(text: str) -> str:
    return f'"{text.translate(_IN_VALUE)}"'


_PACKET: Final = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about=""{spaces}>
{properties}
</rdf:Description>
</rdf:RDF>
</x:xmpmeta>
<?xpacket end="r"?>"""
