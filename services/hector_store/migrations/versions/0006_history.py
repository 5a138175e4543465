"""What is kept for how long: pins, receipts of what was erased, and which runs' events were made fewer."""

import sqlalchemy as sa

from hector_store.migrations.steps import add_column, create_index, create_table

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def _text(name: str, length: int) -> "sa.Column[str]":
    return sa.Column(name, sa.String(length), nullable=False)


def _big(name: str) -> "sa.Column[int]":
    return sa.Column(name, sa.BigInteger(), nullable=False, autoincrement=False)


def upgrade() -> None:
    """Add the column, and create the tables."""
    add_column("runs", sa.Column("folded", sa.BigInteger(), nullable=True))
    create_table(
        "pins",
        _text("app", 64),
        _text("owner", 255),
        _text("context_id", 255),
        _text("run_id", 64),
        _big("time"),
        sa.PrimaryKeyConstraint("app", "owner", "context_id", "run_id", name="pk_pins"),
    )
    create_table(
        "receipts",
        _text("id", 64),
        _text("app", 64),
        _text("subject", 128),
        _big("begun_time"),
        _big("done_time"),
        sa.Column("counts", sa.Text(), nullable=False),
        _text("hash", 128),
        sa.PrimaryKeyConstraint("id", name="pk_receipts"),
    )
    create_index("ix_receipts_begun_time", "receipts", ["begun_time"])
    create_table(
        "chores",
        _text("name", 128),
        _text("holder", 128),
        _big("until"),
        _big("done_time"),
        sa.PrimaryKeyConstraint("name", name="pk_chores"),
    )
    create_table(
        "doomed_objects",
        _text("object_key", 512),
        _text("app", 64),
        _big("time"),
        sa.PrimaryKeyConstraint("object_key", name="pk_doomed_objects"),
    )
