from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_converter.djvu.draw.dates import read_date
from batch_converter.djvu.draw.metadata import PRODUCER
from batch_converter.djvu.draw.xmp import XmpError, name_for, packet, read_properties
from tests.support.djvu_files import chunk, info, page
from tests.support.navigation import SHARED, convert_bytes, djvused, document, leaf

if TYPE_CHECKING:
    from pathlib import Path

    import pikepdf

PDFX = "{http://ns.adobe.com/pdfx/1.3/}"
RDF = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:dc="http://purl.org/dc/elements/1.1/"'
    ' xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:my="http://my.example/ns/"'
    ' xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:pdf="http://ns.adobe.com/pdf/1.3/"'
    ' xmlns:pdfaid="http://www.aiim.org/pdfa/ns/id/">%s</rdf:RDF></x:xmpmeta>'
)
FULL = RDF % (
    '<rdf:Description rdf:about="" xmp:CreatorTool="a &lt;tool&gt;" pdfaid:part="1">'
    '<dc:title><rdf:Alt><rdf:li xml:lang="cs">Staré mapy</rdf:li>'
    '<rdf:li xml:lang="x-default">Old Maps</rdf:li></rdf:Alt></dc:title>'
    "<dc:creator><rdf:Seq><rdf:li>Ann</rdf:li><rdf:li>Bob</rdf:li></rdf:Seq></dc:creator>"
    '<dc:rights><rdf:Alt><rdf:li xml:lang="x-default">CC0</rdf:li></rdf:Alt></dc:rights>'
    "<xmp:CreateDate>2011-05-03T12:33:00+02:00</xmp:CreateDate>"
    "<pdf:Producer>older</pdf:Producer><my:shelf my:room='2'>12/345</my:shelf></rdf:Description>"
)


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def annotated(text: str) -> bytes:
    return page(info(width=300, height=400), chunk("ANTa", text.encode()))


def xmp_of(pdf: pikepdf.Pdf) -> ET.Element:
    return ET.fromstring(pdf.Root.Metadata.read_bytes())  # noqa: S314  # our own


def test_xmp_is_kept_and_info_learns_from_it(tmp_path: Path) -> None:
    done, pdf = convert_bytes(tmp_path, annotated(f"(xmp {quoted(FULL)})"))
    with pdf:
        assert {key: str(value) for key, value in pdf.docinfo.items()} == {
            "/Title": "Old Maps",
            "/Author": "Ann; Bob",
            "/Creator": "a <tool>",
            "/CreationDate": "D:20110503123300+02'00'",
            "/DjvuProducer": "older",
            "/Producer": PRODUCER,
        }
        with pdf.open_metadata() as xmp:
            assert xmp["dc:creator"] == ["Ann", "Bob"]
            assert xmp["dc:rights"] == "CC0"
            assert xmp["pdf:Producer"] == PRODUCER
            assert xmp["{http://my.example/ns/}shelf"] == "12/345"
            assert xmp.pdfa_status == ""  # another file's claim
        text = pdf.Root.Metadata.read_bytes().decode()
        assert '<rdf:li xml:lang="cs">Staré mapy</rdf:li>' in text
        assert '<my:shelf my:room="2">' in text
    assert done.warnings == ()


def test_metadata_and_xmp_that_say_the_same_differently_are_both_kept(tmp_path: Path) -> None:
    facts = '(metadata (Author "Ann and Bob") (CreationDate "2011-05-03 12:33:00+02:00"))'
    done, pdf = convert_bytes(tmp_path, annotated(f"{facts}(xmp {quoted(FULL)})"))
    with pdf, pdf.open_metadata() as xmp:
        assert xmp["dc:creator"] == ["Ann", "Bob"]
    assert done.warnings == ()


def test_where_metadata_and_xmp_differ_the_metadata_counts_and_that_is_told(tmp_path: Path) -> None:
    done, pdf = convert_bytes(
        tmp_path, annotated(f'(metadata (Title "Newer"))(xmp {quoted(FULL)})')
    )
    with pdf, pdf.open_metadata() as xmp:
        assert xmp["dc:title"] == str(pdf.docinfo.Title) == "Newer"
    assert done.warnings == (
        "the document's facts: the metadata and the XMP differ, the metadata counts: Title",
    )


LAUGHS = (
    '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>'
    + RDF % "<rdf:Description><dc:title>&b;</dc:title></rdf:Description>"
)
OUTSIDE = (
    '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
    + RDF % "<rdf:Description><dc:title>&a;</dc:title></rdf:Description>"
)


