"""Live-like traffic with a known truth: logs as a team would have them, and what they ought to say."""

from experiments.traffic.faults import (
    Crossovers,
    DuplicatedExposures,
    Fault,
    FutureTimestamps,
    LatePartition,
    LostUnits,
    Misassigned,
    MissingOutcomes,
    NullValues,
    OutcomesBeforeExposure,
)
from experiments.traffic.kinds import Amount, Conversion, Count, Latency, Ratio
from experiments.traffic.outcomes import Effect, LabelDelay, Outcome
from experiments.traffic.scenario import Attribute, Scenario
from experiments.traffic.truth import ArmTruth, OutcomeTruth, Truth, truth_of
from experiments.traffic.write import Written, write_traffic

__all__ = [
    "Amount",
    "ArmTruth",
    "Attribute",
    "Conversion",
    "Count",
    "Crossovers",
    "DuplicatedExposures",
    "Effect",
    "Fault",
    "FutureTimestamps",
    "LabelDelay",
    "LatePartition",
    "Latency",
    "LostUnits",
    "Misassigned",
    "MissingOutcomes",
    "NullValues",
    "Outcome",
    "OutcomeTruth",
    "OutcomesBeforeExposure",
    "Ratio",
    "Scenario",
    "Truth",
    "Written",
    "truth_of",
    "write_traffic",
]
