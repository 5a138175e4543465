"""Where events of a run are sent to: push notification configs, each with its place in the run's log."""

import sqlalchemy as sa

from hector_store.migrations.steps import create_index, create_table

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def _text(name: str, length: int) -> "sa.Column[str]":
    return sa.Column(name, sa.String(length), nullable=False)


def _big(name: str) -> "sa.Column[int]":
    return sa.Column(name, sa.BigInteger(), nullable=False, autoincrement=False)


def upgrade() -> None:
    """Create the table."""
    create_table(
        "push_configs",
        _text("run_id", 64),
        _text("id", 128),
        _text("app", 64),
        _text("owner", 255),
        _text("agent", 128),
        _text("url", 2048),
        sa.Column("secret", sa.LargeBinary(2**32 - 1), nullable=False),
        _text("dialect", 64),
        _text("traceparent", 128),
        _text("state", 64),
        _big("start"),
        _big("delivered"),
        _big("pledged"),
        sa.Column("attempts", sa.Integer(), nullable=False),
        _big("next_time"),
        _text("error", 1024),
        _big("created_time"),
        _big("updated_time"),
        _text("worker", 128),
        _big("lease_until"),
        _big("epoch"),
        sa.PrimaryKeyConstraint("run_id", "id", name="pk_push_configs"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_push_configs_runs", ondelete="CASCADE"),
    )
    create_index("ix_push_configs_state", "push_configs", ["state", "next_time"])
    create_index("ix_push_configs_created_time", "push_configs", ["app", "created_time"])
