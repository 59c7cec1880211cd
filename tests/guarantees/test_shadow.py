"""The shadow gate's guarantees in small; docs/guarantees.md holds the full ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.guarantees.document import wrapped
from tests.guarantees.measuring import Share
from tests.guarantees.shadow import (
    POPULATIONS,
    RULES,
    TRUTHS,
    ShadowError,
    ShadowGate,
    crossed,
    errors,
    errors_while_sending,
    habits,
    power,
    shadow_gate,
)
from tests.guarantees.shadow_document import shadow_parts
from tests.guarantees.shadow_populations import drawn, drawn_by_day

DOCUMENT = Path(__file__).parents[2] / "docs" / "guarantees.md"


@pytest.mark.slow
def test_no_rule_of_the_gate_errs_more_often_than_it_may() -> None:
    # 1,000 shadows a row: standard error 0.007 at 5 %, of all rows of one level together 0.0013
    found = list(errors(1_000, walked=1, seed=5))
    assert [one.name for one in found if not one.share.kept] == []
    for nominal in (0.05, 0.025):
        rows = [one.share for one in found if one.nominal == nominal and "always" not in one.rule]
        assert Share(sum(one.count for one in rows), sum(one.replays for one in rows), 1.1 * nominal).kept


def test_the_package_judges_the_first_shadows_as_the_formulas_here_do() -> None:
    # errors() walks them through the package, and raises where one differs
    assert len(list(errors(3, walked=3, seed=6))) == len(POPULATIONS) * len(TRUTHS) * len(RULES)


@pytest.mark.slow
def test_users_who_still_send_are_no_more_often_wrongly_judged() -> None:
    # 600 shadows: standard error 0.009 at 5 %
    assert [one.name for one in errors_while_sending(6_000, seed=7) if not one.share.kept] == []


@pytest.mark.slow
def test_what_does_not_hold_is_seen_not_to() -> None:
    by_rule = {one.rule: one.share.value for one in habits(4_000, seed=8)}
    assert by_rule["exact McNemar by request"] > 0.3
    assert by_rule["anytime McNemar by request"] > 0.4
    assert by_rule["linearised by user, lan-demets-pocock"] > 0.07
    assert by_rule["clustered score, fixed"] > 0.04


@pytest.mark.slow
def test_the_users_planned_have_the_power() -> None:
    assert power(10_000, seed=9)[1].kept


def test_a_gate_that_takes_the_plain_critical_value_at_every_look_is_found_out() -> None:
    # five looks at 1.96 err in about 14 % (Armitage, McPherson & Rowe 1969)
    truth, rule = TRUTHS[0], RULES[2]
    shadows = drawn(POPULATIONS[0], 0.0, (600, 1_000), np.random.default_rng(10))
    ends = rule.ends()
    assert not Share(int(crossed(rule, truth.test, shadows).any(axis=1).sum()), 600, 0.02).kept
    totals, pairs = shadows.differences.cumsum(axis=1), shadows.discordant.cumsum(axis=1)
    plain = (np.abs(totals) > 1.96 * np.sqrt(pairs))[:, ends - 1].any(axis=1)
    assert plain.mean() == pytest.approx(0.14, abs=0.05)


@pytest.mark.parametrize("truth", TRUTHS, ids=["none", "margin"])
@pytest.mark.parametrize("users", POPULATIONS, ids=[one.words for one in POPULATIONS])
def test_the_difference_drawn_is_the_one_that_is_said(users, truth) -> None:
    shadows = drawn(users, truth.difference, (1, 200_000), np.random.default_rng(11))
    residuals = shadows.differences - truth.difference * shadows.pairs
    error = float(residuals.std()) * np.sqrt(200_000)
    assert abs(float(residuals.sum())) < 4 * error
    assert shadows.pairs.max() <= 500


def test_a_user_s_requests_come_after_its_first_day_and_all_by_the_last() -> None:
    days = drawn_by_day(POPULATIONS[3], 0.0, 500, 28, np.random.default_rng(12))
    pairs = np.array([day.pairs for day in days])
    assert (np.diff(pairs, axis=0) >= 0).all()
    assert (pairs[-1] >= 1).all()
    assert (pairs[0] == 0).any()


def test_the_document_s_sections_hold_every_row_and_name_what_is_broken() -> None:
    one = errors(2, walked=0, seed=13)
    bad = ShadowError("fixed", "100 %", "users", "truth", 0.05, Share(90, 1_000, 0.055))
    gate = ShadowGate((*one, bad), (), (), 12, Share(700, 1_000, 0.8, at_least=True))
    text = "".join(shadow_parts(gate))
    assert text.count("| fixed |") == len(POPULATIONS) * len(TRUTHS) + 1
    assert "**no**" in text
    assert [broken.rule for broken in gate.broken if broken.rule != "fixed"][-1] == "power"
    assert bad in gate.broken


def test_the_document_has_the_rows_that_are_measured_now() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    names = {
        "|".join(cell.strip() for cell in row.split("|")[1:5])
        for row in text.splitlines()
        if row.startswith("|")
    }
    for users in POPULATIONS:
        for truth in TRUTHS:
            for rule in RULES:
                assert "|".join((rule.name, rule.words, users.words, truth.words)) in names
    empty = ShadowGate((), (), (), 0, Share(1, 1, 0.8, at_least=True))
    for part in shadow_parts(empty):
        heading, about = part.split("\n\n")[:2]
        assert heading in text
        assert wrapped(about) in text


@pytest.mark.slow
def test_the_whole_gate_keeps_its_promises() -> None:
    assert shadow_gate(600, 1, seed=14).broken == ()
