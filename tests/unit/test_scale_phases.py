"""Where the scale benchmark says that processor time goes: which code is which phase."""

from __future__ import annotations

import inspect
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmarks.scale import phases

if TYPE_CHECKING:
    from types import FrameType

ROOT = Path(__file__).parents[2]
LIBRARIES = ("structlog/", "concurrent/futures/", "aiohttp/")
CALL = "import inspect\ndef {name}(inner):\n    return inner() if inner else inspect.currentframe()"


def _frame(*places: str) -> FrameType:
    """Return the innermost of frames that call each other, given as `FILE:FUNCTION`."""

    def calling(inner: object, place: str) -> object:
        file, _, name = place.rpartition(":")
        names: dict[str, object] = {}
        exec(compile(CALL.format(name=name), file, "exec"), names)  # noqa: S102  # a frame of any file
        return lambda function=names[name]: function(inner)

    innermost = reduce(calling, reversed(places), None)
    assert callable(innermost)
    frame = innermost()
    assert inspect.isframe(frame)
    return frame


@pytest.mark.parametrize(
    ("places", "phase"),
    [
        (("/x/batch_converter/engines/aspose/engine.py:submit",), "submissions made"),
        (
            ("/x/batch_converter/engines/aspose/exchange.py:_hop", "/x/anyio/_core/_tasks.py:run"),
            "requests counted, watched, tried again",
        ),
        (
            ("/x/batch_converter/engines/aspose/engine.py:submit", "/x/aiohttp/client.py:request"),
            "requests in aiohttp",
        ),
        (
            ("/x/aiohttp/client.py:request", "/x/asyncio/selector_events.py:write"),
            "requests in aiohttp",
        ),
        (("/x/benchmarks/scale/bare.py:record",), "steps recorded"),
        (("/x/asyncio/base_events.py:_run_once",), phases.OTHER),
    ],
)
def test_the_innermost_frame_that_has_a_phase_decides(places: tuple[str, ...], phase: str) -> None:
    assert phases.phase_of(_frame(*places)) == phase


def test_what_no_frame_shows_is_the_loops() -> None:
    assert phases.phase_of(None) == phases.OTHER


@pytest.mark.parametrize("part", [part for parts in phases.PHASES.values() for part in parts])
def test_the_code_of_each_phase_is_there(part: str) -> None:
    file, _, function = part.partition(":")
    assert part in LIBRARIES or any(
        file in path.as_posix() and f"def {function}" in path.read_text(encoding="utf-8")
        for package in ("batch_converter", "benchmarks")
        for path in (ROOT / package).rglob("*.py")
    )


def test_the_table_says_which_part_of_the_difference_a_place_is() -> None:
    ours_s = {"loop: driven": 3.0, "threads: disk": 2.0, "processes": 1.0}
    floor_s = {"loop: driven": 1.0, "threads: disk": 1.0, "threads: steps": 1.0}
    _, _, *rows = phases.table(ours_s, floor_s, 1_000)
    assert rows == [
        "| loop: driven | 3.000 | 1.000 | 67% |",
        "| threads: disk | 2.000 | 1.000 | 33% |",
        "| processes | 1.000 | 0.000 | 33% |",
        "| threads: steps | 0.000 | 1.000 | -33% |",
        "| all | 6.000 | 3.000 | |",
    ]


def test_what_is_used_while_the_loop_waits_is_no_phases() -> None:
    sampler = phases.LoopSampler()
    sampler.look(0, _frame("/x/asyncio/base_events.py:_run_once", "/x/lib/selectors.py:select"))
    assert not sampler.spent_s
    sampler.look(0, _frame("/x/aiohttp/client.py:request"))
    assert list(sampler.spent_s) == ["requests in aiohttp"]
