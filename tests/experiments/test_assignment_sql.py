"""The SQL of the hash says what the Python says, unit by unit."""

import random
from fractions import Fraction

import duckdb
import pytest
import sqlglot
from sqlglot import exp

from experiments.assignment import (
    AUDIT_RESULTS,
    Assignment,
    Layer,
    arm_sql,
    audit,
    audit_sql,
    hash_sql,
    in_layer_sql,
    position,
)

UNIT = exp.column("unit", quoted=True)
ARM = exp.column("arm", quoted=True)

ASSIGNMENTS = [
    Assignment("ranker-2026", (("control", "0.5"), ("treatment", "0.5"))),
    Assignment(
        "größe", (("control", "0.34"), ("small", "0.33"), ("large", "0.33")), Layer("suche ü", 0, "0.25")
    ),
    Assignment("o'brien \\n", (("it's", "0.999"), ("b", "0.001")), Layer("a'b", "1/3", "2/3")),
    Assignment("a:b", (("control", "0.01"), ("treatment", "0.99")), Layer("top", "0.9", 1)),
]


def strange_ids(n: int) -> list[str]:
    """Ids of every script, with quotes, spaces, control characters and combining marks."""
    chance = random.Random(20261103)
    alphabets = [
        range(32, 127),
        range(0xA0, 0x600),
        range(0x3040, 0x9FFF),
        range(0x1F300, 0x1F6FF),
        range(1, 32),
    ]
    return [
        "".join(chr(chance.choice(alphabets[chance.randrange(5)])) for _ in range(chance.randint(1, 24)))
        for _ in range(n)
    ]


def answers(expression: exp.Expression, units: list[str] | list[int], kind: str = "VARCHAR") -> list[object]:
    connection = duckdb.connect()
    connection.execute(f"CREATE TABLE log (number INTEGER, unit {kind})")
    connection.execute("INSERT INTO log SELECT unnest(range(len($units))), unnest($units)", {"units": units})
    rows = connection.execute(f"SELECT {expression.sql('duckdb')} FROM log ORDER BY number").fetchall()
    return [row[0] for row in rows]


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_duckdb_and_python_agree_on_thousands_of_ids_in_every_script(assignment: Assignment) -> None:
    units = [*strange_ids(3_000), *(f"user-{i}" for i in range(3_000))]
    assert answers(arm_sql(UNIT, assignment), units) == assignment.arms_of(units)
    digits = [f"{position(assignment.salt, unit):013x}" for unit in units]
    assert answers(hash_sql(UNIT, assignment.salt), units) == digits


def test_duckdb_and_python_agree_on_integer_ids() -> None:
    chance = random.Random(1)
    units = [
        0,
        -1,
        2**53 + 1,
        2**63 - 1,
        -(2**63),
        *(chance.randrange(-(2**63), 2**63) for _ in range(3_000)),
    ]
    for assignment in ASSIGNMENTS:
        assert answers(arm_sql(UNIT, assignment), units, "BIGINT") == assignment.arms_of(units)


@pytest.mark.parametrize(
    "layer", [Layer("l", 0, "0.3"), Layer("l", "0.3", "0.9"), Layer("l", "0.9", 1), Layer("l", 0, 1)]
)
def test_the_layers_condition_agrees_with_python(layer: Layer) -> None:
    units = [f"user-{i}" for i in range(2_000)]
    assert answers(in_layer_sql(UNIT, layer), units) == [layer.holds(unit) for unit in units]


def test_a_boundary_belongs_to_the_arm_above_it() -> None:
    """A position equal to a boundary is rare, so one is made: the share is the unit's own position."""
    edge = position("s", "user-1")
    at = Assignment("s", (("control", Fraction(edge, 2**52)), ("treatment", 1 - Fraction(edge, 2**52))))
    above = Assignment(
        "s", (("control", Fraction(edge + 1, 2**52)), ("treatment", 1 - Fraction(edge + 1, 2**52)))
    )
    assert at.arm_of("user-1") == "treatment"
    assert above.arm_of("user-1") == "control"
    assert at.arms_of(["user-1"]) == answers(arm_sql(UNIT, at), ["user-1"]) == ["treatment"]
    assert above.arms_of(["user-1"]) == answers(arm_sql(UNIT, above), ["user-1"]) == ["control"]


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_the_audit_says_of_each_row_what_python_says(assignment: Assignment) -> None:
    logged: list[tuple[int, str | None, str | None]] = []
    for i in range(2_000):
        right = assignment.arm_of(f"user-{i}")
        logged.append((i, f"user-{i}", [right, "stranger", None, assignment.control][i % 4]))
    logged += [(2_000, None, "control"), (2_001, "", "control"), (2_002, None, None)]
    connection = duckdb.connect()
    connection.execute("CREATE TABLE log (number INTEGER, unit VARCHAR, arm VARCHAR)")
    connection.executemany("INSERT INTO log VALUES (?, ?, ?)", logged)
    query = f"SELECT {audit_sql(UNIT, ARM, assignment).sql('duckdb')} FROM log ORDER BY number"
    seen = [row[0] for row in connection.execute(query).fetchall()]
    assert seen == [audit(unit, arm, assignment) for _, unit, arm in logged]
    expected = set(AUDIT_RESULTS) if assignment.layer else set(AUDIT_RESULTS) - {"outside_layer"}
    assert set(seen) == expected


def test_a_missing_unit_has_no_arm_in_sql() -> None:
    connection = duckdb.connect()
    for assignment in ASSIGNMENTS:
        query = f"SELECT {arm_sql(UNIT, assignment).sql('duckdb')} FROM (VALUES (NULL), ('')) log(unit)"
        assert connection.execute(query).fetchall() == [(None,), (None,)]


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_the_spark_form_is_the_same_tree_and_uses_only_functions_spark_has(assignment: Assignment) -> None:
    expression = audit_sql(UNIT, ARM, assignment)
    functions = {type(node).__name__ for node in expression.walk() if isinstance(node, exp.Func)}
    assert functions <= {"Case", "If", "Cast", "SHA2", "Substring", "And", "Or"}
    # Read back, Spark's CAST becomes TRY_CAST: to text the two are one.
    back = sqlglot.parse_one(expression.sql("spark"), read="spark").sql("duckdb")
    assert back.replace("TRY_CAST", "CAST") == expression.sql("duckdb")


def test_the_columns_given_are_not_changed() -> None:
    column = exp.column("id", table="log", quoted=True)
    audit_sql(column, ARM, ASSIGNMENTS[1])
    assert column.parent is None
    assert column.sql("duckdb") == '"log"."id"'
