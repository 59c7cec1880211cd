"""Equal meaning, equal hash: however it is spelled; and any other meaning, another hash."""

from __future__ import annotations

import json
import random
from fractions import Fraction
from io import StringIO
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from experiments.designs.canonical import SCHEMA
from experiments.designs.design import Design, declare, parse_design
from experiments.designs.written import ADMINISTRATIVE, WrittenDesign
from experiments.forms.documents import canonical_json, sha256_of
from experiments.forms.durations import SECONDS
from tests.experiments.designs import CATALOGUE, NON_INFERIORITY, WRITTEN, changed, design, yaml

FULL: dict[str, Any] = yaml("""
title: Ranker v7 and v8 against v6
hypothesis: {because: fresher features, expect: increase, population: signed-in users}
purpose: superiority
outcome_data_seen: "no"
units: {randomisation: user, analysis: user}
arms:
  - {name: control, share: 0.5, version: v6, description: served now}
  - {name: v7, share: 0.25, version: v7}
  - {name: v8, share: 0.25, version: v8}
assignment:
  {key: ranker, method: fairtrial, salt: pepper, layer: {name: search, start: 0, end: 0.5}, exposure: exposures}
eligibility:
  - {attribute: platform, is: web}
  - {attribute: country, one_of: [SE, NO, DK]}
  - {attribute: age, at_least: 18}
primary:
  metric: revenue@2
  mde: {relative: 0.05}
  alpha: 0.05
  sides: 1
  one_sided_reason: worse is not shipped either
  test: welch
  window: 7d
  covariates:
    - {metric: sessions@1, window: 14d, variance_reduction: 0.2}
    - {attribute: age}
  without_history: zero
  baseline: {mean: 3.1, sd: 12, source: October}
guardrails:
  - metric: p95_latency@1
    margin: {absolute: 20}
    reason: 20 ms cost 0.1% of sessions
    alpha: 0.025
    role: must-hold
    test: quantile
    window: 7d
    segment: platform
    minimum_units: 200
    baseline: {mean: 410, sd: 640, source: October}
  - {metric: errors@1, margin: {relative: 0.1}, reason: a tenth more errors, role: monitor}
  - metric: success@1
    margin: {absolute: 0.01}
    reason: one point of success
    covariates: [{metric: sessions@1}]
    without_history: exclude
secondary: {metrics: [sessions@1, rating@1], multiplicity: holm}
segments: [country, platform]
sensitivity: [unadjusted, uncapped]
window: 7d
label_delay: 1d
maturity: 8d
power: {power: 0.75, reason: a first look, units_per_day: 9000, design_effect: 1.5, units_per_arm: 90000, override_reason: a round number}
stopping: {rule: fixed, minimum_duration: 42d, maximum_duration: 84d, step: 7d, if_short: read}
rules: {several_arms: exclude, warn_crossover: 0.01, fail_crossover: 0.05, delivered_differs: keep,
  missing_outcomes: as the metric says, max_missing: 0.1}
validity: {alpha: 0.001, minimum_join_rate: 0.5, max_clock_oddities: 0.01, max_assignment_mismatch: 0}
multiple_treatments: holm
which_ships: largest effect
decision_rule: R-1
source: main
anything_else: The interface stays.
""")
SHA = declare(CATALOGUE, **FULL).sha256


def resolved(changes: str, base: dict[str, Any] = FULL) -> Design:
    return design(changes, base)


def shuffled(value: Any, rng: random.Random) -> Any:
    """The same fields in another order, at every depth."""
    if isinstance(value, dict):
        items = [(name, shuffled(item, rng)) for name, item in value.items()]
        rng.shuffle(items)
        return dict(items)
    return [shuffled(item, rng) for item in value] if isinstance(value, list) else value


@given(st.randoms(use_true_random=False))
@settings(max_examples=20)
def test_the_order_of_fields_means_nothing(rng: random.Random) -> None:
    assert declare(CATALOGUE, **shuffled(FULL, rng)).sha256 == SHA


LISTS_WITHOUT_ORDER = [
    ("guardrails",),
    ("secondary", "metrics"),
    ("segments",),
    ("sensitivity",),
    ("eligibility",),
    ("eligibility", 1, "one_of"),
    ("primary", "covariates"),
]