@pytest.mark.parametrize(
    "packet",
    ["<a", "no xml", "<a/>", LAUGHS, OUTSIDE, RDF % ("<a>" * 100 + "</a>" * 100), FULL[:-9], ""],
)
def test_a_damaged_or_hostile_packet_is_left_out_and_told(tmp_path: Path, packet: str) -> None:
    done, pdf = convert_bytes(tmp_path, annotated(f'(metadata (Title "T"))(xmp {quoted(packet)})'))
    with pdf:
        assert str(pdf.docinfo.Title) == "T"
        assert b"root:" not in pdf.Root.Metadata.read_bytes()
    assert done.warnings == (
        "the document's facts: an XMP packet is damaged, or is not to be read, and was left out",
    )


@given(st.text(max_size=60))
def test_no_text_breaks_the_packet_reader(text: str) -> None:
    with suppress(XmpError):
        read_properties(RDF % f"<rdf:Description><dc:title>{text}</dc:title></rdf:Description>", {})


KEYS = ["Автор", "Год издания", "call number", "a/b#c", "1st", "著者", "x:y", "Shelf-Mark", "(odd)"]


def test_keys_of_every_kind_are_kept_in_both_places(tmp_path: Path) -> None:
    facts = " ".join(
        f'({key if key.isidentifier() else f"|{key}|"} "v{i}")'
        for i, key in enumerate(KEYS)
        if "(" not in key
    )
    done, pdf = convert_bytes(tmp_path, annotated(f"(metadata {facts})"))
    kept = [key for key in KEYS if "(" not in key]
    with pdf:
        for i, key in enumerate(KEYS):
            if key in kept:
                assert str(pdf.docinfo["/" + key[:1].upper() + key[1:]]) == f"v{i}"
        values = {e.tag: e.text for e in xmp_of(pdf).iter() if e.tag.startswith(PDFX)}
    assert sorted(values.values(), key=str) == sorted(
        f"v{i}" for i, k in enumerate(KEYS) if k in kept
    )
    assert values[f"{PDFX}Автор"] == "v0"
    assert done.warnings == ()


@given(st.text(min_size=1, max_size=20))
def test_every_key_has_a_name_in_xml(key: str) -> None:
    with suppress(UnicodeEncodeError):
        ET.fromstring(f'<p:{name_for(key)} xmlns:p="a"/>'.encode())  # noqa: S314  # our own


DATES = {
    "2015-08-17 19:54:57+02:00": ("D:20150817195457+02'00'", "2015-08-17T19:54:57+02:00"),
    "2017-12-14T22:19:04+00:00": ("D:20171214221904+00'00'", "2017-12-14T22:19:04+00:00"),
    "2017-12-14t22:19:04z": ("D:20171214221904Z", "2017-12-14T22:19:04Z"),
    "2017-12-14T22:19:04.123Z": ("D:20171214221904Z", "2017-12-14T22:19:04Z"),
    "2011-05-03 12:33:00 -0530": ("D:20110503123300-05'30'", "2011-05-03T12:33:00-05:30"),
    "2011-05-03 12:33": ("D:201105031233", "2011-05-03T12:33"),
    "2011-05-03": ("D:20110503", "2011-05-03"),
    "2011-05": ("D:201105", "2011-05"),
    "1999": ("D:1999", "1999"),
    "D:20110503123300+02'00'": ("D:20110503123300+02'00'", "2011-05-03T12:33:00+02:00"),
    "D:2011050312": ("D:201105031200", "2011-05-03T12:00"),
    "20110503123300Z": ("D:20110503123300Z", "2011-05-03T12:33:00Z"),
}


@pytest.mark.parametrize("text", DATES)
def test_dates_become_dates(tmp_path: Path, text: str) -> None:
    done, pdf = convert_bytes(
        tmp_path, annotated(f"(metadata (CreationDate {quoted(text)}) (moddate {quoted(text)}))")
    )
    with pdf, pdf.open_metadata() as xmp:
        assert (str(pdf.docinfo.CreationDate), xmp["xmp:CreateDate"]) == DATES[text]
        assert (str(pdf.docinfo.ModDate), xmp["xmp:ModifyDate"]) == DATES[text]
    assert done.warnings == ()


@pytest.mark.parametrize(
    "text", ["last summer", "2011-13-01", "2011-02-30", "99", "2011-05-03T25:00"]
)
def test_what_is_no_date_is_kept_under_another_name(tmp_path: Path, text: str) -> None:
    _, pdf = convert_bytes(tmp_path, annotated(f"(metadata (CreationDate {quoted(text)}))"))
    with pdf:
        assert "/CreationDate" not in pdf.docinfo
        assert str(pdf.docinfo.DjvuCreationDate) == text


