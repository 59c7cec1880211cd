"""AdSmart (advert test): balanced overall, broken on most days; the denominator must be declared."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.experiments.laboratory import Trial, check, counts, real_data

CATALOGUE = """
    metrics:
      - {name: said_yes, version: 1, type: conversion, direction: higher, event: "yes",
         baseline: {mean: 0.065, source: last year}}
"""
DESIGN = """
    title: Interactive advert against the dummy
    hypothesis: {because: people remember what they played with, expect: increase}
    arms: [{name: control}, {name: exposed}]
    assignment: {method: external}
    primary: {metric: said_yes, mde: 0.016}
    no_guardrails_reason: the data set holds one outcome only
    stopping: {minimum_duration: 14d, maximum_duration: 14d}
    validity: {alpha: 0.001}
    ELIGIBILITY
"""
SOURCES = """
    sources:
      main:
        complete: true
        assignments:
          files: FILE
          columns: {unit: auction_id, arm: experiment DAY}
          attributes: {answered_yes: "yes", answered_no: "no"}
"""
OUTCOMES = """
    outcomes:
      main:
        complete: true
        logs:
          - files: FILE
            columns: {unit: auction_id}
            wide: {"yes": "yes", "no": "no"}
"""


def adsmart(folder: Path, *, by_day: bool, eligibility: str = "", file: str | None = None) -> Trial:
    place = file or str(real_data("adsmart.csv"))
    return Trial(
        folder,
        CATALOGUE,
        DESIGN.replace("ELIGIBILITY", eligibility),
        SOURCES.replace("FILE", place).replace(" DAY", ", assigned_at: date" if by_day else ""),
        OUTCOMES.replace("FILE", place),
    )


def test_the_days_show_what_the_totals_hide(tmp_path: Path) -> None:
    readout = adsmart(tmp_path, by_day=True).readout()
    overall, by_day = check(readout, "Allocation (SRM)"), check(readout, "Allocation by day")
    assert readout.verdict.code == "INVALID"
    assert overall.result == "pass"
    assert overall.p_value == pytest.approx(0.4695, abs=5e-5)
    assert by_day.result == "fail"
    assert by_day.detail.startswith("6 of 8 days off")
    assert "03 Jul 2020 (1,545 vs 470)" in by_day.detail or "03 Jul 2020 (470 vs 1,545)" in by_day.detail
    assert "Allocation by day" in readout.verdict.sentence
    assert readout.primary == ()


def test_without_the_dates_the_published_comparison_comes_out(tmp_path: Path) -> None:
    readout = adsmart(tmp_path, by_day=False).readout()
    assert counts(readout.primary[0]) == (264, 4_071, 308, 4_006)
    assert readout.primary[0].p_value == pytest.approx(0.035005826, abs=5e-10)
    assert check(readout, "Allocation (SRM)").p_value == pytest.approx(0.4695, abs=5e-5)


def test_among_those_who_answered_there_is_no_evidence_of_a_difference(tmp_path: Path) -> None:
    """The denominator is a column of the log: answered = yes or no, made once as an attribute."""
    import pandas as pd

    rows = pd.read_csv(real_data("adsmart.csv"))
    rows["answered"] = (rows.yes == 1) | (rows.no == 1)
    rows.to_parquet(tmp_path / "adsmart.parquet")
    trial = adsmart(
        tmp_path,
        by_day=False,
        eligibility="eligibility: [{attribute: answered, is: true}]",
        file="adsmart.parquet",
    )
    text = (tmp_path / "sources.yaml").read_text(encoding="utf-8")
    (tmp_path / "sources.yaml").write_text(
        text.replace('answered_yes: "yes", answered_no: "no"', "answered: answered"), encoding="utf-8"
    )
    readout = trial.readout()
    assert sum(units.analysed for units in readout.units) == 1_243
    assert readout.primary[0].p_value == pytest.approx(0.518, abs=5e-4)
    assert readout.primary[0].state == "No evidence of a difference"
