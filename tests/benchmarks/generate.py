"""Writes the logs of the benchmark: 1 million units and 20 million outcome rows, or as many as are asked for.

    python -m tests.benchmarks.generate FOLDER [--units N] [--rows-per-unit N]

One file per log, rows in the order they were written and in row groups of a million, as live logs have them.
"""

import argparse
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from experiments.assignment import Assignment
from experiments.traffic import Amount, Conversion, Count, Effect, Latency, Scenario
from experiments.traffic.days import LOGS, days_of

ROW_GROUP = 1_000_000
DAYS = 28


@dataclass(frozen=True, slots=True)
class Logs:
    """The three files, and how many rows each has."""

    assignments: Path
    exposures: Path
    outcomes: Path
    rows: dict[str, int]


def benchmark_scenario(units: int, rows_per_unit: float) -> Scenario:
    """Return a primary, three guardrails and two covariates; the requests fill up to ``rows_per_unit``."""
    sessions = Count(event="session", mean=6.0, dispersion=0.5, history_correlation=0.6)
    others = sessions.mean + sessions.history_mean + 2 * 0.1 + 2 * 1.0 + 0.3
    return Scenario(
        experiment="EXP-BENCH",
        start=date(2026, 3, 2),
        days=DAYS,
        units_per_day=units / DAYS,
        exact=True,
        assignment=Assignment("EXP-BENCH", (("control", "0.5"), ("treatment", "0.5"))),
        outcomes=(
            Conversion(
                event="purchase",
                probability=0.1,
                history_correlation=0.3,
                effects=(Effect(0.002, arm="treatment"),),
                history=timedelta(days=7),
            ),
            Amount(event="spend", mean=20, sd=30, shape="lognormal", history_correlation=0.6),
            sessions,
            Count(event="error", mean=0.3, dispersion=1.0),
            Latency(
                event="latency_ms", mean=180, user_sd=0.3, request_sd=0.6, requests=rows_per_unit - others
            ),
        ),
        unit_prefix="u",
        seed=2026,
    )


def write_benchmark_logs(folder: Path, units: int = 1_000_000, rows_per_unit: float = 20.0) -> Logs:
    """Write the three logs into ``folder``, replacing files of the same names."""
    folder.mkdir(parents=True, exist_ok=True)
    writers = {log: RowGroups(folder / f"{log}.parquet") for log in LOGS}
    for _, tables in days_of(benchmark_scenario(units, rows_per_unit)):
        for log, table in tables.items():
            writers[log].add(table)
    for writer in writers.values():
        writer.close()
    files = {log: writer.file for log, writer in writers.items()}
    rows = {log: writer.rows for log, writer in writers.items()}
    return Logs(files["assignments"], files["exposures"], files["outcomes"], rows)


class RowGroups:
    """A Parquet file that grows by row groups of one size, whatever the size of the pieces."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.rows = 0
        self.waiting: list[pa.Table] = []
        self.writer: pq.ParquetWriter | None = None

    def add(self, table: pa.Table) -> None:
        self.waiting.append(table)
        self.rows += table.num_rows
        if sum(piece.num_rows for piece in self.waiting) >= ROW_GROUP:
            self.write(whole_groups_only=True)

    def write(self, *, whole_groups_only: bool) -> None:
        waiting = pa.concat_tables(self.waiting)
        rows = waiting.num_rows // ROW_GROUP * ROW_GROUP if whole_groups_only else waiting.num_rows
        if self.writer is None:
            self.writer = pq.ParquetWriter(self.file, waiting.schema, compression="zstd")
        self.writer.write_table(waiting.slice(0, rows), row_group_size=ROW_GROUP)
        self.waiting = [waiting.slice(rows)]

    def close(self) -> None:
        self.write(whole_groups_only=False)
        assert self.writer is not None
        self.writer.close()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--units", type=int, default=1_000_000)
    parser.add_argument("--rows-per-unit", type=float, default=20.0)
    arguments = parser.parse_args()
    print(write_benchmark_logs(arguments.folder, arguments.units, arguments.rows_per_unit).rows)


if __name__ == "__main__":
    main()
