"""The hash as SQL, for engines that read the logs, and the audit of a log against it.

Thirteen hexadecimal digits of fixed width and one case sort as text exactly as their numbers do. Comparing
text needs no hex-to-integer conversion, the one step DuckDB and Spark spell differently.
"""

from typing import Literal, TypeAlias, get_args

from sqlglot import exp

from experiments.assignment.hashing import POSITIONS, Assignment, Layer, Range, unit_text

AuditResult: TypeAlias = Literal["agrees", "disagrees", "outside_layer", "no_unit"]
AUDIT_RESULTS: tuple[AuditResult, ...] = get_args(AuditResult)


def arm_sql(unit_column: exp.Expression, assignment: Assignment) -> exp.Expression:
    """Return an expression for the unit's arm by the hash.

    NULL where the unit is outside the layer, and where the unit is NULL or empty (the logs' contract checks
    refuse such rows; SQL has no way to raise that is the same in DuckDB and Spark).
    """
    cases = exp.Case().when(lacks_unit(unit_column), exp.null())
    if assignment.layer is not None:
        cases = cases.when(exp.not_(exp.paren(in_layer_sql(unit_column, assignment.layer))), exp.null())
    *others, last = zip(assignment.names, assignment.ranges, strict=True)
    digits = hash_sql(unit_column, assignment.salt)
    for arm, owned in others:
        cases = cases.when(
            exp.LT(this=digits.copy(), expression=hex_text(owned.high)), exp.Literal.string(arm)
        )
    return cases.else_(exp.Literal.string(last[0]))


def audit_sql(
    unit_column: exp.Expression, arm_column: exp.Expression, assignment: Assignment
) -> exp.Expression:
    """Return an expression that says, for a row of an assignments log, how it stands to the hash.

    One of :data:`AUDIT_RESULTS`, never NULL. A NULL arm, and an arm the design does not name, disagree.
    """
    cases = exp.Case().when(lacks_unit(unit_column), result("no_unit"))
    if assignment.layer is not None:
        outside = exp.not_(exp.paren(in_layer_sql(unit_column, assignment.layer)))
        cases = cases.when(outside, result("outside_layer"))
    agrees = exp.EQ(this=arm_column.copy(), expression=arm_sql(unit_column, within_layer(assignment)))
    return cases.when(agrees, result("agrees")).else_(result("disagrees"))


def audit(unit: object, arm: str | None, assignment: Assignment) -> AuditResult:
    """Return what :func:`audit_sql` says of one row."""
    try:
        unit_text(unit)
    except ValueError:
        return "no_unit"
    expected = assignment.arm_of(unit)  # type: ignore[arg-type]
    if expected is None:
        return "outside_layer"
    return "agrees" if arm == expected else "disagrees"


def in_layer_sql(unit_column: exp.Expression, layer: Layer) -> exp.Expression:
    """Return a condition: the unit is in these slots of the layer. NULL for a NULL unit."""
    return within(hash_sql(unit_column, layer.salt), layer.range)


def hash_sql(unit_column: exp.Expression, salt: str) -> exp.Expression:
    """Return an expression for the unit's position under a salt, as 13 lower-case hexadecimal digits.

    The column is text or an integer. NULL for a NULL unit.
    """
    text = exp.cast(unit_column.copy(), exp.DataType.Type.TEXT)
    salted = exp.DPipe(this=exp.Literal.string(f"{salt}:"), expression=text)
    digest = exp.SHA2(this=salted, length=exp.Literal.number(256))
    return exp.Substring(this=digest, start=exp.Literal.number(1), length=exp.Literal.number(13))


def within(digits: exp.Expression, owned: Range) -> exp.Expression:
    above = exp.GTE(this=digits, expression=hex_text(owned.low))
    if owned.high == POSITIONS:  # 2^52 has a fourteenth digit and does not sort as text
        return above
    below = exp.LT(this=digits.copy(), expression=hex_text(owned.high))
    return exp.And(this=above, expression=below)


def hex_text(place: int) -> exp.Expression:
    return exp.Literal.string(f"{place:013x}")


def lacks_unit(unit_column: exp.Expression) -> exp.Expression:
    text = exp.cast(unit_column.copy(), exp.DataType.Type.TEXT)
    empty = exp.EQ(this=text, expression=exp.Literal.string(""))
    return exp.Or(this=exp.Is(this=unit_column.copy(), expression=exp.null()), expression=empty)


def within_layer(assignment: Assignment) -> Assignment:
    return Assignment(assignment.salt, assignment.arms)


def result(word: AuditResult) -> exp.Expression:
    return exp.Literal.string(word)
