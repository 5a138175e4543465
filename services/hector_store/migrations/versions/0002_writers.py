"""Who writes to a database on a server, and which of its batches was the last."""

import sqlalchemy as sa

from hector_store.migrations.steps import create_table

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def _big(name: str) -> "sa.Column[int]":
    return sa.Column(name, sa.BigInteger(), nullable=False, autoincrement=False)


def upgrade() -> None:
    """Create the table."""
    create_table(
        "writers",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        _big("claim"),
        _big("batch"),
        _big("time"),
        sa.PrimaryKeyConstraint("id", name="pk_writers"),
    )
