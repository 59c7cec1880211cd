"""Anytime-valid inference: confidence sequences and p-values that may be looked at whenever one likes."""

from analysis.anytime.bounded import (
    BoundedSequence,
    bernoulli_sequence,
    bounded_log_evidence,
    bounded_mean_sequence,
)
from analysis.anytime.burn_in import least_burn_in
from analysis.anytime.harm import HarmStop, harm_stop
from analysis.anytime.mixture import evidence_p_value, log_mixture, mixture_bound, mixture_precision
from analysis.anytime.sequence import (
    Alternative,
    ConfidenceSequence,
    RunningSequence,
    SequencePlan,
    confidence_sequence,
    difference_sequence,
)

__all__ = [
    "Alternative",
    "BoundedSequence",
    "ConfidenceSequence",
    "HarmStop",
    "RunningSequence",
    "SequencePlan",
    "bernoulli_sequence",
    "bounded_log_evidence",
    "bounded_mean_sequence",
    "confidence_sequence",
    "difference_sequence",
    "evidence_p_value",
    "harm_stop",
    "least_burn_in",
    "log_mixture",
    "mixture_bound",
    "mixture_precision",
]
