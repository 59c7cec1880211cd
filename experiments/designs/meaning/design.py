"""Every check of what a design means; each runs as far as what it needs could be read."""

from __future__ import annotations

from collections.abc import Iterator

from experiments.designs.meaning.measures import MEASURES, MEASURES_OF_TESTED
from experiments.designs.meaning.sizes import SIZES_OF_TESTED
from experiments.designs.meaning.stopping import STOPPING, STOPPING_OF_TESTED
from experiments.designs.meaning.structure import STRUCTURE
from experiments.designs.meaning.tested import tested
from experiments.designs.meaning.timing import TIMING, TIMING_OF_TESTED
from experiments.designs.metrics import Catalogue
from experiments.designs.written import WrittenDesign
from experiments.forms.drafts import as_far_as_readable
from experiments.forms.validation import Finding


def design_findings(design: WrittenDesign, catalogue: Catalogue) -> Iterator[Finding]:
    """Every problem of meaning in a design, or in the readable part of a draft of one."""
    for check in (*STRUCTURE, *MEASURES, *TIMING, *STOPPING):
        yield from as_far_as_readable(check(design, catalogue))
    for one in tested(design, catalogue):
        for check_one in (
            *MEASURES_OF_TESTED,
            *TIMING_OF_TESTED,
            *SIZES_OF_TESTED,
            *STOPPING_OF_TESTED,
        ):
            yield from as_far_as_readable(check_one(one, design))
