"""`make bench`: what it runs, where the figures go, and what the page says of it."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from benchmarks import __main__ as runner
from benchmarks import results, sizes

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", sizes.NAMES)
def test_each_benchmark_is_there_and_takes_its_options(name: str) -> None:
    (benchmark,) = (each for each in sizes.BENCHMARKS if each.module == name)
    place = ROOT / "benchmarks" / name.replace(".", "/")
    main = place / "__main__.py" if place.is_dir() else place.with_suffix(".py")
    source = main.read_text(encoding="utf-8")
    wanted = {word for size in sizes.SIZES for word in benchmark.options(size) if word[:2] == "--"}
    assert {word for word in wanted if f'"{word}"' not in source} == set()
    assert "with_results(" in source
    assert f'"{benchmark.title}"' in source


def test_the_page_names_all_of_them() -> None:
    page = (ROOT / "docs/measuring.md").read_text(encoding="utf-8")
    assert tuple(re.findall(r"^\| `([\w.]+)` \|", page, re.MULTILINE)) == sizes.NAMES


def test_all_sections_of_the_results_are_a_benchmarks() -> None:
    titles = re.findall(r"^## (.+)$", results.RESULTS.read_text(encoding="utf-8"), re.MULTILINE)
    assert set(titles) <= {benchmark.title for benchmark in sizes.BENCHMARKS}
    assert len(titles) == len(set(titles))


def test_only_a_full_run_touches_the_results() -> None:
    for benchmark in sizes.BENCHMARKS:
        quick = runner.command(benchmark, "quick", runner.QUICK_RESULTS)
        assert quick[-2:] == ["--results", str(runner.QUICK_RESULTS)]
        assert "--write" not in quick
        assert runner.command(benchmark, "full", results.RESULTS)[-1] == "--write"


@pytest.mark.parametrize(("statuses", "status"), [((3, 0), 0), ((1, 0), 1), ((0, -9), 1)])
def test_what_fails_stops_no_other(
    statuses: tuple[int, int],
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    left = list(statuses)

    def command(*_: object) -> list[str]:
        ends = (
            "import os, sys; n = int(sys.argv[1]); n < 0 and os.kill(os.getpid(), -n); sys.exit(n)"
        )
        return [sys.executable, "-SIc", ends, str(left.pop(0))]

    monkeypatch.setattr(runner, "command", command)
    assert runner.run(sizes.BENCHMARKS[:2], "quick", runner.QUICK_RESULTS) == status
    assert not left
    told = capsys.readouterr().err
    assert ("left out" in told) == (3 in statuses)
    assert told.count("FAILED") == status
