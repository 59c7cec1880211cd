"""Second implementations of the mixtures: the integrals over the prior themselves, by quadrature."""

import math
from itertools import pairwise

from scipy.integrate import quad
from scipy.stats import beta


def normal_log_mixture(total, variance, precision, one_sided):
    """log ∫ exp(λS - λ²V/2) over λ ~ N(0, 1/ρ), or its half above 0 doubled."""
    peak, width = total / (variance + precision), 1 / math.sqrt(variance + precision)
    low, high = (0.0 if one_sided else peak - 12 * width), max(peak, 0.0) + 12 * width
    best = min(max(peak, low), high)

    def exponent(drift):
        return drift * total - drift * drift * (variance + precision) / 2

    def integrand(drift):
        return math.exp(exponent(drift) - exponent(best))

    # Far below 0 all the mass sits beside it, on the scale of 1/|S|.
    edges = sorted({low, best, min(high, best + 40 / (1 + abs(total))), high})
    value = sum(quad(integrand, a, b, epsabs=0, epsrel=1e-12, limit=200)[0] for a, b in pairwise(edges))
    return math.log(value * math.sqrt(precision / (2 * math.pi)) * (2 if one_sided else 1)) + exponent(best)


def bernoulli_log_mixture(successes, n, p, concentration, side):
    """log of the likelihood ratio averaged over a beta prior centred at p, on both sides of p or one."""
    a, b = concentration * p, concentration * (1 - p)
    prior, posterior = beta(a, b), beta(a + successes, b + n - successes)
    low, high = {"both": (0, 1), "above": (p, 1), "below": (0, p)}[side]

    def exponent(q):
        return prior.logpdf(q) + successes * math.log(q / p) + (n - successes) * math.log((1 - q) / (1 - p))

    inside = 1e-9 * (high - low)
    best = min(max(posterior.mean(), low + inside), high - inside)
    shift = exponent(best)
    around = [posterior.mean() + k * posterior.std() for k in (-12, -4, 0, 4, 12)]
    edges = sorted({low, high, best, *(q for q in around if low < q < high)})
    value = sum(
        quad(lambda q: math.exp(exponent(q) - shift), one, other, epsabs=0, epsrel=1e-11, limit=400)[0]
        for one, other in pairwise(edges)
    )
    return math.log(value / (prior.cdf(high) - prior.cdf(low))) + shift


def waudby_smith_half_width(deviation, n, rho, alpha):
    """Equation 9 of Waudby-Smith et al. in their own letters: σ √( 2 (nρ²+1)/(n²ρ²) log(√(nρ²+1)/α) )."""
    inside = 2 * (n * rho**2 + 1) / (n**2 * rho**2) * math.log(math.sqrt(n * rho**2 + 1) / alpha)
    return deviation * math.sqrt(inside)


def one_sided_half_width(deviation, n, rho, alpha):
    """Equation 134 of Waudby-Smith et al.: a closed form just above the one-sided mixture's own bound."""
    inside = 2 * (n * rho**2 + 1) / (n * rho) ** 2 * math.log(1 + math.sqrt(n * rho**2 + 1) / (2 * alpha))
    return deviation * math.sqrt(inside)


def tuned_rho(alpha, tuning):
    """GrowthBook's and Howard et al.'s choice of ρ for a sample of ``tuning``."""
    needed = -2 * math.log(alpha)
    return math.sqrt((needed + math.log(needed + 1)) / tuning)
