"""`source check`: what it finds in a team's logs, and that it never shows a value or an outcome by arm."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

CANARY = 987_654_321.125
"""A value planted in the outcomes; it must not appear anywhere."""

SCHEMAS = {
    "assignments": "'ranker-v7' AS experiment, 'u' || i AS user_id, CASE WHEN i % 2 = 0 THEN 'control' ELSE 'candidate' END "
    "AS variant, TIMESTAMP '2026-11-0{day} 08:00:00' + INTERVAL (i) SECOND AS assigned_at, 'SE' AS country, "
    "'web' AS platform",
    "exposures": "'ranker-v7' AS experiment, 'u' || i AS user_id, "
    "TIMESTAMP '2026-11-0{day} 08:00:00' + INTERVAL (i) SECOND AS exposed_at",
    "events": "'u' || i AS user_id, ['task_completed', 'request_ms', 'request_failed', 'order_placed', "
    "'session_started'][1 + i % 5] AS event, 987654321.125::DOUBLE AS value, "
    "TIMESTAMP '2026-11-0{day} 09:00:00' + INTERVAL (i) SECOND AS occurred_at, "
    "TIMESTAMP '2026-11-0{day} 10:00:00' AS recorded_at",
}


@pytest.fixture
def logs(workspace: Path) -> Path:
    """Two days of small logs, laid out as the template's sources and outcomes files say."""
    connection = duckdb.connect()
    for log, columns in SCHEMAS.items():
        for day in (1, 2):
            folder = workspace / "logs" / log / f"dt=2026-11-0{day}"
            folder.mkdir(parents=True)
            (folder / "_SUCCESS").touch()
            query = f"SELECT {columns.format(day=day)} FROM range({100 * day}) AS t(i)"
            connection.execute(f"COPY ({query}) TO '{folder / 'part.parquet'}' (FORMAT parquet)")
    return workspace


