"""Names of PDFs in an archive."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_converter.naming import clash_key
from batch_converter.server.page.archive_names import ArchiveNames, pdf_path

PATHS = st.text(st.sampled_from("abA./\\:\x00\u0308ä~2 \ud800文"), max_size=12)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("a/b.djvu", "a/b.pdf"),
        ("/etc/passwd", "etc/passwd.pdf"),
        ("../../x.djvu", "x.pdf"),
        ("a/../b.djvu", "a/b.pdf"),
        ("C:\\Users\\x.djvu", "C__Users_x.pdf"),
        ("a//b.djv", "a/b.pdf"),
        ("con/nul.djvu", "_con/_nul.pdf"),
        ("com1.djvu", "_com1.pdf"),
        ("console.djvu", "console.pdf"),
        ("a. /b .djvu", "a/b .pdf"),
        ("a . ./b.djvu", "a/b.pdf"),
        (" \u3000.a/b.djvu", ".a/b.pdf"),
        ("con ./b.djvu", "_con/b.pdf"),
        ("x" * 199 + " y/b.djvu", "x" * 199 + "/b.pdf"),
        ("a\x00b\n.djvu", "a_b_.pdf"),
        ("fdp\u202euvjd.djvu", "fdpuvjd.pdf"),
        ("", "document.pdf"),
        ("...", "_.pdf"),
        ("....djvu", "....pdf"),
        (".djvu", ".djvu.pdf"),
        ("x" * 300 + ".djvu", "x" * 200 + ".pdf"),
        ("文" * 100 + "/a.djvu", "文" * 66 + "/a.pdf"),
    ],
)
def test_a_path_is_one_on_every_system(name: str, path: str) -> None:
    assert pdf_path(name) == path


@given(st.lists(PATHS, max_size=12))
def test_paths_never_clash_and_never_lead_out(names: list[str]) -> None:
    given_ = ArchiveNames()
    paths = [given_.take(name) for name in names]
    keys = [clash_key(path) for path in paths]
    assert len(set(keys)) == len(keys)
    folders = {key.rsplit("/", depth)[0] for key in keys for depth in range(1, key.count("/") + 1)}
    assert not folders & set(keys)
    for path in paths:
        path.encode()
        assert path.endswith(".pdf")
        for part in path.split("/"):
            assert part not in {"", ".", ".."}
            assert not set(part) & set("\\:\0")
            assert part == part.rstrip(". ")


def test_what_is_at_the_top_already_gives_its_name_to_no_folder() -> None:
    names = ArchiveNames("MANIFEST.txt")
    assert names.take("manifest.TXT/a.djvu") == "manifest.TXT~2/a.pdf"
    assert names.take("MANIFEST.txt.djvu") == "MANIFEST.txt.pdf"


def test_many_of_one_name_are_numbered_at_once() -> None:
    names = ArchiveNames()
    paths = [names.take("a.djvu") for _ in range(5000)]
    assert paths[0] == "a.pdf"
    assert paths[-1] == "a~5000.pdf"
