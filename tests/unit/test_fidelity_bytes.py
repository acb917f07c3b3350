"""What the benchmark of fidelity counts as the bytes of masks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pikepdf
from pikepdf import Dictionary, Name

from benchmarks.fidelity.mask_bytes import mask_bytes
from benchmarks.fidelity.subjects import Subject
from tests.support.bundles import SHARED, Part, bundle_of, form, mask
from tests.support.djvu_files import chunk, info, page
from tests.support.djvu_layers import fax_mask

if TYPE_CHECKING:
    from pathlib import Path


def bilevel(pdf: pikepdf.Pdf, data: bytes, **entries: object) -> pikepdf.Object:
    image = pikepdf.Stream(pdf, data)
    image.update({"/Type": Name.XObject, "/Subtype": Name.Image, "/BitsPerComponent": 1})
    image.update({f"/{name}": value for name, value in entries.items()})
    return pdf.make_indirect(image)


def test_masks_of_a_pdf_are_counted_with_what_they_share_once(tmp_path: Path) -> None:
    with pikepdf.new() as pdf:
        shared = pdf.make_indirect(pikepdf.Stream(pdf, b"s" * 1000))
        parms = Dictionary(JBIG2Globals=shared)
        stencil = bilevel(pdf, b"b" * 10, ImageMask=True, DecodeParms=parms)
        picture = pikepdf.Stream(pdf, b"p" * 5000)
        picture.update({"/Subtype": Name.Image, "/BitsPerComponent": 8, "/Mask": stencil})
        images = {
            "/Im0": bilevel(pdf, b"a" * 100, DecodeParms=parms),
            "/Im1": pdf.make_indirect(picture),
            "/Im2": bilevel(pdf, b"c" * 7),
        }
        for _ in range(2):
            added = pdf.add_blank_page()
            added.Resources = Dictionary(XObject=Dictionary(images))
        pdf.save(tmp_path / "out.pdf", compress_streams=False)
    assert mask_bytes(tmp_path / "out.pdf") == 1000 + 100 + 10 + 7


def test_masks_of_a_djvu_are_counted_with_their_dictionaries_once(tmp_path: Path) -> None:
    own = mask()
    shared = form("DJVI", chunk("Djbz", b"d" * 50))
    head = info(width=96, height=120)
    parts = [Part(form=shared, id="d.djbz", kind=SHARED)]
    included = form("DJVU", head, chunk("INCL", b"d.djbz"), own)
    parts += [Part(form=included, id=f"p{number}.djvu") for number in range(3)]
    (tmp_path / "in.djvu").write_bytes(bundle_of(parts))
    length = int.from_bytes(own[4:8], "big")
    assert Subject(tmp_path / "in.djvu", tmp_path).jb2_bytes == 50 + 3 * length


def test_a_fax_is_no_jb2(tmp_path: Path) -> None:
    (tmp_path / "in.djvu").write_bytes(page(info(width=90, height=60), fax_mask(90, 60)))
    subject = Subject(tmp_path / "in.djvu", tmp_path)
    assert subject.jb2_bytes == 0
    assert not subject.is_book