def replaced(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_a_good_source_is_ok(fairtrial, logs):
    ran = fairtrial("source check main --json")
    assert ran.exit_code == 0
    document = ran.document
    assert document["ok"] is True
    assert [log["log"] for log in document["logs"]] == ["assignments", "exposures", "outcomes_0"]
    assignments = document["logs"][0]
    assert assignments["rows"] == 300
    assert assignments["without_unit"] == 0
    assert (assignments["first"], assignments["last"]) == ("2026-11-01T08:00:00Z", "2026-11-02T08:03:19Z")
    assert len(assignments["files"]) == 2
    assert assignments["columns"]["user_id"] == "VARCHAR"
    assert {(arm["name"], arm["rows"]) for arm in assignments["arms"]} == {
        ("control", 150),
        ("candidate", 150),
    }
    assert document["watermark"] == "2026-11-03T00:00:00Z"
    assert fairtrial("source check").out.rstrip().endswith("ok  source main")


def test_the_watermark_is_that_of_the_log_that_is_furthest_behind(fairtrial, logs):
    (logs / "logs/exposures/dt=2026-11-02/_SUCCESS").unlink()
    document = fairtrial("source check main --json").document
    assert document["watermark"] == "2026-11-02T00:00:00Z"
    assert document["watermark_why"].startswith("exposures")


def test_events_are_counted_by_name_with_the_arms_pooled(fairtrial, logs):
    outcomes = fairtrial("source check main --json").document["logs"][2]
    assert {event["name"]: event["rows"] for event in outcomes["events"]} == {
        "task_completed": 60,
        "request_ms": 60,
        "request_failed": 60,
        "order_placed": 60,
        "session_started": 60,
    }
    assert outcomes["arms"] == []
    assert outcomes["events"][0]["first"].startswith("2026-11-01T09:")


def test_no_value_of_an_outcome_is_ever_shown(fairtrial, logs):
    for line in ("source check main", "source check main --json", "source check --design design.yaml --json"):
        ran = fairtrial(line)
        for shown in (str(CANARY), "987654321", "987 654 321", "9.87"):
            assert shown not in ran.out.replace("\N{NARROW NO-BREAK SPACE}", " ")
            assert shown not in ran.err


def test_outcomes_stay_closed_when_asked(fairtrial, logs):
    replaced(logs / "outcomes.yaml", "outcomes:", "not even YAML: [")
    document = fairtrial("source check main --without-outcomes --json").document
    assert [log["log"] for log in document["logs"]] == ["assignments", "exposures"]


def test_a_missing_column_is_named_with_the_nearest_right_one(fairtrial, logs):
    replaced(logs / "sources.yaml", "platform: platform", "platform: platfrom")
    replaced(logs / "outcomes.yaml", "value: value", "value: valeu")
    ran = fairtrial("source check main --json")
    assert ran.exit_code == 1
    document = ran.document
    assert document["ok"] is False
    problems = {p["path"]: p["message"] for p in document["error"]["problems"]}
    assert set(problems) == {
        "sources.main.assignments.attributes.platform",
        "outcomes.main.logs[0].columns.value",
    }
    assert "Did you mean 'platform'?" in problems["sources.main.assignments.attributes.platform"]
    mapped = {column["role"]: column for column in document["logs"][0]["mapped"]}
    assert mapped["attributes.platform"]["type"] is None
    assert mapped["attributes.country"] == {
        "role": "attributes.country",
        "column": "country",
        "type": "VARCHAR",
        "problem": None,
    }


def test_a_column_of_the_wrong_type_is_a_problem(fairtrial, logs):
    replaced(logs / "outcomes.yaml", "occurred_at: occurred_at", "occurred_at: event")
    replaced(logs / "outcomes.yaml", "value: value", "value: event")
    problems = fairtrial("source check main --json").document["error"]["problems"]
    assert [p["message"] for p in problems] == [
        "event is VARCHAR; a value must be a number",
        "event is VARCHAR; a time must be a timestamp or a date",
    ]


def test_files_that_are_not_there_do_not_hide_the_other_logs(fairtrial, logs):
    replaced(logs / "sources.yaml", "logs/exposures/", "logs/exposure/")
    ran = fairtrial("source check main --json")
    assert ran.exit_code == 1
    (problem,) = ran.document["error"]["problems"]
    assert problem["path"] == "sources.main.exposures"
    assert "no file matches" in problem["message"]
    assert ran.document["logs"][0]["rows"] == 300
    assert ran.document["logs"][1]["rows"] is None
    assert ran.document["watermark"] is None


def test_a_log_without_any_watermark_is_a_problem(fairtrial, logs):
    file = logs / "outcomes.yaml"
    file.write_text(file.read_text().replace("        partition: dt\n", ""))
    (problem,) = fairtrial("source check main --json").document["error"]["problems"]
    assert problem["path"] == "outcomes.main.logs[0]"
    assert "has no watermark" in problem["message"]


def test_rows_without_a_unit_are_counted(fairtrial, logs):
    part = logs / "logs/exposures/dt=2026-11-01/more.parquet"
    duckdb.connect().execute(
        "COPY (SELECT 'ranker-v7' AS experiment, NULL::VARCHAR AS user_id, TIMESTAMP '2026-11-01' AS exposed_at "
        f"FROM range(7)) TO '{part}' (FORMAT parquet)"
    )
    exposures = fairtrial("source check main --json").document["logs"][1]
    assert (exposures["rows"], exposures["without_unit"]) == (307, 7)


def test_a_wide_log_counts_the_rows_that_are_filled(fairtrial, workspace):
    (workspace / "data.csv").write_text("user,arm,spent,visits\n1,a,2.5,1\n2,b,,3\n3,a,,\n")
    (workspace / "sources.yaml").write_text(
        "sources:\n  main:\n    complete: true\n    assignments:\n      files: data.csv\n      columns: {unit: user, arm: arm}\n"
    )
    (workspace / "outcomes.yaml").write_text(
        "outcomes:\n  main:\n    complete: true\n    logs:\n      - files: data.csv\n        columns: {unit: user}\n"
        "        wide: {revenue: spent, visit: visits}\n"
    )
    ran = fairtrial("source check main --json")
    assert ran.exit_code == 0
    assert {e["name"]: e["rows"] for e in ran.document["logs"][1]["events"]} == {"revenue": 1, "visit": 2}
    assert ran.document["watermark"] is None
    assert "nothing more will come" in fairtrial("source check main").out


def test_an_unknown_source_is_refused_with_the_nearest_name(fairtrial, logs):
    ran = fairtrial("source check mian")
    assert ran.exit_code == 1
    assert "Did you mean 'main'?" in ran.err


def test_a_source_that_serves_the_design_is_ok(fairtrial, logs):
    assert fairtrial("source check --design design.yaml").exit_code == 0


def test_an_arm_that_the_design_does_not_name_is_a_problem(fairtrial, logs):
    replaced(logs / "design.yaml", "name: candidate", "name: candidat")
    (problem,) = fairtrial("source check --design design.yaml --json").document["error"]["problems"]
    assert problem["path"] == "assignments.arm"
    assert "'candidate' is not an arm of the design. Did you mean 'candidat'?" in problem["message"]


def test_arms_of_other_experiments_in_the_same_log_are_no_problem(fairtrial, logs):
    part = logs / "logs/assignments/dt=2026-11-01/other.parquet"
    query = (
        SCHEMAS["assignments"]
        .format(day=1)
        .replace("'ranker-v7'", "'checkout'")
        .replace("'candidate'", "'blue'")
    )
    duckdb.connect().execute(f"COPY (SELECT {query} FROM range(9) AS t(i)) TO '{part}' (FORMAT parquet)")
    assert fairtrial("source check --design design.yaml").exit_code == 0


def test_an_event_that_no_log_holds_is_a_problem(fairtrial, logs):
    catalogue = logs / "metrics.yaml"
    catalogue.write_text(catalogue.read_text().replace("event: task_completed", "event: tasks_completed"))
    (problem,) = fairtrial("source check --design design.yaml --json").document["error"]["problems"]
    assert problem["path"] == "task_success@1"
    assert "'tasks_completed' is not a logged event. Did you mean 'task_completed'?" in problem["message"]


def test_attributes_that_the_source_does_not_map_are_a_problem(fairtrial, logs):
    replaced(logs / "design.yaml", "segments: [country, platform]", "segments: [country, plattform]")
    (problem,) = fairtrial("source check --design design.yaml --json").document["error"]["problems"]
    assert "Did you mean 'platform'?" in problem["message"]


def test_a_value_that_cannot_be_read_is_not_repeated(fairtrial, logs):
    """The command line says column, line, file and the type expected."""
    rows = "".join(f"u{i},task_completed,987654321.125,2026-11-01 09:00:00\n" for i in range(30_000))
    (logs / "events.csv").write_text(
        f"user_id,event,value,occurred_at\n{rows}u2,task_completed,987654321.125x,2026-11-01 09:00:00\n"
    )
    (logs / "outcomes.yaml").write_text(
        "outcomes:\n  main:\n    complete: true\n    logs:\n      - files: events.csv\n"
        "        columns: {unit: user_id, event: event, value: value, occurred_at: occurred_at}\n"
    )
    for line in ("source check main", "source check main --json", "source check --design design.yaml"):
        ran = fairtrial(line)
        assert ran.exit_code == 1
        assert "value is VARCHAR; a value must be a number" in ran.out + ran.err
        assert "987" not in ran.out + ran.err


def test_how_a_log_comes_in_is_said_in_sentences(fairtrial, logs):
    said = fairtrial("source check main").out
    assert "100% of rows have a unit that was assigned." in said
    assert "No row repeats another in all but its value." in said
    outcomes = fairtrial("source check main --json").document["logs"][2]["quality"]
    assert [day["rows"] for day in outcomes["days"]] == [100, 200]
    assert outcomes["arrivals"]["not_computed"].startswith("the log covers less than 2 days")
