# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A tour of the analysis package
#
# Every section takes an example that somebody else has published and recomputes it. The package takes counts and
# moments, never rows, and gives back a frozen result that names its method. What cannot be computed says why.
#
# Effects are treatment − control, in the metric's own unit. The tests run this file, which asserts the numbers of its text.

# %%
import math

import altair as alt
import numpy as np

import fairtrial as ft
from analysis.adjustment import adjust_ratios, apply_adjustment
from analysis.anytime import (
    RunningSequence,
    SequencePlan,
    difference_sequence,
    least_burn_in,
    mixture_bound,
    mixture_precision,
)
from analysis.guardrails import GuardrailState, judge_effect
from analysis.multiplicity import adjust
from analysis.paired import (
    PairedTable,
    mcnemar_asymptotic,
    mcnemar_exact,
    mcnemar_midp,
    paired_difference,
    paired_noninferiority,
    sample_size_paired,
)
from analysis.power import sample_size_proportions
from analysis.ratios import Ratio, compare_linearised, linearise
from analysis.sequential import (
    Decision,
    analyse,
    group_sequential_design,
    repeated_p_value,
    stopping_probabilities,
)
from analysis.sequential_srm import sequential_srm_path


def rounded(values, places):
    return tuple(round(value, places) for value in values)


def moments(n, total, squares):
    """Moments from a published count, sum and sum of squares."""
    return ft.Moments(n, total / n, squares - total**2 / n)


# %% [markdown]
# ## Allocation
#
# An experiment planned as half and half got 821,588 and 815,482 users: 50.2 % instead of 50 %. That looks harmless, and
# its p-value is 1.8e-6 (Kohavi, Tang & Xu 2020, *Trustworthy Online Controlled Experiments*, chapter 3). Units are
# missing from one arm and nobody knows which; no result of such an experiment can be trusted.

# %%
mismatch = ft.srm_test([821_588, 815_482], [1, 1])
assert float(f"{mismatch.p_value:.1e}") == 1.8e-6
assert round(100 * 821_588 / (821_588 + 815_482), 1) == 50.2
mismatch

# %% [markdown]
# That test is for one look. A daily check needs a p-value that may be read every day (Lindon & Malek 2022): it never
# rises, and over the whole run it falls below α by chance with probability α at most. Here the same mismatch arrives
# evenly over fourteen days; the alarm at 0.001 comes on day 12.

