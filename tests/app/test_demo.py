"""The demo: each verdict is what the truth demands, by design and not by luck; and it leaves everything it promises."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from math import sqrt
from pathlib import Path

import pytest
from scipy.stats import ncx2, norm

from app.demo import script
from app.demo.candidates import (
    ANSWER_MS,
    CANDIDATES,
    COUNTRIES,
    MIRRORED_DAYS,
    REQUESTS,
    RESOLVED,
    VISITORS,
    Candidate,
    canary_of,
    mirrored,
    shadow_of,
)
from app.demo.climbing import AB_DAYS, Climbed
from app.demo.scenarios import (
    LOST_SHARE,
    PLAYS,
    TREATMENT,
    WORKSPACE,
    Play,
    design_of,
    traffic_of,
    truth_in_words,
)
from app.demo.script import Ended, Played, play_demo
from experiments.designs.metrics import load_catalogue
from experiments.readouts.readout import Readout
from experiments.traffic import truth_of

CATALOGUE = load_catalogue(WORKSPACE / "metrics.yaml")
BY_NAME = {play.name: play for play in PLAYS}


def certainty(play: Play) -> float:
    """A lower bound of the probability of the intended verdict, by the normal approximation and Boole's inequality.

    Written from the rules alone: effect over standard error for each test that the verdict needs.
    """
    design = design_of(play, CATALOGUE)
    scenario = traffic_of(play, design)
    primary, latency, *crashes = truth_of(scenario).outcomes
    days = FIRST_LOOK_DAYS if play.early else scenario.days
    units = scenario.units_per_day * days * scenario.exposed / 2
    if crashes:
        return _harm_is_found(play, units / scenario.days * MATURE_ON_DAY_NINE)
    kept = units * (1 - LOST_SHARE) if play.faults else units
    error = sqrt(sum(arm.mean * (1 - arm.mean) / units for arm in primary.arms))
    effect, mde = primary.arms[1].effect, design.primary.mde.value
    critical = norm.isf(design.primary.alpha / 2)
    guarded = norm.isf(design.guardrails[0].alpha)
    if play.early:  # O'Brien-Fleming-like spending at half of the information; published: 2.9626
        assert units / design.plan.n_per_arm[0] >= 0.5
        critical = guarded = 2.9626
    not_met = norm.cdf(critical - effect / error)
    p95 = [dict(arm.quantiles)[0.95] for arm in latency.arms]
    (guardrail,) = design.guardrails
    slower_error = sqrt(2 / units) * guardrail.metric.baseline.sd * (1 + play.slower)
    room = (guardrail.margin.value - (p95[1] - p95[0])) / slower_error
    not_within = norm.cdf(guarded - room)
    match play.verdict:
        case "SHIP":
            return 1 - not_met - not_within
        case "DO NOT SHIP" if play.slower:
            return norm.cdf(-room - norm.isf(guardrail.alpha))
        case "DO NOT SHIP":
            met = norm.sf(critical - effect / error)
            not_ruled_out = norm.cdf(critical - (mde - effect) / error)
            return 1 - met - not_ruled_out
        case (
            "INVALID"
        ):  # two tests of allocation share 0.9 of α; the chi-squared test has one degree of freedom
            total, share = units + kept, kept / (units + kept)
            noncentrality = total * ((share - 0.5) ** 2 / 0.25)
            alpha = design.written.validity.alpha * 0.9 / 2
            return ncx2.sf(norm.isf(alpha / 2) ** 2, 1, noncentrality)
        case (
            _
        ):  # stopped by hand: INCONCLUSIVE unless the primary is harmed or the guardrail is beyond its margin
            harmed = norm.cdf(-critical - effect / error)
            return 1 - harmed - norm.cdf(-room - norm.isf(guardrail.alpha))


FIRST_LOOK_DAYS = 7
MATURE_ON_DAY_NINE = 2


def _harm_is_found(play: Play, units: float) -> float:
    """A confidence sequence at α 0.01 is nowhere near the planned n wider than 5 standard errors."""
    worse = 0.02 + play.crashes
    error = sqrt((0.02 * 0.98 + worse * (1 - worse)) / units)
    return norm.cdf((play.crashes - 0.01) / error - 5)


@pytest.mark.parametrize("name", BY_NAME)
def test_the_truth_gives_the_intended_verdict_with_near_certainty(name):
    assert certainty(BY_NAME[name]) > 0.985


def test_the_truth_is_told_from_the_traffic_s_declaration():
    told = {
        name: truth_in_words(traffic_of(play, design_of(play, CATALOGUE))) for name, play in BY_NAME.items()
    }
    assert told["no-effect"] == "no effect"
    assert told["slow-win"] == "+4.5 percentage points, latency +25%"
    assert told["late-labels"] == "+5.5 percentage points"


def certainty_on_the_ladder(candidate: Candidate) -> float:
    """A lower bound of the probability of where a candidate ends, by effect over standard error of each test it needs.

    The shadow's spread is taken from its own drawn pairs, the rest from the rules alone.
    """
    assert "margin: 0.02" in shadow_of(candidate)
    assert "absolute: 30" in canary_of(candidate)
    assert (MIRRORED_DAYS, ANSWER_MS) == (7, 220.0)
    came = mirrored(candidate, datetime(2026, 12, 1, tzinfo=UTC))
    said = came.predictions.merge(came.labels, on="request")
    right = (said["answer"] == said["label"]).astype(int)
    wide = right.groupby([said["request"], said["model"]]).first().unstack()
    error = float((wide["v2"] - wide["v1"]).std()) * sqrt(1.5 / REQUESTS)  # users have 3.5 requests each
    missed = [
        norm.cdf(1.96 - (0.03 + gain) / (error / sqrt(share)))
        for gain, share in zip(candidate.right, COUNTRIES.values(), strict=True)
    ]
    if candidate.last_rung == "shadow":
        return float(norm.cdf((0.09 - 0.03) / (error / sqrt(COUNTRIES["FR"])) - 1.96))
    slowed = 80 * sqrt(2 / (0.10 * VISITORS * 1.9))
    critical = norm.isf(0.025 / 4)  # spent over four checks, at most so much is asked of the first
    if candidate.last_rung == "canary":
        return float(1 - sum(missed) - norm.cdf(critical - (candidate.slower - 30) / slowed))
    missed.append(norm.cdf(critical - (30 - candidate.slower) / slowed))
    spread = sqrt(2 * RESOLVED * (1 - RESOLVED) / (AB_DAYS * VISITORS / 4))
    missed.append(norm.cdf(1.96 - abs(candidate.helped) / spread))
    return float(1 - sum(missed))


@pytest.mark.parametrize("candidate", CANDIDATES, ids=lambda one: one.model)
def test_every_candidate_ends_where_it_does_by_its_truth_and_not_by_luck(candidate):
    assert certainty_on_the_ladder(candidate) > 0.999


def test_the_demo_covers_every_verdict_and_the_guardrail():
    assert {play.verdict for play in PLAYS} == {"SHIP", "DO NOT SHIP", "INCONCLUSIVE", "INVALID"}
    assert BY_NAME["slow-win"].slower > 0
    assert BY_NAME["broken-allocation"].faults[0].arm == TREATMENT


def test_a_small_demo_ends_as_the_truth_demands(fairtrial, tmp_path, monkeypatch):
    """Two of the experiments, each in one form; the slow test below plays all."""
    monkeypatch.setattr(script, "FORMS", {"json": "json"})
    monkeypatch.setenv("FAIRTRIAL_REGISTRY", str(tmp_path / "of-somebody-else.db"))
    told: list[str] = []
    plays = [BY_NAME["read-too-early"], BY_NAME["broken-allocation"]]
    played = play_demo(tmp_path / "demo", told.append, plays, candidates=())
    assert [(one.verdict, one.as_expected) for one in played.ended] == [("SHIP", True), ("INVALID", True)]
    _left_behind(played, told)
    assert not (tmp_path / "of-somebody-else.db").exists()


@pytest.mark.slow
def test_the_whole_demo_ends_as_the_truth_demands_in_little_time(fairtrial, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ran = fairtrial("demo --json")
    assert ran.exit_code == 0, ran.err
    assert [one["name"] for one in ran.document["experiments"] if not one["as_expected"]] == []
    assert len(ran.document["experiments"]) == len(PLAYS)
    climbed = ran.document["candidates"]
    assert [one["ended"].split(" after ")[0] for one in climbed] == ["promoted", *["rolled back"] * 3]
    assert [one["model"] for one in climbed if not one["as_expected"]] == []
    assert ran.document["seconds"] < 90
    for one in ran.document["experiments"]:
        assert "SIMULATED" in (tmp_path / "demo-output" / "readouts" / f"{one['id']}.html").read_text()
        assert (tmp_path / "demo-output" / "readouts" / f"{one['id']}.md").exists()
    again = fairtrial("demo")
    assert again.exit_code == 1
    assert "--replace" in again.err


def _left_behind(played: Played, told: list[str]) -> None:
    """What a spectator was told, and what lies on disk."""
    folder = played.folder
    early = played.ended[0].experiment
    refused = f"$ fairtrial readout {early} --as mira    → exit code 1"
    assert refused in told
    assert any("is not due" in line for line in told[told.index(refused) :])
    assert any("IDENTICAL" in line for line in told)
    log = (folder / "demo.log").read_text()
    assert log.count("$ fairtrial ") == played.commands
    assert "open look refused" in log
    for one in played.ended:
        sealed = Readout.of_document(json.loads((folder / "readouts" / f"{one.experiment}.json").read_text()))
        assert (sealed.verdict.code, sealed.simulated) == (one.verdict, True)
    assert (folder / "logs" / "truth.json").exists()


# The command around it


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A demo that only writes its log, and whose second experiment ends otherwise than the truth demands."""

    def play(folder: Path, tell: object, plays: object = ()) -> Played:
        folder.mkdir(parents=True)
        (folder / "demo.log").write_text("played")
        ended = (
            Ended("EXP-0001", "clear-win", "better", "+4.5 percentage points", "SHIP", "SHIP"),
            Ended("EXP-0002", "no-effect", "nothing", "no effect", "DO NOT SHIP", "SHIP"),
        )
        climbed = (
            Climbed(
                "ROL-0001",
                "helpdesk",
                "better",
                "+3 pp",
                "promoted after ab: SHIP",
                "paused after CAN-0003",
                False,
            ),
        )
        return Played(folder, ended, climbed, 2, 0.1)

    monkeypatch.setattr(script, "play_demo", play)


