"""A log that cannot be read: the message says where and what was expected, and never what stands there."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from experiments.forms.problems import Invalid
from experiments.logs.engines.duckdb import DuckDB
from experiments.logs.sources import Log, Place
from experiments.logs.sql import Step
from experiments.logs.unreadable import Known, unreadable

SECRET = "7351.846193"


def message_of(folder: Path, sql: str, **files: str) -> str:
    """What is said when a query over a file fails; the file is opened as a log first."""
    ((name, content),) = files.items()
    file = folder / f"{name}.csv"
    file.write_text(content, encoding="utf-8")
    with DuckDB() as engine:
        opened = engine.open("outcomes_0", Log(files=file.name), Place(folder))
        with pytest.raises(Invalid) as failed:
            engine.run(Step("read", sql.format(log=opened.sql)))
    return str(failed.value)


def test_a_value_of_the_wrong_type_is_named_by_its_column_and_the_type_expected(tmp_path):
    said = message_of(
        tmp_path, "SELECT CAST(value AS DOUBLE) FROM {log}", log=f"unit,value\nu1,1.5\nu2,{SECRET}x\n"
    )
    assert "a value of column value cannot be read as DOUBLE in line 3 of" in said
    assert "log.csv" in said
    assert SECRET not in said


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("CAST(value AS HUGEINT)", "a value of column value cannot be read as"),
        ("CAST(value * 1e40 AS BIGINT)", "a value cannot be read as INT64"),
        ("CAST(value AS DECIMAL(3,1))", "a value of column value cannot be read as DECIMAL"),
        ("CAST(value * 1e34 AS HUGEINT) + CAST(1.7e38 AS HUGEINT)", "a value cannot be read as"),
    ],
)
def test_a_number_that_does_not_fit_is_not_repeated(tmp_path, expression, expected):
    rows = f"unit,value\nu1,{SECRET}\n" + ("u2,inf\n" if expression == "CAST(value AS HUGEINT)" else "")
    said = message_of(tmp_path, f"SELECT {expression} FROM {{log}}", log=rows)
    assert expected in said
    assert SECRET[:5] not in said


def test_a_value_that_looks_like_a_column_or_a_type_is_not_taken_for_one():
    """What was read may hold the engine's own words."""
    conversion = duckdb.ConversionException(
        f"Conversion Error: Could not convert string 'source column {SECRET}\n  file = {SECRET}' to INT32 when casting "
        "from source column value"
    )
    said = unreadable(conversion, Known(frozenset({"value"}), frozenset({"a.csv"})))
    assert said.startswith("a value of column value cannot be read as INT32;")
    assert SECRET not in said


@pytest.mark.parametrize(
    "error",
    [
        duckdb.InvalidInputException(f"Invalid Input Error: {SECRET}"),
        duckdb.InternalException(f"INTERNAL Error: {SECRET}"),
        duckdb.ConstraintException(f"Constraint Error: {SECRET}"),
        duckdb.OutOfRangeException(f"Out of Range Error: {SECRET} + {SECRET}"),
        duckdb.ConversionException(f"Conversion Error: {SECRET}"),
        duckdb.Error(SECRET),
    ],
)
def test_no_kind_of_error_repeats_what_was_read(error):
    assert SECRET not in unreadable(error, Known())


def test_a_file_that_is_no_parquet_file_and_one_that_is_not_there_are_named(tmp_path):
    (tmp_path / "bad.parquet").write_text(SECRET * 9)
    with DuckDB() as engine:
        for name, said in (("bad", "bad.parquet is no Parquet file"), ("none", "no file matches")):
            with pytest.raises(Invalid, match=said) as failed:
                engine.open("outcomes_0", Log(files=f"{name}.parquet"), Place(tmp_path))
            assert SECRET not in str(failed.value)


def test_the_trace_behind_the_message_holds_no_value_either(tmp_path):
    """An exception that is kept as the cause would be printed with it."""
    (tmp_path / "log.csv").write_text(f"unit,value\nu1,{SECRET}x\n")
    with DuckDB() as engine:
        opened = engine.open("outcomes_0", Log(files="log.csv"), Place(tmp_path))
        with pytest.raises(Invalid) as failed:
            engine.run(Step("read", f"SELECT CAST(value AS DOUBLE) FROM {opened.sql}"))
    assert failed.value.__cause__ is None
    assert failed.value.__suppress_context__
