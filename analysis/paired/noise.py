"""The noise floor: how often the champion disagrees with itself, when it answers the same requests twice."""

from __future__ import annotations

from dataclasses import dataclass

from analysis.moments import CoMoments
from analysis.paired.clustered import ClusteredDifference, ClusterMethod, clustered_difference
from analysis.paired.ratios import PairedRatio, paired_ratio
from analysis.paired.shares import ClusteredShare, clustered_share
from analysis.paired.user_moments import ClusterMoments


@dataclass(frozen=True, slots=True)
class NoiseFloor:
    """Disagreement of champion and candidate beside that of champion and its control.

    Attributes:
        candidate: share of requests on which champion and candidate disagree.
        control: share on which champion and control do: the noise floor.
        excess: candidate − control, by user: what the change of model adds.
        own_part: control / candidate: how much of the disagreement is the champion's own.
    """

    candidate: ClusteredShare
    control: ClusteredShare
    excess: ClusteredDifference
    own_part: PairedRatio


def noise_floor(sums: CoMoments, *, level: float = 0.95, method: ClusterMethod = "obuchowski") -> NoiseFloor:
    """How much of the disagreement is the champion's own, over requests that all three answered.

    Args:
        sums: co-moments over users of the requests on which champion and candidate disagree (0), on which
            champion and control do (1), and of all requests answered by the three (2). For scores, the sums
            of absolute differences may stand in the places of 0 and 1 of :func:`paired_ratio` alone.
        level: of the intervals.
        method: of the excess; see :func:`clustered_difference` (durkalski is not possible here).
    """
    excess = ClusterMoments.of_comoments(sums, difference=(1, -1, 0), pairs=(0, 0, 1), discordant="least")
    return NoiseFloor(
        candidate=clustered_share(sums, level=level, count=0, of=2),
        control=clustered_share(sums, level=level, count=1, of=2),
        excess=clustered_difference(excess, method=method, level=level),
        own_part=paired_ratio(sums.select([1, 0, 2]), level=level),
    )
