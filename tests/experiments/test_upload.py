"""A file that is handed in: looked over in schema and counts, laid among a log's files as the log's own, and read there."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from experiments.forms.problems import Invalid
from experiments.logs.inspection import inspect_source
from experiments.logs.masking import masked
from experiments.logs.placing import (
    Target,
    days_marked_complete,
    put_in_place,
    stage,
    staged,
    target_of,
    unstage,
)
from experiments.logs.source_files import name_log, with_log
from experiments.logs.sources import (
    OutcomeSources,
    Place,
    Sources,
    load_outcome_sources,
    load_sources,
    parse_outcome_sources,
    parse_sources,
)
from experiments.logs.upload import NO_HEADER, UploadReport, inspect_upload

SECRET = 7351.846193

ASSIGNED = "user_id,variant,assigned_at,country,spent\n" + "".join(
    f"user-{i:04d},{'ab'[i % 2]},2026-11-0{1 + i % 3} 09:30:0{i % 10},SE,{SECRET + i}\n" for i in range(30)
)
HAPPENED = "user_id,event,occurred_at,value,recorded_at\n" + "".join(
    f"user-{i:04d},{'done' if i % 3 else 'failed'},2026-11-0{1 + i % 3} 10:00:00,{SECRET + i},2026-11-04 00:00:00\n"
    for i in range(30)
)

SOURCES = """# ours
sources:
  main:  # the search team's
    assignments:
      files: logs/assignments/dt=*/*.parquet
      partition: dt
      columns: {unit: user_id, arm: variant, assigned_at: assigned_at}
      attributes: {country: country}
"""
OUTCOMES = """outcomes:
  main:
    logs:
      - files: logs/outcomes/*.parquet
        columns: {unit: user_id, event: event, occurred_at: occurred_at, value: value}
        watermark: 2026-11-05T00:00:00Z
"""


def target(folder: Path, log: str = "assignments", source: str = "main", **more: object) -> Target:
    place = Place(folder)
    return target_of(
        source,
        log,
        parse_sources(SOURCES, place),
        parse_outcome_sources(OUTCOMES, place),
        place=place,
        **more,  # type: ignore[arg-type]
    )


def looked_over(folder: Path, content: str, to: Target, **columns: str) -> UploadReport:
    file = folder / "handed-in.csv"
    file.write_text(content, encoding="utf-8")
    return inspect_upload(file, "csv", to.wanted, columns)


def added(folder: Path, content: str, to: Target, name: str = "upload-1") -> UploadReport:
    report = looked_over(folder, content, to)
    assert report.ok, report.problems
    stage(to, folder / "handed-in.csv", "csv", report.mapping, name)
    put_in_place(to, name)
    return report


def said(report: UploadReport) -> str:
    return "\n".join(str(problem) for problem in report.problems)


# Looking over


def test_a_file_is_told_in_schema_and_counts_with_its_columns_found(tmp_path):
    report = looked_over(tmp_path, ASSIGNED, target(tmp_path))
    assert report.ok
    assert (report.rows, report.days, report.without_unit, report.repeated) == (30, 3, 0, 0)
    assert report.arms == (("a", 15), ("b", 15))
    assert report.columns["spent"] == "DOUBLE"
    assert report.mapping == {
        "unit": "user_id",
        "arm": "variant",
        "assigned_at": "assigned_at",
        "attributes.country": "country",
    }


def test_the_first_rows_show_the_contract_s_own_columns_with_masked_units(tmp_path):
    """A file of assignments may hold outcomes too."""
    report = looked_over(tmp_path, ASSIGNED, target(tmp_path))
    assert report.preview_columns == ("unit", "arm", "assigned_at")
    assert len(report.preview) == 20
    assert report.preview[0] == ("us••••••", "a", "2026-11-01 09:30:00")
    everything = repr(report)
    assert "user-0" not in everything
    assert "7351" not in everything
    assert "SE" not in everything


@pytest.mark.parametrize("unit", ["a", "ab", "1234", 17, "user-0001", "x" * 80])
def test_a_masked_unit_shows_two_characters_at_most_and_never_all(unit):
    shown = masked(unit).rstrip("•")
    assert len(shown) <= min(2, len(str(unit)) - 1)


def test_of_outcomes_no_row_no_value_no_time_and_no_event_is_told(tmp_path):
    report = looked_over(tmp_path, HAPPENED, target(tmp_path, "outcomes"))
    assert report.ok
    assert (report.rows, report.days, report.preview, report.arms) == (30, 3, (), ())
    everything = repr(report)
    for closed in ("7351", "7380", "2026", "done", "failed", "user-"):
        assert closed not in everything


def test_a_file_without_a_line_of_names_says_so_and_shows_none_of_its_first_line(tmp_path):
    for content in (f"u1,done,{SECRET}\n" * 3, f"u1,{SECRET}x,done\nu2,y,done\n", f"{SECRET},a\nu2,b\n"):
        report = looked_over(tmp_path, content, target(tmp_path, "outcomes"))
        assert not report.ok
        assert str(SECRET) not in repr(report).replace(f"{SECRET}x", "")
    report = looked_over(tmp_path, f"{SECRET},a\nu2,b\n", target(tmp_path, "outcomes"))
    assert (NO_HEADER in said(report), report.hidden_columns) == (True, 1)


@pytest.mark.parametrize(
    ("content", "columns", "problem"),
    [
        ("who,group,when\n", {}, "it holds no row"),
        (
            "user_id,variant\nu1,a\n",
            {},
            "columns.assigned_at: no column of the file is mapped to assigned_at",
        ),
        (
            ASSIGNED,
            {"unit": "user_i"},
            "columns.unit: 'user_i' is not a column of the file. Did you mean 'user_id'?",
        ),
        (ASSIGNED, {"assigned_at": "country"}, "country is VARCHAR; a time must be a timestamp or a date"),
        (ASSIGNED, {"unit": "spent"}, "spent is DOUBLE; a unit id must be text or a whole number"),
        (ASSIGNED, {"arm": "spent"}, "spent is DOUBLE; a name must be text or a whole number"),
        (ASSIGNED, {"sort": "spent"}, "columns.sort: 'sort' is not a column of this log"),
        ("user_id,variant,assigned_at\nu1,a,2026-11-01\nu2,b,\n", {}, "1 rows have no time"),
        (
            "user_id,variant,assigned_at\n" + "".join(f"u{i},{i},2026-11-01 00:00:00\n" for i in range(70)),
            {},
            "variant has 62 different values or more; is it the arm?",
        ),
    ],
)
def test_every_problem_says_what_is_wrong_and_what_is_allowed(tmp_path, content, columns, problem):
    assert problem in said(looked_over(tmp_path, content, target(tmp_path), **columns))


def test_a_role_that_is_given_an_empty_name_is_mapped_to_nothing(tmp_path):
    report = looked_over(tmp_path, HAPPENED, target(tmp_path, "outcomes"), value="")
    assert report.ok
    assert "value" not in report.mapping


def test_a_file_that_cannot_be_read_is_a_problem_without_its_words(tmp_path):
    (tmp_path / "bad.parquet").write_text(f"{SECRET}," * 30)
    report = inspect_upload(tmp_path / "bad.parquet", "parquet", target(tmp_path).wanted, {})
    assert "bad.parquet is no Parquet file" in said(report)
    assert "7351" not in repr(report)


# Placing


def sources_in(folder: Path) -> tuple[Sources, OutcomeSources]:
    (folder / "sources.yaml").write_text(SOURCES)
    (folder / "outcomes.yaml").write_text(OUTCOMES)
    return load_sources(folder / "sources.yaml"), load_outcome_sources(folder / "outcomes.yaml")


def test_what_is_added_is_what_the_source_then_reads(tmp_path):
    sources, outcomes = sources_in(tmp_path)
    added(tmp_path, ASSIGNED, target(tmp_path))
    added(tmp_path, HAPPENED, target(tmp_path, "outcomes"))
    report = inspect_source("main", sources, outcomes)
    assert report.ok, report.problems
    assignments, happened = report.logs
    assert (assignments.rows, len(assignments.files), happened.rows) == (30, 3, 30)
    assert set(assignments.columns) == {"user_id", "variant", "assigned_at", "country", "dt"}
    assert set(happened.columns) == {"user_id", "event", "occurred_at", "value", "recorded_at"} - {
        "recorded_at"
    }
    assert happened.quality is not None
    assert happened.quality.matched_share == 1.0
    written = duckdb.sql(f"SELECT sum(value) FROM '{tmp_path}/logs/outcomes/*.parquet'").fetchall()[0][0]
    assert written == pytest.approx(sum(SECRET + i for i in range(30)), rel=1e-12)


def test_rows_lie_in_the_folder_of_their_own_day(tmp_path):
    added(tmp_path, ASSIGNED, target(tmp_path))
    for day in (1, 2, 3):
        times = duckdb.sql(
            f"SELECT DISTINCT CAST(assigned_at AS DATE) FROM read_parquet('{tmp_path}/logs/assignments/dt=2026-11-0{day}/*.parquet')"
        ).fetchall()
        assert times == [(datetime(2026, 11, day, tzinfo=UTC).date(),)]


def test_a_second_file_lies_beside_the_first_and_takes_nothing_away(tmp_path):
    sources, _ = sources_in(tmp_path)
    added(tmp_path, ASSIGNED, target(tmp_path))
    added(tmp_path, ASSIGNED.replace("user-", "other-"), target(tmp_path), "upload-2")
    assert inspect_source("main", sources).logs[0].rows == 60


def test_nobody_reads_a_file_before_it_is_in_place(tmp_path):
    sources, _ = sources_in(tmp_path)
    added(tmp_path, ASSIGNED, target(tmp_path))
    to = target(tmp_path)
    report = looked_over(tmp_path, ASSIGNED.replace("user-", "other-"), to)
    parts = stage(to, tmp_path / "handed-in.csv", "csv", report.mapping, "upload-2")
    assert sorted(part.name for part in parts) == [
        f"dt=2026-11-0{day}/upload-2-0.parquet" for day in (1, 2, 3)
    ]
    every = parse_sources(SOURCES.replace("dt=*/*.parquet", "**/*.parquet"), Place(tmp_path))
    for one in (sources, every):
        assert inspect_source("main", one).logs[0].rows == 30
    first = staged(to, "upload-2")[0]
    there = tmp_path / "logs" / "assignments" / "dt=2026-11-01" / first.name
    first.replace(there)  # a process that died in the middle of it
    put_in_place(to, "upload-2")
    assert inspect_source("main", sources).logs[0].rows == 60
    assert put_in_place(to, "upload-2") == ()


def test_what_was_staged_is_taken_back_without_a_trace(tmp_path):
    to = target(tmp_path)
    report = looked_over(tmp_path, ASSIGNED, to)
    stage(to, tmp_path / "handed-in.csv", "csv", report.mapping, "upload-1")
    unstage(to, "upload-1")
    assert [path for path in (tmp_path / "logs").rglob("*") if path.is_file()] == []


def test_types_are_the_log_s_own_and_what_would_be_changed_by_them_is_refused(tmp_path):
    numbers = "user_id,variant,assigned_at,country\n1,a,2026-11-01 00:00:00,SE\n"
    added(tmp_path, numbers, target(tmp_path))
    assert "user_id is VARCHAR here and BIGINT in the log" in said(
        looked_over(tmp_path, ASSIGNED, target(tmp_path))
    )
    other = tmp_path / "text"
    other.mkdir()
    added(other, ASSIGNED, target(other))
    added(other, numbers.replace("2026-11-01 00:00:00", "2026-11-01"), target(other), "upload-2")
    report = inspect_source("main", parse_sources(SOURCES, Place(other)))
    assert report.logs[0].columns["user_id"] == "VARCHAR"
    assert report.logs[0].columns["assigned_at"] == "TIMESTAMP"
    assert report.logs[0].rows == 31


def test_days_that_are_marked_complete_are_told(tmp_path):
    day = tmp_path / "logs" / "assignments" / "dt=2026-11-02"
    day.mkdir(parents=True)
    (day / "_SUCCESS").touch()
    to = target(tmp_path)
    report = looked_over(tmp_path, ASSIGNED, to)
    file = tmp_path / "handed-in.csv"
    assert days_marked_complete(to, file, "csv", report.mapping) == 1
    (day / "_SUCCESS").unlink()
    assert days_marked_complete(to, file, "csv", report.mapping) == 0


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (
            "files: logs/outcomes/*.parquet",
            "files: logs/outcomes.csv",
            "is one file, to which no file can be added",
        ),
        (
            "files: logs/outcomes/*.parquet",
            "table: {database: a.db, name: t}",
            "is a table, to which no file",
        ),
        ("logs/outcomes/*.parquet", "logs/*/x/*.parquet", "a file can be added where all lie in one folder"),
    ],
)
def test_a_log_that_takes_no_file_says_why_and_what_to_do(tmp_path, old, new, problem):
    outcomes = parse_outcome_sources(OUTCOMES.replace(old, new), Place(tmp_path))
    with pytest.raises(Invalid, match=problem):
        target_of("main", "outcomes", parse_sources(SOURCES), outcomes, place=Place(tmp_path))


@pytest.mark.parametrize(
    ("source", "log", "problem"),
    [
        ("new", "outcomes", "a new source begins with its assignments"),
        ("New one", "assignments", "'New one' is not allowed; give a name of small letters"),
        ("../x", "assignments", "is not allowed"),
        ("main", "outcomes_3", "source main has 1 outcome logs; there is no outcomes_3"),
        ("main", "outcome", "'outcome' is not a log. Did you mean 'outcomes'?"),
        ("main", "assignments_1", "is not a log"),
    ],
)
def test_a_log_that_cannot_be_is_refused_in_words(tmp_path, source, log, problem):
    with pytest.raises(Invalid, match=problem):
        target(tmp_path, log, source)


# New logs


def test_a_new_source_is_named_with_its_columns_and_read(tmp_path):
    sources_in(tmp_path)
    to = target(tmp_path, source="checkout", attributes=("country",))
    report = added(tmp_path, ASSIGNED, to)
    columns = {role: to.wanted.columns[role] for role in report.mapping}
    assert to.entry is not None
    name_log(tmp_path / "sources.yaml", "checkout", "assignments", to.entry, columns, complete=False)
    text = (tmp_path / "sources.yaml").read_text()
    assert text.startswith("# ours\n")
    assert "# the search team's" in text
    found = inspect_source("checkout", load_sources(tmp_path / "sources.yaml"))
    assert found.ok, found.problems
    assert (found.logs[0].rows, found.logs[0].place) == (30, "logs/checkout/assignments/dt=*/*.parquet")
    assert found.watermark == datetime(2026, 11, 3, tzinfo=UTC)
    name_log(tmp_path / "sources.yaml", "checkout", "assignments", to.entry, columns, complete=False)
    assert (tmp_path / "sources.yaml").read_text() == text


