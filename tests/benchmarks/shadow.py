"""A whole shadow readout against a bare scan-and-join of the same files, in the same run.

    python -m tests.benchmarks.shadow [--folder bench-data] [--pairs 10000000] [--runs 3] [--memory 1500MiB]

The yardstick is what anybody would do first to look at the pairs: scan the same columns of the same files, join the champion's rows
with the candidate's by request and with the labels, and keep what comes out as a table. (`--bare` also shows the same join
whose result is only reduced to each column's largest value.) The readout is everything from opening the logs to the sealed
object: rows counted and checked for duplicates, pairs, days, order, missing at random, sums by user of correctness, both
losses, agreement, flips, failures and cost, 20 levels of two declared segments, three percentiles of latency with their order
statistics, bins of scores, reliability, every file's SHA-256, and the judgement. The target is at most 1.5 times the
yardstick, below 2 GiB.

One prediction log holds a row a request and model, ordered by time; labels lie in a file of their own, in another order. Every
measurement is a process of its own; wall and processor seconds are medians, memory is the peak of the process.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from experiments.cohorts.cohort import CutOff
from experiments.logs.sources import Place
from experiments.logs.sql import at_moment
from experiments.readouts.context import Context
from experiments.readouts.readout import Look, Registration
from experiments.shadows.design import ShadowDesign, parse_shadow
from experiments.shadows.judgement import make_shadow_readout
from experiments.shadows.logs import PredictionSources, parse_prediction_sources
from experiments.shadows.looking import take_look

THREADS = 2
TARGET = 1.5
DAYS = 28
START = "2026-03-02"
BEFORE = datetime(2026, 3, 30, tzinfo=UTC)
REQUESTS_PER_USER = 20

DESIGN = """
title: Benchmark of a shadow readout
hypothesis: it must be quick over ten million pairs
model: bench
champion: {version: v3}
candidate: {version: v4}
task: binary
threshold: 0.5
primary: {margin: 0.005, reason: chosen for the benchmark}
segments: [{attribute: country}, {attribute: plan}]
limits:
  - {measure: latency_p95, worsening: 20, reason: chosen for the benchmark}
  - {measure: error_share, worsening: 0.002, reason: chosen for the benchmark}
  - {measure: agreement, at_least: 0.8, reason: chosen for the benchmark}
  - {measure: cost, worsening: 0.01, reason: chosen for the benchmark}
minimum_labels: 1000
label_delay: 3d
stopping: {minimum_duration: 28d}
"""
SOURCE = """
predictions:
  main:
    watermark: 2026-04-20T00:00:00Z
    logs:
      - files: predictions.parquet
        columns: {request: request, unit: user, scored_at: scored_at, model: model, prediction: prediction, score: score,
                  latency_ms: latency_ms, error: error, timeout: timeout, cost: cost}
        attributes: {country: country, plan: plan}
    labels: {files: labels.parquet, columns: {request: request, label: label, labelled_at: labelled_at}}
