"""How many units a declared test needs, what a given number of units can detect, and how long it takes."""

from analysis.power.comparison import Comparison
from analysis.power.linearised import ratio_variance, sample_size_quantile, sample_size_ratio
from analysis.power.means import MeansComparison, sample_size_means
from analysis.power.plan import PowerPlan, design_effect
from analysis.power.proportions import ProportionsComparison, sample_size_proportions
from analysis.power.requirements import LargestRequirement, SplitBeta, largest_requirement, split_beta
from analysis.power.sample_size import (
    Detectable,
    SampleSize,
    detectable_effect,
    detectable_margin,
    power_of,
    sample_size,
)
from analysis.power.traffic import Duration, WeekOfTraffic, detectable_by_week, duration

__all__ = [
    "Comparison",
    "Detectable",
    "Duration",
    "LargestRequirement",
    "MeansComparison",
    "PowerPlan",
    "ProportionsComparison",
    "SampleSize",
    "SplitBeta",
    "WeekOfTraffic",
    "design_effect",
    "detectable_by_week",
    "detectable_effect",
    "detectable_margin",
    "duration",
    "largest_requirement",
    "power_of",
    "ratio_variance",
    "sample_size",
    "sample_size_means",
    "sample_size_proportions",
    "sample_size_quantile",
    "sample_size_ratio",
    "split_beta",
]
