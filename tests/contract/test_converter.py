"""What every `Converter` keeps to; an engine joins by its line in `engines.CONVERTERS`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pikepdf
import pytest

from batch_converter.engines.base import Converter, Ready, TaskService
from batch_converter.errors import FileError
from tests.contract.engines import BAD, CONVERTERS, GOOD, SLOW, FileTarget, source

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture(
    params=[
        pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in CONVERTERS
    ]
)
async def converter(request: pytest.FixtureRequest) -> AsyncIterator[Converter]:
    async with CONVERTERS[request.param]() as opened:
        yield opened


async def test_it_is_of_one_kind_and_says_who_it_is(converter: Converter) -> None:
    assert isinstance(converter, Converter)
    assert not isinstance(converter, TaskService)
    assert converter.name
    assert converter.options_digest == converter.options_digest
    assert converter.capacity >= 1


async def test_a_whole_pdf_stands_in_the_target_and_nothing_beside_it(
    converter: Converter, tmp_path: Path
) -> None:
    target = FileTarget(tmp_path / "a.part")
    assert isinstance(await converter.convert(source(GOOD), target), Ready)
    with pikepdf.open(target.path) as pdf:
        assert len(pdf.pages) == 1
    assert [path async for path in anyio.Path(tmp_path).iterdir()] == [target.path]


async def test_the_same_document_becomes_the_same_bytes(
    converter: Converter, tmp_path: Path
) -> None:
    targets = [FileTarget(tmp_path / name) for name in ("a.part", "b.part")]
    async with anyio.create_task_group() as group:
        for number, target in enumerate(targets):
            group.start_soon(converter.convert, source(GOOD, number), target)
    first, second = [target.path.read_bytes() for target in targets]
    assert first == second


async def test_a_document_that_cannot_be_converted_fails_alone_and_by_its_name(
    converter: Converter, tmp_path: Path
) -> None:
    with pytest.raises(FileError, match=BAD.name):
        await converter.convert(source(BAD, 1), FileTarget(tmp_path / "bad.part"))
    target = FileTarget(tmp_path / "good.part")
    await converter.convert(source(GOOD, 2), target)
    assert target.path.read_bytes().startswith(b"%PDF-")


async def test_a_conversion_that_is_called_off_does_no_harm_to_the_next(
    converter: Converter, tmp_path: Path
) -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(converter.convert, source(GOOD, 1), FileTarget(tmp_path / "off.part"))
        await anyio.lowlevel.checkpoint()
        group.cancel_scope.cancel()
    target = FileTarget(tmp_path / "good.part")
    await converter.convert(source(GOOD, 2), target)
    assert target.path.read_bytes().startswith(b"%PDF-")