"""
COLUMNS = (
    "user",
    "scored_at",
    "prediction",
    "score",
    "latency_ms",
    "error",
    "timeout",
    "cost",
    "country",
    "plan",
)


def write_logs(folder: Path, pairs: int) -> None:
    """A prediction log of two models and a label log; the same for the same size."""
    folder.mkdir(parents=True, exist_ok=True)
    users = max(pairs // REQUESTS_PER_USER, 1)
    with duckdb.connect() as connection:
        connection.execute(f"SET threads = {THREADS}")
        said = "CASE WHEN h % 100 < 80 + 2 * m THEN truth ELSE 1 - truth END"
        connection.execute(
            f"""COPY (
                SELECT i AS request, 'u' || lpad(CAST((u * 7919) % 1000003 AS VARCHAR), 8, '0') AS user,
                    TIMESTAMPTZ '{START} 00:00:00+00'
                        + to_microseconds(CAST(i * {DAYS}.0 * 86400000000 / {pairs} AS BIGINT) + m * 200000) AS scored_at,
                    CASE m WHEN 0 THEN 'v3' ELSE 'v4' END AS model, {said} AS prediction,
                    round(CASE WHEN ({said}) = 1 THEN 0.5 ELSE 0.0 END + (h % 4999) / 10000.0, 4) AS score,
                    round(exp(4 + (hash(i * 2 + m) % 2000) / 1000.0), 1) AS latency_ms, h % 1000 = 0 AS error,
                    h % 5000 = 1 AS timeout, CAST(0.001 * (1 + h % 7) AS DOUBLE) AS cost,
                    'c' || lpad(CAST(u % 15 AS VARCHAR), 2, '0') AS country,
                    'p' || CAST(u % 5 AS VARCHAR) AS plan
                FROM (SELECT range AS i, m, hash(range * 3 + m) AS h, hash(range) % {users} AS u,
                        CAST(hash(range * 5) % 5 < 2 AS INTEGER) AS truth FROM range({pairs}), (VALUES (0), (1)) AS models(m))
                WHERE NOT (m = 1 AND h % 500 = 0)
            ) TO '{folder}/predictions.parquet' (FORMAT parquet, ROW_GROUP_SIZE 1000000)"""
        )
        connection.execute(
            f"""COPY (
                SELECT (range * 7919) % {pairs} AS request, CAST(hash(((range * 7919) % {pairs}) * 5) % 5 < 2 AS INTEGER) AS label,
                    TIMESTAMPTZ '2026-03-31 00:00:00+00' AS labelled_at
                FROM range({pairs}) WHERE range % 10 > 0
            ) TO '{folder}/labels.parquet' (FORMAT parquet, ROW_GROUP_SIZE 1000000)"""
        )


def yardstick(folder: Path, memory: str, *, keep: bool) -> int:
    """Champion's and candidate's rows and the labels, joined by request, every column of both; kept, or only looked at."""
    rows = f"SELECT request, {', '.join(COLUMNS)} FROM '{folder}/predictions.parquet' WHERE model ="
    joined = (
        f"WITH champion AS ({rows} 'v3'), candidate AS ({rows} 'v4') SELECT {{}} FROM champion FULL JOIN candidate "
        "ON champion.request = candidate.request "
        f"LEFT JOIN '{folder}/labels.parquet' AS labels ON labels.request = champion.request"
    )
    both = [f"{side}.{column}" for side in ("champion", "candidate") for column in COLUMNS]
    with duckdb.connect() as connection:
        for setting in (
            f"threads = {THREADS}",
            f"memory_limit = '{memory}'",
            "preserve_insertion_order = false",
        ):
            connection.execute(f"SET {setting}")
        if not keep:
            largest = ", ".join(f"CAST(max({column}) AS VARCHAR)" for column in [*both, "labels.label"])
            return int(connection.execute(joined.format(f"count(*), {largest}")).fetchall()[0][0])
        named = ", ".join(f"{column} AS {column.replace('.', '_')}" for column in both)
        connection.execute(f"CREATE TEMP TABLE pairs AS {joined.format(f'{named}, labels.label')}")
        return int(connection.execute("SELECT count(*) FROM pairs").fetchall()[0][0])


def sources(folder: Path) -> PredictionSources:
    return parse_prediction_sources(SOURCE, Place(folder))


def readout(folder: Path, memory: str) -> int:
    """Everything from the logs to the sealed object; returns the judged pairs."""
    design = parse_shadow(DESIGN)
    cut_off = CutOff(round(BEFORE.timestamp() * 1_000_000), None)
    taken = take_look(design, sources(folder), cut_off=cut_off, threads=THREADS, memory=memory)
    found = make_shadow_readout(
        design,
        taken.evidence,
        Context(
            registration=_registration(design),
            look=Look(
                k=1,
                of=1,
                final=True,
                cut_off=at_moment(cut_off.before_us or 0),
                watermark=None,
                watermark_why="",
                information=taken.status.information,
                short=False,
                stopped_by_hand=False,
                enrolment_start=None,
            ),
            released_at=BEFORE,
            simulated=True,
            manifest=tuple(taken.manifest.as_list()),
            statements=taken.statements,
        ),
    )
    if found.verdict.code == "INVALID" or len(found.sha256) != 64:
        raise RuntimeError(found.verdict.sentence)
    return found.pairing.labelled


def _registration(design: ShadowDesign) -> Registration:
    return Registration(
        experiment="SHD-0001",
        title=design.title,
        owner=None,
        reviewer=None,
        version=1,
        design_sha256=design.sha256,
        locked_at=None,
    )


def measure(what: str, folder: Path, memory: str) -> None:
    """One measurement, as a process of its own; prints JSON."""
    wall, used = time.perf_counter(), time.process_time()
    if what == "readout":
        counted = readout(folder, memory)
    else:
        counted = yardstick(folder, memory, keep=what == "yardstick")
    print(
        json.dumps(
            {
                "wall": time.perf_counter() - wall,
                "cpu": time.process_time() - used,
                "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                "counted": counted,
            }
        )
    )


def compare(folder: Path, runs: int, memory: str, names: tuple[str, ...]) -> dict[str, dict[str, float]]:
    """The measurements in turn; medians."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for _ in range(runs + 1):  # the first of each warms the file cache and is left out
        for what in found:
            command = [sys.executable, "-m", "tests.benchmarks.shadow", "--measure", what]
            done = subprocess.run(
                [*command, "--folder", str(folder), "--memory", memory],
                check=True,
                stdout=subprocess.PIPE,
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
    parser.add_argument("--pairs", type=int, default=10_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument(
        "--memory", default="1500MiB", help="DuckDB's limit; the process must stay below 2 GiB"
    )
    parser.add_argument("--bare", action="store_true", help="also the join that keeps nothing")
    parser.add_argument("--measure", choices=("yardstick", "bare", "readout"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        measure(arguments.measure, arguments.folder, arguments.memory)
        return 0
    folder = arguments.folder / f"shadow-{arguments.pairs}"
    if not (folder / "labels.parquet").exists():
        print(f"writing {arguments.pairs:,} pairs …", file=sys.stderr)
        write_logs(folder, arguments.pairs)
    names = ("yardstick", "readout", *(["bare"] if arguments.bare else []))
    result = compare(folder, arguments.runs, arguments.memory, names)
    y, r = result["yardstick"], result["readout"]
    ratio = r["wall"] / y["wall"]
    print(
        f"shadow readout, {arguments.pairs:,} pairs, {int(r['counted']):,} judged, 20 levels: yardstick {y['wall']:.2f} s, readout "
        f"{r['wall']:.2f} s, ratio {ratio:.2f} (processor {r['cpu'] / y['cpu']:.2f}), peak memory {r['peak_mib']:,.0f} MiB"
    )
    if arguments.bare:
        bare = result["bare"]
        print(
            f"the join that keeps nothing: {bare['wall']:.2f} s, the readout {r['wall'] / bare['wall']:.2f} times as long "
            f"(processor {r['cpu'] / bare['cpu']:.2f})"
        )
    met = ratio <= TARGET and r["peak_mib"] < 2048
    print(f"target: at most {TARGET} and below 2 GiB: {'met' if met else 'MISSED'}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
