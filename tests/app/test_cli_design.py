"""`design new`, `check`, `preview` and `fields`, the templates, and the preview's numbers."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from analysis.power import power_of, sample_size_proportions, sample_size_quantile
from app.declared_words import duration_in_words
from app.preview import preview
from app.protocol import protocol
from app.templates import DESIGNS, WORKSPACE, design_template, workspace_file
from experiments.designs.design import Design, declare, parse_design
from experiments.designs.metrics import Catalogue, load_catalogue, parse_catalogue

CATALOGUE = parse_catalogue(workspace_file("metrics.yaml"))


def design_of(template: str, *changes: tuple[str, str]) -> Design:
    text = design_template(template)
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return parse_design(text, CATALOGUE)


@pytest.mark.parametrize("template", DESIGNS)
def test_a_new_design_passes_the_check(fairtrial, workspace, template):
    assert fairtrial(f"design new --template {template} new.yaml").exit_code == 0
    ran = fairtrial("design check new.yaml --json")
    assert ran.exit_code == 0
    document = ran.document
    assert document["ok"] is True
    assert len(document["sha256"]) == 64
    assert document["total"] == sum(document["n_per_arm"])


@pytest.mark.parametrize("template", DESIGNS)
def test_a_template_has_a_comment_for_whoever_reads_it_first(template):
    text = design_template(template)
    assert text.startswith("# ")
    assert text.count("#") > 5


def test_all_workspace_files_are_there_and_nothing_else_is():
    for name in WORKSPACE:
        assert workspace_file(name)
    with pytest.raises(KeyError):
        workspace_file("../settings.py")
    with pytest.raises(KeyError):
        design_template("nonesuch")


def test_a_new_design_overwrites_nothing_unless_told_to(fairtrial, workspace):
    ran = fairtrial("design new design.yaml --template feature-ab")
    assert ran.exit_code == 1
    assert "--force" in ran.err
    assert (workspace / "design.yaml").read_text() == design_template("model-ab")
    assert fairtrial("design new design.yaml --template feature-ab --force").exit_code == 0
    assert (workspace / "design.yaml").read_text() == design_template("feature-ab")


def test_a_new_design_goes_to_standard_output_where_no_file_is_named(fairtrial):
    assert parse_design(fairtrial("design new").out, CATALOGUE).title.startswith("Ranker v7")
    assert fairtrial("design new --json").document["design"] == design_template("model-ab")


def test_the_check_says_which_metric_sets_the_sample_size(fairtrial, workspace):
    document = fairtrial("design check design.yaml --json").document
    assert document["binding"] == "p95_latency@1"
    ran = fairtrial("design check design.yaml")
    assert ran.out.startswith("ok  design.yaml")
    assert document["sha256"] in ran.out
    assert "p95_latency@1" in ran.out


def test_the_check_names_every_problem_of_the_file(fairtrial, workspace):
    file = workspace / "design.yaml"
    text = file.read_text().replace("power: 0.80 ", "power: 0.70 ").replace("revenue@1", "revenu@1")
    file.write_text(text.replace("expect: increase", "expect: decrease"))
    problems = fairtrial("design check design.yaml --json").document["error"]["problems"]
    assert {p["path"] for p in problems} == {"power.reason", "secondary.metrics[0]", "hypothesis.expect"}
    assert all(p["file"] == "design.yaml" and p["line"] for p in problems)


def test_a_catalogue_may_be_named(fairtrial, workspace):
    (workspace / "metrics.yaml").rename(workspace / "other.yaml")
    ran = fairtrial("design check design.yaml")
    assert ran.exit_code == 1
    assert "metrics.yaml does not exist; give --catalogue FILE" in ran.err
    assert fairtrial("design check design.yaml --catalogue other.yaml").exit_code == 0


def test_the_settings_name_the_catalogue_from_any_folder_below(fairtrial, workspace, monkeypatch):
    below = workspace / "designs"
    below.mkdir()
    monkeypatch.chdir(below)
    assert fairtrial("design check ../design.yaml").exit_code == 0


def test_the_preview_speaks_plainly(fairtrial, workspace):
    out = fairtrial("design preview design.yaml").out
    assert "We will compare candidate with control" in out
    assert "Success means: task_success@1" in out
    assert "Each week is a design of its own" in out


def test_the_preview_s_document_has_the_same_numbers_as_its_values(fairtrial, workspace):
    document = fairtrial("design preview design.yaml --json").document
    found = preview(design_of("model-ab"))
    assert document["n_per_arm"] == list(found.n_per_arm)
    assert document["metrics"][0]["power"] == found.metrics[0].power
    assert document["protocol"][0]["heading"] == "Question"


def test_the_sample_size_is_the_largest_that_a_deciding_metric_needs():
    found = preview(design_of("model-ab"))
    power = 1 - 0.2 / 3  # β over the primary and two guardrails
    primary = sample_size_proportions(0.20, 0.015, alpha=0.05, power=power)
    latency = sample_size_quantile(640**2, margin=20, power=power, direction="lower")
    assert found.power_per_test == pytest.approx(power)
    by_metric = {m.metric: m for m in found.metrics}
    assert by_metric["task_success@1"].n_per_arm == primary.n_per_arm
    assert by_metric["p95_latency@1"].n_per_arm == latency.n_per_arm == found.n_per_arm
    assert [m.metric for m in found.metrics if m.binds] == ["p95_latency@1"]
    assert by_metric["task_success@1"].power == power_of(primary.comparisons, found.n_per_arm, primary.plan)


def test_the_whole_rule_has_at_least_the_declared_power():
    for template in DESIGNS:
        found = preview(design_of(template))
        assert found.ship_power >= found.power
        assert found.ship_power == pytest.approx(1 - sum(1 - m.power for m in found.metrics))


def test_weeks_are_enough_from_the_week_in_which_the_planned_units_have_come():
    found = preview(design_of("model-ab"))
    assert found.enrolment is not None
    first = next(week for week in found.weeks if week.enough)
    assert first.week == found.enrolment.enrolment_weeks == math.ceil(found.total / 3000 / 7)
    assert all(n >= planned for n, planned in zip(first.n_per_arm, found.n_per_arm, strict=True))
    effects = [week.detectable["task_success@1"] for week in found.weeks]
    assert effects == sorted(effects, reverse=True)
    binding = first.detectable["p95_latency@1"]
    assert binding is not None
    assert binding < 20


def test_at_the_planned_n_the_binding_metric_detects_just_its_margin():
    found = preview(design_of("model-ab", ("units_per_day: 3000", "units_per_day: 7009.428571428572")))
    assert found.weeks[0].n_per_arm == found.n_per_arm  # 49,066 units in one week
    assert found.weeks[0].detectable["p95_latency@1"] == pytest.approx(20, rel=1e-3)


def test_without_traffic_there_are_no_weeks_and_no_duration(fairtrial, workspace):
    file = workspace / "design.yaml"
    file.write_text(file.read_text().replace("  units_per_day: 3000 ", "  # "))
    document = fairtrial("design preview design.yaml --json").document
    assert (document["weeks"], document["enrolment"]) == ([], None)
    assert "Without power.units_per_day" in fairtrial("design preview design.yaml").out


def test_sensitivity_recomputes_the_whole_plan():
    found = {scenario.name: scenario for scenario in preview(design_of("model-ab")).sensitivity}
    planned = found["as planned"]
    assert planned.n_per_arm == (24533, 24533)
    spread = found["variances 1.5 times as large"]
    assert spread.n_per_arm is not None
    assert spread.n_per_arm[0] == pytest.approx(1.5 * 24533, abs=2)
    assert spread.ship_power < planned.ship_power
    assert (planned.weeks, found["traffic 30% lower"].weeks) == (3, math.ceil(49066 / 2100 / 7))


def test_a_moved_baseline_moves_what_depends_on_it():
    design = design_of("non-inferiority")
    found = {scenario.name: scenario for scenario in preview(design).sensitivity}
    power = design.plan.power_per_test
    at_016 = sample_size_proportions(0.16, margin=0.01, power=power)
    latency = sample_size_quantile(
        640**2, margin=0.05, power=power, direction="lower", relative=True, quantile=0.8 * 410
    )
    assert latency.total > at_016.total
    assert found["baselines 20% lower"].n_per_arm == latency.n_per_arm
    assert found["baselines 20% lower"].binding == "p95_latency@1"


def test_a_relative_mde_moves_with_its_baseline():
    found = {s.name: s for s in preview(design_of("feature-ab")).sensitivity}
    power = 1 - 0.2 / 3
    lower = sample_size_proportions(0.048, 0.06 * 0.048, power=power)
    assert found["baselines 20% lower"].n_per_arm == lower.n_per_arm


def test_a_baseline_that_cannot_grow_says_so_instead_of_a_number():
    design = design_of(
        "model-ab",
        (
            "  mde: {absolute: 0.015} ",
            "  baseline: {mean: 0.9, source: a very good ranker}\n  mde: {absolute: 0.015} ",
        ),
    )
    scenario = next(s for s in preview(design).sensitivity if s.name == "baselines 20% higher")
    assert (scenario.n_per_arm, scenario.ship_power) == (None, None)
    assert scenario.not_computed is not None
    assert "baseline" in scenario.not_computed


def test_the_protocol_prints_every_declared_reason_and_rule():
    design = declare(
        CATALOGUE,
        title="Everything declared at once, in words",
        hypothesis={"because": "a good reason", "expect": "increase", "population": "everybody here"},
        background="What differs, in words a stranger understands.",
        arms=[{"name": "control"}, {"name": "small", "version": "m-1"}, {"name": "large"}],
        primary={
            "metric": "task_success",
            "mde": 0.02,
            "sides": 1,
            "one_sided_reason": "worse is not shipped either",
            "covariates": [{"metric": "sessions", "window": "28d"}],
        },
        guardrails=[
            {"metric": "revenue", "margin": {"relative": 0.5}, "reason": "half of it is what we can bear", "role": "monitor"},
            {"metric": "support_contact", "margin": 0.01, "reason": "one shift more", "segment": "country"},
        ],
        eligibility=[{"attribute": "platform", "is": "web"}, {"attribute": "age", "at_least": 18}],
        assignment={"layer": {"name": "search", "end": "1/2"}, "exposure": "exposures"},
        segments=["country"],
        sensitivity=["unadjusted"],
        rules={"several_arms": "first arm", "missing_outcomes": "failure", "delivered_differs": "exclude", "max_missing": 0.2},
        stopping={"if_short": "abandon"},
        rollback="set the flag back",
        anything_else="The interface stays as it is.",
    )  # fmt: skip
    text = "\n".join(sentence for section in protocol(design) for sentence in section.sentences)
    for words in (
        "We will compare small and large with control",
        "because a good reason",
        "What differs, in words",
        "control 33.33%, small 33.33% (m-1), large 33.33%",
        "layer search from 0% to 50%",
        "first row in the exposures log",
        "Eligible: platform is web.",
        "Eligible: age is at least 18.",
        "Welch's t test at α 0.05 one-sided",
        "One-sided because: worse is not shipped either",
        "2 percentage points",
        "sessions@1 over 28 days",
        "adjusted by holm",
        "the one with the largest effect",
        "revenue@1 is watched and does not decide: not worse by 50% of control",
        "support_contact@1 must hold: not worse by 1 percentage point or more at every level of country",
        "Why: one shift more.",
        "it is abandoned",
        "count in the first arm they were seen in",
        "A missing yes/no outcome counts as no.",
        "Units whose delivered arm differs from the assigned one are left out.",
        "more than 20% of the units counts as not measured",
        "Declared segments: country",
        "without covariates",
        "To undo it: set the flag back.",
        "The interface stays as it is.",
    ):
        assert words in text


def test_durations_are_written_as_people_say_them():
    assert [duration_in_words(s) for s in (86_400, 604_800, 3_600, 5_400, 45)] == [
        "1 day",
        "7 days",
        "1 hour",
        "90 minutes",
        "45 seconds",
    ]


def test_fields_are_listed_with_their_defaults(fairtrial):
    found = {f["path"]: f for f in fairtrial("design fields --json").document["fields"]}
    assert found["title"]["default"] == "required"
    assert found["guardrails[].alpha"]["default"] == "0.025"
    assert found["stopping.step"] == {
        "path": "stopping.step",
        "allowed": "duration",
        "default": "7d",
        "meaning": "enrolment ends on whole steps, so that weekdays balance",
    }
    only = fairtrial("design fields guardrails --json").document["fields"]
    assert {f["path"].split("[")[0].split(".")[0] for f in only} == {"guardrails"}
    ran = fairtrial("design fields guardrail")
    assert ran.exit_code == 2
    assert "Did you mean 'guardrails'?" in ran.err


def test_the_templates_are_installed_with_the_package():
    import app.templates

    folder = Path(app.templates.__file__).parent
    assert isinstance(load_catalogue(folder / "metrics.yaml"), Catalogue)
    assert {file.stem for file in (folder / "designs").glob("*.yaml")} == set(DESIGNS)
