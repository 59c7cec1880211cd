"""The guarantees of canaries in small: the same rows as in the document, with fewer replays and fixed seeds."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.canaries.endings import CanaryTruth
from tests.guarantees.canary import (
    CANARIES,
    DRIFTS,
    PROMISED,
    errors,
    habits,
    harmless,
    measured,
    passes,
    power,
    section,
)
from tests.guarantees.canary_walking import agreement
from tests.guarantees.measuring import Share

REPLAYS, SEED = 1_000, 11


def test_the_harm_test_keeps_its_alpha_over_all_steps_and_checks_while_the_base_rate_drifts() -> None:
    rows = list(errors(REPLAYS, 0, SEED))
    assert len(rows) == len(CANARIES) * len(DRIFTS)
    together = Share(
        sum(row.share.count for row in rows), sum(row.share.replays for row in rows), rows[0].share.bound
    )
    assert together.kept
    assert together.value > 0.04  # and it is not conservative by much
    assert [row for row in rows if not row.share.kept] == []


def test_the_pooled_comparison_reads_the_drift_as_an_effect() -> None:
    rows = {(row.rule, row.truth): row.share for row in habits(300, SEED)}
    pooled = {truth: share for (rule, truth), share in rows.items() if "pooled" in rule}
    assert pooled["steady"].kept
    assert pooled["base rate doubles"].value > 0.95
    assert pooled["base rate halves"].value < 0.03  # the other way round it hides a harm
    assert not rows["a plain test at 5 % at every check", "steady"].kept


def test_a_candidate_at_its_margin_hardly_ever_passes() -> None:
    assert [row for row in passes(REPLAYS, SEED) if not row.share.kept] == []


def test_a_harmful_candidate_is_stopped_before_the_promised_number_of_users_has_met_it() -> None:
    rows = list(power(REPLAYS, SEED))
    assert [row for row in rows if not row.share.kept] == []
    assert PROMISED.design.written.power.stops_before == 4_500


def test_a_harmless_candidate_is_rolled_back_no_more_often_than_declared_and_mostly_passes() -> None:
    assert [row for row in harmless(REPLAYS, SEED) if not row.share.kept] == []


@pytest.mark.parametrize("name", ["failures, checks every 6 h", "revenue (higher is better)"])
def test_replays_judged_by_the_readouts_own_tests_agree_check_by_check(name: str) -> None:
    found = agreement(CANARIES[name].design, CanaryTruth(drift=0.5), 3, SEED)
    assert np.all(found >= 4)


@pytest.mark.slow
def test_all_rows_of_the_document_hold_with_more_replays() -> None:
    found = measured(4_000, 3, SEED)
    assert found.broken == []
    assert "| failures, checks every 6 h | base rate doubles | stopped as harmful |" in section(found)
