"""The whole readout query against a bare GROUP BY over the same file, in the same run.

    python -m tests.benchmarks.readout [--folder bench-data] [--rows 20000000] [--runs 5] [--memory 2GiB]

The yardstick is ``SELECT unit, sum(value) … GROUP BY unit`` over the whole outcome log. The readout query is everything
between opening the logs and the exact sums of one primary, three guardrails and a covariate of each: first exposures,
fates, maturity, one scan of the outcome log, one row per unit, moments per arm.

Two logs, the same number of rows and units in each:

* ``shared``: as live logs are: twelve weeks, seven events of which the design needs four (two rows in five), half of the
  units in the experiment, which enrols for four weeks. The target (at most 1.2 times the yardstick) is measured here.
* ``own``: every unit is in the experiment and every event is one it needs: nothing can be left unread. Reported to show
  the worst case; joining 20 million text ids costs about one yardstick by itself.

Every measurement is a process of its own; wall and processor seconds are medians, memory is the peak of the process.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import duckdb

from experiments.cohorts.cohort import CutOff
from experiments.cohorts.gathering import gather_cohort, sums_of
from experiments.cohorts.reading import Reading
from experiments.designs.design import Design, parse_design
from experiments.designs.metrics import parse_catalogue
from experiments.logs.sources import Place, parse_outcome_sources, parse_sources
from experiments.looks.looking import status_of

UNITS = 1_000_000
THREADS = 2
TARGET = 1.2

METRIC = "  - {{name: {}, version: 1, type: {}, event: {}, direction: {}, window: 7d, {}, baseline: {{{}, source: the generator}}}}\n"
CATALOGUE = "metrics:\n" + "".join(
    METRIC.format(*fields)
    for fields in (
        ("task_success", "conversion", "task_done", "higher", "decimals: 0", "mean: 0.5"),
        ("latency", "mean", "request", "lower", "unit: ms, decimals: 1", "mean: 92, sd: 30"),
        ("views", "count", "view", "higher", "unit: views", "mean: 1, sd: 1"),
        ("spend", "sum", "click", "higher", "unit: EUR, decimals: 1", "mean: 40, sd: 60"),
    )
)

DESIGN = """
title: Benchmark of the readout query
hypothesis: {because: it must be quick, expect: increase}
arms: [{name: control}, {name: treatment}]
primary: {metric: task_success, mde: 0.01, covariates: [{metric: task_success, window: 14d}]}
guardrails:
  - {metric: latency, margin: {absolute: 2}, reason: chosen for the benchmark, covariates: [{metric: latency, window: 14d}]}
  - {metric: views, margin: {absolute: 0.1}, reason: chosen for the benchmark, covariates: [{metric: views, window: 14d}]}
  - {metric: spend, margin: {absolute: 3}, reason: chosen for the benchmark, covariates: [{metric: spend, window: 14d}]}
