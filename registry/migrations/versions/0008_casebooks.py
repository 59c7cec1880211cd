"""Casebooks: pairs of a shadow that several people judge blind, and what each of them said.

Revision: 0008, after 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "casebooks",
        sa.Column("experiment", sa.String(length=100), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("readout_sha256", sa.String(length=64), nullable=False),
        sa.Column("cases", sa.Integer(), nullable=False),
        sa.Column("drawn_for", sa.String(length=100), nullable=False),
        sa.Column("drawn_at", sa.String(length=27), nullable=False),
        sa.Column("unblinded_by", sa.String(length=100), nullable=True),
        sa.Column("unblinded_at", sa.String(length=27), nullable=True),
        sa.ForeignKeyConstraint(
            ["experiment"], ["experiments.id"], name=op.f("fk_casebooks_experiment_experiments")
        ),
        sa.ForeignKeyConstraint(["sha256"], ["documents.sha256"], name=op.f("fk_casebooks_sha256_documents")),
        sa.ForeignKeyConstraint(
            ["readout_sha256"], ["documents.sha256"], name=op.f("fk_casebooks_readout_sha256_documents")
        ),
        sa.ForeignKeyConstraint(["drawn_for"], ["people.id"], name=op.f("fk_casebooks_drawn_for_people")),
        sa.ForeignKeyConstraint(
            ["unblinded_by"], ["people.id"], name=op.f("fk_casebooks_unblinded_by_people")
        ),
        sa.PrimaryKeyConstraint("experiment", name=op.f("pk_casebooks")),
    )
    op.create_table(
        "case_reviews",
        sa.Column("experiment", sa.String(length=100), nullable=False),
        sa.Column("reviewer", sa.String(length=100), nullable=False),
        sa.Column("begun_at", sa.String(length=27), nullable=False),
        sa.Column("finished_at", sa.String(length=27), nullable=True),
        sa.ForeignKeyConstraint(
            ["experiment"], ["casebooks.experiment"], name=op.f("fk_case_reviews_experiment_casebooks")
        ),
        sa.ForeignKeyConstraint(["reviewer"], ["people.id"], name=op.f("fk_case_reviews_reviewer_people")),
        sa.PrimaryKeyConstraint("experiment", "reviewer", name=op.f("pk_case_reviews")),
    )
    op.create_table(
        "case_picks",
        sa.Column("experiment", sa.String(length=100), nullable=False),
        sa.Column("reviewer", sa.String(length=100), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("pick", sa.String(length=100), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("picked_at", sa.String(length=27), nullable=False),
        sa.ForeignKeyConstraint(
            ["experiment"], ["casebooks.experiment"], name=op.f("fk_case_picks_experiment_casebooks")
        ),
        sa.ForeignKeyConstraint(["reviewer"], ["people.id"], name=op.f("fk_case_picks_reviewer_people")),
        sa.PrimaryKeyConstraint("experiment", "reviewer", "number", name=op.f("pk_case_picks")),
    )
