"""Stars, verified metrics, and how a webhook is told: once a day, and not in its quiet hours.

Revision: 0005, after 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Nullable: what the ledger says of webhooks added before knows nothing of them, which is the same as none.
    op.add_column("webhooks", sa.Column("digest", sa.String(length=100), nullable=True))
    op.add_column("webhooks", sa.Column("quiet", sa.String(length=100), nullable=True))
    op.create_table(
        "verified_metrics",
        sa.Column("reference", sa.String(length=200), nullable=False),
        sa.Column("definition_sha256", sa.String(length=64), nullable=False),
        sa.Column("verified_by", sa.String(length=100), nullable=False),
        sa.Column("verified_at", sa.String(length=27), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["verified_by"], ["people.id"], name=op.f("fk_verified_metrics_verified_by_people")
        ),
        sa.PrimaryKeyConstraint("reference", name=op.f("pk_verified_metrics")),
    )
    op.create_table(
        "stars",
        sa.Column("person", sa.String(length=100), nullable=False),
        sa.Column("experiment", sa.String(length=100), nullable=False),
        sa.Column("starred_at", sa.String(length=27), nullable=False),
        sa.ForeignKeyConstraint(["person"], ["people.id"], name=op.f("fk_stars_person_people")),
        sa.ForeignKeyConstraint(
            ["experiment"], ["experiments.id"], name=op.f("fk_stars_experiment_experiments")
        ),
        sa.PrimaryKeyConstraint("person", "experiment", name=op.f("pk_stars")),
    )
