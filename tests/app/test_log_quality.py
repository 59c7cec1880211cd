"""The sentences about how a log comes in."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from app.overview.quality import arrivals_sentence, quality_sentences
from experiments.logs.quality import Arrivals, Quality

BEFORE = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    ("shares", "sentence"),
    [
        ((0.5, 0.9, 0.94, 0.96, 1.0), "95% of rows arrive within 3 days of their event, 99% within 4 days."),
        ((1.0, 1.0), "95% of rows arrive at once."),
        ((0.2, 0.97), "95% of rows arrive within 1 day of their event."),
        ((0.2, 0.5, 0.51234), "Only 51.23% of rows arrive within 2 days of their event."),
    ],
)
def test_the_days_that_a_label_delay_has_to_cover_are_said(shares, sentence):
    assert arrivals_sentence(Arrivals(shares, BEFORE)) == sentence


def test_a_share_that_is_nearly_nothing_or_nearly_all_is_not_rounded_to_it():
    said = quality_sentences(Quality(matched_share=0.999999, repeated_share=0.000001, early_share=0.00001))
    assert said[0] == "More than 99.99% of rows have a unit that was assigned."
    assert said[1].startswith("Less than 0.01% of rows repeat another")
    assert said[2].startswith("Less than 0.01% of rows were recorded before they occurred")


def test_what_is_not_known_is_not_said():
    assert quality_sentences(Quality(arrivals=Arrivals(not_computed="no times"))) == ()
