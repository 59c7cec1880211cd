"""A web page test with timestamps, users in both groups, and pages that are not the group's."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pandas as pd
import pytest

from tests.experiments.laboratory import Trial, check, counts, real_data

CATALOGUE = """
    metrics:
      - {name: converted, version: 1, type: proportion, direction: higher, event: converted,
         baseline: {mean: 0.12, source: last year}}
"""
DESIGN = """
    title: New landing page against the old one
    hypothesis: {because: the new page says sooner what is sold, expect: increase}
    arms: [{name: control}, {name: treatment}]
    assignment: {method: external}
    primary: {metric: converted, mde: 0.0035, window: 1d}
    no_guardrails_reason: the data set holds conversions only
    stopping: {minimum_duration: 28d, maximum_duration: 28d}
    rules: {several_arms: SEVERAL, delivered_differs: DIFFERS}
"""
SOURCES = """
    sources:
      main:
        complete: true
        assignments:
          files: FILE
          columns: {unit: user_id, arm: group, assigned_at: timestamp, delivered: landing_page}
          delivered: {old_page: control, new_page: treatment}
"""
OUTCOMES = """
    outcomes:
      main:
        complete: true
        logs:
          - frame: visits
            columns: {unit: user_id}
            wide: {converted: converted}
"""
AGREEING = (("control", "old_page"), ("treatment", "new_page"))


def visits() -> pd.DataFrame:
    rows: pd.DataFrame = duckdb.read_parquet(str(real_data("landing_page.parquet"))).df()
    return rows


def agrees(rows: pd.DataFrame) -> pd.Series:
    return pd.Series(list(zip(rows.group, rows.landing_page, strict=True)), index=rows.index).isin(AGREEING)


def landing_page(folder: Path, frame: pd.DataFrame, *, several: str, differs: str) -> Trial:
    return Trial(
        folder,
        CATALOGUE,
        DESIGN.replace("SEVERAL", several).replace("DIFFERS", differs),
        SOURCES.replace("FILE", str(real_data("landing_page.parquet"))),
        OUTCOMES,
        {"visits": frame},
    )


def test_by_the_delivered_arm_the_published_comparison_comes_out(tmp_path: Path) -> None:
    """3,893 disagreeing rows dropped and a double id counted once: the published analysis (data README)."""
    rows = visits()
    published = rows[agrees(rows)]
    assert len(rows) - len(published) == 3_893
    trial = landing_page(tmp_path, published, several="delivered arm", differs="keep")
    readout = trial.readout()
    primary = readout.primary[0]
    assert counts(primary) == (17_489, 145_274, 17_264, 145_310)
    assert primary.p_value == pytest.approx(0.189883, abs=5e-7)
    assert readout.flow["units in more than one arm"] == 1_895
    assert readout.flow["assignment rows"] == 294_478
    assert "1,895 of 290,584" in check(readout, "Units in several arms").detail


def test_without_every_user_of_two_groups_or_two_pages_the_stricter_comparison_comes_out(
    tmp_path: Path,
) -> None:
    trial = landing_page(tmp_path, visits(), several="exclude", differs="exclude")
    readout = trial.readout()
    primary = readout.primary[0]
    assert counts(primary) == (17_220, 143_293, 17_025, 143_398)
    assert primary.p_value == pytest.approx(0.2320, abs=5e-5)
    excluded: dict[str, int] = {}
    for units in readout.units:
        for reason, n in units.excluded.items():
            excluded[reason] = excluded.get(reason, 0) + n
    assert excluded["in more than one arm"] == 1_895
    assert excluded["delivered arm differs from the assigned one"] == 1_998
    assert sum(units.assigned for units in readout.units) == 290_584


def test_by_the_first_arm_every_user_counts_where_they_first_came(tmp_path: Path) -> None:
    rows = visits()
    trial = landing_page(tmp_path, rows, several="first arm", differs="keep")
    first = rows.sort_values(["user_id", "timestamp"], kind="stable").drop_duplicates("user_id")
    converted = rows.groupby("user_id").converted.max()
    first = first.assign(ever=first.user_id.map(converted))
    expected = first.groupby("group").ever.agg(["sum", "size"])
    control, treatment = expected.loc["control"], expected.loc["treatment"]
    assert counts(trial.readout().primary[0]) == (
        control["sum"],
        control["size"],
        treatment["sum"],
        treatment["size"],
    )


def test_conversions_from_the_timed_log_of_visits_are_counted_from_the_first_visit(tmp_path: Path) -> None:
    """The same file as a log of outcomes with times: within a day of the first visit, by plain pandas."""
    trial = landing_page(tmp_path, visits(), several="exclude", differs="exclude")
    timed = f"""
    outcomes:
      main:
        complete: true
        logs:
          - files: {real_data("landing_page.parquet")}
            columns: {{unit: user_id, occurred_at: timestamp}}
            wide: {{converted: converted}}
    """
    trial = Trial(
        tmp_path,
        CATALOGUE,
        (tmp_path / "design.yaml").read_text(encoding="utf-8"),
        (tmp_path / "sources.yaml").read_text(encoding="utf-8"),
        timed,
    )
    rows = visits()
    spoiled = set(rows.user_id[~agrees(rows)]) | set(
        rows.groupby("user_id").group.nunique().loc[lambda n: n > 1].index
    )
    kept = rows[~rows.user_id.isin(spoiled)].copy()
    first = kept.groupby("user_id").timestamp.transform("min")
    kept = kept[kept.timestamp < first + pd.Timedelta(days=1)]
    per_user = kept.groupby(["group", "user_id"]).converted.max()
    expected = per_user.groupby("group").agg(["sum", "size"])
    assert counts(trial.readout().primary[0]) == (
        expected.loc["control", "sum"],
        expected.loc["control", "size"],
        expected.loc["treatment", "sum"],
        expected.loc["treatment", "size"],
    )