@pytest.mark.parametrize("path", LISTS_WITHOUT_ORDER, ids=lambda path: ".".join(map(str, path)))
def test_the_order_of_a_list_means_nothing_where_the_plan_does_not_depend_on_it(
    path: tuple[str | int, ...],
) -> None:
    fields = changed(FULL, {})
    place: Any = fields
    for part in path:
        place = place[part]
    assert len(place) > 1
    place.reverse()
    assert declare(CATALOGUE, **fields).sha256 == SHA


def test_the_order_of_arms_is_part_of_the_plan_because_the_hash_assigns_by_it() -> None:
    control, v7, v8 = FULL["arms"]
    assert declare(CATALOGUE, **{**FULL, "arms": [control, v8, v7]}).sha256 != SHA


@given(st.fractions(Fraction(1, 100), Fraction(99, 100), max_denominator=10**6))
@settings(max_examples=60)
def test_a_share_is_one_value_however_it_is_written(share: Fraction) -> None:
    def with_share(written: object) -> str:
        arms = [{"name": "a", "share": written}, {"name": "b", "share": 1 - share}]
        return declare(CATALOGUE, **{**WRITTEN, "arms": arms}).sha256

    spellings: list[object] = [str(share), f"{share.numerator * 3}/{share.denominator * 3}"]
    if Fraction(str(float(share))) == share:
        spellings += [float(share), str(float(share)), f"{float(share):.12f}"]
    percent = share * 100
    if Fraction(str(float(percent))) == percent:
        spellings += [f"{float(percent)!r}%", f"{float(percent)!r} %"]
    assert len({with_share(written) for written in (share, *spellings)}) == 1


@pytest.mark.parametrize("written", ["0.5", "0.50", "5e-1", "50%", "50.0 %", "1/2", "2 / 4", "'0.5'"])
def test_half_is_half(written: str) -> None:
    assert design(f"arms: [{{name: control, share: {written}}}, {{name: treatment, share: 0.5}}]").sha256 == (
        design().sha256
    )


@pytest.mark.parametrize("written", ["0.05", "5%", "5.00%", "1/20", "5e-2"])
def test_a_level_is_one_value_however_it_is_written(written: str) -> None:
    assert resolved(f"primary: {{alpha: {written}}}").sha256 == SHA


def test_thirds_are_exact() -> None:
    thirds = design(
        "arms: [{name: control, share: 1/3}, {name: a, share: 1/3}, {name: b, share: 1/3}]"
    ).material
    equal = design("arms: [{name: control}, {name: a}, {name: b}]").material
    assert thirds == equal
    assert [arm["share"] for arm in thirds["arms"]] == ["1/3"] * 3


@given(st.sampled_from(sorted(SECONDS)), st.integers(1, 9))
@settings(max_examples=30)
def test_a_duration_is_one_value_however_it_is_written(unit: str, weeks: int) -> None:
    seconds = weeks * SECONDS["w"]
    exact = Fraction(seconds, SECONDS[unit])
    written = f"{exact}{unit}" if exact.denominator == 1 else f"{seconds}s"
    assert design(f"window: {written}").sha256 == design(f"window: {weeks * 7}d").sha256


SPACE = st.text(" \n\t", min_size=1, max_size=3)


@given(SPACE, SPACE, SPACE)
@settings(max_examples=30)
def test_white_space_in_prose_means_nothing(before: str, between: str, after: str) -> None:
    def spaced(text: str) -> str:
        return before + between.join(text.split(" ")) + after

    fields = changed(FULL, {"anything_else": spaced("The interface stays.")})
    fields["hypothesis"]["because"] = spaced("fresher features")
    fields["primary"]["one_sided_reason"] = spaced("worse is not shipped either")
    fields["primary"]["baseline"]["source"] = spaced("October")
    fields["guardrails"][0]["reason"] = spaced("20 ms cost 0.1% of sessions")
    fields["power"]["override_reason"] = spaced("a round number")
    assert declare(CATALOGUE, **fields).sha256 == SHA


def test_an_accent_is_one_letter_however_it_is_encoded() -> None:
    composed, decomposed = "\u00e9", "e\u0301"
    assert composed != decomposed
    assert design(f"anything_else: caf{composed}").sha256 == design(f"anything_else: caf{decomposed}").sha256


