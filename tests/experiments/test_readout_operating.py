"""What the whole rule does over many experiments: logs on disk, through the SQL, the checks and the verdict of each.

Thousands of small experiments lie in one log and are read at once (``take_looks``); every one gets its own readout. Rates
are held against their declared values with four Monte-Carlo standard errors, √(p(1 − p)/R) for R experiments.
"""

from __future__ import annotations

from datetime import timedelta
from math import sqrt
from pathlib import Path
from typing import Any

import pytest

from experiments.assignment import Assignment
from experiments.cohorts.cohort import CutOff
from experiments.logs.manifest import Manifest
from experiments.logs.sql import microseconds
from experiments.logs.watermark import Watermark
from experiments.looks.looking import Taken, take_looks
from experiments.looks.stopping import LookStatus
from experiments.readouts.judgement import make_readout
from experiments.readouts.readout import Readout
from experiments.traffic import Amount, Effect, Scenario, write_traffic
from tests.experiments.laboratory import MONDAY, Trial, context_of, small_trial

SD, MDE, MARGIN = 5.0, 3.0, 4.0
DESIGN: dict[str, Any] = {
    "primary": {"metric": "revenue", "mde": MDE},
    "guardrails": [{"metric": "delay", "margin": MARGIN, "reason": "more than this and people leave"}],
    "no_guardrails_reason": None,
    "power": {"power": 0.8},
    "window": "1d",
    "stopping": {"minimum_duration": "7d", "maximum_duration": "7d"},
}
METRICS = {
    "revenue": {"baseline": {"mean": 20.0, "sd": SD, "source": "made up"}},
    "delay": {
        "type": "sum",
        "direction": "lower",
        "event": "delay",
        "unit": "s",
        "baseline": {"mean": 30.0, "sd": SD, "source": "made up"},
    },
}


def trial_of(folder: Path) -> Trial:
    columns = {"experiment": "experiment", "unit": "unit", "arm": "arm", "assigned_at": "assigned_at"}
    values = {"unit": "unit", "event": "event", "value": "value", "occurred_at": "occurred_at"}
    return small_trial(
        folder,
        design=DESIGN,
        metrics=METRICS,
        sources={"assignments": {"files": "logs/assignments/*/*.parquet", "columns": columns}},
        outcomes={"logs": [{"files": "logs/outcomes/*/*.parquet", "columns": values}]},
    )


def readouts(folder: Path, experiments: int, *, lift: float, harm: float, seed: int) -> list[Readout]:
    """Readouts of so many experiments, each of the declared size, with these true effects."""
    trial = trial_of(folder)
    design = trial.design
    shares = (("control", "0.5"), ("treatment", "0.5"))
    scenario = Scenario(
        experiment="sim",
        start=MONDAY.date(),
        days=7,
        units_per_day=design.plan.total / 7,
        exact=True,
        weekdays=(1.0,) * 7,
        assignment=Assignment(f"sim/{seed}", shares),
        outcomes=(
            Amount(event="pay", mean=20.0, sd=SD, effects=in_treatment(lift), window=timedelta(days=1)),
            Amount(event="delay", mean=30.0, sd=SD, effects=in_treatment(harm), window=timedelta(days=1)),
        ),
        exposure_delay=timedelta(0),
        replicates=experiments,
        seed=seed,
    )
    write_traffic(folder / "logs", [scenario])
    names = [f"sim-{number:05d}" for number in range(1, experiments + 1)]
    cut_off = CutOff(microseconds((MONDAY + timedelta(days=7)).to_pydatetime()), None)
    found = take_looks(design, trial.sources, trial.outcomes, names, cut_off)
    assert sorted(found) == names
    reached = LookStatus(True, cut_off, 1.0, False, (), design.plan.n_per_arm, None, None, None, ())
    made = []
    for name in names:
        taken = Taken(reached, Watermark(None, "complete"), found[name], (), Manifest(()), ())
        made.append(make_readout(design, found[name], context_of(design, taken)))
    return made


def in_treatment(size: float) -> tuple[Effect, ...]:
    return (Effect(size, arm="treatment"),) if size else ()


def held_to(
    rate: float, experiments: int, *, at_most: float | None = None, at_least: float | None = None
) -> bool:
    """Whether an observed rate is compatible with a bound, four standard errors of the bound allowed."""
    bound = at_most if at_most is not None else at_least or 0.0
    slack = 4 * sqrt(bound * (1 - bound) / experiments)
    return rate <= bound + slack if at_most is not None else rate >= bound - slack


def share(found: list[Readout], **wanted: Any) -> float:
    def fits(one: Readout) -> bool:
        state = one.primary[0].state if one.primary else None
        guardrail = one.guardrails[0].state if one.guardrails else None
        seen = {"verdict": one.verdict.code, "primary": state, "guardrail": guardrail}
        return all(seen[key] in value for key, value in wanted.items())

    return sum(map(fits, found)) / len(found)


SIZES = [pytest.param(250, id="250"), pytest.param(2_500, marks=pytest.mark.slow, id="2500")]


@pytest.mark.parametrize("experiments", SIZES)
def test_without_an_effect_the_test_errs_at_its_alpha_and_ships_at_half_of_it(
    tmp_path: Path, experiments: int
) -> None:
    found = readouts(tmp_path, experiments, lift=0.0, harm=0.0, seed=1)
    different = share(found, primary={"Improved", "Worse"})
    assert held_to(different, experiments, at_most=0.05)
    assert held_to(different, experiments, at_least=0.05)
    assert held_to(share(found, verdict={"SHIP"}), experiments, at_most=0.025)
    assert held_to(share(found, verdict={"INVALID"}), experiments, at_most=0.001)


@pytest.mark.parametrize("experiments", SIZES)
def test_with_the_planned_effect_it_ships_with_the_declared_power(tmp_path: Path, experiments: int) -> None:
    """The primary at its MDE, the guardrail unharmed: all that the rule asks for at once."""
    found = readouts(tmp_path, experiments, lift=MDE, harm=0.0, seed=2)
    per_test = trial_of(tmp_path / "again").design.plan.power_per_test
    assert held_to(share(found, primary={"Improved"}), experiments, at_least=per_test)
    assert held_to(share(found, verdict={"SHIP"}), experiments, at_least=0.80)
    low = sum(1 for one in found if one.primary and one.primary[0].interval and covers(one, MDE))
    assert held_to(low / experiments, experiments, at_least=0.95)


@pytest.mark.parametrize("experiments", SIZES)
def test_a_guardrail_exactly_at_its_margin_passes_at_its_alpha(tmp_path: Path, experiments: int) -> None:
    found = readouts(tmp_path, experiments, lift=2 * MDE, harm=MARGIN, seed=3)
    passed = share(found, guardrail={"Within margin"})
    assert held_to(passed, experiments, at_most=0.025)
    assert held_to(passed, experiments, at_least=0.025)
    assert held_to(share(found, verdict={"SHIP"}), experiments, at_most=0.025)
    assert held_to(share(found, guardrail={"Beyond margin"}), experiments, at_most=0.025)


def covers(readout: Readout, truth: float) -> bool:
    found = readout.primary[0].interval
    return found is not None and (found.low or 0.0) <= truth <= (found.high or 0.0)