@given(st.text(alphabet="0123456789-:T Z+D'", max_size=30))
def test_no_text_breaks_the_reader_of_dates(text: str) -> None:
    moment = read_date(text)
    assert moment is None or read_date(moment.xmp) == read_date(moment.pdf) == moment


def test_of_two_spellings_both_are_kept_and_of_two_values_the_last(tmp_path: Path) -> None:
    text = '(metadata (title "lower") (Title "upper") (Author "a") (Producer "P") (Trapped "yes"))'
    text += '(metadata (Author "b") (year 1999))'
    done, pdf = convert_bytes(tmp_path, annotated(text))
    with pdf:
        assert {key: str(value) for key, value in pdf.docinfo.items()} == {
            "/Author": "b",
            "/DjvuProducer": "P",
            "/DjvuTrapped": "yes",
            "/Producer": PRODUCER,
            "/Title": "upper",
            "/Year": "1999",
            "/title": "lower",
        }
    assert 'Author\t"b"' in djvused(tmp_path / "in.djvu", "select 1", "print-meta")
    assert done.warnings == ("the document's facts: told twice, of which the last counts: Author",)


def test_shared_facts_are_the_documents_whether_the_first_page_includes_them_or_not(
    tmp_path: Path,
) -> None:
    shared = f'(metadata (Title "Report") (Author "Office"))(xmp {quoted(FULL)})'.encode()
    own = b'(metadata (Title "Cover"))'
    for pages in ([leaf(), leaf(include=SHARED)], [leaf(include=SHARED), leaf()]):
        done, pdf = convert_bytes(tmp_path, document(pages, shared=shared))
        with pdf:
            assert (str(pdf.docinfo.Title), str(pdf.docinfo.Author)) == ("Report", "Office")
            assert "/Metadata" not in pdf.pages[1]
            with pdf.open_metadata() as xmp:
                assert xmp["dc:rights"] == "CC0"
        assert 'Title\t"Report"' in djvused(tmp_path / "in.djvu", "print-meta")
        assert len(done.warnings) == 2  # of title and author, which the XMP has otherwise
    done, pdf = convert_bytes(
        tmp_path, document([leaf(own, include=SHARED)], shared=shared.split(b"(xmp")[0])
    )
    with pdf:
        assert (str(pdf.docinfo.Title), str(pdf.docinfo.Author)) == ("Cover", "Office")
    assert done.warnings == ()


def test_facts_of_a_later_page_stay_with_it(tmp_path: Path) -> None:
    pages = [leaf(b'(metadata (Title "Book"))'), leaf(b'(metadata (Title "Map") (Scale "1:100"))')]
    done, pdf = convert_bytes(tmp_path, document(pages))
    with pdf:
        assert str(pdf.docinfo.Title) == "Book"
        told = pdf.pages[1].Metadata.read_bytes().decode()
    assert "Map" in told
    assert "<pdfx:Scale>1:100</pdfx:Scale>" in told
    assert done.warnings == ()


@given(st.lists(st.sampled_from(["", "x", "dc", "ns0", "ns1", "ns2", "ns3"]), max_size=6))
def test_each_name_space_is_written_under_a_prefix_of_its_own(prefixes: list[str]) -> None:
    """Also where a packet has the prefixes that are made up for those without a usable one."""
    spaces = [(prefix, f"urn:{number}") for number, prefix in enumerate(prefixes)]
    inside = "".join(
        f"<{prefix}:one xmlns:{prefix}='{space}'/>" if prefix else f"<one xmlns='{space}'/>"
        for prefix, space in spaces
    )
    known: dict[str, str] = {}
    given_ = read_properties(RDF % f"<rdf:Description>{inside}</rdf:Description>", known)
    written = packet(given_, known).decode("utf-8")
    tags = [element.tag for element in read_properties(written, {})]
    assert tags == [f"{{{space}}}one" for _, space in spaces]


@given(
    st.text(
        st.one_of(
            st.characters(codec="utf-8", exclude_categories=["C"]), st.sampled_from("\r\n\t\"'<>&")
        )
    )
)
def test_every_text_comes_back_from_where_it_is_written(text: str) -> None:
    written = ET.Element(f"{PDFX}Note", {"{http://my.example/ns/}of": text})
    written.text = text
    root = ET.fromstring(packet([written], {}))  # noqa: S314  # our own
    (found,) = root.iter(written.tag)
    assert (found.text or "") == text
    assert found.attrib == written.attrib
