"""The first tables, and the triggers that keep the ledger, documents and plans append-only.

Revision: 0001, after none
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

APPEND_ONLY = ("ledger", "documents", "plans")


def upgrade() -> None:
    _create_tables()
    if op.get_bind().dialect.name == "postgresql":
        _append_only_on_postgres()
    else:
        _append_only_on_sqlite()


def _append_only_on_sqlite() -> None:
    for table in APPEND_ONLY:
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_refuses_{verb.lower()} BEFORE {verb} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )


def _append_only_on_postgres() -> None:
    op.execute(
        "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$"
    )
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER {table}_refuses_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )


def _create_tables() -> None:
    op.create_table(
        "documents",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=100), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_documents")),
    )
    op.create_table(
        "ledger",
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.String(length=27), nullable=False),
        sa.Column("simulated", sa.Boolean(), nullable=False),
        sa.Column("actor", sa.String(length=100), nullable=False),
        sa.Column("role", sa.String(length=200), nullable=False),
        sa.Column("action", sa.String(length=100), nullable=False),
        sa.Column("entity", sa.String(length=100), nullable=False),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("key_id", sa.String(length=16), nullable=True),
        sa.Column("prev_hash", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_ledger")),
        sa.UniqueConstraint("hash", name=op.f("uq_ledger_hash")),
    )
    op.create_index("ix_ledger_action_seq", "ledger", ["action", "seq"], unique=False)
    op.create_index("ix_ledger_actor_seq", "ledger", ["actor", "seq"], unique=False)
    op.create_index("ix_ledger_at", "ledger", ["at"], unique=False)
    op.create_index("ix_ledger_entity_seq", "ledger", ["entity", "seq"], unique=False)
    op.create_table(
        "people",
        sa.Column("id", sa.String(length=100), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("added_at", sa.String(length=27), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_people")),
    )
    op.create_table(
        "properties",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_properties")),
    )
    op.create_table(
        "experiments",
        sa.Column("id", sa.String(length=100), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=100), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=100), nullable=False),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.Column("owner", sa.String(length=100), nullable=False),
        sa.Column("past_owners", sa.JSON(), nullable=False),
        sa.Column("reviewer", sa.String(length=100), nullable=True),
        sa.Column("team", sa.Text(), nullable=True),
        sa.Column("primary_metric", sa.Text(), nullable=True),
        sa.Column("assignment_key", sa.Text(), nullable=True),
        sa.Column("salt", sa.Text(), nullable=True),
        sa.Column("administrative", sa.JSON(), nullable=False),
        sa.Column("plan_version", sa.Integer(), nullable=False),
        sa.Column("draft_sha256", sa.String(length=64), nullable=False),
        sa.Column("draft_written_sha256", sa.String(length=64), nullable=False),
        sa.Column("cloned_from", sa.String(length=100), nullable=True),
        sa.Column("created_at", sa.String(length=27), nullable=False),
        sa.Column("changed_at", sa.String(length=27), nullable=False),
        sa.Column("registered_at", sa.String(length=27), nullable=True),
        sa.Column("first_exposure_at", sa.String(length=27), nullable=True),
        sa.Column("stopped_at", sa.String(length=27), nullable=True),
        sa.Column("stop_reason", sa.Text(), nullable=True),
        sa.Column("stopped_by_hand", sa.Boolean(), nullable=False),
        sa.Column("matured_at", sa.String(length=27), nullable=True),
        sa.Column("released_at", sa.String(length=27), nullable=True),
        sa.Column("readout_sha256", sa.String(length=64), nullable=True),
        sa.Column("verdict", sa.String(length=100), nullable=True),
        sa.Column("closed_at", sa.String(length=27), nullable=True),
        sa.Column("closing_reason", sa.Text(), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["cloned_from"], ["experiments.id"], name=op.f("fk_experiments_cloned_from_experiments")
        ),
        sa.ForeignKeyConstraint(
            ["draft_sha256"], ["documents.sha256"], name=op.f("fk_experiments_draft_sha256_documents")
        ),
        sa.ForeignKeyConstraint(
            ["draft_written_sha256"],
            ["documents.sha256"],
            name=op.f("fk_experiments_draft_written_sha256_documents"),
        ),
        sa.ForeignKeyConstraint(["owner"], ["people.id"], name=op.f("fk_experiments_owner_people")),
        sa.ForeignKeyConstraint(
            ["readout_sha256"], ["documents.sha256"], name=op.f("fk_experiments_readout_sha256_documents")
        ),
        sa.ForeignKeyConstraint(["reviewer"], ["people.id"], name=op.f("fk_experiments_reviewer_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_experiments")),
        sa.UniqueConstraint("number", name=op.f("uq_experiments_number")),
    )
    op.create_index(op.f("ix_experiments_assignment_key"), "experiments", ["assignment_key"], unique=False)
    op.create_index(op.f("ix_experiments_owner"), "experiments", ["owner"], unique=False)
    op.create_index(op.f("ix_experiments_salt"), "experiments", ["salt"], unique=False)
    op.create_index(op.f("ix_experiments_state"), "experiments", ["state"], unique=False)
    op.create_table(
        "roles",
        sa.Column("person", sa.String(length=100), nullable=False),
        sa.Column("role", sa.String(length=100), nullable=False),
        sa.Column("granted_by", sa.String(length=100), nullable=False),
        sa.Column("granted_at", sa.String(length=27), nullable=False),
        sa.ForeignKeyConstraint(["granted_by"], ["people.id"], name=op.f("fk_roles_granted_by_people")),
        sa.ForeignKeyConstraint(["person"], ["people.id"], name=op.f("fk_roles_person_people")),
        sa.PrimaryKeyConstraint("person", "role", name=op.f("pk_roles")),
    )
    op.create_table(
        "decisions",
        sa.Column("experiment", sa.String(length=100), nullable=False),
        sa.Column("decision", sa.String(length=100), nullable=False),
        sa.Column("arm", sa.Text(), nullable=True),
        sa.Column("verdict", sa.String(length=100), nullable=False),
        sa.Column("against_verdict", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("decided_by", sa.String(length=100), nullable=False),
        sa.Column("approved_by", sa.String(length=100), nullable=True),
        sa.Column("decided_at", sa.String(length=27), nullable=False),
        sa.Column("readout_sha256", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["approved_by"], ["people.id"], name=op.f("fk_decisions_approved_by_people")),
        sa.ForeignKeyConstraint(["decided_by"], ["people.id"], name=op.f("fk_decisions_decided_by_people")),
        sa.ForeignKeyConstraint(
            ["experiment"], ["experiments.id"], name=op.f("fk_decisions_experiment_experiments")
        ),
        sa.ForeignKeyConstraint(
            ["readout_sha256"], ["documents.sha256"], name=op.f("fk_decisions_readout_sha256_documents")
        ),
        sa.PrimaryKeyConstraint("experiment", name=op.f("pk_decisions")),
    )
    op.create_table(
        "looks",
        sa.Column("experiment", sa.String(length=100), nullable=False),
        sa.Column("k", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("of", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=100), nullable=False),
        sa.Column("cutoff", sa.String(length=27), nullable=False),
        sa.Column("opened_by", sa.String(length=100), nullable=False),
        sa.Column("opened_at", sa.String(length=27), nullable=False),
        sa.Column("held_because", sa.Text(), nullable=True),
        sa.Column("sealed_at", sa.String(length=27), nullable=True),
        sa.Column("readout_sha256", sa.String(length=64), nullable=True),
        sa.Column("outcome", sa.String(length=100), nullable=True),
        sa.Column("stop_reason", sa.Text(), nullable=True),
        sa.Column("verdict", sa.String(length=100), nullable=True),
        sa.ForeignKeyConstraint(
            ["experiment"], ["experiments.id"], name=op.f("fk_looks_experiment_experiments")
        ),
        sa.ForeignKeyConstraint(["opened_by"], ["people.id"], name=op.f("fk_looks_opened_by_people")),
        sa.ForeignKeyConstraint(
            ["readout_sha256"], ["documents.sha256"], name=op.f("fk_looks_readout_sha256_documents")
        ),
        sa.PrimaryKeyConstraint("experiment", "k", name=op.f("pk_looks")),
    )
    op.create_table(
        "plans",
        sa.Column("experiment", sa.String(length=100), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("written_sha256", sa.String(length=64), nullable=False),
        sa.Column("locked_by", sa.String(length=100), nullable=False),
        sa.Column("locked_at", sa.String(length=27), nullable=False),
        sa.Column("proposal", sa.Integer(), nullable=True),
        sa.Column("timing", sa.String(length=1), nullable=True),
        sa.Column("outcome_reads_before", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["experiment"], ["experiments.id"], name=op.f("fk_plans_experiment_experiments")
        ),
        sa.ForeignKeyConstraint(["locked_by"], ["people.id"], name=op.f("fk_plans_locked_by_people")),
        sa.ForeignKeyConstraint(["sha256"], ["documents.sha256"], name=op.f("fk_plans_sha256_documents")),
        sa.ForeignKeyConstraint(
            ["written_sha256"], ["documents.sha256"], name=op.f("fk_plans_written_sha256_documents")
        ),
        sa.PrimaryKeyConstraint("experiment", "version", name=op.f("pk_plans")),
    )
    op.create_table(
        "proposals",
        sa.Column("experiment", sa.String(length=100), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=100), nullable=False),
        sa.Column("status", sa.String(length=100), nullable=False),
        sa.Column("proposed_by", sa.String(length=100), nullable=False),
        sa.Column("proposed_at", sa.String(length=27), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("written_sha256", sa.String(length=64), nullable=True),
        sa.Column("settled_by", sa.String(length=100), nullable=True),
        sa.Column("settled_at", sa.String(length=27), nullable=True),
        sa.Column("settled_reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["experiment"], ["experiments.id"], name=op.f("fk_proposals_experiment_experiments")
        ),
        sa.ForeignKeyConstraint(["proposed_by"], ["people.id"], name=op.f("fk_proposals_proposed_by_people")),
        sa.ForeignKeyConstraint(["settled_by"], ["people.id"], name=op.f("fk_proposals_settled_by_people")),
        sa.ForeignKeyConstraint(["sha256"], ["documents.sha256"], name=op.f("fk_proposals_sha256_documents")),
        sa.ForeignKeyConstraint(
            ["written_sha256"], ["documents.sha256"], name=op.f("fk_proposals_written_sha256_documents")
        ),
        sa.PrimaryKeyConstraint("experiment", "number", name=op.f("pk_proposals")),
    )
    op.create_table(
        "reservations",
        sa.Column("experiment", sa.String(length=100), nullable=False),
        sa.Column("layer", sa.String(length=100), nullable=False),
        sa.Column("start", sa.String(length=100), nullable=False),
        sa.Column("end", sa.String(length=100), nullable=False),
        sa.ForeignKeyConstraint(
            ["experiment"], ["experiments.id"], name=op.f("fk_reservations_experiment_experiments")
        ),
        sa.PrimaryKeyConstraint("experiment", name=op.f("pk_reservations")),
    )
    op.create_index(op.f("ix_reservations_layer"), "reservations", ["layer"], unique=False)
