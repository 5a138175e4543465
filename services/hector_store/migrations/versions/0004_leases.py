"""Workers with a lease for all of their runs, and when a run that nobody has is due."""

import sqlalchemy as sa
from alembic import op

from hector_store.migrations.steps import add_column, create_index, create_table, drop_index

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_NEVER = 2**62
_WAITING = ("RUN_STATE_INPUT_REQUIRED", "RUN_STATE_AUTH_REQUIRED", "RUN_STATE_WAITING")


def _text(name: str, length: int) -> "sa.Column[str]":
    return sa.Column(name, sa.String(length), nullable=False)


def _big(name: str) -> "sa.Column[int]":
    return sa.Column(name, sa.BigInteger(), nullable=False, autoincrement=False)


def upgrade() -> None:
    """Create the table and the column, and leave runs that wait to nobody."""
    create_table(
        "workers",
        _text("id", 128),
        _text("target", 512),
        _text("host", 255),
        sa.Column("pid", sa.Integer(), nullable=False),
        _text("parent", 128),
        _text("version", 64),
        _big("started_time"),
        _big("lease_until"),
        sa.PrimaryKeyConstraint("id", name="pk_workers"),
    )
    # A replica of the version before may go on writing rows until it is replaced, too.
    due = sa.Column("due", sa.BigInteger(), nullable=False, server_default=sa.text(str(_NEVER)))
    add_column("runs", due)
    create_index("ix_runs_claim", "runs", ["finished", "worker", "app", "agent", "priority", "due"])
    drop_index("ix_runs_unfinished", "runs")
    names = ("finished", "state", "worker", "worker_target", "wake_at", "due")
    runs = sa.table("runs", *map(sa.column, names))
    unfinished = runs.c.finished == sa.false()
    op.execute(
        runs.update()
        .where(unfinished, runs.c.state.in_(_WAITING))
        .values(worker="", worker_target="", due=sa.case((runs.c.wake_at > 0, runs.c.wake_at), else_=_NEVER))
    )
    op.execute(runs.update().where(unfinished, runs.c.state.not_in(_WAITING)).values(due=0))
