"""Which arm a unit gets, what is served when, and whether a log agrees (docs/assignment.md)."""

from experiments.assignment.hashing import (
    POSITIONS,
    Assignment,
    Layer,
    Range,
    Share,
    Unit,
    position,
    positions,
)
from experiments.assignment.ramp import moved
from experiments.assignment.serving import (
    DECISIONS,
    STATES,
    Decided,
    NotRegisteredError,
    Served,
    serve,
)
from experiments.assignment.sql import (
    AUDIT_RESULTS,
    AuditResult,
    arm_sql,
    audit,
    audit_sql,
    hash_sql,
    in_layer_sql,
)

__all__ = [
    "AUDIT_RESULTS",
    "DECISIONS",
    "POSITIONS",
    "STATES",
    "Assignment",
    "AuditResult",
    "Decided",
    "Layer",
    "NotRegisteredError",
    "Range",
    "Served",
    "Share",
    "Unit",
    "arm_sql",
    "audit",
    "audit_sql",
    "hash_sql",
    "in_layer_sql",
    "moved",
    "position",
    "positions",
    "serve",
]