# %%
days = [(821_588 * day // 14, 815_482 * day // 14) for day in range(1, 15)]
daily = [state.p_value for state in sequential_srm_path(days, [1, 1])]
assert [day for day, p in enumerate(daily, 1) if p < 0.001] == [12, 13, 14]
assert daily == sorted(daily, reverse=True)

# %% [markdown]
# ## Effects
#
# **Means** are compared by Welch's t test. GrowthBook's tests (commit 8f1db44, `frequentist/test_tests.py`, two-sided, absolute)
# have an effect of 0.29 with a 95 % interval from 0.04538 to 0.53462 and p = 0.02016.

# %%
control, treatment = moments(3407, 1396.87, 52377.9767), moments(3461, 2422.7, 134698.29)
revenue = ft.compare_means(control, treatment)
assert round(revenue.estimate, 2) == 0.29
assert rounded(revenue.ci, 5) == (0.04538, 0.53462)
assert round(revenue.p_value, 5) == 0.02016
revenue

# %% [markdown]
# **Relative lift** stands beside it: + 71 %, with an interval from 10.5 % to 163.8 % by the delta method on the log ratio.
# The denominator's own noise makes it this wide, and lopsided.

# %%
assert round(100 * revenue.relative.estimate) == 71
assert rounded((100 * bound for bound in revenue.relative.ci), 1) == (10.5, 163.8)

# %% [markdown]
# **Proportions** are compared by the score test, and the interval is that test's own inversion: it leaves 0 out exactly
# when p < α. For 7 of 34 against 1 of 34 (Perondi et al. 2004; intervals in Fagerland, Lydersen & Laake 2017, chapter 4)
# Mee's interval is 0.0284 to 0.3439; with the factor of Miettinen and Nurminen, 0.0270 to 0.3453.

# %%
high_dose, standard_dose = ft.Proportion(1, 34), ft.Proportion(7, 34)
mee = ft.compare_proportions(high_dose, standard_dose)
miettinen_nurminen = ft.compare_proportions(high_dose, standard_dose, method="miettinen-nurminen")
assert rounded(mee.ci, 4) == (0.0284, 0.3439)
assert rounded(miettinen_nurminen.ci, 4) == (0.0270, 0.3453)
assert mee.rejects_null == (mee.ci[0] > 0)

# %% [markdown]
# **Ratios** of sums, orders per session, have sessions that belong to users, and users are what is randomised. The
# variance is taken over users by the delta method (Deng, Knoblich & Lu 2018). tea-tasting's example (commit 90306f1,
# `test_mean.py`) has 0.2857 orders per session in control and 0.2022 in treatment.


# %%
def users(n, sums, products):
    """Co-moments of orders, sessions, and both before exposure, from published sums and sums of products."""
    total = np.array(sums, dtype=float)
    crossed = np.zeros((4, 4))
    crossed[np.triu_indices(4)] = products
    crossed += np.triu(crossed, 1).T
    centred = crossed - np.outer(total, total) / n
    return ft.CoMoments(n, tuple(total / n), tuple(map(tuple, (centred + centred.T) / 2)))


shop_control = users(53, (30, 105, 28, 102), (58, 80, 56, 94, 259, 76, 260, 90, 118, 380))
shop_treatment = users(47, (18, 89, 15, 92), (30, 41, 23, 42, 205, 36, 213, 31, 42, 290))
orders_per_session = ft.compare_ratios(shop_control.select([0, 1]), shop_treatment.select([0, 1]))
assert round(orders_per_session.control_mean, 4) == 0.2857
assert round(orders_per_session.treatment_mean, 4) == 0.2022
orders_per_session

# %% [markdown]
# ## CUPED
#
# What users did before the experiment tells part of what they do in it, and cannot be changed by the treatment. Taking
# that part out leaves less noise (Deng, Xu, Kohavi & Walker 2013). Outcome and covariate may both be ratios; each is
# linearised in its arm first.
#
# tea-tasting takes θ from both arms as one sample and finds an adjusted effect of −0.0202 on the same users. With its θ
# so does this package.

# %%
orders, orders_before = Ratio(0, 1), Ratio(2, 3)
together = linearise(shop_control.merge(shop_treatment), [orders, orders_before])
theta = together.covariance(0, 1) / together.marginal(1).variance
adjusted = apply_adjustment(
    *(linearise(arm, [orders, orders_before]) for arm in (shop_control, shop_treatment)), [theta]
)
assert round(adjusted[1].mean - adjusted[0].mean, 4) == -0.0202

# %% [markdown]
# Fairtrial takes θ within the arms, so that an effect of the treatment cannot leak into it: 0.563 here, against 0.567 over
# all. The adjusted effect is −0.0207, and 45.7 % of the variance goes.

# %%
adjustment = adjust_ratios(
    shop_control, shop_treatment, orders, [orders_before], ["orders per session before"]
)
adjusted_effect = compare_linearised(adjustment.control, adjustment.treatment)
assert rounded((adjustment.coefficients[0].value, theta), 3) == (0.563, 0.567)
assert round(adjusted_effect.estimate, 4) == -0.0207
assert round(100 * adjustment.variance_reduction, 1) == 45.7
adjusted_effect

# %%
alt.Chart(
    alt.InlineData(
        values=[
            {"analysis": name, "effect": effect.estimate, "low": effect.ci[0], "high": effect.ci[1]}
            for name, effect in (("as measured", orders_per_session), ("adjusted", adjusted_effect))
        ]
    ),
    title="Orders per session: the adjusted interval is narrower",
).mark_rule().encode(
    x=alt.X("low:Q", title="difference, 95 % interval"), x2="high:Q", y=alt.Y("analysis:N", title=None)
)

# %% [markdown]
# ## Guardrails
#
# A guardrail is an interval held against a margin, never "not significant". In the public Cookie Cats data, moving the
# gate to level 40 changed day-1 retention by −0.59 percentage points (20,034 of 44,700 against 20,119 of 45,489;
# p = 0.0744). "No significant harm" would let it pass. But the interval reaches down to −1.24 points, so a margin of 1
# point is not ruled out, while one of 1.5 points is kept.

# %%
day_1 = ft.compare_proportions(ft.Proportion(20_034, 44_700), ft.Proportion(20_119, 45_489))
assert round(100 * day_1.estimate, 2) == -0.59
assert round(day_1.p_value, 4) == 0.0744
assert round(100 * day_1.ci[0], 2) == -1.24
assert judge_effect(day_1, 0.01, "higher").state is GuardrailState.NOT_RULED_OUT
assert judge_effect(day_1, 1.5 / 100, "higher").state is GuardrailState.WITHIN

# %% [markdown]
# ## Power
#
# Telling 65 % from 60 % with a power of 80 % at a level of 5 %, two-sided, takes 1,471 units in each arm by the pooled
# test (pwrss, commit 0808cc8, `test-proportions.onetwo.R`). The sample size is that of the test which will decide.

# %%
assert sample_size_proportions(0.60, 0.05).n_per_arm == (1471, 1471)

# %% [markdown]
# Against a margin the same function answers Farrington & Manning (1990, table 1): with 10 % in both arms, a margin of 20
# points, one-sided 5 %, power 90 % and an allocation of three to two, 62.88 and 41.92 units before rounding up.

# %%
non_inferiority = sample_size_proportions(
    0.1, margin=0.2, direction="lower", alpha=0.05, power=0.9, allocation=(3, 2)
)
assert rounded(non_inferiority.unrounded, 2) == (62.88, 41.92)
non_inferiority

# %% [markdown]
# ## Group-sequential designs
#
# Looking ten times and stopping at the first p below 5 % errs in 19.3 % of experiments without any effect, 9.7 % on each side
# (Armitage, McPherson & Rowe 1969).

# %%
ten = [look / 10 for look in range(1, 11)]
naive = stopping_probabilities(ten, [1.96] * 10, 2, [0.0])[0]
assert round(100 * sum(naive.efficacy), 1) == 9.7
assert round(100 * (sum(naive.efficacy) + sum(naive.harm)), 1) == 19.3

# %% [markdown]
# A spending function says how much of α may be gone by when. Lan and DeMets' function of O'Brien–Fleming type at five
# looks gives 4.8769, 3.3569, 2.6803, 2.2898 and 2.0310 (Reboussin, DeMets, Kim & Lan 2000). Early looks need overwhelming
# evidence, and the last is hardly dearer than a single one. The classic O'Brien–Fleming boundary with power 90 % costs
# 1.026 times the units of a fixed design (Jennison & Turnbull 2000, chapter 2), Pocock's 1.207 times; under the planned
# effect both stop early enough to need fewer on average.

# %%
fifths = (0.2, 0.4, 0.6, 0.8, 1)
spending = group_sequential_design("lan-demets-obf", 0.05, fifths, sides=2, power=0.9)
obrien_fleming = group_sequential_design("obrien-fleming", 0.05, fifths, sides=2, power=0.9)
pocock = group_sequential_design("pocock", 0.05, fifths, sides=2, power=0.9)
assert rounded(spending.critical, 4) == (4.8769, 3.3570, 2.6803, 2.2898, 2.0310)
assert math.isclose(
    spending.critical[1], 3.3569, abs_tol=0.00015
)  # the paper's own integration, to four decimals
assert round(obrien_fleming.inflation, 3) == 1.026
assert round(pocock.inflation, 3) == 1.207
assert all(design.expected_n_h1 < 1 for design in (spending, obrien_fleming, pocock))

# %%
alt.Chart(
    alt.InlineData(
        values=[
            {"fraction": t, "z": z, "boundary": name}
            for name, design in (
                ("Lan–DeMets (O'Brien–Fleming)", spending),
                ("O'Brien–Fleming", obrien_fleming),
                ("Pocock", pocock),
                ("1.96 at every look", None),
            )
            for t, z in zip(fifths, design.critical if design else [1.96] * 5, strict=True)
        ]
    ),
    title="What z each look asks for",
).mark_line(point=True).encode(
    x=alt.X("fraction:Q", title="share of the planned information"),
    y=alt.Y("z:Q", title="critical value", scale=alt.Scale(zero=False)),
    color=alt.Color("boundary:N", title=None),
)

# %% [markdown]
# At a look one may say what holds at all looks together. lrstat (commit 1a13dc2, `test-multiplicity-adjustment.R`) has
# repeated p-values of 0.1141 and 0.0024 for looks at a third and two thirds with one-sided p of 0.0062 and 0.0002.

# %%
thirds = group_sequential_design("lan-demets-obf", 0.025, (1 / 3, 2 / 3, 1))
one_third = repeated_p_value(thirds, (1 / 3,), 2.500552, False)  # z of p = 0.0062
two_thirds = repeated_p_value(thirds, (1 / 3, 2 / 3), 3.540084, False)  # z of p = 0.0002
assert math.isclose(math.erfc(2.500552 / math.sqrt(2)) / 2, 0.0062, rel_tol=1e-4)
assert math.isclose(math.erfc(3.540084 / math.sqrt(2)) / 2, 0.0002, rel_tol=1e-4)
assert rounded((one_third, two_thirds), 4) == (0.1141, 0.0024)

# %% [markdown]
# After stopping, the naive estimate is too good on average: the test stopped because it looked good. With z of 1.2, 2.3
# and 2.9 at the first three looks the test stops at the third. The median-unbiased estimate is 1.502, not 1.508, and the
# stage-wise interval is 0.478 to 2.523; the naive one would be 0.489 to 2.527. The repeated interval, which holds whatever
# made one stop, is 0.114 to 2.902.

# %%
stopped = analyse(spending, (0.2, 0.4, 0.6), (1.2, 2.3, 2.9), standard_errors=(0.9, 0.64, 0.52))
assert stopped.z == (1.2, 2.3, 2.9)
assert stopped.decision == (Decision.CONTINUE, Decision.CONTINUE, Decision.EFFICACY)
assert round(stopped.estimate[-1], 3) == 1.508
assert round(stopped.median_unbiased, 3) == 1.502
assert rounded(stopped.stagewise_ci, 3) == (0.478, 2.523)
assert rounded(stopped.repeated_ci[-1], 3) == (0.114, 2.902)
assert rounded((stopped.estimate[-1] - 1.96 * 0.52, stopped.estimate[-1] + 1.96 * 0.52), 3) == (0.489, 2.527)

# %% [markdown]
# ## Anytime-valid
#
# A confidence sequence holds at every n at once, so it may be read whenever one likes. The price is width. confseq (commit
# 70b1ef3, `TestTwoSidedNormalMixture`) bounds a sum of variance 100 by 30.352 at 5 %, with a mixture made for 100, where a
# single look would take 19.6. At the planned n that is 3.035 standard errors instead of 1.96.

# %%
bound = mixture_bound(100, 0.05, mixture_precision(100, 0.05))
assert round(bound, 3) == 30.352
assert round(bound / math.sqrt(100), 3) == 3.035
assert round(1.96 * math.sqrt(100), 1) == 19.6

# %%
plan = SequencePlan(alpha=0.05, planned_n=20_000, burn_in=400)
reach = [
    {
        "units": n,
        "half width": mixture_bound(n, plan.alpha, plan.precision) / n if rule else 1.96 / math.sqrt(n),
        "interval": "at every n" if rule else "at one n only",
    }
    for n in range(plan.burn_in, 40_001, 400)
    for rule in (True, False)
]
alt.Chart(
    alt.InlineData(values=reach), title="Half width in standard deviations of a unit"
).mark_line().encode(
    x="units:Q",
    y=alt.Y("half width:Q", scale=alt.Scale(type="log")),
    color=alt.Color("interval:N", title=None),
)

# %% [markdown]
# The burn-in and the planned n belong to the design. For a proportion of 20 % in equal arms 100 units are the least
# burn-in. Below, a hundred A/A tests of 40,000 units are watched at every 400th. Naive looking calls 42 of them a
# difference, the sequence three; five would be allowed on average.

# %%
assert least_burn_in(0.05, (0.5, 0.5), (0.16, 0.16), (0.096, 0.096)) == 100

chance = np.random.default_rng(20)
naive_alarms = sequence_alarms = 0
for _ in range(100):
    successes = chance.binomial(200, 0.2, (100, 2)).cumsum(axis=0)
    running, alarmed = RunningSequence(), False
    for look, (c, t) in enumerate(successes, 1):
        n = 200 * look
        p_c, p_t = c / n, t / n
        squared = (p_c * (1 - p_c) + p_t * (1 - p_t)) / n
        alarmed |= abs(p_t - p_c) > 1.96 * math.sqrt(squared)
        running = running.updated(difference_sequence(plan, p_t - p_c, squared, 2 * n))
    naive_alarms += alarmed
    sequence_alarms += running.p_value < plan.alpha
assert (naive_alarms, sequence_alarms) == (42, 3)

# %% [markdown]
# ## Paired: two models on the same requests
#
# In shadow both models answer every request, and only requests where one of them is right tell them apart. On the 1,319
# test problems of GSM8K (Cobbe et al. 2021, published solutions) a 6-billion model with a verifier is right alone on
# 209, a finetuned 175-billion one on 152. McNemar's exact test gives p = 0.00315, the chi-squared is 9.0. The small one is
# right 4.32 points more often (Tango's interval: 1.51 to 7.15), so it is not worse by 1 point either.

# %%
gsm8k = PairedTable(both=306, candidate_only=209, champion_only=152, neither=652)
assert round(mcnemar_exact(gsm8k).p_value, 5) == 0.00315
assert mcnemar_asymptotic(gsm8k).statistic == 9.0
better = paired_difference(gsm8k)
assert round(100 * better.difference, 2) == 4.32
assert rounded((100 * bound for bound in better.ci), 2) == (1.51, 7.15)
assert paired_noninferiority(gsm8k, 0.01).ruled_out

# %% [markdown]
# The difference of the two shares has an interval of its own. For the 59, 6, 16 and 80 pairs of Cavo et al. (2012), in
# Fagerland, Lydersen & Laake (2017, chapter 8), it is −6.21 points; Tango's score interval is −12.40 to −0.54 points,
# Newcombe's −11.86 to −0.46, Bonett and Price's −11.95 to −0.32. The exact test has p = 0.0525 and the mid-p 0.0347: a
# test and an interval of another kind may disagree near the line, so the design names the one that decides.

# %%
cavo = PairedTable(both=59, candidate_only=6, champion_only=16, neither=80)
intervals = {
    method: paired_difference(cavo, method=method) for method in ("tango", "newcombe", "bonett-price")
}
assert round(100 * intervals["tango"].difference, 2) == -6.21
assert rounded((100 * bound for bound in intervals["tango"].ci), 2) == (-12.40, -0.54)
assert rounded((100 * bound for bound in intervals["newcombe"].ci), 2) == (-11.86, -0.46)
assert rounded((100 * bound for bound in intervals["bonett-price"].ci), 2) == (-11.95, -0.32)
assert round(mcnemar_exact(cavo).p_value, 4) == 0.0525
assert round(mcnemar_midp(cavo).p_value, 4) == 0.0347

# %% [markdown]
# Sample size counts pairs. With 45 % of pairs won by one and 5 % by the other, 23 are enough for a power of 80 % (Connor
# 1987, example in Chow, Shao & Wang). Pairs of one user are not independent: `analysis.paired.clustered_difference`
# takes users as the clusters.

# %%
assert sample_size_paired(0.45 + 0.05, 0.45 - 0.05).pairs == 23

# %% [markdown]
# ## Several questions at once
#
# Secondary metrics share one level. Of six p-values, tea-tasting (commit 90306f1, `test_multiplicity.py`) has 0.03, 0.09,
# 0.035, 0.09, 0.04 and 0.09 after Holm: three stand. Benjamini and Hochberg's hold the share of false ones among those
# called, not the chance of any: five stand.

# %%
p_values = {
    "basket": 0.005,
    "visits": 0.06,
    "returns": 0.007,
    "clicks": 0.04,
    "signups": 0.01,
    "shares": 0.03,
}
holm = adjust(p_values, method="holm")
benjamini_hochberg = adjust(p_values, method="benjamini-hochberg")
assert rounded((one.adjusted for one in holm.members.values()), 9) == (0.03, 0.09, 0.035, 0.09, 0.04, 0.09)
assert sum(one.rejected for one in holm.members.values()) == 3
assert sum(one.rejected for one in benjamini_hochberg.members.values()) == 5