DEFAULTS = """
purpose: superiority
hypothesis: {population: all eligible units}
arms: [{name: control, share: 0.5}, {name: treatment, share: 50%}]
outcome_data_seen: No
units: {randomisation: user, analysis: user}
assignment: {method: fairtrial, salt: ranker-v7, layer: null, exposure: assignment}
eligibility: []
primary:
  {metric: success@1, alpha: 0.05, sides: 2, test: score, window: 7d, covariates: [], without_history: exclude,
   baseline: {mean: 0.2, source: October}, one_sided_reason: null, margin: null}
secondary: {metrics: [], multiplicity: benjamini-hochberg}
segments: []
sensitivity: []
window: 7d
label_delay: 0s
maturity: 7d
power: {power: 0.8, design_effect: 1, units_per_arm: 21520}
stopping: {rule: fixed, minimum_duration: 7d, maximum_duration: 14d, step: 7d, if_short: read}
rules: {several_arms: exclude, warn_crossover: 1%, fail_crossover: 5%, delivered_differs: keep,
  missing_outcomes: as the metric says, max_missing: 1}
validity: {alpha: 0.1%, minimum_join_rate: 0, max_clock_oddities: 0.01, max_assignment_mismatch: 0}
multiple_treatments: bonferroni
which_ships: first listed
decision_rule: R-1
source: main
anything_else: ""
no_guardrails_reason: null
guardrails:
  - {metric: p95_latency@1, margin: 20, reason: 20 ms cost 0.1% of sessions, alpha: 2.5%, role: must-hold, test: quantile,
     window: 7d, segment: null, covariates: [], minimum_units: 2, without_history: zero,
     baseline: {mean: 410, sd: 640, source: October}}
"""


@pytest.mark.parametrize("field", yaml(DEFAULTS))
def test_a_default_written_out_is_the_default_left_out(field: str) -> None:
    assert design(json.dumps({field: yaml(DEFAULTS)[field]})).sha256 == design().sha256


def test_all_defaults_written_out_at_once_are_the_design_without_them() -> None:
    assert design(DEFAULTS).sha256 == design().sha256


def test_the_defaults_of_non_inferiority_are_its_own() -> None:
    explicit = design(
        "primary: {alpha: 0.025, sides: 1}\nmaturity: 7d\ndecision_rule: R-2", base=NON_INFERIORITY
    )
    assert explicit.sha256 == design(base=NON_INFERIORITY).sha256
    assert design("primary: {alpha: 0.05}", base=NON_INFERIORITY).sha256 != explicit.sha256


def test_a_bare_name_is_its_newest_version() -> None:
    base = changed(WRITTEN, {"primary": {"metric": "revenue", "mde": {"absolute": 1}}})
    bare, pinned = design("", base), design("primary: {metric: revenue@2}", base)
    assert bare.sha256 == pinned.sha256
    assert design("primary: {metric: revenue@1}", base).sha256 != bare.sha256


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("{attribute: a, one_of: [x]}", "{attribute: a, is: x}"),
        ("{attribute: a, none_of: [x]}", "{attribute: a, is_not: x}"),
        ("{attribute: a, one_of: [x, y, x]}", "{attribute: a, one_of: [y, x]}"),
        ("{attribute: a, is: 1}", "{attribute: a, is: 1.0}"),
        ("{attribute: a, at_least: 1e1}", "{attribute: a, at_least: 10}"),
        ("{attribute: a, is: x}, {attribute: a, is: x}", "{attribute: a, is: x}"),
    ],
)
def test_a_condition_is_what_it_lets_in(one: str, other: str) -> None:
    assert design(f"eligibility: [{one}]").sha256 == design(f"eligibility: [{other}]").sha256


@pytest.mark.parametrize("others", [("1", "'1'"), ("true", "'true'"), ("true", "1"), ("1", "2")])
def test_a_number_a_word_and_yes_or_no_are_different_conditions(others: tuple[str, str]) -> None:
    one, other = (design(f"eligibility: [{{attribute: a, is: {value}}}]").sha256 for value in others)
    assert one != other


def test_a_file_and_python_give_the_same_design() -> None:
    text = StringIO()
    YAML(typ="safe", pure=True).dump(FULL, text)
    assert parse_design(text.getvalue(), CATALOGUE).sha256 == SHA
    assert parse_design(json.dumps(FULL), CATALOGUE).sha256 == SHA
    from_python = declare(CATALOGUE, **{**FULL, "arms": tuple(FULL["arms"])})
    assert parse_design(from_python.document.text, CATALOGUE).sha256 == from_python.sha256 == SHA


