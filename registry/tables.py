"""The tables of the registry.

Times are text in UTC to the microsecond (`clock.instant`): the same bytes on SQLite and Postgres, which is
what the ledger hashes and what its replay is compared with.
"""

from typing import Final

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_HASH: Final = String(64)
_TIME: Final = String(27)
_NAME: Final = String(100)

properties = Table(
    "properties",
    metadata,
    Column("name", _NAME, primary_key=True),
    Column("value", JSON, nullable=False),
)

people = Table(
    "people",
    metadata,
    Column("id", _NAME, primary_key=True),
    Column("name", Text, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("added_at", _TIME, nullable=False),
)

roles = Table(
    "roles",
    metadata,
    Column("person", _NAME, ForeignKey("people.id"), primary_key=True),
    Column("role", _NAME, primary_key=True),
    Column("granted_by", _NAME, ForeignKey("people.id"), nullable=False),
    Column("granted_at", _TIME, nullable=False),
)

documents = Table(
    "documents",
    metadata,
    Column("sha256", _HASH, primary_key=True),
    Column("kind", _NAME, nullable=False),
    Column("size", Integer, nullable=False),
    Column("body", Text, nullable=False),
)

experiments = Table(
    "experiments",
    metadata,
    Column("id", _NAME, primary_key=True),
    Column("number", Integer, nullable=False, unique=True),
    Column("kind", _NAME, nullable=False),
    Column("title", Text, nullable=False),
    Column("state", _NAME, nullable=False, index=True),
    Column("labels", JSON, nullable=False),
    Column("owner", _NAME, ForeignKey("people.id"), nullable=False, index=True),
    Column("past_owners", JSON, nullable=False),
    Column("reviewer", _NAME, ForeignKey("people.id")),
    Column("team", Text),
    Column("primary_metric", Text),
    Column("assignment_key", Text, index=True),
    Column("salt", Text, index=True),
    Column("administrative", JSON, nullable=False),
    Column("plan_version", Integer, nullable=False),
    Column("draft_sha256", _HASH, ForeignKey("documents.sha256"), nullable=False),
    Column("draft_written_sha256", _HASH, ForeignKey("documents.sha256"), nullable=False),
    Column("cloned_from", _NAME, ForeignKey("experiments.id")),
    Column("created_at", _TIME, nullable=False),
    Column("changed_at", _TIME, nullable=False),
    Column("registered_at", _TIME),
    Column("first_exposure_at", _TIME),
    Column("stopped_at", _TIME),
    Column("stop_reason", Text),
    Column("stopped_by_hand", Boolean, nullable=False),
    Column("matured_at", _TIME),
    Column("released_at", _TIME),
    Column("readout_sha256", _HASH, ForeignKey("documents.sha256")),
    Column("verdict", _NAME),
    Column("closed_at", _TIME),
    Column("closing_reason", Text),
    Column("revision", Integer, nullable=False),
)

plans = Table(
    "plans",
    metadata,
    Column("experiment", _NAME, ForeignKey("experiments.id"), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("sha256", _HASH, ForeignKey("documents.sha256"), nullable=False),
    Column("written_sha256", _HASH, ForeignKey("documents.sha256"), nullable=False),
    Column("locked_by", _NAME, ForeignKey("people.id"), nullable=False),
    Column("locked_at", _TIME, nullable=False),
    Column("proposal", Integer),
    Column("timing", String(1)),
    Column("outcome_reads_before", Integer, nullable=False),
)

proposals = Table(
    "proposals",
    metadata,
    Column("experiment", _NAME, ForeignKey("experiments.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("kind", _NAME, nullable=False),
    Column("status", _NAME, nullable=False),
    Column("proposed_by", _NAME, ForeignKey("people.id"), nullable=False),
    Column("proposed_at", _TIME, nullable=False),
    Column("content", JSON, nullable=False),
    Column("sha256", _HASH, ForeignKey("documents.sha256")),
    Column("written_sha256", _HASH, ForeignKey("documents.sha256")),
    Column("settled_by", _NAME, ForeignKey("people.id")),
    Column("settled_at", _TIME),
    Column("settled_reason", Text),
)

looks = Table(
    "looks",
    metadata,
    Column("experiment", _NAME, ForeignKey("experiments.id"), primary_key=True),
    Column("k", Integer, primary_key=True, autoincrement=False),
    Column("of", Integer, nullable=False),
    Column("status", _NAME, nullable=False),
    Column("cutoff", _TIME, nullable=False),
    Column("opened_by", _NAME, ForeignKey("people.id"), nullable=False),
    Column("opened_at", _TIME, nullable=False),
    Column("held_because", Text),
    Column("sealed_at", _TIME),
    Column("readout_sha256", _HASH, ForeignKey("documents.sha256")),
    Column("outcome", _NAME),
    Column("stop_reason", Text),
    Column("verdict", _NAME),
)

decisions = Table(
    "decisions",
    metadata,
    Column("experiment", _NAME, ForeignKey("experiments.id"), primary_key=True),
    Column("decision", _NAME, nullable=False),
    Column("arm", Text),
    Column("verdict", _NAME, nullable=False),
    Column("against_verdict", Boolean, nullable=False),
    Column("reason", Text, nullable=False),
    Column("decided_by", _NAME, ForeignKey("people.id"), nullable=False),
    Column("approved_by", _NAME, ForeignKey("people.id")),
    Column("decided_at", _TIME, nullable=False),
    Column("readout_sha256", _HASH, ForeignKey("documents.sha256"), nullable=False),
)

reservations = Table(
    "reservations",
    metadata,
    Column("experiment", _NAME, ForeignKey("experiments.id"), primary_key=True),
    Column("layer", _NAME, nullable=False, index=True),
    Column("start", _NAME, nullable=False),
    Column("end", _NAME, nullable=False),
)

ledger = Table(
    "ledger",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", _TIME, nullable=False),
    Column("simulated", Boolean, nullable=False),
    Column("actor", _NAME, nullable=False),
    Column("role", String(200), nullable=False),
    Column("action", _NAME, nullable=False),
    Column("entity", _NAME, nullable=False),
    Column("version", Integer),
    Column("summary", Text, nullable=False),
    Column("reason", Text),
    Column("detail", Text, nullable=False),
    Column("key_id", String(16)),
    Column("prev_hash", _HASH, nullable=False),
    Column("hash", _HASH, nullable=False, unique=True),
    Index("ix_ledger_entity_seq", "entity", "seq"),
    Index("ix_ledger_actor_seq", "actor", "seq"),
    Index("ix_ledger_action_seq", "action", "seq"),
    Index("ix_ledger_at", "at"),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", _NAME, primary_key=True),
    Column("person", _NAME, ForeignKey("people.id"), nullable=False, index=True),
    Column("name", _NAME, nullable=False),
    Column("sha256", _HASH, nullable=False, unique=True),
    Column("issued_by", _NAME, ForeignKey("people.id"), nullable=False),
    Column("issued_at", _TIME, nullable=False),
    Column("expires_at", _TIME, nullable=False),
    Column("revoked_by", _NAME, ForeignKey("people.id")),
    Column("revoked_at", _TIME),
)

webhooks = Table(
    "webhooks",
    metadata,
    Column("name", _NAME, primary_key=True),
    Column("url", Text, nullable=False),
    Column("events", JSON, nullable=False),
    Column("format", _NAME, nullable=False),
    Column("secret_variable", _NAME),
    Column("active", Boolean, nullable=False),
    Column("added_by", _NAME, ForeignKey("people.id"), nullable=False),
    Column("added_at", _TIME, nullable=False),
    Column("digest", _NAME),
    Column("quiet", _NAME),
)

verified_metrics = Table(
    "verified_metrics",
    metadata,
    Column("reference", String(200), primary_key=True),
    Column("definition_sha256", _HASH, nullable=False),
    Column("verified_by", _NAME, ForeignKey("people.id"), nullable=False),
    Column("verified_at", _TIME, nullable=False),
    Column("reason", Text, nullable=False),
)

rollouts = Table(
    "rollouts",
    metadata,
    Column("id", _NAME, primary_key=True),
    Column("number", Integer, nullable=False, unique=True),
    Column("model", _NAME, nullable=False, index=True),
    Column("title", Text, nullable=False),
    Column("champion", Text, nullable=False),
    Column("candidate", Text, nullable=False),
    Column("state", _NAME, nullable=False, index=True),
    Column("step", Integer),
    Column("paused_from", _NAME),
    Column("paused_because", _NAME),
    Column("labels", JSON, nullable=False),
    Column("owner", _NAME, ForeignKey("people.id"), nullable=False),
    Column("model_owner", _NAME, ForeignKey("people.id")),
    Column("team", Text),
    Column("administrative", JSON, nullable=False),
    Column("sha256", _HASH, ForeignKey("documents.sha256"), nullable=False),
    Column("written_sha256", _HASH, ForeignKey("documents.sha256"), nullable=False),
    Column("shadow", _NAME, ForeignKey("experiments.id")),
    Column("canary", _NAME, ForeignKey("experiments.id")),
    Column("ab", _NAME, ForeignKey("experiments.id")),
    Column("created_at", _TIME, nullable=False),
    Column("changed_at", _TIME, nullable=False),
    Column("revision", Integer, nullable=False),
)

transitions = Table(
    "transitions",
    metadata,
    Column("rollout", _NAME, ForeignKey("rollouts.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("verb", _NAME, nullable=False),
    Column("status", _NAME, nullable=False),
    Column("from_state", _NAME, nullable=False),
    Column("from_step", Integer),
    Column("to_state", _NAME, nullable=False),
    Column("to_step", Integer),
    Column("entry", _NAME, ForeignKey("experiments.id")),
    Column("evidence", JSON, nullable=False),
    Column("aliases", JSON, nullable=False),
    Column("confirmed", JSON, nullable=False),
    Column("reason", Text, nullable=False),
    Column("requested_by", _NAME, ForeignKey("people.id"), nullable=False),
    Column("requested_at", _TIME, nullable=False),
    Column("settled_by", _NAME, ForeignKey("people.id")),
    Column("settled_at", _TIME),
    Column("settled_reason", Text),
)

aliases = Table(
    "aliases",
    metadata,
    Column("model", _NAME, primary_key=True),
    Column("alias", _NAME, primary_key=True),
    Column("version", Text),
    Column("rollout", _NAME, ForeignKey("rollouts.id"), nullable=False),
    Column("transition", Integer, nullable=False),
    Column("moved_at", _TIME, nullable=False),
)

casebooks = Table(
    "casebooks",
    metadata,
    Column("experiment", _NAME, ForeignKey("experiments.id"), primary_key=True),
    Column("sha256", _HASH, ForeignKey("documents.sha256"), nullable=False),
    Column("readout_sha256", _HASH, ForeignKey("documents.sha256"), nullable=False),
    Column("cases", Integer, nullable=False),
    Column("drawn_for", _NAME, ForeignKey("people.id"), nullable=False),
    Column("drawn_at", _TIME, nullable=False),
    Column("unblinded_by", _NAME, ForeignKey("people.id")),
    Column("unblinded_at", _TIME),
)

case_reviews = Table(
    "case_reviews",
    metadata,
    Column("experiment", _NAME, ForeignKey("casebooks.experiment"), primary_key=True),
    Column("reviewer", _NAME, ForeignKey("people.id"), primary_key=True),
    Column("begun_at", _TIME, nullable=False),
    Column("finished_at", _TIME),
)

case_picks = Table(
    "case_picks",
    metadata,
    Column("experiment", _NAME, ForeignKey("casebooks.experiment"), primary_key=True),
    Column("reviewer", _NAME, ForeignKey("people.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("pick", _NAME, nullable=False),
    Column("note", Text),
    Column("picked_at", _TIME, nullable=False),
)

stars = Table(
    "stars",
    metadata,
    Column("person", _NAME, ForeignKey("people.id"), primary_key=True),
    Column("experiment", _NAME, ForeignKey("experiments.id"), primary_key=True),
    Column("starred_at", _TIME, nullable=False),
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("kind", _NAME, nullable=False),
    Column("entity", _NAME, nullable=False),
    Column("parameters", JSON, nullable=False),
    Column("state", _NAME, nullable=False, index=True),
    Column("requested_by", _NAME, ForeignKey("people.id"), nullable=False),
    Column("requested_at", _TIME, nullable=False),
    Column("claimed_by", _NAME),
    Column("heartbeat_at", _TIME),
    Column("attempts", Integer, nullable=False),
    Column("progress", Float, nullable=False),
    Column("progress_text", Text, nullable=False),
    Column("finished_at", _TIME),
    Column("result", JSON),
    Column("error", Text),
    Index("ix_jobs_entity_id", "entity", "id"),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("webhook", _NAME, nullable=False, index=True),
    Column("key", _NAME, nullable=False),
    Column("event", _NAME, nullable=False),
    Column("entity", _NAME, nullable=False),
    Column("payload", JSON, nullable=False),
    Column("state", _NAME, nullable=False),
    Column("created_at", _TIME, nullable=False),
    Column("due_at", _TIME, nullable=False),
    Column("attempts", JSON, nullable=False),
    Column("claimed", Integer, nullable=False),
    Index("ix_deliveries_state_due_at", "state", "due_at"),
    Index("ix_deliveries_key_webhook", "key", "webhook", unique=True),
)

APPEND_ONLY: Final = (ledger, documents, plans)
"""Tables whose rows the database itself refuses to change or delete."""

VOUCHED: Final = (
    properties,
    people,
    roles,
    experiments,
    plans,
    proposals,
    looks,
    decisions,
    reservations,
    documents,
    tokens,
    webhooks,
    verified_metrics,
    rollouts,
    transitions,
    aliases,
    casebooks,
    case_reviews,
    case_picks,
)
"""Tables whose every row must be what the ledger says it is."""

OPERATIONAL: Final = (jobs, deliveries)
"""Tables that say how far work and notices have come. Nothing about an experiment rests on them and the ledger does not
vouch for their rows: only that somebody asked for a job is a record."""

PERSONAL: Final = (stars,)
"""Tables of what people keep for themselves, which is no record of anything."""
