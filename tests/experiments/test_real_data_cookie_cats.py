"""Cookie Cats (mobile game, gate at level 30 or 40): no times, so the source is declared complete."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from tests.experiments.laboratory import Trial, check, counts, of_metric, real_data

CATALOGUE = """
    metrics:
      - {name: retention_7, version: 1, type: proportion, direction: higher, event: retention_7,
         baseline: {mean: 0.19, source: last year}}
      - {name: retention_1, version: 1, type: proportion, direction: higher, event: retention_1,
         baseline: {mean: 0.45, source: last year}}
      - {name: rounds, version: 1, type: sum, direction: higher, event: rounds, unit: rounds, decimals: 0,
         baseline: {mean: 50, sd: 195, source: last year}}
"""
DESIGN = """
    title: Gate at level 40 instead of 30
    hypothesis: {because: players who play on longer stay longer, expect: increase}
    arms: [{name: gate_30}, {name: gate_40}]
    assignment: {method: external}
    primary: {metric: retention_7, mde: 0.0075}
    guardrails:
      - {metric: retention_1, margin: 0.01, reason: a lost first day costs more than the gate brings}
    secondary: {metrics: [rounds]}
    validity: {alpha: ALPHA}
    ELIGIBILITY
"""
SOURCES = """
    sources:
      main:
        complete: true
        assignments:
          PLACE
          columns: {unit: userid, arm: version}
          attributes: {rounds: sum_gamerounds}
"""
OUTCOMES = """
    outcomes:
      main:
        complete: true
        logs:
          - PLACE
            columns: {unit: userid}
            wide: {retention_1: retention_1, retention_7: retention_7, rounds: sum_gamerounds}
"""
HEAVY_PLAYER = 49_854  # rounds of the one player, README of the data


def cookie_cats(
    folder: Path, *, alpha: float, eligibility: str = "", frame: pd.DataFrame | None = None
) -> Trial:
    file = real_data("cookie_cats.csv")
    place = f"files: {file}" if frame is None else "frame: players"
    return Trial(
        folder,
        CATALOGUE,
        DESIGN.replace("ALPHA", f"{alpha}").replace("ELIGIBILITY", eligibility),
        SOURCES.replace("PLACE", place),
        OUTCOMES.replace("PLACE", place),
        {} if frame is None else {"players": frame},
    )


def test_at_srm_alpha_one_percent_the_readout_is_invalid_and_holds_no_effect(tmp_path: Path) -> None:
    readout = cookie_cats(tmp_path, alpha=0.01).readout()
    allocation = check(readout, "Allocation (SRM)")
    assert readout.verdict.code == "INVALID"
    assert allocation.p_value == pytest.approx(0.008608, abs=5e-7)  # data README: chi-squared 6.9024
    assert "44,700 vs 45,489" in allocation.detail
    assert readout.primary == readout.guardrails == readout.secondary == ()


def test_at_srm_alpha_one_permille_the_known_numbers_come_out(tmp_path: Path) -> None:
    readout = cookie_cats(tmp_path, alpha=0.001).readout()
    seven = readout.primary[0]
    one = of_metric(readout.guardrails, "retention_1")
    assert counts(seven) == (8_502, 44_700, 8_279, 45_489)
    assert seven.p_value == pytest.approx(0.00155425, abs=5e-9)
    assert seven.control_value.value == pytest.approx(0.190201, abs=5e-7)
    assert seven.treatment_value.value == pytest.approx(0.182000, abs=5e-7)
    assert counts(one) == (20_034, 44_700, 20_119, 45_489)
    rounds = of_metric(readout.secondary, "rounds")
    assert rounds.p_value == pytest.approx(0.376, abs=5e-4)
    assert rounds.control_value.value == pytest.approx(52.456, abs=5e-4)
    assert rounds.treatment_value.value == pytest.approx(51.299, abs=5e-4)
    assert readout.verdict.code == "DO NOT SHIP"
    assert readout.verdict.by_treatment[0].row == 3


def test_day_one_retention_has_its_known_p_when_it_is_the_primary(tmp_path: Path) -> None:
    trial = cookie_cats(tmp_path, alpha=0.001)
    text = (tmp_path / "design.yaml").read_text(encoding="utf-8")
    text = text.replace("primary: {metric: retention_7", "primary: {metric: retention_1").replace(
        "{metric: retention_1, margin", "{metric: retention_7, margin"
    )
    (tmp_path / "design.yaml").write_text(text, encoding="utf-8")
    assert trial.readout().primary[0].p_value == pytest.approx(0.074410, abs=5e-7)


@pytest.mark.parametrize("by", ["eligibility", "frame"])
def test_without_the_player_of_49854_rounds_the_p_values_are_the_known_ones(tmp_path: Path, by: str) -> None:
    if by == "eligibility":
        rule = f"eligibility: [{{attribute: rounds, below: {HEAVY_PLAYER}}}]"
        trial = cookie_cats(tmp_path, alpha=0.001, eligibility=rule)
    else:
        players = pd.read_csv(real_data("cookie_cats.csv"))
        kept = players[players.sum_gamerounds < HEAVY_PLAYER]
        trial = cookie_cats(tmp_path, alpha=0.001, frame=kept)
    readout = trial.readout()
    assert sum(units.analysed for units in readout.units) == 90_188
    assert readout.primary[0].p_value == pytest.approx(0.0015917732, abs=5e-11)
    assert of_metric(readout.secondary, "rounds").p_value == pytest.approx(0.949, abs=5e-4)
    left_out = sum(n for units in readout.units for n in units.excluded.values())
    assert left_out == (1 if by == "eligibility" else 0)
    text = (tmp_path / "design.yaml").read_text(encoding="utf-8")
    text = text.replace("primary: {metric: retention_7", "primary: {metric: retention_1").replace(
        "{metric: retention_1, margin", "{metric: retention_7, margin"
    )
    (tmp_path / "design.yaml").write_text(text, encoding="utf-8")
    assert trial.readout().primary[0].p_value == pytest.approx(0.0739207603, abs=5e-11)
