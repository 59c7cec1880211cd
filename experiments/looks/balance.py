"""Balance before exposure: the declared covariates of each treatment arm against control, which random assignment makes alike."""

from __future__ import annotations

from analysis.balance import balance_of
from analysis.multiplicity import adjust
from experiments.cohorts.history import Covariate, covariates_by_arm, declared_covariates
from experiments.cohorts.reading import Reading
from experiments.designs.design import Design
from experiments.readouts.readout import Check, Part

NAME = "Pre-period balance"


class CovariateBalance(Part):
    """One covariate, one treatment arm against control.

    Attributes:
        standardised_difference: in pooled standard deviations; positive where the arm lies above control.
        not_computed: why it and p are missing, else None.
    """

    covariate: str
    arm: str
    control_units: int
    arm_units: int
    standardised_difference: float | None
    p_value: float | None
    not_computed: str | None


def pre_period_balance(
    design: Design, reading: Reading
) -> tuple[tuple[CovariateBalance, ...], tuple[Check, ...]]:
    """Every declared covariate by arm, and the check over all of them; nothing where none is declared."""
    if not declared_covariates(design):
        return (), ()
    alpha = design.written.validity.alpha
    rule = f"Holm over covariates and arms, α {alpha:g}; a warning, since it is not sequential"
    found = covariates_by_arm(design, reading)
    if isinstance(found, str):
        return (), (Check(name=NAME, result="not applicable", detail=found, rule=rule, blocking=False),)
    rows = tuple(_row(design, covariate, arm) for covariate in found for arm in range(1, len(design.arms)))
    named = {f"{row.covariate} in {row.arm}": row.p_value for row in rows}
    off = [*adjust(named, method="holm", alpha=alpha).rejected, *_constant_and_unlike(design, found)]
    return rows, (
        Check(
            name=NAME,
            result="warn" if off else "pass",
            detail=f"off: {', '.join(off)}" if off else _alike(rows),
            rule=rule,
            p_value=min((row.p_value for row in rows if row.p_value is not None), default=None),
            blocking=False,
        ),
    )


def _row(design: Design, covariate: Covariate, arm: int) -> CovariateBalance:
    balance = balance_of(covariate.arms[0], covariate.arms[arm])
    return CovariateBalance(
        covariate=covariate.name,
        arm=design.arms[arm].name,
        control_units=balance.control,
        arm_units=balance.treatment,
        standardised_difference=balance.standardised_difference,
        p_value=balance.p_value,
        not_computed=balance.not_computed,
    )


def _constant_and_unlike(design: Design, found: tuple[Covariate, ...]) -> list[str]:
    """Arms in which every unit has one value, and control another: no test is needed to see that."""
    return [
        f"{covariate.name} in {design.arms[arm].name}"
        for covariate in found
        for arm in range(1, len(design.arms))
        if covariate.arms[0].n and covariate.arms[arm].n
        if covariate.arms[0].m2 == covariate.arms[arm].m2 == 0
        if covariate.arms[0].mean != covariate.arms[arm].mean
    ]


def _alike(rows: tuple[CovariateBalance, ...]) -> str:
    known = [abs(row.standardised_difference) for row in rows if row.standardised_difference is not None]
    if not known:
        return "no covariate could be compared yet"
    return f"largest standardised difference {max(known):.3f} of {len(rows)} compared, none off"
