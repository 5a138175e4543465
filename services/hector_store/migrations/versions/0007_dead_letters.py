"""Runs that nobody tries again."""

import sqlalchemy as sa

from hector_store.migrations.steps import create_index, create_table

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def _text(name: str, length: int) -> "sa.Column[str]":
    return sa.Column(name, sa.String(length), nullable=False)


def upgrade() -> None:
    """Create the table."""
    create_table(
        "dead_letters",
        sa.Column(
            "run_id",
            sa.String(64),
            sa.ForeignKey("runs.id", ondelete="CASCADE", name="fk_dead_letters_runs"),
            nullable=False,
        ),
        _text("app", 64),
        _text("agent", 128),
        _text("reason", 64),
        _text("message", 1024),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        _text("requeued_as", 64),
        sa.PrimaryKeyConstraint("run_id", name="pk_dead_letters"),
    )
    create_index("ix_dead_letters_time", "dead_letters", ["app", "time"])
