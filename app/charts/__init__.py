"""Charts of a readout: each function returns a chart, its data as a table, and its takeaway in one sentence."""

from app.charts.cohort import allocation_bar, unit_flow
from app.charts.drawing import Columns, Drawn, png, spec, svg
from app.charts.effects import primary_forest, segment_forest, sensitivity_forest
from app.charts.guardrails import guardrail_forest

__all__ = [
    "Columns",
    "Drawn",
    "allocation_bar",
    "guardrail_forest",
    "png",
    "primary_forest",
    "segment_forest",
    "sensitivity_forest",
    "spec",
    "svg",
    "unit_flow",
]
