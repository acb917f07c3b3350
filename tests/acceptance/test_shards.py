"""Several machines, one archive and one output folder: shards side by side, and one report."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.command import run, run_each, sha256sum_accepts
from tests.support.pdfs import djvu_bytes, make_archive

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.support.cloud import Cloud

CLASHING = (
    "x.djv", "x.djvu", "x.djvu.djvu", "X.DJVU", "x~2.djvu", "x.pdf/y.djvu", "é.djvu", "e\u0301.djv",
)  # fmt: skip


@pytest.mark.slow
def test_shards_convert_every_document_once_under_the_name_that_it_has_in_the_whole(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path
) -> None:
    make_archive(source / "plain", 8)
    for name in CLASHING:
        path = source / "odd" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(djvu_bytes(mark=name.encode()))
    (source / "none.djvu").write_bytes(b"no DjVu at all")
    count, states = 8 + len(CLASHING), [tmp_path / f"state-{k}" for k in "123"]

    def convert(to: Path, *more: str) -> list[tuple[str | Path, ...]]:
        return [
            (
                "convert",
                source,
                "-o",
                to,
                "--shard",
                f"{k}/3",
                "--state-dir",
                state,
                "--json",
                *more,
            )
            for k, state in enumerate(states, 1)
        ]

    done = run_each(convert(output))
    assert sorted(each.code for each in done) == [0, 0, 1]
    assert sum(each.json["totals"]["converted"] for each in done) == count
    assert all(each.json["totals"]["converted"] for each in done)
    assert [each.json["shard"] for each in done] == ["1/3", "2/3", "3/3"]
    assert cloud.calls["submit"] == count
    whole = tmp_path / "whole"
    assert run("convert", source, "-o", whole, "--json").code == 1
    assert pdfs(output) == pdfs(whole)

    check_merged(states, whole, output, count=count)
    part, twice, again = run_each(
        [("merge", *states[:2]), ("merge", *states, states[0]), convert(output)[0]]
    )
    assert part.code == 1
    assert "shard 3/3" in part.err
    assert "shard 3/3" in part.out
    assert twice.code == 2
    assert str(states[0]) in twice.err
    assert again.json["totals"]["skipped"] == done[0].json["totals"]["converted"]
    assert again.json["totals"]["converted"] == 0


def check_merged(states: list[Path], whole: Path, output: Path, *, count: int) -> None:
    """Compare every form of the merged report with what a run over everything has told."""
    flags = ("report", "html-report", "csv-report", "manifest", "failed-list", "metrics-file")
    files = {flag: output.with_name(f"{flag}.file") for flag in flags}
    wanted = [part for flag, path in files.items() for part in (f"--{flag}", path)]
    merged = run("merge", *states, *wanted, "--json")
    assert (merged.code, merged.err) == (0, "")
    told = json.loads(files["report"].read_bytes())
    single = json.loads(run("report", "-o", whole).out)
    for field in ("source", "status", "output", "source_sha256"):
        assert [file[field] for file in told["files"]] == [file[field] for file in single["files"]]
    assert told["totals"] == single["totals"] == merged.json["totals"]
    assert told["exit_code"] == merged.json["exit_code"] == 1
    assert told["api_calls"]["submit"] == count
    assert sha256sum_accepts(files["manifest"], output)
    assert len(files["manifest"].read_bytes().splitlines()) == count
    assert files["failed-list"].read_text().endswith("none.djvu\n")
    assert len(files["csv-report"].read_bytes().splitlines()) == count + 2
    converted = f'batch_converter_run_files{{status="converted"}} {count}.0'
    assert converted in files["metrics-file"].read_text()
    assert "none.djvu" in files["html-report"].read_text()


def pdfs(folder: Path) -> set[str]:
    """Return what lies in an output folder, without the state directory."""
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and ".batch-converter" not in path.parts
    }


IN_C_AS_ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
IN_UTF_8 = {"LC_ALL": "C", "PYTHONUTF8": "1"}
FOLDING = ("É.djvu", "e\u0301.djv", "Ü/ß.djvu", "ü/SS.djvu", "ΣΑΣ.djvu", "ǅ.djvu", "K\u0327.djvu")


@pytest.mark.slow
def test_shards_and_names_are_those_of_machines_with_other_locales(
    source: Path, output: Path
) -> None:
    for name in FOLDING:
        path = source / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(djvu_bytes(mark=name.encode()))

    def planned(shard: str, env: Mapping[str, str]) -> dict[bytes, bytes]:
        command = ("convert", source, "-o", output, "--dry-run", "--files", "--json")
        done = run(*command, "--shard", shard, env=env, cold=True)
        encoding = "utf-8" if env is IN_UTF_8 else "ascii"

        def raw(name: str) -> bytes:
            return name.encode(encoding, "surrogateescape")

        return {raw(file["source"]): raw(file["output"]) for file in done.json["files"]}

    whole = planned("1/1", IN_UTF_8)
    assert planned("1/1", IN_C_AS_ASCII) == whole
    assert whole["É.djvu".encode()] == "É.djvu.pdf".encode()  # it meets the other é
    for shard in ("1/3", "2/3", "3/3"):
        assert planned(shard, IN_C_AS_ASCII) == planned(shard, IN_UTF_8)
