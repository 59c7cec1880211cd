"""Durations as people write them."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from experiments.forms.durations import DAY, LONGEST, SECONDS, WEEK, Duration, seconds, written


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("45s", 45),
        ("90m", 5_400),
        ("36h", 129_600),
        ("7d", 604_800),
        ("168h", 604_800),
        ("1w", 604_800),
        ("1.5d", 129_600),
        ("0.7d", 60_480),  # 0.7 · 86400 is 60479.99999999999 in floating point
        (" 2 w ", 2 * WEEK),
        ("0d", 0),
        (timedelta(days=7), WEEK),
        (timedelta(hours=1, seconds=1), 3_601),
    ],
)
def test_a_duration_is_a_number_of_whole_seconds(text: object, expected: int) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (7, "7 has no unit; write a number with s, m, h, d or w, for example 7d"),
        (7.0, "7.0 has no unit; write a number with s, m, h, d or w, for example 7d"),
        ("7", "'7' is not a duration; write a number with s, m, h, d or w, for example 7d"),
        ("7 days", "'7 days' is not a duration; write a number with s, m, h, d or w, for example 7d"),
        ("7D", "'7D' is not a duration; write a number with s, m, h, d or w, for example 7d"),
        ("-7d", "'-7d' is not a duration; write a number with s, m, h, d or w, for example 7d"),
        ("7d\n8d", "'7d\\n8d' is not a duration; write a number with s, m, h, d or w, for example 7d"),
        ("٧d", "'٧d' is not a duration; write a number with s, m, h, d or w, for example 7d"),
        ("", "'' is not a duration; write a number with s, m, h, d or w, for example 7d"),
        (None, "None is not a duration; write a number with s, m, h, d or w, for example 7d"),
        (True, "True is not a duration; write a number with s, m, h, d or w, for example 7d"),
        ("0.5s", "'0.5s' is not a whole number of seconds; write a number with s, m, h, d or w, for example 7d"),
        ("5201w", "'5201w' is not allowed; give a duration from 0s to 5200w"),
        (timedelta(days=-1), "'-1 day, 0:00:00' is not allowed; give a duration from 0s to 5200w"),
    ],
)  # fmt: skip
def test_what_is_no_duration_says_how_to_write_one(text: object, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        seconds(text)


@given(st.integers(0, LONGEST))
def test_a_written_duration_reads_back(duration: int) -> None:
    assert seconds(written(duration)) == duration


@given(st.integers(0, 1_000), st.sampled_from(sorted(SECONDS)))
def test_every_unit_is_so_many_seconds(number: int, unit: str) -> None:
    assert seconds(f"{number}{unit}") == number * SECONDS[unit]
    assert seconds(timedelta(seconds=number * SECONDS[unit])) == number * SECONDS[unit]


def test_a_duration_is_written_in_the_largest_unit_below_weeks_that_is_exact() -> None:
    assert [written(d) for d in (0, 45, 5_400, 3_600, DAY, WEEK, 2 * WEEK)] == [
        "0s",
        "45s",
        "90m",
        "1h",
        "1d",
        "7d",
        "14d",
    ]


def test_a_field_takes_nought_without_a_unit_and_is_kept_as_text_in_json() -> None:
    field = TypeAdapter(Duration)
    assert field.validate_python(0) == 0
    assert field.dump_python(field.validate_python("1w"), mode="json") == "7d"
    with pytest.raises(ValueError, match="False is not a duration"):
        field.validate_python(False)
