import math

import numpy as np
import pytest
from scipy import stats

from analysis.checkpoints import ArmCheckpoints, checkpoint_effects, checkpoint_problems, looks_due


def _arm(units, values=None):
    """Checkpoints of one stream of values, at these numbers of units."""
    x = np.random.default_rng(1).normal(5, 2, max(units)) if values is None else values
    return ArmCheckpoints(
        tuple(units),
        tuple(float(x[:n].mean()) if n else 0.0 for n in units),
        tuple(float(x[:n].var(ddof=1)) if n > 1 else math.nan for n in units),
    )


def test_the_effect_at_a_checkpoint_is_welchs_test_of_the_units_so_far():
    chance = np.random.default_rng(2)
    x, y = chance.normal(5, 2, 300), chance.normal(5.3, 3, 280)
    found = checkpoint_effects(_arm([50, 120, 300], x), _arm([40, 130, 280], y))
    for one, n_x, n_y in zip(found, (50, 120, 300), (40, 130, 280), strict=True):
        expected = stats.ttest_ind(y[:n_y], x[:n_x], equal_var=False)
        assert one.effect.p_value == pytest.approx(expected.pvalue, rel=1e-9)
        assert one.information == pytest.approx(n_x * n_y / (n_x + n_y))


def test_arms_that_only_grow_have_no_problems():
    assert checkpoint_problems(_arm([0, 1, 5, 5, 9]), _arm([1, 1, 2, 8, 8])) == ()


@pytest.mark.parametrize(
    ("arm", "problem"),
    [
        (
            ArmCheckpoints((10, 8, 12, 11), (1.0,) * 4, (1.0,) * 4),
            "control: units fall from 10 to 8 at checkpoint 2, 4; a cohort only grows, so rows were removed or "
            "the source changed",
        ),
        (
            ArmCheckpoints((10,) * 4, (1.0,) * 4, (1.0, math.nan, math.nan, 1.0)),
            "control: no variance at checkpoint 2, 3",
        ),
        (
            ArmCheckpoints((1, 2, 3, 4), (1.0,) * 4, (math.nan,) * 4),
            "control: no variance at checkpoint 2, 3, 4",
        ),
        (
            ArmCheckpoints((2,) * 4, (math.nan,) * 4, (1.0,) * 4),
            "control: no mean at checkpoint 1, 2, 3 and 1 more",
        ),
        (
            ArmCheckpoints((2,) * 4, (1.0,) * 4, (1.0, -1.0, 1.0, 1.0)),
            "control: a variance below 0 at checkpoint 2",
        ),
        (ArmCheckpoints((-1, 2, 3, 4), (1.0,) * 4, (1.0,) * 4), "control: units below 0 at checkpoint 1"),
    ],
)
def test_what_cannot_be_a_growing_arm_is_named(arm, problem):
    whole = ArmCheckpoints((4, 5, 6, 7), (1.0,) * 4, (1.0,) * 4)
    assert checkpoint_problems(arm, whole) == (problem,)
    assert checkpoint_problems(whole, arm) == (problem.replace("control", "treatment", 1),)
    with pytest.raises(ValueError, match=problem[:20]):
        checkpoint_effects(arm, whole)


def test_all_problems_of_both_arms_are_named_at_once():
    arm = ArmCheckpoints((10, 8), (1.0, math.nan), (1.0, math.nan))
    found = checkpoint_problems(arm, arm)
    assert [problem.split()[0:2] for problem in found] == [
        [f"{name}:", word] for name in ("control", "treatment") for word in ("units", "no", "no")
    ]


@pytest.mark.parametrize(
    "treatment", [ArmCheckpoints((1, 2), (1.0, 1.0), (1.0, 1.0)), ArmCheckpoints((), (), ())]
)
def test_arms_of_different_lengths_are_refused(treatment):
    control = ArmCheckpoints((1, 2, 3), (1.0,) * 3, (1.0,) * 3)
    assert "at every checkpoint" in checkpoint_problems(control, treatment)[0]


def test_a_look_falls_due_at_the_first_checkpoint_that_reaches_its_share():
    units = [0, 1, 5, 5, 9, 12, 12, 20]  # 20 in each arm are an information of 10
    effects = checkpoint_effects(_arm(units), _arm(units))
    assert [one.checkpoint for one in looks_due(effects, 10, 4)] == [3, 6, 8]
    assert [one.checkpoint for one in looks_due(effects, 10, 2)] == [6, 8]
    assert [one.checkpoint for one in looks_due(effects, 10, 1)] == [8]
    assert [one.checkpoint for one in looks_due(effects, 10, 1000)] == [3, 5, 6, 8]
    assert [one.checkpoint for one in looks_due(effects, 20, 4)] == [6, 8]


def test_no_look_falls_due_after_the_last():
    units = [5, 10, 12, 15]
    effects = checkpoint_effects(_arm(units), _arm(units))
    assert [one.checkpoint for one in looks_due(effects, 5, 2)] == [1, 2]


@pytest.mark.parametrize(
    ("planned", "looks", "message"),
    [
        (0, 3, "planned_information: 0 is not allowed"),
        (math.nan, 3, "planned_information: nan"),
        (5, 0, "looks: 0"),
    ],
)
def test_a_rule_without_looks_is_refused(planned, looks, message):
    with pytest.raises(ValueError, match=message):
        looks_due((), planned, looks)
