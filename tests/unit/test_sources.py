"""What a run is asked to convert."""

from __future__ import annotations

import os
from datetime import UTC, datetime
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


NOW = datetime(2026, 3, 29, 12, tzinfo=UTC)


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
        sources.open(InputSettings(), stores(), excluded_dirs=(), now=NOW)


def test_paths_and_a_list_are_walked_together(tmp_path: Path) -> None:
    first, second = make_archive(tmp_path / "folder", 2)
    (listed,) = make_archive(tmp_path / "other", 1)
    names = tmp_path / "list"
    names.write_text(f"{listed}\n")
    opened = Sources(paths=(str(first.parent),), files_from=str(names)).open(
        InputSettings(), stores(), excluded_dirs=(), now=NOW
    )
    found = [file.path for file in opened.found if isinstance(file, SourceFile)]
    assert found == [str(first), str(second), str(listed)]
    assert opened.roots == (str(first.parent),)


def test_filters_are_those_of_the_settings(tmp_path: Path) -> None:
    make_archive(tmp_path / "folder", 4)
    settings = InputSettings(include=("0000[12]*",), exclude=("*2.djvu",), shard="1/1")
    opened = Sources(paths=(str(tmp_path),)).open(settings, stores(), excluded_dirs=(), now=NOW)
    assert [f.source for f in opened.found if isinstance(f, SourceFile)] == ["folder/00001.djvu"]


def test_ages_are_counted_from_the_beginning_of_the_run(tmp_path: Path) -> None:
    ages = {"future": -(10**9), "now": 0, "young": 3_600 * 10**9, "old": 3_600 * 10**9 + 1_000}
    for name, age_ns in ages.items():
        path = tmp_path / f"{name}.djvu"
        path.write_bytes(b"AT&TFORM")
        mtime_ns = int(NOW.timestamp()) * 10**9 - age_ns
        os.utime(path, ns=(mtime_ns, mtime_ns))

    def taken(**limits: str) -> set[str]:
        settings = InputSettings.model_validate(limits)
        opened = Sources(paths=(str(tmp_path),)).open(settings, stores(), excluded_dirs=(), now=NOW)
        return {f.source.removesuffix(".djvu") for f in opened.found if isinstance(f, SourceFile)}

    assert taken(max_age="1h") == {"future", "now", "young"}
    assert taken(min_age="1h") == {"young", "old"}
    assert taken(min_age="1h", max_age="60m") == {"young"}
    assert taken(min_age="0") == {"now", "young", "old"}
    assert taken(min_age="9" * 300 + "w") == set()
    assert taken(max_age="9" * 300 + "w") == set(ages)
    with pytest.raises(UsageError, match=r"min_age.*max_age"):
        taken(min_age="61m", max_age="1h")
