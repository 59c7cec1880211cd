"""McNemar's test that may be looked at after every pair: valid only with one request per unit."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.optimize import brentq
from scipy.special import betaincc, betaln

from analysis.paired.inference import Alternative, check_alternative, check_level


@dataclass(frozen=True, slots=True)
class AnytimeMcNemar:
    """Evidence on discordant pairs at the last of several looks; valid at all of them together.

    Attributes:
        alternative: ``greater`` means that the candidate is right more often.
        concentration: of the Beta mixture, as fixed in the design.
        candidate_only, champion_only: discordant pairs so far.
        log_e: logarithm of the e-value at the last look.
        max_log_e: its largest value so far, at least 0.
        p_value: 1 / max e; it never rises, and is below alpha at any time with probability at most alpha.
        level: of the confidence sequence.
        share_ci: for the candidate's share of the discordant pairs (1/2 when the models err alike), the
            intersection over the looks; one-half is outside exactly when a two-sided ``p_value`` is below
            1 − level. None if it has become empty.
        not_computed: why ``share_ci`` is None.
    """

    alternative: Alternative
    concentration: float
    candidate_only: int
    champion_only: int
    log_e: float
    max_log_e: float
    p_value: float
    level: float
    share_ci: tuple[float, float] | None
    not_computed: str | None = None


def anytime_mcnemar(
    candidate_only: Sequence[int],
    champion_only: Sequence[int],
    *,
    concentration: float = 1.0,
    alternative: Alternative = "two-sided",
    level: float = 0.95,
) -> AnytimeMcNemar:
    """Anytime-valid McNemar test by a beta-binomial mixture e-process (Robbins 1970; Ville 1939).

    Under the null the discordant pairs are independent tosses of a fair coin. Against it stands a mixture of
    coins, Beta(a, a) over all shares or over the half where the candidate is better (or worse); the ratio of
    the two likelihoods has mean at most 1 at every stopping time, so that 1 / max e is a p-value for ever.

    **Valid only with one request per unit.** Several requests of one user are not independent tosses: with
    strong users false alarms of more than half were seen. Use a confidence sequence on per-user sums there.

    Args:
        candidate_only, champion_only: the two counts of discordant pairs so far, cumulative, at each look in
            order; neither ever falls. Looks left out cost power, never validity.
        concentration: a of the mixture, positive, fixed in the design before the data. 1 is uniform; larger
            values look for shares nearer to one-half.
        alternative: ``two-sided``, ``greater`` (the candidate is better) or ``less``.
        level: of the confidence sequence for the share.

    Raises:
        ValueError: naming the parameter that is not allowed.
    """
    check_alternative(alternative)
    check_level(level)
    if not (concentration > 0 and math.isfinite(concentration)):
        raise ValueError(
            f"concentration: {concentration} is not allowed; give a positive number, 1 for uniform"
        )
    _check_cumulative("candidate_only", candidate_only)
    _check_cumulative("champion_only", champion_only)
    if len(candidate_only) != len(champion_only) or not candidate_only:
        raise ValueError(
            f"candidate_only, champion_only: {len(candidate_only)} and {len(champion_only)} looks; "
            "give both counts at each look, one look or more"
        )
    looks = list(zip(candidate_only, champion_only, strict=True))
    evidence = [log_e_value(b, c, concentration, alternative) for b, c in looks]
    max_log_e = max(0.0, *evidence)
    intervals = [_share_interval(b, c, concentration, level) for b, c in looks]
    lower, upper = max(i[0] for i in intervals), min(i[1] for i in intervals)
    empty = lower > upper
    return AnytimeMcNemar(
        alternative=alternative,
        concentration=concentration,
        candidate_only=int(candidate_only[-1]),
        champion_only=int(champion_only[-1]),
        log_e=evidence[-1],
        max_log_e=max_log_e,
        p_value=math.exp(-max_log_e),
        level=level,
        share_ci=None if empty else (lower, upper),
        not_computed="the looks contradict one another: no share is inside all their intervals"
        if empty
        else None,
    )


def log_e_value(
    candidate_only: int, champion_only: int, concentration: float, alternative: Alternative
) -> float:
    """Logarithm of the mixture's likelihood over the fair coin's, for one pair of counts."""
    a = concentration
    b, c = (champion_only, candidate_only) if alternative == "less" else (candidate_only, champion_only)
    mixture = float(betaln(a + b, a + c) - betaln(a, a))
    if alternative != "two-sided":
        better_half = float(betaincc(a + b, a + c, 0.5))
        mixture = mixture + math.log(2 * better_half) if better_half > 0 else -math.inf
    return mixture + (b + c) * math.log(2)


def _share_interval(b: int, c: int, a: float, level: float) -> tuple[float, float]:
    """Shares whose likelihood the mixture does not exceed 1 / (1 − level) times."""
    mixture = float(betaln(a + b, a + c) - betaln(a, a)) + math.log(1 - level)

    def surplus(share: float) -> float:
        likelihood = (b * math.log(share) if b else 0.0) + (c * math.log1p(-share) if c else 0.0)
        return mixture - likelihood

    if b + c == 0:
        return 0.0, 1.0
    best = b / (b + c)
    edge = 1e-300
    lower = 0.0 if b == 0 or surplus(edge) < 0 else brentq(surplus, edge, best, xtol=1e-15)
    top = 1 - 1e-16
    upper = 1.0 if c == 0 or surplus(top) < 0 else brentq(surplus, best, top, xtol=1e-15)
    return float(lower), float(upper)


def _check_cumulative(name: str, counts: Sequence[int]) -> None:
    previous = 0
    for look, count in enumerate(counts, start=1):
        if count != int(count) or count < previous:
            raise ValueError(
                f"{name}: {count} at look {look} after {previous} is not allowed; give the count of all "
                "pairs so far, whole and never falling"
            )
        previous = int(count)
