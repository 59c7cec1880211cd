"""The rehearsal goes through the real rule: its readout is what evidence with these sums would give."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from app.charts import spec, svg
from app.charts.power import FACTORS, power_curve, power_line
from app.export.head import watermark_of
from app.export.render import render
from app.rehearsal import left_out, rehearsable, rehearse, truths_to_rehearse
from app.templates import DESIGNS, design_template, workspace_file
from experiments.designs.design import Design, parse_design
from experiments.designs.metrics import parse_catalogue

CATALOGUE = parse_catalogue(workspace_file("metrics.yaml"))
NOW = datetime(2026, 11, 3, 10, tzinfo=UTC)
RULES = {
    "fixed": "stopping:\n  rule: fixed",
    "looks": "stopping: {rule: group-sequential, futility: {}}",
}


def design(name: str, rule: str = "fixed", **changes: Any) -> Design:
    text = design_template(name).replace(RULES["fixed"], RULES[rule])
    for old, new in changes.items():
        text = text.replace(old, new)
    return parse_design(text, CATALOGUE)


def verdicts(found: Design, truth: Any, runs: int = 20) -> list[str]:
    return [
        rehearse(found, truth, experiment="EXP-0001", owner="mira", now=NOW, seed=seed).verdict.code
        for seed in range(runs)
    ]


@pytest.mark.parametrize("rule", list(RULES))
@pytest.mark.parametrize("name", list(DESIGNS))
def test_each_truth_mostly_gives_the_verdict_that_it_should(name: str, rule: str) -> None:
    """P(SHIP) is at least 0.80 under the planned effect: fewer than 10 of 20 has probability below 0.003; from no effect a
    superiority design ships with probability 0.025 at most: more than 4 of 20 below 0.002."""
    found = design(name, rule)
    superiority = found.primary.mde is not None
    no_effect = verdicts(found, "no effect")
    assert no_effect.count("SHIP") <= 4 if superiority else no_effect.count("SHIP") >= 10
    other = verdicts(found, truths_to_rehearse(found)[1])
    assert other.count("SHIP") >= 10 if superiority else other.count("SHIP") <= 4
    assert "CONTINUE" not in no_effect + other
    assert set(verdicts(found, "a broken allocation", 5)) == {"INVALID"}


@pytest.mark.parametrize("truth", ["no effect", "the planned effect", "a broken allocation"])
def test_every_form_of_it_says_simulated(truth: Any) -> None:
    readout = rehearse(design("model-ab", "looks"), truth, experiment="EXP-0001", owner="mira", now=NOW)
    assert watermark_of(readout) == "SIMULATED"
    assert "SIMULATED" in str(render(readout, "html"))
    assert (readout.primary == ()) is (truth == "a broken allocation")


def test_the_same_run_gives_the_same_readout() -> None:
    found = design("model-ab")
    one, again, other = (
        rehearse(found, "no effect", experiment="EXP-0001", owner="mira", now=NOW, seed=seed)
        for seed in (1, 1, 2)
    )
    assert one.sha256 == again.sha256 != other.sha256


def test_what_cannot_be_drawn_is_left_out_and_said() -> None:
    text = design_template("model-ab").replace(
        "  alpha: 0.05",
        "  covariates: [{metric: sessions@1, variance_reduction: 0.2}]\n  alpha: 0.05",
    )
    found = parse_design(text, CATALOGUE)
    rehearsed, measures = rehearsable(found)
    assert rehearsed.plan.n_per_arm == found.plan.n_per_arm
    assert not any(measure.covariates for measure in rehearsed.measures)
    assert [found.measures[at].label.split(" ")[0] for at in measures.values()] == [
        measure.label.split(" ")[0] for measure in rehearsed.measures
    ]
    said = " ".join(left_out(found))
    assert "covariates" in said
    assert "segments" in said
    assert (
        rehearse(found, "no effect", experiment="EXP-0001", owner="mira", now=NOW).verdict.code != "CONTINUE"
    )


def test_a_truth_of_another_design_is_refused() -> None:
    with pytest.raises(ValueError, match="worse by the margin"):
        rehearse(design("model-ab"), "worse by the margin", experiment="EXP-0001", owner="mira", now=NOW)


# The power curve


@pytest.mark.parametrize("rule", list(RULES))
@pytest.mark.parametrize("name", list(DESIGNS))
def test_the_power_curve_passes_through_the_plan_and_rises(name: str, rule: str) -> None:
    found = design(name, rule)
    planned = min(found.plan.n_per_arm)
    at_plan = {factor: power_line(found, factor, [planned // 2, planned, 2 * planned]) for factor in FACTORS}
    lines = {factor: line.power for factor, line in at_plan.items() if line is not None}
    assert lines[1.0][1] == pytest.approx(found.plan.requirements[0].power_at_plan, rel=1e-9)
    assert all(low < middle <= high for low, middle, high in lines.values())
    assert lines[0.8][1] < lines[1.0][1] <= lines[1.2][1]


@pytest.mark.parametrize("name", list(DESIGNS))
def test_the_power_curve_is_a_valid_chart_with_a_table_and_a_sentence(name: str) -> None:
    drawn = power_curve(design(name))
    spec(drawn.chart, validate=True)
    assert drawn.sentence in svg(drawn.chart).replace("&#39;", "'").replace("&#x27;", "'")
    assert len(set(map(len, drawn.table.values()))) == 1


def test_an_effect_that_cannot_be_has_no_line() -> None:
    text = design_template("model-ab").replace("{absolute: 0.015}", "{absolute: 0.7}")
    found = parse_design(text, CATALOGUE)
    assert power_line(found, 1.2, [50, 100]) is None
    assert "cannot be" in power_curve(found).table["power at the 1.2 × effect"]
