"""McNemar's test: do the two models err equally often? Only the pairs on which they disagree count."""

import math
from dataclasses import dataclass
from typing import Literal

from scipy.stats import binom

from analysis.paired.inference import Alternative, check_alternative, tail_p_value
from analysis.paired.table import PairedTable

McNemarMethod = Literal["exact", "midp", "asymptotic", "corrected"]


@dataclass(frozen=True, slots=True)
class McNemar:
    """A test of equal marginal shares right in paired binary data.

    Attributes:
        method: which of the four it is.
        alternative: ``greater`` means that the candidate is right more often.
        candidate_only, champion_only: the discordant pairs.
        statistic: chi-squared with 1 degree of freedom; None for the two binomial methods.
        p_value: None when it could not be computed.
        not_computed: why it could not.
    """

    method: McNemarMethod
    alternative: Alternative
    candidate_only: int
    champion_only: int
    statistic: float | None
    p_value: float | None
    not_computed: str | None = None


def mcnemar(
    table: PairedTable, *, method: McNemarMethod = "exact", alternative: Alternative = "two-sided"
) -> McNemar:
    """McNemar's test by the named method; see the four functions of this module.

    Raises:
        ValueError: if the method or the alternative is unknown.
    """
    if method == "exact":
        return mcnemar_exact(table, alternative=alternative)
    if method == "midp":
        return mcnemar_midp(table, alternative=alternative)
    if method == "asymptotic":
        return mcnemar_asymptotic(table, alternative=alternative)
    if method == "corrected":
        return mcnemar_corrected(table, alternative=alternative)
    raise ValueError(f"method: {method!r} is unknown; give exact, midp, asymptotic or corrected")


def mcnemar_exact(table: PairedTable, *, alternative: Alternative = "two-sided") -> McNemar:
    """Exact conditional test (McNemar 1947; Agresti 2013, section 11.1).

    Under the null each discordant pair falls either way with probability 1/2, so the candidate's share of
    them is Binomial(b + c, 1/2); two-sided is twice the smaller tail. Without discordant pairs p is 1.
    """
    check_alternative(alternative)
    b, c, m = table.candidate_only, table.champion_only, table.discordant
    # a fair coin's lower tail is its upper tail with the sides exchanged, to the last digit
    upper, lower = float(binom.sf(b - 1, m, 0.5)), float(binom.sf(c - 1, m, 0.5))
    p = {"greater": upper, "less": lower, "two-sided": min(1.0, 2 * min(upper, lower))}[alternative]
    return _of_table(table, "exact", alternative, None, p)


def mcnemar_midp(table: PairedTable, *, alternative: Alternative = "two-sided") -> McNemar:
    """Mid-p version of the exact test: only half the probability of what was seen counts.

    Fagerland, Lydersen & Laake (2013), BMC Med Res Methodol 13:91, equation 8. Two-sided is twice the
    smaller mid-p tail, which is 1 when the discordant pairs are evenly split.
    """
    check_alternative(alternative)
    b, c, m = table.candidate_only, table.champion_only, table.discordant
    seen = float(binom.pmf(min(b, c), m, 0.5))
    upper, lower = float(binom.sf(b, m, 0.5)) + seen / 2, float(binom.sf(c, m, 0.5)) + seen / 2
    p = {"greater": upper, "less": lower, "two-sided": min(1.0, 2 * min(upper, lower))}[alternative]
    return _of_table(table, "midp", alternative, None, p)


def mcnemar_asymptotic(table: PairedTable, *, alternative: Alternative = "two-sided") -> McNemar:
    """Chi-squared (b − c)² / (b + c) without correction (McNemar 1947); Tango's interval inverts it at 0."""
    return _chi_squared(table, "asymptotic", alternative, 0)


def mcnemar_corrected(table: PairedTable, *, alternative: Alternative = "two-sided") -> McNemar:
    """Chi-squared with Edwards's (1948) correction, (|b − c| − 1)² / (b + c), floored at 0 when b = c."""
    return _chi_squared(table, "corrected", alternative, 1)


def _chi_squared(
    table: PairedTable, method: McNemarMethod, alternative: Alternative, correction: int
) -> McNemar:
    check_alternative(alternative)
    if table.discordant == 0:
        return _of_table(table, method, alternative, None, None, "no discordant pairs")
    excess = table.candidate_only - table.champion_only
    z = math.copysign(max(abs(excess) - correction, 0), excess) / math.sqrt(table.discordant)
    return _of_table(table, method, alternative, z**2, tail_p_value(z, alternative))


def _of_table(
    table: PairedTable,
    method: McNemarMethod,
    alternative: Alternative,
    statistic: float | None,
    p_value: float | None,
    not_computed: str | None = None,
) -> McNemar:
    if table.pairs == 0:
        statistic, p_value, not_computed = None, None, "no pairs"
    return McNemar(
        method, alternative, table.candidate_only, table.champion_only, statistic, p_value, not_computed
    )