@pytest.mark.usefixtures("quick")
def test_a_verdict_that_is_not_as_expected_fails_the_demo(fairtrial, tmp_path):
    ran = fairtrial(f"demo {tmp_path / 'demo'} --json")
    assert ran.exit_code == 1
    assert [one["as_expected"] for one in ran.document["experiments"]] == [True, False]
    messages = [problem["message"] for problem in ran.document["error"]["problems"]]
    assert [message.split(":")[0] for message in messages] == ["EXP-0002 no-effect", "ROL-0001 helpdesk"]
    text = fairtrial(f"demo {tmp_path / 'demo'} --replace")
    assert text.exit_code == 1
    assert "NOT AS EXPECTED: DO NOT SHIP" in text.out
    assert "NOT AS EXPECTED: promoted after ab: SHIP" in text.out
    assert f"fairtrial app {tmp_path / 'demo'}" in text.out


@pytest.mark.usefixtures("quick")
def test_nothing_but_an_earlier_demo_is_replaced(fairtrial, tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("ten years")
    for line in (f"demo {mine}", f"demo {mine} --replace"):
        ran = fairtrial(line)
        assert ran.exit_code == 1
        assert "holds something else than a demo" in ran.err
    assert (mine / "thesis.txt").read_text() == "ten years"
    fairtrial(f"demo {tmp_path / 'demo'}")
    assert "earlier demo; give --replace" in fairtrial(f"demo {tmp_path / 'demo'}").err


def test_a_command_that_ends_otherwise_than_it_has_to_stops_the_demo(tmp_path):
    from app.cli.errors import Refusal
    from app.demo.stage import Stage

    told: list[str] = []
    with pytest.raises(Refusal, match="exit code 1 instead of 0"):
        Stage(tmp_path, (), told.append).run("list")
    assert any("fairtrial init" in line for line in told)
