"""The ASOS Digital Experiments Dataset (Liu, Cardoso, Couturier & McCoy 2021, NeurIPS; CC-BY-4.0): 99 streams of checkpoints.

Only cumulative counts, means and variances are published, no plans. What a design would have declared is taken from the
stream's own ends: the planned information and units are those of the last checkpoint.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cache

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.anytime import RunningSequence, SequencePlan, difference_sequence
from analysis.checkpoints import ArmCheckpoints, checkpoint_effects, checkpoint_problems, looks_due
from analysis.sequential import boundaries_at, group_sequential_design
from tests.experiments.laboratory import real_data

ALPHA = 0.05
LEAST_BURN_IN = 100


@cache
def checkpoints() -> pd.DataFrame:
    return pd.read_parquet(real_data("asos_checkpoints.parquet")).sort_values("time_since_start")


def streams(metric: int) -> Iterator[tuple[str, ArmCheckpoints, ArmCheckpoints]]:
    of_metric = checkpoints()[checkpoints().metric_id == metric]
    for (experiment, variant), stream in of_metric.groupby(["experiment_id", "variant_id"]):
        control, treatment = (
            ArmCheckpoints(
                tuple(int(n) for n in stream[f"count_{arm}"]),
                tuple(stream[f"mean_{arm}"]),
                tuple(stream[f"variance_{arm}"]),
            )
            for arm in "ct"
        )
        yield f"{experiment} {variant}", control, treatment


def naive_p_values(stream: pd.DataFrame) -> np.ndarray:
    """Welch's p at every checkpoint, by scipy."""
    rows = stream[(stream.count_c > 1) & (stream.count_t > 1)]
    arms = (
        (
            rows[f"mean_{arm}"].to_numpy(),
            np.sqrt(rows[f"variance_{arm}"].to_numpy()),
            rows[f"count_{arm}"].to_numpy(),
        )
        for arm in "ct"
    )
    return np.asarray(stats.ttest_ind_from_stats(*next(arms), *next(arms), equal_var=False).pvalue)


def test_naive_looking_at_every_checkpoint_calls_46_of_99_streams_and_the_end_26() -> None:
    """The two numbers known of the data set, by scipy alone."""
    of_metric = checkpoints()[checkpoints().metric_id == 1]
    p_values = [naive_p_values(stream) for _, stream in of_metric.groupby(["experiment_id", "variant_id"])]
    assert len(p_values) == 99
    assert sum(p[-1] < ALPHA for p in p_values) == 26
    assert sum(p.min() < ALPHA for p in p_values) == 46


def test_streams_with_shrinking_counts_are_refused_with_the_reason() -> None:
    refused = {
        name: problems
        for name, control, treatment in streams(1)
        if (problems := checkpoint_problems(control, treatment))
    }
    ending = "; a cohort only grows, so rows were removed or the source changed"
    assert refused == {
        "4db6c7 2": (f"treatment: units fall from 636737 to 633555 at checkpoint 26{ending}",),
        "b3280a 1": (f"treatment: units fall from 2934009 to 2928493 at checkpoint 40{ending}",),
    }


@pytest.mark.parametrize(("metric", "without_variance"), [(1, 0), (2, 11), (3, 11), (4, 12)])
def test_streams_with_missing_variances_are_refused_with_the_reason(
    metric: int, without_variance: int
) -> None:
    reasons = Counter(
        reason
        for _, control, treatment in streams(metric)
        for reason in {
            problem.split(": ")[1].split(" at ")[0].split(" from ")[0]
            for problem in checkpoint_problems(control, treatment)
        }
    )
    assert reasons["no variance"] == without_variance
    assert reasons["units fall"] == 2
    assert set(reasons) <= {"no variance", "units fall"}


def by_rule(control: ArmCheckpoints, treatment: ArmCheckpoints) -> dict[str, bool]:
    """Whether a stream is called significant, by rule."""
    effects = checkpoint_effects(control, treatment, alpha=ALPHA)
    units = [sum(pair) for pair in zip(control.units, treatment.units, strict=True)]
    found = {
        "one look at the end": bool(effects[-1].effect.rejects_null),
        "every checkpoint at 0.05": any(bool(one.effect.rejects_null) for one in effects),
    }
    for most in (5, 10, 50):
        looks = looks_due(effects, effects[-1].information, most)
        fractions = [one.information / looks[-1].information for one in looks]
        design = group_sequential_design("lan-demets-obf", alpha=ALPHA, sides=2, information=fractions)
        critical = boundaries_at(design, fractions).critical
        found[f"group-sequential, up to {most} looks"] = any(
            abs(look.effect.z or 0) >= limit for look, limit in zip(looks, critical, strict=True)
        )
    plan = SequencePlan(alpha=ALPHA, planned_n=units[-1], burn_in=max(units[0], LEAST_BURN_IN))
    running = RunningSequence()
    for one, n in zip(effects, units, strict=True):
        if one.effect.estimate is not None and one.effect.standard_error is not None:
            squared = one.effect.standard_error**2
            running = running.updated(difference_sequence(plan, one.effect.estimate, squared, n))
    found["always-valid at every checkpoint"] = running.p_value < ALPHA
    return found


def test_declared_rules_call_fewer_streams_than_naive_looking() -> None:
    """Of the 97 streams that are not refused; the two refused ones are among the 46 (one of them among the 26)."""
    called: Counter[str] = Counter()
    for _, control, treatment in streams(1):
        if not checkpoint_problems(control, treatment):
            called.update(rule for rule, significant in by_rule(control, treatment).items() if significant)
            called["assessed"] += 1
    assert called == {
        "assessed": 97,
        "every checkpoint at 0.05": 44,
        "one look at the end": 25,
        "group-sequential, up to 5 looks": 25,
        "group-sequential, up to 10 looks": 25,
        "group-sequential, up to 50 looks": 28,
        "always-valid at every checkpoint": 20,
    }
