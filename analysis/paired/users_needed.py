"""How many users a paired comparison needs where each has several requests, and what given users can detect."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from scipy.special import ndtri

from analysis.paired.power import PairedPowerMethod, PairedSampleSize, sample_size_paired
from analysis.paired.user_moments import ClusterMoments
from analysis.power.plan import design_effect, refuse


@dataclass(frozen=True, slots=True)
class UsersNeeded:
    """Users and pairs for a paired comparison by user.

    Attributes:
        users: pairs over pairs per user, rounded up.
        design_effect: how many pairs weigh as one independent pair.
        pairs: the pairs needed, with everything they were derived from.
    """

    users: int
    pairs_per_user: float
    design_effect: float
    pairs: PairedSampleSize


@dataclass(frozen=True, slots=True)
class ClusteredDetectable:
    """The smallest true difference per pair that a comparison by user would have detected with the power."""

    difference: float | None
    users: int
    alpha: float
    power: float
    sides: int
    not_computed: str | None = None


def users_needed(
    discordant: float,
    difference: float = 0.0,
    *,
    pairs_per_user: float,
    pairs_cv: float = 0.0,
    correlation: float,
    alpha: float | None = None,
    power: float = 0.8,
    sides: int | None = None,
    method: PairedPowerMethod = "connor",
    margin: float | None = None,
    direction: Literal["higher", "lower"] = "higher",
    inflation: float = 1.0,
) -> UsersNeeded:
    """Users for a paired test of a difference, or of non-inferiority when a margin is given.

    The pairs of :func:`sample_size_paired` times the design effect 1 + ((1 + CV²)·m − 1)·ρ of
    :func:`analysis.power.plan.design_effect`, with ρ the correlation of two pair differences of one user.

    Args:
        pairs_per_user: mean number of mature pairs of a user, at least 1.
        pairs_cv: its standard deviation over its mean; 0 if all have as many.
        correlation: ρ, from 0 (a user's pairs are independent) to 1 (each user has one side).
        alpha, sides, power, method, margin, direction, inflation: see :func:`sample_size_paired`.

    Raises:
        ValueError: naming every parameter that is not allowed.
    """
    effect = design_effect(pairs_per_user, correlation, pairs_cv)
    pairs = sample_size_paired(
        discordant,
        difference,
        alpha=alpha,
        power=power,
        sides=sides,
        method=method,
        margin=margin,
        direction=direction,
        design_effect=effect,
        inflation=inflation,
    )
    return UsersNeeded(math.ceil(pairs.pairs / pairs_per_user), pairs_per_user, effect, pairs)


def observed_design_effect(moments: ClusterMoments, pair_variance: float) -> float | None:
    """Variance of the difference by user over that of as many independent pairs; None where not defined.

    Args:
        moments: per-user sums.
        pair_variance: of one pair's difference: for right and wrong (b + c)/n − ((b − c)/n)².
    """
    if not (pair_variance >= 0 and math.isfinite(pair_variance)):
        raise ValueError(f"pair_variance: {pair_variance} is not allowed; give the variance of one pair, ≥ 0")
    error = moments.standard_error
    if error is None or pair_variance == 0:
        return None
    return error**2 * moments.users * moments.pairs_mean / pair_variance


def detectable_clustered_difference(
    moments: ClusterMoments, *, alpha: float = 0.05, power: float = 0.8, sides: int = 2
) -> ClusteredDetectable:
    """(z_α + z_β) standard errors by user: the MDE at the users and the spread that were found.

    It speaks of the precision reached, not of the effect: the observed difference does not enter.
    """
    problems = []
    if not 0 < alpha < 0.5:
        problems.append(f"alpha: {alpha} is not allowed; give a level between 0 and 0.5, for example 0.05")
    if not 0.5 <= power < 1:
        problems.append(f"power: {power} is not allowed; give at least 0.5 and below 1, for example 0.8")
    if sides not in (1, 2):
        problems.append(f"sides: {sides} is not allowed; give 1 or 2")
    refuse(problems)
    error = moments.standard_error
    if not error:
        why = (
            f"fewer than 2 users (found {moments.users})"
            if error is None
            else "the difference per pair is the same for every user"
        )
        return ClusteredDetectable(None, moments.users, alpha, power, sides, why)
    reach = float(ndtri(power) - ndtri(alpha / sides))
    return ClusteredDetectable(reach * error, moments.users, alpha, power, sides)
