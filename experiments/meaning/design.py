"""Every check of what a design means; each runs as far as what it needs could be read."""

from __future__ import annotations

from collections.abc import Iterator

from experiments.drafts import as_far_as_readable
from experiments.meaning.measures import MEASURES, MEASURES_OF_TESTED
from experiments.meaning.sizes import SIZES_OF_TESTED
from experiments.meaning.structure import STRUCTURE
from experiments.meaning.tested import tested
from experiments.meaning.timing import TIMING, TIMING_OF_TESTED
from experiments.metrics import Catalogue
from experiments.validation import Finding
from experiments.written import WrittenDesign


def design_findings(design: WrittenDesign, catalogue: Catalogue) -> Iterator[Finding]:
    """Every problem of meaning in a design, or in the readable part of a draft of one."""
    for check in (*STRUCTURE, *MEASURES, *TIMING):
        yield from as_far_as_readable(check(design, catalogue))
    for one in tested(design, catalogue):
        for check_one in (*MEASURES_OF_TESTED, *TIMING_OF_TESTED, *SIZES_OF_TESTED):
            yield from as_far_as_readable(check_one(one, design))
