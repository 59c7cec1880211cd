"""Charts of a readout: each function returns a chart, its data as a table, and its takeaway in one sentence."""

from app.charts.boundaries import boundary_chart
from app.charts.cohort import allocation_bar, unit_flow
from app.charts.drawing import Columns, Drawn, png, spec, svg
from app.charts.effects import primary_forest, segment_forest, sensitivity_forest
from app.charts.guardrails import guardrail_forest
from app.charts.look_intervals import interval_chart

__all__ = [
    "Columns",
    "Drawn",
    "allocation_bar",
    "boundary_chart",
    "guardrail_forest",
    "interval_chart",
    "png",
    "primary_forest",
    "segment_forest",
    "sensitivity_forest",
    "spec",
    "svg",
    "unit_flow",
]
