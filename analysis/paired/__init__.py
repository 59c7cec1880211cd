"""Two models on the same requests: which is better, by how much, and for how many pairs one has to wait."""

from analysis.paired.agreement import Kappa, cohen_kappa
from analysis.paired.anytime import AnytimeMcNemar, anytime_mcnemar
from analysis.paired.clustered import (
    ClusteredDifference,
    ClusteredNonInferiority,
    ClusterMoments,
    clustered_difference,
    clustered_noninferiority,
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
from analysis.paired.mcnemar import (
    McNemar,
    mcnemar,
    mcnemar_asymptotic,
    mcnemar_corrected,
    mcnemar_exact,
    mcnemar_midp,
)
from analysis.paired.power import PairedSampleSize, paired_power, sample_size_paired
from analysis.paired.segments import (
    Heterogeneity,
    Segment,
    SegmentAnalysis,
    heterogeneity,
    heterogeneity_of_estimates,
    segment_analysis,
)
from analysis.paired.table import PairedTable

__all__ = [
    "AnytimeMcNemar",
    "ClusterMoments",
    "ClusteredDifference",
    "ClusteredNonInferiority",
    "DetectableDifference",
    "DetectableShare",
    "Heterogeneity",
    "Kappa",
    "McNemar",
    "PairedDifference",
    "PairedNonInferiority",
    "PairedSampleSize",
    "PairedTable",
    "Segment",
    "SegmentAnalysis",
    "anytime_mcnemar",
    "clustered_difference",
    "clustered_noninferiority",
    "cohen_kappa",
    "detectable_paired_difference",
    "detectable_share",
    "heterogeneity",
    "heterogeneity_of_estimates",
    "mcnemar",
    "mcnemar_asymptotic",
    "mcnemar_corrected",
    "mcnemar_exact",
    "mcnemar_midp",
    "paired_difference",
    "paired_noninferiority",
    "paired_power",
    "sample_size_paired",
    "segment_analysis",
]
