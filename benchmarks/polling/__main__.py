from __future__ import annotations
import sys, time
from random import Random
from benchmarks.polling.simulation import Simulation
from benchmarks.polling.traces import make_trace, TRACES, FIRST_TRACES
from benchmarks.polling.baselines import Backoff
from batch_converter.polling import Predictive, FixedInterval

names = sys.argv[1].split(",") if sys.argv[1] != "all" else list(TRACES)
a, b = map(int, sys.argv[2].split("-"))
C = int(sys.argv[3])
kw = eval("dict(" + (sys.argv[4] if len(sys.argv) > 4 else "") + ")")
for n in names:
    cs = []
    ms = []
    dl = []
    t0 = time.process_time()
    sil = []
    for s in range(a, b + 1):
        N = 60 if n in FIRST_TRACES else 1000
        tr = make_trace(n, s, count=N)
        o = Simulation(tr, None, C).run()
        p = Simulation(tr, Predictive(Random(s), max_in_flight=C, **kw), C).run()
        cs.append(p.calls_per_document)
        ms.append(p.makespan_s / o.makespan_s)
        dl.append(p.mean_delay_s)
        sil.append(p.longest_silence_s)
        assert p.shortest_gap_s >= 0.99
    print(
        f"{n:18} calls {sum(cs) / len(cs):.3f} ({max(cs):.2f})  ms {sum(ms) / len(ms):.3f} ({max(ms):.3f}) ideal {o.makespan_s:.0f} delay {sum(dl) / len(dl):.0f} sil {max(sil):.0f} to {p.timed_out} cpu {(time.process_time() - t0) / len(cs):.1f}",
        flush=True,
    )
