"""State of sessions, users and apps beside their events, and artifacts with versions."""

import sqlalchemy as sa

from hector_store.migrations.steps import create_index, create_table

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def _text(name: str, length: int) -> "sa.Column[str]":
    return sa.Column(name, sa.String(length), nullable=False)


def _big(name: str) -> "sa.Column[int]":
    return sa.Column(name, sa.BigInteger(), nullable=False, autoincrement=False)


def _bytes(name: str) -> "sa.Column[bytes]":
    return sa.Column(name, sa.LargeBinary(2**32 - 1), nullable=False)


def upgrade() -> None:
    """Create the tables. The state that older events tell of is taken from them at the next start."""
    create_table(
        "states",
        _text("app", 64),
        _text("owner", 255),
        _text("context_id", 255),
        _text("scope", 8),
        _text("name", 128),
        _bytes("value"),
        _text("run_id", 64),
        _big("seq"),
        _big("time"),
        sa.PrimaryKeyConstraint("app", "owner", "context_id", "scope", "name", name="pk_states"),
    )
    create_table(
        "artifacts",
        _text("app", 64),
        _text("owner", 255),
        _text("context_id", 255),
        _text("name", 128),
        _big("version"),
        _text("run_id", 64),
        _text("media_type", 255),
        _text("description", 1024),
        _big("size_bytes"),
        _text("hash", 128),
        _text("place", 255),
        _big("time"),
        _bytes("data"),
        sa.PrimaryKeyConstraint("app", "owner", "context_id", "name", "version", name="pk_artifacts"),
    )
    create_index("ix_artifacts_place", "artifacts", ["place"])
    create_table(
        "marks",
        _text("name", 64),
        _text("value", 255),
        _big("time"),
        sa.PrimaryKeyConstraint("name", name="pk_marks"),
    )
