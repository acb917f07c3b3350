"""Whether runs are the parts of one archive: each file in one of them, and none left out."""

from __future__ import annotations

import heapq
import os
from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from batch_converter.config import parse_shard
from batch_converter.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from batch_converter.merging.shard_ledger import ShardLedger
    from batch_converter.models import ShardRun


class Completeness(NamedTuple):
    """What keeps a merged report from being one of the whole archive.

    Attributes:
        missing: Shards (`K/N`) that none of the runs took.
        warnings: What is to be said, one sentence each; empty where nothing is.
    """

    missing: tuple[str, ...]
    warnings: tuple[str, ...]


def completeness(runs: Sequence[ShardRun]) -> Completeness:
    """Compare the shards that the runs took.

    Raises:
        UsageError: They took parts of different partitions, or the same one.
    """
    taken = _taken(runs)
    unknown = [run for run in runs if run.summary.shard is None]
    missing = _missing(taken)
    warnings = [
        f"the last run of {run.name} has not ended: it goes on, or it died; what it has done by"
        " now counts"
        for run in runs
        if run.summary.exit_code is None
    ]
    if taken and unknown:
        warnings += [
            f"the last run of {run.name} took no shard (--shard), or was an older version's:"
            " whether all of the archive is here cannot be told"
            for run in unknown
        ]
    elif missing:
        warnings.append(
            f"no state directory is given whose last run took {_named(missing)}: the report is not"
            " of the whole archive"
        )
    return Completeness(missing=() if unknown else missing, warnings=tuple(warnings))


def _named(missing: Sequence[str]) -> str:
    return ("shard " if len(missing) == 1 else "shards ") + ", ".join(missing)


def _taken(runs: Sequence[ShardRun]) -> dict[tuple[int, int], ShardRun]:
    taken: dict[tuple[int, int], ShardRun] = {}
    for run in runs:
        if run.summary.shard is None:
            continue
        shard = parse_shard(run.summary.shard)
        if (twin := taken.get(shard)) is not None:
            raise UsageError(f"the last runs of {twin.name} and {run.name} took the same shard")
        other = next(iter(taken.values()), run)
        if shard[1] != parse_shard(other.summary.shard or "")[1]:
            raise UsageError(
                f"the last runs of {other.name} and {run.name} took parts of different partitions;"
                " run all shards with one N of --shard K/N, then merge them"
            )
        taken[shard] = run
    return taken


def _missing(taken: dict[tuple[int, int], ShardRun]) -> tuple[str, ...]:
    if not taken:
        return ()
    (parts,) = {parts for _, parts in taken}
    return tuple(f"{k}/{parts}" for k in range(1, parts + 1) if (k, parts) not in taken)


def check_disjoint(ledgers: Sequence[ShardLedger]) -> None:
    """Make sure that no document, and no PDF, is in the last runs of two; blocking.

    It would count twice, and one PDF may have replaced the other.

    Raises:
        UsageError: One is.
    """
    for paths in (True, False):
        for (key, first), (other, second) in pairwise(_keyed(ledgers, paths=paths)):
            if key == other:
                what = os.fsdecode(key)
                raise UsageError(
                    f"{'the source' if paths else 'the PDF'} {what} is in the last runs of"
                    f" {ledgers[first].as_run.name} and {ledgers[second].as_run.name}: they are not"
                    " shards of one archive, or one of them was run without its --shard"
                )


def _keyed(ledgers: Sequence[ShardLedger], *, paths: bool) -> Iterator[tuple[bytes, int]]:
    """Yield the keys of all, sorted, each with the number of its ledger."""

    def keys(number: int, ledger: ShardLedger) -> Iterator[tuple[bytes, int]]:
        reader, run_id = ledger.reader, ledger.run.run_id
        found = reader.document_paths(run_id) if paths else reader.document_outputs(run_id)
        for key in ledger.reading(found):
            yield key, number

    return heapq.merge(*(keys(number, ledger) for number, ledger in enumerate(ledgers)))


def repeated_paths(ledgers: Sequence[ShardLedger]) -> dict[str, int]:
    """Count by status what shards told of beside one another, such as a folder none could read.

    Each shard says so, since files of each may be in it; together they say it once.
    """
    repeated: defaultdict[str, int] = defaultdict(int)
    before: bytes | None = None
    for path, number, status in _without_document(ledgers):
        others = (other for place, other in enumerate(ledgers) if place != number)
        if path == before or any(o.reader.has_document(o.run.run_id, path) for o in others):
            repeated[status] += 1
        before = path
    return repeated


def _without_document(ledgers: Sequence[ShardLedger]) -> Iterator[tuple[bytes, int, str]]:
    def rows(number: int, ledger: ShardLedger) -> Iterator[tuple[bytes, int, str]]:
        found = ledger.reader.paths_without_document(ledger.run.run_id)
        for path, status in ledger.reading(found):
            yield path, number, status.value

    return heapq.merge(*(rows(number, ledger) for number, ledger in enumerate(ledgers)))
