"""Group-sequential tests: boundaries, what they cost, and what may be said at and after each look."""

from analysis.sequential.boundaries import BOUNDARY_TYPES, EfficacyBoundary, efficacy_boundary
from analysis.sequential.design import GroupSequentialDesign, group_sequential_design
from analysis.sequential.futility import StoppingProbabilities, stopping_probabilities
from analysis.sequential.inference import StagewiseInference, stagewise_inference
from analysis.sequential.monitoring import (
    Decision,
    SequentialAnalysis,
    SequentialBoundaries,
    analyse,
    boundaries_at,
    repeated_p_value,
)
from analysis.sequential.replay import Replays, replay
from analysis.sequential.spending import SPENDING_TYPES, SpendingFunction, spending_function

__all__ = [
    "BOUNDARY_TYPES",
    "SPENDING_TYPES",
    "Decision",
    "EfficacyBoundary",
    "GroupSequentialDesign",
    "Replays",
    "SequentialAnalysis",
    "SequentialBoundaries",
    "SpendingFunction",
    "StagewiseInference",
    "StoppingProbabilities",
    "analyse",
    "boundaries_at",
    "efficacy_boundary",
    "group_sequential_design",
    "repeated_p_value",
    "replay",
    "spending_function",
    "stagewise_inference",
    "stopping_probabilities",
]
