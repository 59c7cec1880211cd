"""What may be seen of a shadow before its sealed look: pairing, errors, timeouts, and whether labels have come.

Nothing here reads what a model answered, nor a label: who answered which request when, whether it failed, and that a label
is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from experiments.cohorts.cohort import CutOff
from experiments.logs.sql import MICROSECONDS, at_moment
from experiments.readouts.past import PastLook
from experiments.readouts.readout import Check, Part
from experiments.shadows.account import pairing_report
from experiments.shadows.describing import failures_of
from experiments.shadows.design import ShadowDesign
from experiments.shadows.gathering import gather_pairing
from experiments.shadows.logs import PredictionSources
from experiments.shadows.looking import pair_blind, status_of_pairs
from experiments.shadows.reading import ShadowReading
from experiments.shadows.readout import Failures, PairingReport
from experiments.shadows.validity import coverage_checks, trust_checks


class ShadowStatus(Part):
    """A shadow while it runs, of the requests that are mature now.

    Attributes:
        waiting: requests logged whose label delay is not over.
        units, planned_units: with a labelled pair; information is counted in them.
        missing: what the next look waits for.
    """

    experiment: str
    champion: str
    candidate: str
    checked_at: datetime
    watermark: datetime | None
    watermark_why: str
    pairing: PairingReport
    waiting: int
    failures: tuple[Failures, ...]
    checks: tuple[Check, ...]
    units: int
    planned_units: int
    look_due: bool
    k: int
    of: int
    missing: tuple[str, ...]
    look_expected: datetime | None

    @property
    def word(self) -> str:
        results = {check.result for check in self.checks}
        if "fail" in results:
            return "Failing"
        return "Warning" if results & {"hold", "warn"} else "Good"


def shadow_status(
    design: ShadowDesign,
    predictions: PredictionSources,
    *,
    now: datetime,
    experiment: str = "",
    past: Sequence[PastLook] = (),
) -> ShadowStatus:
    """The status of a shadow from its logs; blind to answers and labels.

    Raises:
        Invalid: a log cannot be read.
    """
    with ShadowReading(design, predictions) as reading:
        watermark, rows = pair_blind(reading)
        look = status_of_pairs(design, reading, past, watermark, rows)
        before = None if watermark.us is None else watermark.us - design.maturity * MICROSECONDS
        everything = gather_pairing(reading, CutOff(None, None), rows)
        found = everything if before is None else gather_pairing(reading, CutOff(before, watermark.us), rows)
    return ShadowStatus(
        experiment=experiment,
        champion=design.champion,
        candidate=design.candidate,
        checked_at=now,
        watermark=None if watermark.us is None else at_moment(watermark.us),
        watermark_why=watermark.why,
        pairing=pairing_report(found),
        waiting=everything.requests - found.requests,
        failures=failures_of(design, found),
        checks=(*trust_checks(design, found), *coverage_checks(design, found, ends=False)),
        units=found.units,
        planned_units=design.planned_units,
        look_due=look.due,
        k=look.k,
        of=look.of,
        missing=look.missing,
        look_expected=look.expected,
    )
