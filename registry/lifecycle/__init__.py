"""An experiment's life, one verb an act: who may do what, when, and what it leaves in the ledger."""

from registry.kinds import Choice, opposes
from registry.lifecycle.amendments import (
    Amendment,
    Inference,
    ReasonCode,
    amend,
    approve_amendment,
    declare_exploratory,
    reject_amendment,
)
from registry.lifecycle.drafting import (
    clone,
    create_draft,
    request_changes,
    save_draft,
    submit,
    take_back,
    withdraw,
)
from registry.lifecycle.ending import (
    Abandonment,
    abandon,
    approve_decision,
    decide,
    reject_decision,
)
from registry.lifecycle.exposures import Exposure
from registry.lifecycle.judging import Judgement, Timing, judge_change
from registry.lifecycle.looking import (
    StopReason,
    hold_look,
    open_look,
    read_readout,
    record_outcome_read,
    refuse_look,
    release,
    seal_look,
)
from registry.lifecycle.registration import register
from registry.lifecycle.running import mature, start, stop, stop_by_hand
from registry.lifecycle.states import possible_acts

__all__ = [
    "Abandonment",
    "Amendment",
    "Choice",
    "Exposure",
    "Inference",
    "Judgement",
    "ReasonCode",
    "StopReason",
    "Timing",
    "abandon",
    "amend",
    "approve_amendment",
    "approve_decision",
    "clone",
    "create_draft",
    "decide",
    "declare_exploratory",
    "hold_look",
    "judge_change",
    "mature",
    "open_look",
    "opposes",
    "possible_acts",
    "read_readout",
    "record_outcome_read",
    "refuse_look",
    "register",
    "reject_amendment",
    "reject_decision",
    "release",
    "request_changes",
    "save_draft",
    "seal_look",
    "start",
    "stop",
    "stop_by_hand",
    "submit",
    "take_back",
    "withdraw",
]