# Every leaf of the document that says something, with another value that is right as well.
CHANGES = [
    "hypothesis: {because: other features}",
    "hypothesis: {population: everybody}",
    "outcome_data_seen: some clicks of these users were seen in the pilot of last spring",
    "units: {randomisation: device, analysis: device}",
    "arms: [{name: old, share: 0.5, version: v6}, {name: v7, share: 0.25, version: v7}, {name: v8, share: 0.25, version: v8}]",
    "arms: [{name: control, share: 0.4, version: v6}, {name: v7, share: 0.3, version: v7}, {name: v8, share: 0.3, version: v8}]",
    "arms: [{name: control, share: 0.5, version: v5}, {name: v7, share: 0.25, version: v7}, {name: v8, share: 0.25, version: v8}]",
    "arms: [{name: control, share: 0.5, version: v6}, {name: v7, share: 0.5, version: v7}]",
    "assignment: {key: other}",
    "assignment: {salt: other}",
    "assignment: {layer: null}",
    "assignment: {layer: {name: other}}",
    "assignment: {layer: {start: 0.1}}",
    "assignment: {layer: {end: 0.6}}",
    "assignment: {exposure: assignment}",
    "assignment: {method: external, salt: null, layer: null}",
    "eligibility: [{attribute: platform, is: web}]",
    "eligibility: [{attribute: platform, is_not: web}, {attribute: country, one_of: [SE, NO, DK]}, {attribute: age, at_least: 18}]",
    "primary: {metric: revenue@1}\nsensitivity: [unadjusted]",
    "primary: {mde: {relative: 0.06}}",
    "primary: {mde: {relative: null, absolute: 0.155}}",
    "primary: {alpha: 0.04}",
    "primary: {sides: 2}",
    "primary: {one_sided_reason: another reason}",
    "primary: {window: 6d}",
    "primary: {covariates: [{metric: sessions@1, window: 14d, variance_reduction: 0.2}]}",
    "primary: {covariates: [{metric: sessions@1, window: 21d, variance_reduction: 0.2}, {attribute: age}]}",
    "primary: {covariates: [{metric: sessions@1, window: 14d, variance_reduction: 0.3}, {attribute: age}]}",
    "primary: {covariates: [{metric: rating@1, window: 14d, variance_reduction: 0.2}, {attribute: age}]}",
    "primary: {covariates: [{metric: sessions@1, window: 14d, variance_reduction: 0.2}, {attribute: tenure}]}",
    "primary: {without_history: exclude}",
    "primary: {baseline: {mean: 3.2}}",
    "primary: {baseline: {sd: 13}}",
    "primary: {baseline: {source: September}}",
    "no_guardrails_reason: nothing can be harmed here\nguardrails: []",
    "secondary: {metrics: [sessions@1]}",
    "secondary: {multiplicity: benjamini-hochberg}",
    "segments: [country]",
    "sensitivity: [unadjusted]",
    "window: 6d",
    "label_delay: 12h",
    "maturity: 9d",
    "power: {power: 0.7}",
    "power: {reason: another reason}",
    "power: {design_effect: 1.6}",
    "power: {units_per_arm: 90001}",
    "power: {override_reason: another reason}",
    "stopping: {minimum_duration: 35d}",
    "stopping: {maximum_duration: 91d}",
    "stopping: {step: 14d}",
    "stopping: {step: 1d, part_weeks_reason: there are no weekdays here}",
    "stopping: {if_short: abandon}",
    "rules: {several_arms: first arm}",
    "rules: {warn_crossover: 0.02}",
    "rules: {fail_crossover: 0.06}",
    "rules: {delivered_differs: exclude}",
    "rules: {missing_outcomes: failure}",
    "rules: {max_missing: 0.2}",
    "validity: {alpha: 0.01}",
    "validity: {minimum_join_rate: 0.6}",
    "validity: {max_clock_oddities: 0.02}",
    "validity: {max_assignment_mismatch: 0.01}",
    "multiple_treatments: bonferroni",
    "which_ships: first listed",
    "source: other",
    "anything_else: The interface changes.",
]  # fmt: skip

GUARDRAIL_CHANGES = [
    "metric: failure_rate@1",
    "margin: {absolute: 21}",
    "margin: {relative: 0.05}",
    "reason: 20 ms cost 0.2% of sessions",
    "alpha: 0.02",
    "role: monitor",
    "window: 6d",
    "segment: country",
    "segment: null",
    "minimum_units: 100",
    "baseline: {mean: 411, sd: 640, source: October}",
    "baseline: {mean: 410, sd: 641, source: October}",
    "baseline: {mean: 410, sd: 640, source: September}",
]


