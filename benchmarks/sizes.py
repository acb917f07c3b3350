"""All benchmarks in their order, and how long each is when quick and when full."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """One benchmark, and its options by size.

    Attributes:
        module: Below `benchmarks`, as `python -m` takes it.
        title: The section of the results that it writes.
        full_minutes: About how long `full` takes on two quiet processors.
    """

    module: str
    title: str
    quick: str
    full: str
    full_minutes: int

    def options(self, size: str) -> list[str]:
        """Return its options when quick, or full."""
        return (self.quick if size == "quick" else self.full).split()


SIZES: Final = ("quick", "full")
BENCHMARKS: Final = (
    Benchmark(
        module="stores",
        title="Object stores",
        quick="--documents 40 --cloud-documents 100 --rounds 1",
        full="--documents 120 --cloud-documents 300 --rounds 3",
        full_minutes=3,
    ),
    Benchmark(
        module="transfer",
        title="Transfer",
        quick="--rounds 1 --fetch-mib 192 --upload-mib 96",
        full="--rounds 5",
        full_minutes=6,
    ),
    Benchmark(
        module="scale",
        title="Scale",
        quick="--files 300 --rounds 2 --growth 300 1000",
        full="--files 1000 --rounds 5 --growth 1000 10000 100000"
        " --sizes 30kB:20kB 300kB:300kB 1MB:2MB 2MB:5MB 5MB:10MB --size-rounds 3",
        full_minutes=8,
    ),
    Benchmark(
        module="scale.phases",
        title="Small files by phase",
        quick="--files 300",
        full="--files 3000",
        full_minutes=1,
    ),
    Benchmark(
        module="scale.workers",
        title="Workers kept busy",
        quick="--workers 50 --ahead 14 --documents 400 --seconds 1",
        full="--workers 200 --documents 4000 --seconds 10 2",
        full_minutes=5,
    ),
    Benchmark(
        module="scale.ledger",
        title="Ledger at scale",
        quick="--rows 10000 30000",
        full="--rows 100000 1000000 --bulk 5000000",
        full_minutes=26,
    ),
    Benchmark(
        module="service",
        title="Service",
        quick="--rounds 1 --queue 300",
        full="--rounds 3 --queue 10000",
        full_minutes=5,
    ),
    Benchmark(
        module="cluster",
        title="Cluster",
        quick="--documents 16 --books 0 --rounds 1 --growth 20 60",
        full="--documents 240 --books 12 --rounds 5 --growth 500 5000",
        full_minutes=8,
    ),
    Benchmark(
        module="fidelity",
        title="Fidelity",
        quick="--rounds 1 --most-pages 1 --none-made samples",
        full="--rounds 3 samples",
        full_minutes=15,
    ),
    Benchmark(
        module="polling.over_http",
        title="Polling over HTTP",
        quick="--seed 531 --count 150 --wall-s 6 --traces fifo-8,bimodal",
        full="--seed 531",
        full_minutes=25,
    ),
    Benchmark(
        module="polling",
        title="Polling",
        quick="--seeds 531 --count 60",
        full="--seeds 531-536",
        full_minutes=60,
    ),
)
NAMES: Final = tuple(benchmark.module for benchmark in BENCHMARKS)
