"""What a run is asked to convert."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from batch_converter.config import InputSettings, Settings
from batch_converter.errors import UsageError
from batch_converter.models import SourceFile
from batch_converter.sources import Sources, SourceStores
from batch_converter.wiring import SOURCE_STORES
from tests.support.pdfs import make_archive

if TYPE_CHECKING:
    from pathlib import Path


def stores() -> SourceStores:
    return SourceStores(SOURCE_STORES, Settings())


@pytest.mark.parametrize(
    ("sources", "told"),
    [
        (Sources(), "nothing to convert"),
        (Sources(paths=("not-there",)), "not-there"),
        (Sources(paths=(".",), null=True), "--files-from"),
        (Sources(files_from="no-such-list"), "no-such-list"),
    ],
)
def test_what_cannot_be_meant_is_refused_at_once(sources: Sources, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        sources.open(InputSettings(), stores(), excluded_dirs=())


def test_paths_and_a_list_are_walked_together(tmp_path: Path) -> None:
    first, second = make_archive(tmp_path / "folder", 2)
    (listed,) = make_archive(tmp_path / "other", 1)
    names = tmp_path / "list"
    names.write_text(f"{listed}\n")
    opened = Sources(paths=(str(first.parent),), files_from=str(names)).open(
        InputSettings(), stores(), excluded_dirs=()
    )
    found = [file.path for file in opened.found if isinstance(file, SourceFile)]
    assert found == [str(first), str(second), str(listed)]
    assert opened.roots == (str(first.parent),)


def test_filters_are_those_of_the_settings(tmp_path: Path) -> None:
    make_archive(tmp_path / "folder", 4)
    settings = InputSettings(include=("0000[12]*",), exclude=("*2.djvu",), shard="1/1")
    opened = Sources(paths=(str(tmp_path),)).open(settings, stores(), excluded_dirs=())
    assert [f.source for f in opened.found if isinstance(f, SourceFile)] == ["folder/00001.djvu"]