@pytest.mark.parametrize("changes", CHANGES)
def test_each_material_field_changes_the_hash(changes: str) -> None:
    assert resolved(changes).sha256 != SHA


@pytest.mark.parametrize("changes", GUARDRAIL_CHANGES)
def test_each_material_field_of_a_guardrail_changes_the_hash(changes: str) -> None:
    first, *others = FULL["guardrails"]
    change = {**first, **yaml(changes)}
    if "metric" in yaml(changes):
        change |= {"test": None, "baseline": None, "margin": {"absolute": 0.001}}
    assert declare(CATALOGUE, **{**FULL, "guardrails": [change, *others]}).sha256 != SHA


def test_the_rules_of_covariates_of_a_guardrail_are_material() -> None:
    *others, success = FULL["guardrails"]
    for change in (
        {"without_history": "zero"},
        {"covariates": []},
        {"covariates": [{"metric": "sessions@1", "window": "7d"}]},
        {"covariates": [{"metric": "sessions@1", "variance_reduction": 0.1}]},
    ):
        assert declare(CATALOGUE, **{**FULL, "guardrails": [*others, {**success, **change}]}).sha256 != SHA


def test_no_change_of_the_table_leaves_a_field_out() -> None:
    """What no change reaches is fixed by another field, or one of what is not in the hash."""
    reached: set[str] = set()
    for changes in CHANGES:
        reached |= set(yaml(changes))
    untouched = set(WrittenDesign.model_fields) - reached - set(ADMINISTRATIVE)
    assert untouched == {"purpose", "decision_rule"}


def test_purpose_and_its_decision_rule_change_the_hash() -> None:
    assert design(base=NON_INFERIORITY).material["purpose"] == "non-inferiority"
    assert design(base=NON_INFERIORITY).material["decision_rule"] == "R-2"
    assert design("primary: {margin: {absolute: 0.02}}", base=NON_INFERIORITY).sha256 != (
        design(base=NON_INFERIORITY).sha256
    )


ADMINISTRATIVE_CHANGES = {
    "title": "Another title for the same experiment",
    "background": "What differs, in words.",
    "owner": "ada",
    "reviewer": "grace",
    "deciders": ["barbara"],
    "team": "search",
    "links": ["a page"],
    "tags": ["ranker"],
    "expected_start": "2026-11-03",
    "rollback": "set the flag back",
}


@pytest.mark.parametrize("field", ADMINISTRATIVE)
def test_what_is_for_people_only_never_changes_the_hash(field: str) -> None:
    changed_design = declare(CATALOGUE, **{**FULL, field: ADMINISTRATIVE_CHANGES[field]})
    assert changed_design.sha256 == SHA
    assert changed_design.administrative != declare(CATALOGUE, **FULL).administrative


def test_an_arm_s_description_and_a_metric_s_meaning_are_words_too() -> None:
    arms = [{**arm, "description": "other words"} for arm in FULL["arms"]]
    assert declare(CATALOGUE, **{**FULL, "arms": arms}).sha256 == SHA


def test_expected_traffic_counts_by_what_follows_from_it() -> None:
    assert resolved("power: {units_per_day: 10000}").sha256 == SHA  # the durations are declared
    assert design("power: {units_per_day: 100}").material["stopping"]["minimum_duration"] == 434 * 86_400
    assert design("power: {units_per_day: 100}").sha256 != design("power: {units_per_day: 50}").sha256


def test_without_a_key_the_title_is_the_key_and_so_part_of_the_plan() -> None:
    bare = {name: value for name, value in WRITTEN.items() if name != "assignment"}
    found = declare(CATALOGUE, **bare)
    assert (found.key, found.salt) == ("ranker-v7-against-v6", "ranker-v7-against-v6")
    assert (
        found.sha256 == design("assignment: {key: ranker-v7-against-v6, salt: ranker-v7-against-v6}").sha256
    )
    assert declare(CATALOGUE, **{**bare, "title": "Ранкер 7 против 6"}).key == "ранкер-7-против-6"


def test_the_hash_is_that_of_the_canonical_json_of_the_material() -> None:
    found = declare(CATALOGUE, **FULL)
    assert found.material["schema"] == SCHEMA
    assert found.sha256 == sha256_of(json.loads(canonical_json(found.material)))
    assert all(name not in found.material for name in ADMINISTRATIVE)
