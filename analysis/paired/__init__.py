"""Two models on the same requests: which is better, by how much, and for how many pairs one has to wait."""

from analysis.paired.agreement import Kappa, clustered_kappa, cohen_kappa
from analysis.paired.anytime import AnytimeMcNemar, anytime_mcnemar
from analysis.paired.clustered import (
    ClusteredDifference,
    ClusteredNonInferiority,
    ClusterMethod,
    clustered_difference,
    clustered_noninferiority,
)
from analysis.paired.comparisons import (
    Comparison,
    EstimateDifference,
    OneEstimate,
    PairDifference,
    RelativeChange,
    RelativeMean,
    mean_comparison,
    quantile_comparison,
)
from analysis.paired.detectable import (
    DetectableDifference,
    DetectableShare,
    detectable_paired_difference,
    detectable_share,
)
from analysis.paired.difference import (
    PairedDifference,
    PairedNonInferiority,
    paired_difference,
    paired_noninferiority,
)
from analysis.paired.estimates import ClusteredEstimate, smooth_estimate
from analysis.paired.homogeneity import Homogeneity, clustered_homogeneity
from analysis.paired.mcnemar import (
    McNemar,
    mcnemar,
    mcnemar_asymptotic,
    mcnemar_corrected,
    mcnemar_exact,
    mcnemar_midp,
)
from analysis.paired.missing import NumericComparison, compare_categories, compare_numbers
from analysis.paired.monitored import (
    DeclaredTest,
    PairedResult,
    at_any_look,
    at_declared_looks,
    at_one_look,
)
from analysis.paired.noise import NoiseFloor, noise_floor
from analysis.paired.power import PairedSampleSize, paired_power, sample_size_paired
from analysis.paired.quantiles import (
    PairedQuantileDifference,
    PairedQuantileNonInferiority,
    PairedQuantiles,
    paired_outer_levels,
    paired_quantile_difference,
    paired_quantile_noninferiority,
    paired_quantile_relative_noninferiority,
)
from analysis.paired.ratios import (
    PairedRatio,
    RelativeNonInferiority,
    paired_ratio,
    paired_ratio_noninferiority,
)
from analysis.paired.scores import ScoreAgreement, score_agreement
from analysis.paired.segments import (
    Heterogeneity,
    Segment,
    SegmentAnalysis,
    heterogeneity,
    heterogeneity_of_estimates,
    segment_analysis,
)
from analysis.paired.shares import ClusteredShare, DecisionFlips, clustered_share, decision_flips
from analysis.paired.table import PairedTable
from analysis.paired.user_moments import ClusterMoments
from analysis.paired.users_needed import (
    ClusteredDetectable,
    UsersNeeded,
    detectable_clustered_difference,
    observed_design_effect,
    users_needed,
)

__all__ = [
    "AnytimeMcNemar",
    "ClusterMethod",
    "ClusterMoments",
    "ClusteredDetectable",
    "ClusteredDifference",
    "ClusteredEstimate",
    "ClusteredNonInferiority",
    "ClusteredShare",
    "Comparison",
    "DecisionFlips",
    "DeclaredTest",
    "DetectableDifference",
    "DetectableShare",
    "EstimateDifference",
    "Heterogeneity",
    "Homogeneity",
    "Kappa",
    "McNemar",
    "NoiseFloor",
    "NumericComparison",
    "OneEstimate",
    "PairDifference",
    "PairedDifference",
    "PairedNonInferiority",
    "PairedQuantileDifference",
    "PairedQuantileNonInferiority",
    "PairedQuantiles",
    "PairedRatio",
    "PairedResult",
    "PairedSampleSize",
    "PairedTable",
    "RelativeChange",
    "RelativeMean",
    "RelativeNonInferiority",
    "ScoreAgreement",
    "Segment",
    "SegmentAnalysis",
    "UsersNeeded",
    "anytime_mcnemar",
    "at_any_look",
    "at_declared_looks",
    "at_one_look",
    "clustered_difference",
    "clustered_homogeneity",
    "clustered_kappa",
    "clustered_noninferiority",
    "clustered_share",
    "cohen_kappa",
    "compare_categories",
    "compare_numbers",
    "decision_flips",
    "detectable_clustered_difference",
    "detectable_paired_difference",
    "detectable_share",
    "heterogeneity",
    "heterogeneity_of_estimates",
    "mcnemar",
    "mcnemar_asymptotic",
    "mcnemar_corrected",
    "mcnemar_exact",
    "mcnemar_midp",
    "mean_comparison",
    "noise_floor",
    "observed_design_effect",
    "paired_difference",
    "paired_noninferiority",
    "paired_outer_levels",
    "paired_power",
    "paired_quantile_difference",
    "paired_quantile_noninferiority",
    "paired_quantile_relative_noninferiority",
    "paired_ratio",
    "paired_ratio_noninferiority",
    "quantile_comparison",
    "sample_size_paired",
    "score_agreement",
    "segment_analysis",
    "smooth_estimate",
    "users_needed",
]
