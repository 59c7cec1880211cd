"""Whether logs have begun to arrive: a file that is not there yet holds no row, and is no fault."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.designs.design import Design
from experiments.logs.engines.duckdb import matching_files
from experiments.logs.sources import Log, OutcomeSources, Place, Sources


def exposures_begun(design: Design, sources: Sources) -> bool:
    """Whether the logs are there from which the design's first exposure is known.

    Raises:
        Invalid: the sources file does not name the design's source.
    """
    source = sources[design.written.source]
    logs: list[Log] = [source.assignments]
    if design.written.assignment.exposure == "exposures" and source.exposures is not None:
        logs.append(source.exposures)
    return _all_there(logs, sources.place)


def outcomes_begun(design: Design, outcomes: OutcomeSources) -> bool:
    """Whether all outcome logs of the design's source are there.

    Raises:
        Invalid: the outcomes file does not name the design's source.
    """
    return _all_there(outcomes[design.written.source].logs, outcomes.place)


def _all_there(logs: Sequence[Log], place: Place) -> bool:
    return all(_is_there(log, place) for log in logs)


def _is_there(log: Log, place: Place) -> bool:
    if log.table is not None:
        return (place.folder / log.table.database).is_file()
    if log.frame is not None:
        return log.frame in place.frames
    try:
        matching_files(log, place)
    except ValueError:
        return False
    return True
