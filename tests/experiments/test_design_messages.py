# ruff: noqa: E501 - a message is one line
"""Everything that can be wrong with one field of a design, and the exact message it gives."""

from __future__ import annotations

import re

import pytest

from tests.experiments.designs import WRITTEN, changed, messages, yaml

TABLE = r"""
title: Ranker
=> title: 'Ranker' is not allowed; give at least 10 characters (what changes, for whom)

title: "         "
=> title: '         ' is not allowed; give at least 10 characters (what changes, for whom)

title: 5
=> title: 5 is not allowed; give text, in quotes (what changes, for whom)

title: null
=> title: is empty; give text (what changes, for whom)

tilte: something new
=> tilte: 'tilte' is not a field here. Did you mean 'title'? Allowed: anything_else, arms, assignment, background, deciders, decision_rule, eligibility, expected_start, guardrails, hypothesis, label_delay, links, maturity, multiple_treatments, no_guardrails_reason, outcome_data_seen, owner, power, primary, purpose, reviewer, rollback, rules, secondary, segments, sensitivity, source, stopping, tags, team, title, units, validity, which_ships, window.

hypothesis: {expect: rise}
=> hypothesis.expect: 'rise' is not allowed here. Allowed: increase, decrease, no worsening.

hypothesis: {because: why}
=> hypothesis.because: 'why' is not allowed; give at least 5 characters (why the change should work)

hypothesis: better
=> hypothesis: 'better' is not allowed; give a group of fields (because, expect, population) (one sentence, one metric, one direction)

hypothesis: {expect: decrease}
=> hypothesis.expect: 'decrease' does not fit: success@1 is better when higher and the purpose is superiority; that is 'increase'

arms: [{name: control}]
=> arms: a list of 1 is not allowed; give at least 2 entries (control first; the order is part of the plan, since the hash assigns by it)

arms: {name: control}
=> arms: a group of fields is not allowed; give a list (control first; the order is part of the plan, since the hash assigns by it)

arms: [control, treatment]
=> arms[0]: 'control' is not allowed; give a group of fields (description, name, share, version)
=> arms[1]: 'treatment' is not allowed; give a group of fields (description, name, share, version)

arms: [{name: control}, {name: control}]
=> arms[1].name: 'control' is used twice; every arm needs its own name

arms: [{name: Control}, {name: treatment}]
=> arms[0].name: 'Control' is not allowed; use small letters, digits and _, starting with a letter, at most 63

arms: [{name: control, share: 0.3333}, {name: treatment, share: 0.6666}]
=> arms: shares sum to 0.9999 (0.3333 + 0.6666), not 1; for thirds write 1/3. To expose less traffic use assignment.layer

arms: [{name: a, share: 0.33333333333333}, {name: b, share: 0.33333333333333}, {name: c, share: 0.33333333333333}]
=> arms: shares sum to 0.99999999999999 (0.33333333333333 + 0.33333333333333 + 0.33333333333333), not 1; for thirds write 1/3. To expose less traffic use assignment.layer

arms: [{name: control, share: 0.5}, {name: treatment}]
=> arms[1]: has no share while another arm has; give every arm one, or none for equal shares

arms: [{name: control, share: half}, {name: treatment, share: 50%}]
=> arms[0].share: 'half' is not allowed; write it like 0.5, 50% or 1/2

arms: [{name: control, share: 0.995}, {name: treatment, share: 0.005}]
=> arms[1].share: 0.005 is not allowed; an arm takes at least 0.01

arms: [{name: control, share: 1/0}, {name: treatment, share: 1/2}]
=> arms[0].share: '1/0' is not allowed; write it like 0.5, 50% or 1/2

arms: [{name: control, share: .nan}, {name: treatment, share: 1/2}]
=> arms[0].share: .nan is not allowed; write it like 0.5, 50% or 1/2

arms: [{name: control, wieght: 1}, {name: treatment}]
=> arms[0].wieght: 'wieght' is not a field here. Allowed: description, name, share, version.

arms: [{name: control, version: 7}, {name: treatment}]
=> arms[0].version: 7 is not allowed; give text, in quotes (model or flag version, or its hash)

primary: {metric: sucess}
=> primary.metric: 'sucess' is not a metric of the catalogue. Did you mean 'success'? Allowed: balance, errors, failure_rate, novelty, p95_latency, rating, return_week_2, revenue, sessions, success.

primary: {metric: success@3}
=> primary.metric: 'success@3' is not a version of success. Allowed: success@1.

primary: {metric: Success}
=> primary.metric: 'Success' is not a metric reference; write name or name@version, for example revenue@2

primary: {metric: [success]}
=> primary.metric: a list is not a metric reference; write name or name@version, for example revenue@2

primary: {mde: 0}
=> primary.mde: 0 is not allowed; give more than 0 (superiority: the smallest improvement worth shipping, for example {absolute: 0.015})

primary: {mde: {absolute: 0}}
=> primary.mde.absolute: 0 is not allowed; give more than 0 (in the metric's own unit)

primary: {mde: {absolute: -0.01}}
=> primary.mde.absolute: -0.01 is not allowed; give more than 0 (in the metric's own unit)

primary: {mde: {absolute: .inf}}
=> primary.mde.absolute: .inf is not allowed; give a finite number (in the metric's own unit)

primary: {mde: {absolute: true}}
=> primary.mde.absolute: true is not allowed; give a number (in the metric's own unit)

primary: {mde: {absolute: 1.5%}}
=> primary.mde.absolute: '1.5%' is not allowed; give a number (in the metric's own unit)

primary: {mde: 1.5%}
=> primary.mde: '1.5%' is not allowed; write {absolute: 0.015} in the metric's unit or {relative: 5%} of control

primary: {mde: {absolute: 0.01, relative: 0.1}}
=> primary.mde: give exactly one of absolute (in the metric's unit) and relative (a share of control)

primary: {mde: {absolute: null, relative: 150%}}
=> primary.mde.relative: '150%' is not allowed; give less than 1 (as a share of control, 5% or 0.05)

primary: {mde: {percent: 1}}
=> primary.mde.percent: 'percent' is not a field here. Allowed: absolute, relative.

primary: {mde: {absolute: 0.9}}
=> primary.mde: 0.9 (absolute) is not allowed; from a baseline of 0.2 it leads to a rate of 1.1, which is not between 0 and 1; 2 percentage points are 0.02

primary: {mde: null}
=> primary.mde: is missing: the smallest improvement worth shipping, for example {absolute: 0.015}

primary: {margin: {absolute: 0.01}}
=> primary.margin: belongs to purpose: non-inferiority; a superiority primary has an mde

primary: {alpha: 0.2}
=> primary.alpha: 0.2 is not allowed; give at most 0.1 (default: 0.05 two-sided for superiority, 0.025 one-sided for non-inferiority)

primary: {alpha: 20%}
=> primary.alpha: '20%' is not allowed; give at most 0.1 (default: 0.05 two-sided for superiority, 0.025 one-sided for non-inferiority)

primary: {alpha: 0}
=> primary.alpha: 0 is not allowed; give more than 0 (default: 0.05 two-sided for superiority, 0.025 one-sided for non-inferiority)

primary: {alpha: .nan}
=> primary.alpha: .nan is not allowed; write it like 0.05, 5% or 1/20

primary: {alpha: true}
=> primary.alpha: true is not allowed; write it like 0.05, 5% or 1/20

primary: {sides: 3}
=> primary.sides: 3 is not allowed here. Allowed: 1, 2.

primary: {sides: 1}
=> primary.one_sided_reason: is missing: a one-sided test of superiority needs a reason

primary: {test: welsh}
=> primary.test: 'welsh' is not allowed here. Did you mean 'welch'? Allowed: welch, score, miettinen-nurminen, delta, quantile.

primary: {test: delta}
=> primary.test: 'delta' is not a test for a conversion (success@1). Allowed: score, miettinen-nurminen, welch.

primary: {window: 7}
=> primary.window: 7 has no unit; write a number with s, m, h, d or w, for example 7d

primary: {window: 0d}
=> primary.window: '0d' is not allowed; give more than 0s (default: the metric's, else the design's)

primary: {window: a week}
=> primary.window: 'a week' is not a duration; write a number with s, m, h, d or w, for example 7d

primary: {covariates: [{metric: sessions, attribute: age}]}
=> primary.covariates[0]: give exactly one of metric (over a window before exposure) and attribute

primary: {covariates: [{metric: sesions}]}
=> primary.covariates[0].metric: 'sesions' is not a metric of the catalogue. Did you mean 'sessions'? Allowed: balance, errors, failure_rate, novelty, p95_latency, rating, return_week_2, revenue, sessions, success.

primary: {covariates: [{metric: p95_latency}]}
=> primary.covariates[0].metric: a quantile cannot be a covariate; use a count, sum, mean, proportion, conversion or ratio

primary: {covariates: [{metric: sessions, window: -7d}]}
=> primary.covariates[0].window: '-7d' is not a duration; write a number with s, m, h, d or w, for example 7d

primary: {test: score, covariates: [{metric: sessions}]}
=> primary.test: 'score' cannot use covariates; an adjusted proportion is tested as a mean: welch

primary: {covariates: [{metric: sessions}, {metric: sessions@1}]}
=> primary.covariates[1]: sessions@1 is listed twice; two equal covariates cannot be told apart

primary: {covariates: [{metric: sessions, variance_reduction: 0.6}, {attribute: age, variance_reduction: 0.5}]}
=> primary.covariates: variance reductions sum to 1.1; give what each removes beyond the others, below 1 together

primary: {covariates: [{metric: sessions, variance_reduction: 1.2}]}
=> primary.covariates[0].variance_reduction: 1.2 is not allowed; give less than 1 (share of the variance it is expected to remove; without it the sample size counts on nothing)

primary: {metric: p95_latency, mde: {absolute: 20}, covariates: [{metric: sessions}]}
hypothesis: {expect: decrease}
guardrails: []
no_guardrails_reason: nothing else can suffer
=> primary.covariates: a quantile metric takes no covariates; leave them out

primary: {metric: novelty, mde: {absolute: 1}}
=> primary.baseline: is missing: the sample size needs what novelty@1 was before (mean, sd, source), here or in the catalogue

primary: {metric: sessions, mde: {absolute: 1}, baseline: {mean: 4, source: here}}
=> primary.baseline.sd: is missing: a count needs its per-unit standard deviation

primary: {metric: balance, mde: {absolute: null, relative: 10%}}
=> primary.mde: 0.1 (relative) is not allowed; it is a share of control, whose baseline -2 is not above 0; give it as absolute

primary: {baseline: {mean: 1.2, source: October}}
=> primary.baseline.mean: 1.2 is not allowed; a yes/no metric's baseline lies between 0 and 1

primary: {baseline: {mean: 0.2}}
=> primary.baseline.source: is missing (the period and the data it was read from)

primary: {baseline: {mean: 0.2, sd: 0, source: October}}
=> primary.baseline.sd: 0 is not allowed; give more than 0 (per unit; of a ratio or quantile that of its linearised form; a yes/no metric needs none)

primary: {baseline: 0.2}
=> primary.baseline: 0.2 is not allowed; give a group of fields (mean, sd, source) (default: the catalogue's)

guardrails: []
=> guardrails: is empty; name at least one metric the change must not harm, with its margin, or say why there is none in no_guardrails_reason

guardrails: null
=> guardrails: is empty; give a list (what must not be harmed, each with a margin)

no_guardrails_reason: none is needed here
=> no_guardrails_reason: there are guardrails; leave it out

guardrails: [{metric: p95_latency, margin: {absolute: 20}}]
=> guardrails[0].reason: is missing (why this margin: from cost, not from data)

guardrails: [{metric: success, margin: {absolute: 0.01}, reason: the same metric}]
=> guardrails[0].metric: success@1 already stands at primary.metric; a metric has one role

guardrails: [{metric: p95_latency, margin: {absolute: -20}, reason: twenty milliseconds}]
=> guardrails[0].margin.absolute: -20 is not allowed; give more than 0 (in the metric's own unit)

guardrails: [{metric: sessions, margin: {absolute: 1}, reason: one session more or less}]
=> guardrails[0].margin: 1 of what? sessions@1 has no unit in the catalogue; add one, for example unit: ms

guardrails: [{metric: errors, margin: {absolute: 2}, reason: two percentage points}]
=> guardrails[0].margin: 2 (absolute) is not allowed; from a baseline of 0.05 it leads to a rate of 2.05, which is not between 0 and 1; 2 percentage points are 0.02

guardrails: [{metric: success@1, segment: country, margin: {relative: 2%}, reason: fine by segment}, {metric: success@1, segment: country, margin: {relative: 2%}, reason: fine by segment}]
=> guardrails[1].metric: success@1 already stands at guardrails[0].metric; a metric has one role

guardrails: [{metric: balance, margin: {relative: 2%}, reason: two in a hundred}]
=> guardrails[0].margin: 0.02 (relative) is not allowed; it is a share of control, whose baseline -2 is not above 0; give it as absolute

guardrails: [{metric: novelty, margin: {absolute: 2}, reason: two in a hundred}]
=> guardrails[0].baseline: is missing: the sample size needs what novelty@1 was before (mean, sd, source), here or in the catalogue

guardrails: [{metric: errors, margin: {absolute: 0.01}, reason: one point, role: must hold}]
=> guardrails[0].reason: 'one point' is not allowed; give at least 10 characters (why this margin: from cost, not from data)
=> guardrails[0].role: 'must hold' is not allowed here. Did you mean 'must-hold'? Allowed: must-hold, monitor, harm-stop.

guardrails: [{metric: errors, margin: {absolute: 0.01}, reason: one point of errors, minimum_units: 2.5}]
=> guardrails[0].minimum_units: 2.5 is not allowed; give a whole number (fewer analysed units in an arm: missing, which never passes)

guardrails: [{metric: errors, margin: {absolute: 0.01}, reason: one point of errors, minimum_units: 1}]
=> guardrails[0].minimum_units: 1 is not allowed; give at least 2 (fewer analysed units in an arm: missing, which never passes)

guardrails: [{metric: return_week_2, margin: {absolute: 0.01}, reason: one point of return}]
=> guardrails[0].window: return_week_2@1's window 14d + label_delay 0s is longer than the maturity 7d; set window: 14d for the design, or a longer maturity

guardrails: [{metric: return_week_2, window: 5d, margin: {absolute: 0.01}, reason: one point of return}]
=> guardrails[0].window: return_week_2@1 starts at 7d, not before its window ends at 5d

guardrails: [{metric: p95_latency, margin: {absolute: 20}, reason: 20 ms cost 0.1%, alpha: 50%}]
=> guardrails[0].alpha: '50%' is not allowed; give at most 0.1 (one-sided; the interval is at 1 − 2α)

purpose: equivalence
=> purpose: 'equivalence' is not allowed here. Allowed: superiority, non-inferiority.

outcome_data_seen: yes, all of it
=> outcome_data_seen: results already known cannot be pre-registered; analyse them as exploratory

outcome_data_seen: some
=> outcome_data_seen: 'some': write no, or what was seen, in at least 50 characters

units: {analysis: request}
=> primary.metric: success@1 is a conversion per user; with analysis unit 'request' use a ratio or quantile metric, which are cluster-robust, or leave units.analysis out

units: {randomisation: 5}
=> units.randomisation: 5 is not allowed; give text, in quotes (the thing that is assigned)

assignment: {key: ""}
=> assignment.key: '' is not allowed; give at least 1 character (the experiment in the logs; default: made from the title (then a new title is a new key))

assignment: {metod: external}
=> assignment.metod: 'metod' is not a field here. Did you mean 'method'? Allowed: exposure, key, layer, method, salt.

assignment: {layer: {name: search, start: 1/2, end: 1/2}}
=> assignment.layer: from 0.5 to 0.5 is not a part of the layer; give start below end, both from 0 to 1

assignment: {method: external, layer: {name: search}}
=> assignment.layer: needs method: fairtrial; layers made elsewhere cannot be kept apart here

assignment: {method: external, salt: ours}
=> assignment.salt: needs method: fairtrial; assignment made elsewhere has a salt of its own

eligibility: [{attribute: country}]
=> eligibility[0]: give exactly one of is, is_not, one_of, none_of, at_least, below

eligibility: [{attribute: country, is: SE, is_not: NO}]
=> eligibility[0]: give exactly one of is, is_not, one_of, none_of, at_least, below

eligibility: [{attribute: country, is: [SE, NO]}]
=> eligibility[0].is: a list is not allowed; give text or a number or true or false (equal to)

eligibility: [{attribute: country, one_of: SE}]
=> eligibility[0].one_of: 'SE' is not allowed; give a list (one of these)

eligibility: [{attribute: country, one_of: [SE, true]}]
=> eligibility[0].one_of[1]: true is not allowed; give text or a number

eligibility: [{attribute: country, one_of: []}]
=> eligibility[0].one_of: a list of 0 is not allowed; give at least 1 entry (one of these)

eligibility: [{attribute: age, at_least: old}]
=> eligibility[0].at_least: 'old' is not allowed; give a number (this number or more)

secondary: {metrics: [success@1]}
=> secondary.metrics[0]: success@1 already stands at primary.metric; a metric has one role

secondary: {metrics: [revenu, rating@9]}
=> secondary.metrics[0]: 'revenu' is not a metric of the catalogue. Did you mean 'revenue'? Allowed: balance, errors, failure_rate, novelty, p95_latency, rating, return_week_2, revenue, sessions, success.
=> secondary.metrics[1]: 'rating@9' is not a version of rating. Allowed: rating@1.

secondary: [revenue]
=> secondary: a list is not allowed; give a group of fields (metrics, multiplicity) (metrics that do not decide)

secondary: {metrics: [revenue, sessions], multiplicity: hochberg}
=> secondary.multiplicity: 'hochberg' is not allowed here. Did you mean 'benjamini-hochberg'? Allowed: holm, benjamini-hochberg.

segments: [country, country]
=> segments[1]: 'country' is listed twice

segments: [a, b, c, d, e, f]
=> segments: a list of 6 is not allowed; give at most 5 entries (pre-exposure attributes by which the primary is shown)

segments: country
=> segments: 'country' is not allowed; give a list (pre-exposure attributes by which the primary is shown)

sensitivity: [unadjusted]
=> sensitivity[0]: 'unadjusted' is not allowed; the primary has no covariates

sensitivity: [uncapped]
=> sensitivity[0]: 'uncapped' is not allowed; the primary metric has no cap

sensitivity: [per-protocol, per-protocol]
=> sensitivity[1]: 'per-protocol' is listed twice

sensitivity: [trimmed]
=> sensitivity[0]: 'trimmed' is not allowed here. Allowed: unadjusted, uncapped, per-protocol.

window: 0d
=> window: '0d' is not allowed; give more than 0s (how long outcomes count; default: the primary's, else 7d)

label_delay: -1d
=> label_delay: '-1d' is not a duration; write a number with s, m, h, d or w, for example 7d

maturity: 3d
=> maturity: 3d is not allowed; it is shorter than window 7d + label_delay 0s, so outcomes would be read before they are in the log

power: {power: 0.7}
=> power.reason: is missing: power 0.7 is below 0.80; say why

power: {power: 0.4}
=> power.power: 0.4 is not allowed; give at least 0.5 (that the verdict is SHIP if the MDE is true and nothing harmed)

power: {power: 80}
=> power.power: 80 is not allowed; give at most 0.99 (that the verdict is SHIP if the MDE is true and nothing harmed)

power: {units_per_day: 0}
=> power.units_per_day: 0 is not allowed; give more than 0 (expected traffic of this experiment, all arms together; what follows from it is locked, it is not)

power: {design_effect: 0.5}
=> power.design_effect: 0.5 is not allowed; give at least 1 (variance inflation by clusters beyond the unit)

power: {units_per_arm: 100}
=> power.units_per_arm: 100 is fewer than the 21520 that p95_latency@1 needs; change what it is derived from, or give override_reason

power: {units_per_arm: .inf}
=> power.units_per_arm: .inf is not allowed; give a whole number (in the smallest arm, instead of the computed number; smaller needs a reason)

power: {override_reason: no idea why}
=> power.override_reason: nothing is overridden; give units_per_arm, or leave the reason out

stopping: {rule: sequential}
=> stopping.rule: 'sequential' is not allowed here. Did you mean 'group-sequential'? Allowed: fixed, group-sequential, always-valid.

stopping: {minimum_duration: 10d}
=> stopping: minimum_duration 10d and step 7d are not whole weeks, so weekdays would not balance; use multiples of 7d, or say why not in part_weeks_reason
=> stopping.minimum_duration: 10d is not allowed; give a multiple of the step 7d

stopping: {step: 1d}
=> stopping: minimum_duration (default) and step 1d are not whole weeks, so weekdays would not balance; use multiples of 7d, or say why not in part_weeks_reason

stopping: {step: 12h, part_weeks_reason: a short test}
=> stopping.step: '12h' is not allowed; give at least 1d (enrolment ends on whole steps, so that weekdays balance)

stopping: {step: 36h, part_weeks_reason: a short test}
=> stopping.step: 36h is not allowed; give a whole number of days

stopping: {minimum_duration: 14d, maximum_duration: 7d}
=> stopping.maximum_duration: 7d is not allowed; it is shorter than the minimum_duration 14d

stopping: {maximum_duration: 14d}
power: {units_per_day: 100}
=> stopping.maximum_duration: 14d is not allowed; 43040 units at 100 a day need 434d of enrolment

stopping: {if_short: stop}
=> stopping.if_short: 'stop' is not allowed here. Allowed: read, abandon.

rules: {warn_crossover: 10%}
=> rules.warn_crossover: 0.1 is not allowed; give at most fail_crossover 0.05

rules: {several_arms: first}
=> rules.several_arms: 'first' is not allowed here. Did you mean 'first arm'? Allowed: exclude, first arm, delivered arm.

rules: {max_missing: 0}
=> rules.max_missing: 0 is not allowed; give more than 0 (a larger missing share of a metric: not measured)

validity: {alpha: 0.06}
=> validity.alpha: 0.06 is not allowed; give at most 0.05 (the SRM α, shared by all checks that block a readout)

validity: {srm_alpha: 0.01}
=> validity.srm_alpha: 'srm_alpha' is not a field here. Did you mean 'alpha'? Allowed: alpha, max_assignment_mismatch, max_clock_oddities, minimum_join_rate.

decision_rule: R-2
=> decision_rule: 'R-2' does not fit purpose 'superiority'; that is R-1

decision_rule: R-9
=> decision_rule: 'R-9' is not allowed here. Did you mean 'R-2'? Allowed: R-1, R-2.

source: Main
=> source: 'Main' is not allowed; use small letters, digits and _, starting with a letter, at most 63

owner: ada
reviewer: ada
=> reviewer: 'ada' is the owner; somebody else locks the plan

tags: ranker
=> tags: 'ranker' is not allowed; give a list (to find it again)

expected_start: soon
=> expected_start: 'soon' is not allowed; give a moment, for example 2026-11-03T10:00:00Z (a date or moment; UTC unless it says so)

links: [5]
=> links[0]: 5 is not allowed; give text, in quotes

multiple_treatments: tukey
=> multiple_treatments: 'tukey' is not allowed here. Allowed: holm, bonferroni, dunnett.

assignment: {key: null}
title: "??????????"
=> assignment.key: is missing: the title has no letter or digit to make one from
"""
"""What is changed in a design that is right, and after each arrow a message: all of them, and no other."""


def _rows(table: str) -> list[tuple[str, list[str]]]:
    rows = []
    for block in re.split(r"\n{2,}", table.strip()):
        lines = block.splitlines()
        expected = [line.removeprefix("=> ") for line in lines if line.startswith("=> ")]
        rows.append(("\n".join(line for line in lines if not line.startswith("=> ")), expected))
    return rows


@pytest.mark.parametrize(("changes", "expected"), _rows(TABLE), ids=[changes for changes, _ in _rows(TABLE)])
def test_each_fault_has_its_own_message(changes: str, expected: list[str]) -> None:
    assert expected
    assert messages(changed(WRITTEN, yaml(changes))) == expected


def test_what_the_table_changes_is_right_without_the_change() -> None:
    assert messages(WRITTEN) == []
