"""`design simulate`: the table of a design, and the A/A replays of a past experiment's logs."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

SEQUENTIAL = "rule: group-sequential\n  looks: [0.5, 1]\n  #"
VERDICTS = ("ship", "do_not_ship", "inconclusive", "invalid")


@pytest.fixture
def sequential(workspace: Path) -> Path:
    text = (workspace / "design.yaml").read_text(encoding="utf-8")
    assert "rule: fixed" in text
    (workspace / "design.yaml").write_text(text.replace("rule: fixed", SEQUENTIAL, 1), encoding="utf-8")
    return workspace


@pytest.fixture
def past(sequential: Path) -> Path:
    """The logs of an experiment that ran before, with arms of other names."""
    folder = sequential / "logs"
    for name in ("assignments", "exposures", "events"):
        (folder / name / "dt=2026-10-01").mkdir(parents=True)
    at = "TIMESTAMP '2026-10-01' + to_seconds(i)"
    outcome = f"{at} + INTERVAL 1 HOUR AS occurred_at, {at} + INTERVAL 1 HOUR AS recorded_at"
    event = "['task_completed', 'request_ms', 'request_failed', 'other'][CAST(1 + hash(i, k) % 4 AS INTEGER)] AS event"
    logs = {
        "assignments": f"'u' || i AS user_id, ['a', 'b'][1 + i % 2] AS variant, {at} AS assigned_at, 'SE' AS country, 'web' AS platform",
        "exposures": f"'u' || i AS user_id, {at} AS exposed_at",
        "events": f"'u' || i AS user_id, {event}, (100 + hash(k, i) % 1000)::DOUBLE AS value, {outcome}",
    }
    for name, columns in logs.items():
        rows = "range(20000) AS t(i)" + (", range(4) AS s(k)" if name == "events" else "")
        file = folder / name / "dt=2026-10-01" / "part.parquet"
        duckdb.connect().execute(
            f"COPY (SELECT 'old-ranker' AS experiment, {columns} FROM {rows}) TO '{file}' (FORMAT parquet)"
        )
    for name in ("sources", "outcomes"):
        file = sequential / f"{name}.yaml"
        text = file.read_text(encoding="utf-8").replace("  main:\n", "  main:\n    complete: true\n", 1)
        file.write_text(text, encoding="utf-8")
    return sequential


def test_every_true_effect_has_a_row_whose_verdicts_add_up(fairtrial, sequential):
    document = fairtrial("design simulate design.yaml --replays 400 --seed 3 --json").document
    assert (document["replays"], document["seed"], document["data"]) == (400, 3, "parametric")
    names = [row["truth"] for row in document["rows"]]
    assert names[:5] == ["−MDE", "0", "½ MDE", "MDE", "2 MDE"]
    assert names[5:] == ["error_rate@1 at its margin", "p95_latency@1 at its margin"]
    for row in document["rows"]:
        assert sum(row[verdict]["value"] for verdict in VERDICTS) == pytest.approx(1)
        assert all(row[verdict]["standard_error"] > 0 for verdict in VERDICTS)
        assert [at["look"] for at in row["by_look"]] == [1, 2]
    assert document == fairtrial("design simulate design.yaml --replays 400 --seed 3 --json").document


def test_the_text_names_the_looks_the_errors_and_what_is_taken_for_granted(fairtrial, sequential):
    ran = fairtrial("design simulate design.yaml --replays 200")
    assert ran.exit_code == 0
    for words in ("What could happen", "When it ends, and why", "Monte-Carlo", "independently of each other"):
        assert words in ran.out
    assert "looks at 0.5, 1 of the planned units" in ran.out


def test_a_single_look_has_no_table_of_looks(fairtrial, workspace):
    assert "When it ends" not in fairtrial("design simulate design.yaml --replays 200").out


def test_past_logs_are_re_split_whatever_their_arms_are_called(fairtrial, past):
    ran = fairtrial(
        "design simulate design.yaml --replays 300 --aa sources.yaml outcomes.yaml --of old-ranker"
    )
    assert ran.exit_code == 0, ran.err
    assert "300 A/A replays of old-ranker" in ran.out
    line = "design simulate design.yaml --replays 300 --aa sources.yaml outcomes.yaml --of old-ranker --json"
    document = fairtrial(line).document
    assert (document["units"], document["used"], document["buckets"]) == (20_000, 20_000, 4_096)
    assert sum(document["found"][verdict]["value"] for verdict in VERDICTS) == pytest.approx(1)


def test_an_experiment_that_the_logs_do_not_hold_is_named(fairtrial, past):
    ran = fairtrial("design simulate design.yaml --aa sources.yaml outcomes.yaml")
    assert ran.exit_code == 1
    assert "'ranker-v7' has 0 mature units" in ran.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--replays 0", "replays: 0 is not allowed"),
        ("--seed -1", "seed: -1 is not allowed"),
        ("--of old-ranker", "give --aa SOURCES OUTCOMES too"),
    ],
)
def test_bad_usage_says_what_to_give(fairtrial, workspace, options, message):
    ran = fairtrial(f"design simulate design.yaml {options}")
    assert ran.exit_code == 2
    assert message in ran.err
