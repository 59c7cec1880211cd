"""The paired comparison in each declared segment: a subgroup can collapse while the headline holds."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from scipy.optimize import minimize_scalar
from scipy.stats import chi2
from statsmodels.stats.multitest import multipletests

from analysis.paired.difference import (
    IntervalMethod,
    PairedDifference,
    PairedNonInferiority,
    paired_difference,
    paired_noninferiority,
    tango_z,
)
from analysis.paired.mcnemar import McNemar, McNemarMethod, mcnemar
from analysis.paired.table import PairedTable

Weights = Literal["score", "wald"]


@dataclass(frozen=True, slots=True)
class Heterogeneity:
    """Chi-squared test that every segment has the same difference."""

    weights: Weights
    segments: int  # that could be used
    common_difference: float | None
    statistic: float | None
    df: int | None
    p_value: float | None
    not_computed: str | None = None


@dataclass(frozen=True, slots=True)
class Segment:
    """One level of a declared attribute."""

    name: str
    difference: PairedDifference
    test: McNemar
    adjusted_p: float | None  # Holm, over all the segments declared, empty ones included
    noninferiority: PairedNonInferiority | None  # where a margin was given


@dataclass(frozen=True, slots=True)
class SegmentAnalysis:
    segments: tuple[Segment, ...]
    heterogeneity: Heterogeneity

    @property
    def all_within_margin(self) -> bool:
        """Whether every segment has ruled the margin out; an empty segment, or no margin, never has.

        Each segment is tested at the whole alpha: all of them have to pass, so that the chance of a wrong
        pass of the whole is no more than alpha (intersection-union, Berger 1982).
        """
        return bool(self.segments) and all(
            s.noninferiority is not None and s.noninferiority.ruled_out for s in self.segments
        )


def segment_analysis(
    tables: Mapping[str, PairedTable],
    *,
    interval: IntervalMethod = "tango",
    level: float = 0.95,
    test: McNemarMethod = "exact",
    weights: Weights = "score",
    margin: float | None = None,
    alpha: float = 0.025,
    direction: Literal["higher", "lower"] = "higher",
) -> SegmentAnalysis:
    """Interval, McNemar test (Holm-adjusted) and margin test in each segment, and a test of heterogeneity.

    The segments must not share units; a user with requests in two segments belongs to a clustered analysis
    of each and to :func:`heterogeneity_of_estimates` of none.

    Args:
        tables: one table per declared segment, in the order to show; empty segments included.
        interval, level: see :func:`paired_difference`.
        test: see :func:`mcnemar`.
        weights: see :func:`heterogeneity`.
        margin, alpha, direction: see :func:`paired_noninferiority`; None for no margin.
    """
    tests = [mcnemar(table, method=test) for table in tables.values()]
    adjusted = _holm([t.p_value for t in tests])
    segments = tuple(
        Segment(
            name=name,
            difference=paired_difference(table, method=interval, level=level),
            test=tested,
            adjusted_p=p,
            noninferiority=None
            if margin is None
            else paired_noninferiority(table, margin, alpha=alpha, direction=direction),
        )
        for (name, table), tested, p in zip(tables.items(), tests, adjusted, strict=True)
    )
    return SegmentAnalysis(segments, heterogeneity(list(tables.values()), weights=weights))


def heterogeneity(tables: Sequence[PairedTable], *, weights: Weights = "score") -> Heterogeneity:
    """Test that independent segments share one difference.

    ``score``: the least sum of squared Tango statistics over all common differences (minimum chi-squared),
    which has a variance in a segment without discordant pairs too. ``wald``: Cochran's (1954) Q, with the
    inverse of (b + c − (b − c)²/n) / n² as weights. Both have segments − 1 degrees of freedom; segments
    without pairs are left out.

    Raises:
        ValueError: if the weights are unknown.
    """
    if weights not in ("score", "wald"):
        raise ValueError(f"weights: {weights!r} is unknown; give score or wald")
    filled = [t for t in tables if t.pairs > 0]
    if len(filled) < 2:
        return _not_computed(weights, len(filled), f"fewer than 2 segments with pairs (found {len(filled)})")
    if weights == "wald":
        errors = [
            math.sqrt(t.discordant - (t.candidate_only - t.champion_only) ** 2 / t.pairs) / t.pairs
            for t in filled
        ]
        return heterogeneity_of_estimates([t.difference for t in filled], errors)
    if all(t.discordant == 0 for t in filled):
        return _not_computed(weights, len(filled), "no discordant pairs")
    low, high = min(t.difference for t in filled), max(t.difference for t in filled)
    if low == high:
        return _of_statistic(weights, len(filled), low, 0.0)

    def distance(difference: float) -> float:
        return math.fsum(tango_z(t, difference) ** 2 for t in filled)

    inside = 1 - 1e-12
    found = minimize_scalar(
        distance, bounds=(max(low, -inside), min(high, inside)), method="bounded", options={"xatol": 1e-12}
    )
    return _of_statistic(weights, len(filled), float(found.x), float(found.fun))


def heterogeneity_of_estimates(
    differences: Sequence[float], standard_errors: Sequence[float]
) -> Heterogeneity:
    """Cochran's Q for independent estimates with known standard errors, clustered ones for example.

    Raises:
        ValueError: if there are not as many standard errors as differences.
    """
    if len(differences) != len(standard_errors):
        raise ValueError(
            f"standard_errors: {len(standard_errors)} for {len(differences)} differences; give one for each"
        )
    k = len(differences)
    if k < 2:
        return _not_computed("wald", k, f"fewer than 2 segments with pairs (found {k})")
    if not all(math.isfinite(e) and e > 0 for e in standard_errors):
        return _not_computed("wald", k, "a segment without an estimated variance; score weights can be used")
    weight = [1 / e**2 for e in standard_errors]
    common = math.fsum(w * d for w, d in zip(weight, differences, strict=True)) / math.fsum(weight)
    q = math.fsum(w * (d - common) ** 2 for w, d in zip(weight, differences, strict=True))
    return _of_statistic("wald", k, common, q)


def _holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's (1979) adjusted p-values; a missing one stays missing and counts in the family as a 1."""
    if not p_values:
        return []
    adjusted = multipletests([1.0 if p is None else p for p in p_values], method="holm")[1]
    return [None if p is None else float(q) for p, q in zip(p_values, adjusted, strict=True)]


def _of_statistic(weights: Weights, segments: int, common: float, statistic: float) -> Heterogeneity:
    df = segments - 1
    return Heterogeneity(weights, segments, common, statistic, df, float(chi2.sf(statistic, df)))


def _not_computed(weights: Weights, segments: int, why: str) -> Heterogeneity:
    return Heterogeneity(weights, segments, None, None, None, None, why)
