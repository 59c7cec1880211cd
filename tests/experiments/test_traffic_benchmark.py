"""The logs of the benchmark, small: the same code writes a million units."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pyarrow.parquet as pq
import pytest

FILE = Path(__file__).parents[1] / "benchmarks" / "generate.py"


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("benchmark_generate", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_each_log_is_one_file_in_the_order_of_writing_and_in_whole_row_groups(
    generate: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generate, "ROW_GROUP", 10_000)
    logs = generate.write_benchmark_logs(tmp_path, units=2_500, rows_per_unit=20.0)
    times = {logs.assignments: "assigned_at", logs.exposures: "exposed_at", logs.outcomes: "recorded_at"}
    for file, time in times.items():
        table = pq.read_table(file)
        assert table.num_rows == logs.rows[file.stem]
        assert table[time].to_pylist() == sorted(table[time].to_pylist())
    assert logs.rows["assignments"] == logs.rows["exposures"] == 2_500
    # About 50,000 rows; a unit's number of rows has a standard deviation of about 16.
    assert abs(logs.rows["outcomes"] - 50_000) < 4.5 * 16 * 2_500**0.5
    groups = pq.read_metadata(logs.outcomes)
    sizes = [groups.row_group(number).num_rows for number in range(groups.num_row_groups)]
    assert sizes[:-1] == [10_000] * (len(sizes) - 1)
    assert 0 < sizes[-1] <= 10_000
