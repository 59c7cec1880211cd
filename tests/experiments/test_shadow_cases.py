"""Cases for a blinded review: the pairs that the look counted, the same for one seed whatever the order of the rows."""

from __future__ import annotations

import itertools

import pandas as pd
import pytest

from experiments.forms.problems import Invalid
from experiments.shadows.cases import AGREED, CANDIDATE_RIGHT, CHAMPION_RIGHT, DrawnCases, draw_cases
from tests.experiments.shadows import Laboratory, Traffic, laboratory

SEED = "0123456789abcdef"


def drawn(lab: Laboratory, seed: str = SEED) -> DrawnCases:
    cut_off = lab.take().evidence.pairing.cut_off
    return draw_cases(
        lab.design, lab.sources, before_us=cut_off.before_us, watermark_us=cut_off.watermark_us, seed=seed
    )


def test_the_groups_are_those_that_the_readout_counted() -> None:
    lab = laboratory()
    quality = lab.readout().quality
    assert quality is not None
    found = {group.name: (group.drawn, group.of) for group in drawn(lab).groups}
    assert found[CHAMPION_RIGHT] == (min(50, quality.champion_only), quality.champion_only)
    assert found[CANDIDATE_RIGHT] == (min(50, quality.candidate_only), quality.candidate_only)
    assert found[AGREED] == (
        20,
        quality.both + quality.neither,
    )  # of two answers, who are equally right say the same


def test_a_case_is_what_the_logs_say_of_its_request() -> None:
    lab = laboratory()
    answers = lab.frames["predictions"].set_index(["request", "model"])
    labels = lab.frames["labels"].set_index("request")["label"]
    right = {CHAMPION_RIGHT: (True, False), CANDIDATE_RIGHT: (False, True)}
    for case in drawn(lab).cases:
        champion, candidate = (answers.loc[(case.request, model)] for model in ("v3", "v4"))
        assert (case.champion, case.candidate) == (str(champion["prediction"]), str(candidate["prediction"]))
        assert case.attributes == {"country": champion["country"]}
        assert case.label == str(labels[case.request])
        if case.group == AGREED:
            assert case.champion == case.candidate
        else:
            assert (case.champion == case.label, case.candidate == case.label) == right[case.group]


def test_one_seed_draws_one_sample_in_whatever_order_the_rows_come_and_another_seed_another() -> None:
    lab = laboratory()
    first = drawn(lab)
    lab.frames = {name: frame.sample(frac=1, random_state=3) for name, frame in lab.frames.items()}
    assert drawn(lab) == first
    assert {case.request for case in drawn(lab, "another").cases} != {case.request for case in first.cases}


def test_the_order_of_the_cases_tells_nothing_of_their_groups() -> None:
    groups = [case.group for case in drawn(laboratory()).cases]
    assert [case.number for case in drawn(laboratory()).cases] == list(range(1, len(groups) + 1))
    changes = sum(one != other for one, other in itertools.pairwise(groups))
    assert changes > len(groups) / 3  # sorted by group there would be two


def test_a_pair_without_a_label_by_the_looks_end_is_no_case() -> None:
    lab = laboratory()
    labels = lab.frames["labels"]
    lab.frames["labels"] = labels[labels.index % 10 != 0]
    known = set(lab.frames["labels"]["request"])
    assert {case.request for case in drawn(lab).cases} <= known


def test_a_request_logged_twice_is_one_case() -> None:
    lab = laboratory()
    lab.frames["predictions"] = pd.concat([lab.frames["predictions"], lab.frames["predictions"].iloc[:40]])
    requests = [case.request for case in drawn(lab).cases]
    assert len(requests) == len(set(requests))


def test_answers_and_labels_are_read_only_after_that_was_written_down() -> None:
    lab = laboratory()
    written: list[int] = []

    def refused(rows: int) -> None:
        written.append(rows)
        raise RuntimeError("nobody may")

    with pytest.raises(RuntimeError, match="nobody may"):
        draw_cases(
            lab.design,
            lab.sources,
            before_us=None,
            watermark_us=None,
            seed=SEED,
            before_outcomes=refused,
        )
    assert written == [2_000]


def test_a_task_without_right_and_wrong_has_no_cases() -> None:
    lab = laboratory(
        {"task": "regression", "threshold": None, "primary": {"measure": "absolute_error"}},
        Traffic(requests=50),
    )
    with pytest.raises(Invalid, match="do not say which answer is right"):
        draw_cases(lab.design, lab.sources, before_us=None, watermark_us=None, seed=SEED)


def test_logs_that_changed_since_the_seal_are_refused() -> None:
    lab = laboratory()
    taken = lab.take()
    cut_off = taken.evidence.pairing.cut_off
    of_the_look = {"before_us": cut_off.before_us, "watermark_us": cut_off.watermark_us, "seed": SEED}
    assert draw_cases(lab.design, lab.sources, sealed=taken.manifest, **of_the_look) == drawn(lab)
    lab.frames["labels"].loc[0, "label"] = 1 - lab.frames["labels"].loc[0, "label"]
    with pytest.raises(Invalid, match="has changed since the look was sealed"):
        draw_cases(lab.design, lab.sources, sealed=taken.manifest, **of_the_look)
