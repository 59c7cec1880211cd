"""Does a sealed shadow readout come out again? IDENTICAL, SOURCE CHANGED or CODE DIFFERS.

As for A/B readouts (``experiments.looks.reproduction``): first the files, each of which the seal names with its hash; if they are
unchanged the whole look is taken again from them and every number compared. No rows are frozen for a shadow.
"""

from __future__ import annotations

from experiments.cohorts.cohort import CutOff
from experiments.forms.problems import Invalid
from experiments.logs.manifest import Manifest
from experiments.looks.reproduction import Answer, Verification, _differences, _now
from experiments.readouts.context import Context, versions
from experiments.readouts.past import past_of
from experiments.shadows.design import ShadowDesign
from experiments.shadows.judgement import make_shadow_readout
from experiments.shadows.logs import PredictionSources
from experiments.shadows.looking import ShadowTaken, take_look
from experiments.shadows.readout import ShadowReadout


def verify_shadow(
    design: ShadowDesign, sealed: ShadowReadout, predictions: PredictionSources
) -> Verification:
    """Recompute a sealed readout from its own files."""
    manifest = Manifest.of_list(sealed.reproduce.manifest)
    changes = manifest.changes(_now(manifest, predictions.place, predictions.place))
    if not changes:
        held = sealed.reproduce.evidence["pairing"]["cut_off"]
        cut_off = CutOff(held["before_us"], held["watermark_us"])
        try:
            taken = take_look(design, predictions, cut_off=cut_off, sealed=manifest)
        except Invalid as error:
            changes = tuple(str(problem) for problem in error.problems)
        else:
            later = manifest.changes(taken.manifest)  # tables and frames are known only once they are open
            if not later:
                return _compared(design, sealed, taken)
            changes = later
    return Verification("SOURCE CHANGED", changes, "absent", sealed.reproduce.versions, versions())


def _compared(design: ShadowDesign, sealed: ShadowReadout, taken: ShadowTaken) -> Verification:
    again = make_shadow_readout(
        design,
        taken.evidence,
        Context(
            registration=sealed.registration,
            look=sealed.look,
            released_at=sealed.released_at,
            simulated=sealed.simulated,
            manifest=sealed.reproduce.manifest,
            statements=sealed.reproduce.statements,
            held=taken.held,
            past=past_of(sealed),  # type: ignore[arg-type]  # it reads the look and the paths alone
            ledger_head=sealed.reproduce.ledger_head,
            ledger_count=sealed.reproduce.ledger_count,
        ),
    )
    differing = tuple(_differences(sealed.body(), again.body(), ""))
    significant = tuple(name for name in differing if not name.startswith("reproduce.versions"))
    answer: Answer = "CODE DIFFERS" if significant else "IDENTICAL"
    return Verification(answer, significant, "absent", sealed.reproduce.versions, versions())