assignment: {method: external, key: EXP-BENCH}
stopping: {rule: fixed, minimum_duration: 28d}
"""


def write_logs(folder: Path, kind: str, rows: int) -> None:
    """An assignment log and an outcome log ordered by time, in row groups of a million; the same for the same size."""
    folder.mkdir(parents=True, exist_ok=True)
    assigned = UNITS if kind == "own" else UNITS // 2
    weeks, first = (7, "2026-03-02") if kind == "own" else (12, "2026-02-02")
    events = (
        "CASE WHEN h % 20 < 10 THEN 'request' WHEN h % 20 < 16 THEN 'view' WHEN h % 20 < 18 THEN 'click' ELSE 'task_done' END"
        if kind == "own"
        else "CASE WHEN h % 20 < 4 THEN 'request' WHEN h % 20 < 6 THEN 'view' WHEN h % 20 < 7 THEN 'click' "
        "WHEN h % 20 < 8 THEN 'task_done' WHEN h % 20 < 12 THEN 'scroll' WHEN h % 20 < 18 THEN 'impression' ELSE 'login' END"
    )
    unit = "'u' || lpad(CAST((n * 7919) % 1000003 AS VARCHAR), 8, '0')"
    with duckdb.connect() as connection:
        connection.execute(f"SET threads = {THREADS}")
        connection.execute(
            f"COPY (SELECT 'EXP-BENCH' AS experiment, {unit} AS unit, CASE WHEN hash(n) % 2 = 0 THEN 'control' ELSE 'treatment' END "
            f"AS arm, TIMESTAMP '2026-03-16' + to_microseconds(CAST(n * 28.0 * 86400000000 / {assigned} AS BIGINT)) AS assigned_at "
            f"FROM (SELECT range AS n FROM range({assigned}))) TO '{folder}/assignments.parquet' (FORMAT parquet)"
        )
        connection.execute(
            f"COPY (SELECT {unit} AS unit, {events} AS event, TIMESTAMP '{first}' + "
            f"to_microseconds(CAST(i * {weeks} * 7.0 * 86400000000 / {rows} AS BIGINT)) AS occurred_at, "
            "round(exp(4 + (h % 1000) / 1000.0), 1) AS value FROM (SELECT range AS i, hash(range) AS h, "
            f"hash(range * 3) % {UNITS} AS n FROM range({rows}))) TO '{folder}/outcomes.parquet' "
            "(FORMAT parquet, ROW_GROUP_SIZE 1000000)"
        )


def design() -> Design:
    return parse_design(DESIGN, parse_catalogue(CATALOGUE))


def yardstick(folder: Path) -> int:
    with duckdb.connect() as connection:
        connection.execute(f"SET threads = {THREADS}")
        rows = connection.execute(
            f"SELECT count(*), sum(s) FROM (SELECT unit, sum(value) AS s FROM '{folder}/outcomes.parquet' GROUP BY unit)"
        ).fetchall()
    return int(rows[0][0])


def readout_query(folder: Path, memory: str) -> int:
    """Everything from the logs to the exact sums; returns the analysed units."""
    declared = design()
    sources = parse_sources(
        "sources: {main: {watermark: 2026-04-20T00:00:00Z, assignments: {files: assignments.parquet, columns: "
        "{experiment: experiment, unit: unit, arm: arm, assigned_at: assigned_at}}}}",
        Place(folder),
    )
    outcomes = parse_outcome_sources(
        "outcomes: {main: {watermark: 2026-04-20T00:00:00Z, logs: [{files: outcomes.parquet, columns: "
        "{unit: unit, event: event, value: value, occurred_at: occurred_at}}]}}",
        Place(folder),
    )
    with Reading(declared, sources, outcomes, threads=THREADS, memory=memory) as reading:
        reading.place_units()
        status, _ = status_of(declared, reading)
        if not status.due:
            raise RuntimeError(f"the look is not due: {status.missing}")
        cut_off: CutOff = status.cut_off
        gather_cohort(reading, cut_off)
        reading.select_mature(cut_off)
        plan = reading.plan()
        reading.aggregate(plan)
        return sums_of(reading.engine, declared, plan).units


def measure(what: str, folder: Path, memory: str) -> None:
    """One measurement, as a process of its own; prints JSON."""
    wall, used = time.perf_counter(), time.process_time()
    units = yardstick(folder) if what == "yardstick" else readout_query(folder, memory)
    print(
        json.dumps(
            {
                "wall": time.perf_counter() - wall,
                "cpu": time.process_time() - used,
                "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                "units": units,
            }
        )
    )


def compare(folder: Path, runs: int, memory: str) -> dict[str, dict[str, float]]:
    """Yardstick and readout query in turn; medians."""
    found: dict[str, list[dict[str, float]]] = {"yardstick": [], "readout": []}
    for _ in range(runs + 1):  # the first of each warms the file cache and is left out
        for what in found:
            command = [sys.executable, "-m", "tests.benchmarks.readout", "--measure", what]
            done = subprocess.run(
                [*command, "--folder", str(folder), "--memory", memory],
                check=True,
                capture_output=True,
                text=True,
            )
            found[what].append(json.loads(done.stdout))
    return {
        what: {name: statistics.median(run[name] for run in each[1:]) for name in each[0]}
        for what, each in found.items()
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=Path("bench-data"))
    parser.add_argument(
        "--rows", type=int, default=20_000_000, help="outcome rows; 100000000 for the large one"
    )
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument(
        "--memory", default="1500MiB", help="DuckDB's limit; the process must stay below 2 GiB"
    )
    parser.add_argument("--measure", choices=("yardstick", "readout"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        measure(arguments.measure, arguments.folder, arguments.memory)
        return 0
    worst = 0.0
    for kind in ("shared", "own"):
        folder = arguments.folder / f"{kind}-{arguments.rows}"
        if not (folder / "outcomes.parquet").exists():
            print(f"writing {arguments.rows:,} outcome rows of the {kind} log …", file=sys.stderr)
            write_logs(folder, kind, arguments.rows)
        result = compare(folder, arguments.runs, arguments.memory)
        y, r = result["yardstick"], result["readout"]
        ratio = r["wall"] / y["wall"]
        worst = ratio if kind == "shared" else worst
        print(
            f"readout query, {kind:6s} log, {arguments.rows:,} rows, {int(r['units']):,} units analysed: "
            f"yardstick {y['wall']:.2f} s, readout {r['wall']:.2f} s, ratio {ratio:.2f} (processor {r['cpu'] / y['cpu']:.2f}), "
            f"peak memory {r['peak_mib']:,.0f} MiB"
        )
    print(f"target on the shared log: at most {TARGET}: {'met' if worst <= TARGET else 'MISSED'}")
    return 0 if worst <= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
