"""Rollouts, their transitions, and the aliases of models.

Revision: 0007, after 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "rollouts",
        sa.Column("id", sa.String(length=100), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("model", sa.String(length=100), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("champion", sa.Text(), nullable=False),
        sa.Column("candidate", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=100), nullable=False),
        sa.Column("step", sa.Integer(), nullable=True),
        sa.Column("paused_from", sa.String(length=100), nullable=True),
        sa.Column("paused_because", sa.String(length=100), nullable=True),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.Column("owner", sa.String(length=100), nullable=False),
        sa.Column("model_owner", sa.String(length=100), nullable=True),
        sa.Column("team", sa.Text(), nullable=True),
        sa.Column("administrative", sa.JSON(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("written_sha256", sa.String(length=64), nullable=False),
        sa.Column("shadow", sa.String(length=100), nullable=True),
        sa.Column("canary", sa.String(length=100), nullable=True),
        sa.Column("ab", sa.String(length=100), nullable=True),
        sa.Column("created_at", sa.String(length=27), nullable=False),
        sa.Column("changed_at", sa.String(length=27), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["owner"], ["people.id"], name=op.f("fk_rollouts_owner_people")),
        sa.ForeignKeyConstraint(["model_owner"], ["people.id"], name=op.f("fk_rollouts_model_owner_people")),
        sa.ForeignKeyConstraint(["sha256"], ["documents.sha256"], name=op.f("fk_rollouts_sha256_documents")),
        sa.ForeignKeyConstraint(
            ["written_sha256"], ["documents.sha256"], name=op.f("fk_rollouts_written_sha256_documents")
        ),
        sa.ForeignKeyConstraint(["shadow"], ["experiments.id"], name=op.f("fk_rollouts_shadow_experiments")),
        sa.ForeignKeyConstraint(["canary"], ["experiments.id"], name=op.f("fk_rollouts_canary_experiments")),
        sa.ForeignKeyConstraint(["ab"], ["experiments.id"], name=op.f("fk_rollouts_ab_experiments")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rollouts")),
        sa.UniqueConstraint("number", name=op.f("uq_rollouts_number")),
    )
    op.create_index(op.f("ix_rollouts_model"), "rollouts", ["model"], unique=False)
    op.create_index(op.f("ix_rollouts_state"), "rollouts", ["state"], unique=False)
    op.create_table(
        "transitions",
        sa.Column("rollout", sa.String(length=100), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("verb", sa.String(length=100), nullable=False),
        sa.Column("status", sa.String(length=100), nullable=False),
        sa.Column("from_state", sa.String(length=100), nullable=False),
        sa.Column("from_step", sa.Integer(), nullable=True),
        sa.Column("to_state", sa.String(length=100), nullable=False),
        sa.Column("to_step", sa.Integer(), nullable=True),
        sa.Column("entry", sa.String(length=100), nullable=True),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("aliases", sa.JSON(), nullable=False),
        sa.Column("confirmed", sa.JSON(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.String(length=100), nullable=False),
        sa.Column("requested_at", sa.String(length=27), nullable=False),
        sa.Column("settled_by", sa.String(length=100), nullable=True),
        sa.Column("settled_at", sa.String(length=27), nullable=True),
        sa.Column("settled_reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["rollout"], ["rollouts.id"], name=op.f("fk_transitions_rollout_rollouts")),
        sa.ForeignKeyConstraint(["entry"], ["experiments.id"], name=op.f("fk_transitions_entry_experiments")),
        sa.ForeignKeyConstraint(
            ["requested_by"], ["people.id"], name=op.f("fk_transitions_requested_by_people")
        ),
        sa.ForeignKeyConstraint(["settled_by"], ["people.id"], name=op.f("fk_transitions_settled_by_people")),
        sa.PrimaryKeyConstraint("rollout", "number", name=op.f("pk_transitions")),
    )
    op.create_table(
        "aliases",
        sa.Column("model", sa.String(length=100), nullable=False),
        sa.Column("alias", sa.String(length=100), nullable=False),
        sa.Column("version", sa.Text(), nullable=True),
        sa.Column("rollout", sa.String(length=100), nullable=False),
        sa.Column("transition", sa.Integer(), nullable=False),
        sa.Column("moved_at", sa.String(length=27), nullable=False),
        sa.ForeignKeyConstraint(["rollout"], ["rollouts.id"], name=op.f("fk_aliases_rollout_rollouts")),
        sa.PrimaryKeyConstraint("model", "alias", name=op.f("pk_aliases")),
    )
