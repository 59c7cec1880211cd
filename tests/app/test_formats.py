"""How numbers are written: exact, unambiguous, and never rounded across or onto what decides."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app import formats
from app.formats import Quantity
from experiments.readouts.readout import Comparison, Interval
from tests.app import samples

effects = st.floats(-5, 5, allow_nan=False).map(lambda x: round(x, 9))


def comparison(low: float | None, estimate: float, high: float | None, **changes: object) -> Comparison:
    return samples.primary(estimate=estimate, interval=Interval(low=low, high=high, level=0.95), **changes)


@pytest.mark.parametrize(
    ("number", "written"),
    [(0, "0"), (999, "999"), (1000, "1\u202f000"), (27104, "27\u202f104"), (1403221, "1\u202f403\u202f221")],
)
def test_thousands_are_parted_by_a_thin_space_that_does_not_break(number: int, written: str) -> None:
    assert formats.count(number) == written


@pytest.mark.parametrize(
    ("p", "written"),
    [
        (0.0031, "0.0031"),
        (0.01973, "0.0197"),
        (0.02, "0.0200"),
        (0.8841, "0.8841"),
        (0.0001, "0.0001"),
        (0.00009999, "< 0.0001"),
        (0.0, "< 0.0001"),
        (0.99999999, "> 0.9999"),
        (1.0, "1"),
        (None, "–"),
    ],
)
def test_p_values_have_four_decimals_and_an_honest_end(p: float | None, written: str) -> None:
    assert formats.p_value(p) == written


@pytest.mark.parametrize(
    ("p", "written"),
    [(0.04996, "0.04996"), (0.050004, "0.050004"), (0.0499999, "0.0499999"), (0.05, "0.0500")],
)
def test_a_p_value_is_not_rounded_onto_a_level_it_does_not_equal(p: float, written: str) -> None:
    assert formats.p_value(p) == written


def test_times_are_utc_whatever_the_zone_they_come_in() -> None:
    there = timezone(timedelta(hours=5, minutes=30))
    assert formats.instant(datetime(2026, 12, 1, 5, 29, tzinfo=there)) == "30 Nov 2026, 23:59 UTC"
    assert formats.instant(datetime(2026, 1, 2, 3, 4, tzinfo=UTC)) == "2 Jan 2026, 03:04 UTC"
    assert formats.instant(None) == "–"


@pytest.mark.parametrize(
    ("number", "written"),
    [
        (20.0, "20"),
        (0.25, "0.25"),
        (1.15, "1.15"),
        (100 * 0.0115, "1.15"),
        (12500, "12\u202f500"),
        (-0.5, "−0.5"),
    ],
)
def test_a_declared_number_is_written_as_it_was_declared(number: float, written: str) -> None:
    assert formats.shortest(number) == written


@pytest.mark.parametrize(
    ("low", "estimate", "high", "written"),
    [
        (0.001822, 0.011438, 0.021054, "+1.14\u00a0pp (95% CI +0.18 to +2.11)"),
        (-0.0061, 0.0014, 0.0089, "+0.14\u00a0pp (95% CI −0.61 to +0.89)"),
        (-0.131, 0.002, 0.135, "+0.2\u00a0pp (95% CI −13.1 to +13.5)"),
    ],
)
def test_decimals_follow_the_width_of_the_interval(
    low: float, estimate: float, high: float, written: str
) -> None:
    found = comparison(low, estimate, high, mde=None, relative=None)
    assert Quantity.of([found]).with_interval(estimate, found.interval) == written


def test_a_bound_just_above_zero_is_not_written_as_zero() -> None:
    found = comparison(0.00004, 0.0096, 0.0192, mde=None)
    assert Quantity.of([found]).bounds(found.interval) == "+0.004 to +1.920"


def test_a_bound_just_inside_the_margin_is_not_written_as_the_margin() -> None:
    found = samples.latency(estimate=12.0, interval=samples.interval(4.003, 19.997))
    assert Quantity.of([found]).bounds(found.interval) == "+4.003 to +19.997"


@given(low=effects, width=st.floats(1e-4, 3), at=st.floats(0.05, 0.95), margin=st.floats(0.001, 5))
def test_rounding_never_moves_a_bound_onto_zero_or_the_margin(
    low: float, width: float, at: float, margin: float
) -> None:
    margin = float(f"{margin:.3g}")
    high, estimate = low + width, low + at * width
    found = samples.latency(
        estimate=estimate, interval=samples.interval(low, high), margin=margin, limit=margin
    )
    quantity = Quantity.of([found])
    near = width / 2 * 10.0**-4
    for bound in (low, high):
        shown = float(quantity.bound(bound).replace("−", "-").replace("\u202f", ""))
        for reference in (0.0, margin):
            assume(abs(bound - reference) > near)
            assert (shown > reference) == (bound > reference)
            assert (shown < reference) == (bound < reference)


@given(low=effects, width=st.floats(1e-4, 3))
def test_every_row_of_a_metric_has_the_same_decimals(low: float, width: float) -> None:
    rows = [
        samples.revenue(estimate=low + width / 3, interval=samples.interval(low, low + width)),
        samples.revenue(estimate=low, interval=samples.interval(low - 10 * width, low + 10 * width)),
    ]
    written = formats.quantities(rows)
    assert written[0] is written[1]


def test_a_percentage_and_a_percentage_point_are_never_confused() -> None:
    quantity = Quantity.of([samples.primary()])
    assert quantity.value(0.2016) == "20.16%"
    assert quantity.effect(0.0114) == "+1.14\u00a0pp"
    assert Quantity.of([samples.errors()]).effect(0.0168) == "+1.7%"
    assert Quantity.of([samples.errors()]).value(0.012481) == "0.01248"


def test_an_open_side_is_said_in_words() -> None:
    found = comparison(-0.0093, -0.0012, None, mde=None)
    assert Quantity.of([found]).bounds(found.interval) == "−0.93 or more"
    upwards = comparison(float("-inf"), -0.0012, 0.0071, mde=None)
    assert Quantity.of([upwards]).bounds(upwards.interval) == "+0.71 or less"


def test_zero_has_no_sign() -> None:
    assert formats.signed(0.0, 2) == "0.00"
    assert formats.signed(-0.0, 2) == "0.00"
    assert formats.decimal(-0.0, 1) == "0.0"


def test_two_metrics_are_not_written_alike() -> None:
    with pytest.raises(ValueError, match="give one metric on one scale"):
        Quantity.of([samples.primary(), samples.latency()])


def test_the_relative_effect_is_written_with_its_own_decimals() -> None:
    assert formats.relative_effect(samples.primary()) == "+5.7% (95% CI +0.9 to +10.7)"
    assert formats.relative_effect(samples.latency()) is None


def test_the_planned_effect_stands_on_the_better_side() -> None:
    assert formats.planned_effect(samples.primary(mde=0.015)) == 0.015
    assert formats.planned_effect(samples.primary(mde=0.015, direction="lower")) == -0.015
