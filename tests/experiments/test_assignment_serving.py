"""What is served in each state of an experiment."""

from itertools import product
from typing import get_args

import pytest

from experiments.assignment import (
    DECISIONS,
    STATES,
    Assignment,
    Decided,
    Layer,
    NotRegisteredError,
    Served,
    serve,
)
from experiments.assignment.serving import Choice, State

EVERYBODY = Assignment("s", (("control", "0.5"), ("small", "0.25"), ("large", "0.25")))
IN_A_LAYER = Assignment("s", EVERYBODY.arms, Layer("search", 0, "0.5"))
UNITS = [f"user-{i}" for i in range(50)]
OUTSIDE = next(unit for unit in UNITS if IN_A_LAYER.arm_of(unit) is None)
CHOICES = [
    None,
    *(Decided(choice, arm) for choice in DECISIONS for arm in (None, "control", "small", "large", "x")),
]


@pytest.mark.parametrize("assignment", [EVERYBODY, IN_A_LAYER])
def test_every_state_and_decision_gives_one_answer_or_one_refusal(assignment: Assignment) -> None:
    answers = refusals = 0
    for state, decision, unit in product(STATES, CHOICES, UNITS[:5]):
        try:
            served = serve(state, decision, assignment, unit)
        except ValueError:
            refusals += 1
            continue
        answers += 1
        assert served.reason.endswith(".")
        assert served.arm in (None, *assignment.names)
        assert served.in_experiment == (state in ("registered", "running") and served.arm is not None)
        treated_by_decision = decision is not None and decision.choice == "ship"
        if state not in ("registered", "running") and not treated_by_decision:
            assert served.arm == assignment.control
    assert answers + refusals == len(STATES) * len(CHOICES) * 5
    # Answered: 7 states without a decision, and decided with ship of either treatment or one of three others.
    assert answers == (7 + 2 + 3) * 5


@pytest.mark.parametrize("state", ["registered", "running"])
def test_a_live_experiment_serves_the_arm_of_the_hash(state: State) -> None:
    for unit in UNITS:
        served = serve(state, None, EVERYBODY, unit)
        assert (served.arm, served.in_experiment) == (EVERYBODY.arm_of(unit), True)


def test_a_unit_outside_the_layer_gets_no_arm_and_is_told_the_control_experience() -> None:
    served = serve("running", None, IN_A_LAYER, OUTSIDE)
    assert served == Served(
        None, False, "The unit is outside the experiment's part of its layer: give it the control experience."
    )


@pytest.mark.parametrize("state", ["stopped", "mature", "readout", "abandoned", "invalid"])
@pytest.mark.parametrize("unit", [*UNITS[:10], OUTSIDE])
def test_after_its_end_an_experiment_serves_control_at_once(state: State, unit: str) -> None:
    served = serve(state, None, IN_A_LAYER, unit)
    assert (served.arm, served.in_experiment) == ("control", False)
    assert state in served.reason or "stopped" in served.reason


@pytest.mark.parametrize("unit", [*UNITS[:10], OUTSIDE])
def test_a_shipped_arm_is_served_to_everybody_even_outside_the_layer(unit: str) -> None:
    served = serve("decided", Decided("ship", "large"), IN_A_LAYER, unit)
    assert (served.arm, served.in_experiment) == ("large", False)


@pytest.mark.parametrize("choice", ["do_not_ship", "repeat", "defer"])
def test_any_other_decision_serves_control(choice: Choice) -> None:
    served = serve("decided", Decided(choice), EVERYBODY, "user-1")
    assert (served.arm, served.in_experiment) == ("control", False)


@pytest.mark.parametrize("state", ["draft", "in_review"])
def test_nothing_is_served_before_registration(state: State) -> None:
    with pytest.raises(NotRegisteredError, match="registered it"):
        serve(state, None, EVERYBODY, "user-1")


@pytest.mark.parametrize(
    ("state", "decision", "message"),
    [
        ("paused", None, "state: 'paused' is not known; give one of draft, in_review"),
        ("decided", None, "a decided experiment needs its decision"),
        ("running", Decided("ship", "small"), "an experiment that is running has none"),
        ("decided", Decided("ship"), "None cannot ship; give one of the treatments: small, large"),
        ("decided", Decided("ship", "control"), "'control' cannot ship"),
        ("decided", Decided("defer", "small"), "ships nothing with 'defer'"),
        ("decided", Decided("shipped", "small"), "decision.choice: 'shipped' is not known"),  # type: ignore[arg-type]
    ],
)
def test_a_state_and_decision_that_contradict_each_other_are_refused(
    state: State, decision: Decided | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        serve(state, decision, EVERYBODY, "user-1")


@pytest.mark.parametrize("state", get_args(State))
def test_a_bad_unit_is_refused_in_every_state(state: State) -> None:
    decision = Decided("defer") if state == "decided" else None
    with pytest.raises(ValueError, match="unit: '' is not allowed"):
        serve(state, decision, EVERYBODY, "")
