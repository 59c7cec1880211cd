"""A scenario that cannot be simulated is refused, with every problem at once."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from experiments.assignment import Assignment
from experiments.traffic import (
    Amount,
    Attribute,
    Conversion,
    Count,
    Crossovers,
    Effect,
    LabelDelay,
    Latency,
    LostUnits,
    MissingOutcomes,
    NullValues,
    Outcome,
    Ratio,
    Scenario,
)

PURCHASE = Conversion(event="purchase", probability=0.2)
GOOD = Scenario(
    experiment="EXP-0001",
    start=date(2026, 11, 2),
    days=7,
    units_per_day=100,
    assignment=Assignment("s", (("control", "0.5"), ("treatment", "0.5"))),
    attributes=(Attribute("country", (("se", 0.6), ("de", 0.4))),),
    outcomes=(PURCHASE,),
)


def test_all_problems_of_a_scenario_are_told_at_once() -> None:
    with pytest.raises(ValueError) as told:
        replace(
            GOOD,
            experiment="a/b",
            days=0,
            exposed=0,
            outcomes=(replace(PURCHASE, effects=(Effect(0.1, arm="contrl"),)), PURCHASE),
            faults=(LostUnits("treatmnt", 2), NullValues(0.1, "purchse")),
        )
    assert str(told.value).splitlines() == [
        "experiment: 'a/b' is not allowed; give ASCII text without a slash",
        "days: 0 is not allowed; give at least 1",
        "exposed: 0 is not allowed; give a share above 0, up to 1",
        "outcomes: 'purchase' is used twice; give every event its own name",
        "outcomes.purchase.effects: 'contrl' is no arm; give one of control, treatment",
        "faults.LostUnits.share: 2 is not allowed; give a share above 0, up to 1",
        "faults.LostUnits.arm: 'treatmnt' is no arm; give one of control, treatment",
        "faults.NullValues.event: 'purchse' is no event; give one of purchase",
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"outcomes": ()}, "outcomes: none is not allowed"),
        ({"units_per_day": 0}, "units_per_day: 0 is not allowed"),
        ({"replicates": 100_000}, "replicates: 100000 is not allowed"),
        ({"exposure_delay": -timedelta(1)}, "exposure_delay"),
        ({"weekdays": (1, 2, 3)}, "give 7 weights"),
        ({"hours": (0,) * 24}, "give 24 weights"),
        ({"unit_prefix": "ü"}, "give ASCII text"),
        ({"attributes": (Attribute("arm", (("a", 1.0),)),)}, "'arm' is a column of the log"),
        ({"attributes": (Attribute("country", (("se", 0.6),)),)}, "add up to 1"),
        ({"faults": (Crossovers(0.1), Crossovers(0.2))}, "Crossovers: is given twice"),
        ({"faults": (MissingOutcomes("control", 0),)}, "MissingOutcomes.share: 0 is not allowed"),
    ],
)
def test_traffic_that_cannot_be_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(GOOD, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("outcome", "message"),
    [
        (replace(PURCHASE, event=""), "event: '' is not allowed"),
        (replace(PURCHASE, window=timedelta(0)), "longer than nothing"),
        (replace(PURCHASE, opens=timedelta(days=7)), "opens: 7 days, 0:00:00 is not allowed"),
        (replace(PURCHASE, delay=LabelDelay(timedelta(2), timedelta(1))), "0 <= least <= most"),
        (replace(PURCHASE, afterwards=-1), "afterwards: -1 is not allowed"),
        (replace(PURCHASE, history_correlation=1.0), "history_correlation: 1.0 is not allowed"),
        (replace(PURCHASE, effects=(Effect(0.1),)), "on everybody is a baseline"),
        (replace(PURCHASE, effects=(Effect(0.1, segment=("country", "fr")),)), "is no level of an attribute"),
        (replace(PURCHASE, effects=(Effect(0.9, arm="treatment"),)), "must stay between 0 and 1"),
        (
            replace(PURCHASE, history_correlation=0.9, effects=(Effect(0.6, arm="treatment"),)),
            "0.9 cannot be reached by probabilities so far apart",
        ),
        (Count(event="n", mean=1, dispersion=-1), "dispersion: -1 is not allowed"),
        (Count(event="n", mean=1, history_correlation=0.1), "reach less than 0:"),
        (Count(event="n", mean=1, dispersion=1, history_correlation=0.8), "reach less than 0.7071:"),
        (Count(event="n", mean=1, effects=(Effect(-1, arm="treatment"),)), "a mean of 0 or below"),
        (Amount(event="x", mean=1, sd=0), "sd: 0 is not allowed"),
        (Amount(event="x", mean=-1, sd=1, shape="lognormal"), "a mean of 0 or below"),
        (Latency(event="x", mean=1, user_sd=0, request_sd=0, requests=1), "above 0 for the request"),
        (Latency(event="x", mean=1, user_sd=0, request_sd=1, requests=0.5), "every unit makes at least 1"),
        (
            Latency(event="x", mean=1, user_sd=0, request_sd=1, requests=1, history_correlation=0.5),
            "Latency has no history",
        ),
        (
            Ratio(event="x", denominator="y", ratio=0.1, per_unit=2, clustering=1),
            "clustering: 1 is not allowed",
        ),
        (Ratio(event="x", denominator="y", ratio=0.1, per_unit=0.5), "every unit has at least 1"),
        (Ratio(event="x", denominator="y", ratio=1.1, per_unit=2), "must stay between 0 and 1"),
        (Ratio(event="x", denominator="x", ratio=0.1, per_unit=2), "'x' is used twice"),
    ],
)
def test_an_outcome_that_cannot_be_is_refused(outcome: Outcome, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(GOOD, outcomes=(outcome,))


def test_a_normal_amount_may_have_a_mean_of_zero_or_below() -> None:
    replace(GOOD, outcomes=(Amount(event="balance", mean=-3, sd=2),))