def test_a_source_to_which_nothing_more_comes_needs_no_times(tmp_path):
    to = target(tmp_path, source="done", complete=True)
    report = added(tmp_path, "user,group\nu1,a\nu2,b\n", to)
    assert report.mapping == {"unit": "user", "arm": "group"}
    assert to.entry is not None
    columns = {role: role for role in report.mapping}
    text = with_log("", "done", "assignments", to.entry, columns, complete=True)
    found = inspect_source("done", parse_sources(text, Place(tmp_path)))
    assert (found.ok, found.logs[0].rows) == (True, 2)


def test_outcomes_and_exposures_join_a_source_that_had_none(tmp_path):
    place = Place(tmp_path)
    sources = parse_sources(SOURCES, place)
    for kind, content in (
        ("outcomes", HAPPENED),
        ("exposures", ASSIGNED.replace("assigned_at", "exposed_at")),
    ):
        to = target_of("main", kind, sources, None, place=place)
        report = added(tmp_path, content, to)
        assert to.entry is not None
        columns = {role: to.wanted.columns[role] for role in report.mapping}
        before = "" if kind == "outcomes" else SOURCES
        text = with_log(before, "main", to.kind, to.entry, columns, complete=False)
        if kind == "outcomes":
            outcomes = parse_outcome_sources(text, place)
        else:
            sources = parse_sources(text, place)
    added(tmp_path, ASSIGNED, target(tmp_path))
    report = inspect_source("main", sources, outcomes)
    assert report.ok, report.problems
    assert [(log.log, log.rows) for log in report.logs] == [
        ("assignments", 30),
        ("exposures", 30),
        ("outcomes_0", 30),
    ]
