"""The first schema: runs and their events, signals, effects, revisions, blobs, documents."""

import sqlalchemy as sa

from hector_store.migrations.steps import create_index, create_table

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_COUNTED = sa.BigInteger().with_variant(sa.Integer(), "sqlite")  # SQLite counts only INTEGER


def _text(name: str, length: int) -> "sa.Column[str]":
    return sa.Column(name, sa.String(length), nullable=False)


def _int(name: str) -> "sa.Column[int]":
    return sa.Column(name, sa.Integer(), nullable=False)


def _big(name: str) -> "sa.Column[int]":
    return sa.Column(name, sa.BigInteger(), nullable=False, autoincrement=False)


def _yes(name: str) -> "sa.Column[bool]":
    return sa.Column(name, sa.Boolean(), nullable=False)


def _bytes(name: str) -> "sa.Column[bytes]":
    return sa.Column(name, sa.LargeBinary(2**32 - 1), nullable=False)


def _of_run(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=f"fk_{table}_runs", ondelete="CASCADE")


def upgrade() -> None:
    """Create the tables."""
    create_table(
        "runs",
        _text("id", 64),
        _text("kind", 64),
        _text("app", 64),
        _text("owner", 255),
        _text("agent", 128),
        _text("context_id", 255),
        sa.Column("context_position", sa.BigInteger(), nullable=True),
        _text("parent", 64),
        _text("state", 64),
        _big("status_time"),
        _yes("is_task"),
        _yes("finished"),
        _text("revision", 128),
        _int("priority"),
        _text("worker", 128),
        _text("worker_target", 512),
        _big("epoch"),
        _big("lease_until"),
        _big("wake_at"),
        _big("deadline"),
        _int("attempt"),
        _big("next_seq"),
        sa.Column("idempotency_key", sa.String(255), nullable=True),
        _text("idempotency_hash", 128),
        _big("created_time"),
        _text("strategy_name", 128),
        _int("strategy_version"),
        _bytes("view"),
        _bytes("strategy_state"),
        sa.PrimaryKeyConstraint("id", name="pk_runs"),
        sa.UniqueConstraint(
            "app", "owner", "context_id", "context_position", name="uq_runs_context_position"
        ),
        sa.UniqueConstraint("app", "owner", "idempotency_key", name="uq_runs_idempotency_key"),
    )
    create_index("ix_runs_status_time", "runs", ["app", "owner", "status_time", "id"])
    create_index("ix_runs_unfinished", "runs", ["finished", "lease_until"])
    create_table(
        "run_events",
        _text("run_id", 64),
        _big("seq"),
        _text("app", 64),
        _text("kind", 64),
        _int("needs"),
        _big("time"),
        sa.Column("blob_id", sa.String(64), nullable=True),
        _bytes("payload"),
        sa.PrimaryKeyConstraint("run_id", "seq", name="pk_run_events"),
        _of_run("run_events"),
    )
    create_table(
        "run_signals",
        sa.Column("id", _COUNTED, autoincrement=True, nullable=False),
        _text("app", 64),
        _text("run_id", 64),
        _text("kind", 64),
        _big("time"),
        _big("consumed_time"),
        _bytes("payload"),
        sa.PrimaryKeyConstraint("id", name="pk_run_signals"),
        _of_run("run_signals"),
        sqlite_autoincrement=True,
    )
    create_index("ix_run_signals_waiting", "run_signals", ["run_id", "consumed_time", "id"])
    create_table(
        "effects",
        _text("run_id", 64),
        _text("effect_id", 128),
        _text("app", 64),
        _text("call_id", 128),
        _text("tool", 128),
        _text("policy", 128),
        _text("state", 64),
        _big("started_time"),
        _big("finished_time"),
        _text("result_ref", 255),
        sa.PrimaryKeyConstraint("run_id", "effect_id", name="pk_effects"),
        _of_run("effects"),
    )
    create_table(
        "revisions",
        _text("app", 64),
        _text("id", 128),
        _int("number"),
        _big("time"),
        _text("source", 2048),
        sa.Column("text", sa.Text(2**24 - 1).with_variant(sa.Text(), "postgresql"), nullable=False),
        _yes("applicable"),
        sa.PrimaryKeyConstraint("app", "id", name="pk_revisions"),
        sa.UniqueConstraint("app", "number", name="uq_revisions_number"),
    )
    create_table(
        "blobs",
        _text("id", 64),
        sa.Column("part", sa.Integer(), nullable=False, autoincrement=False),
        _text("app", 64),
        sa.Column("run_id", sa.String(64), nullable=True),
        _big("size_bytes"),
        _bytes("data"),
        sa.PrimaryKeyConstraint("id", "part", name="pk_blobs"),
        _of_run("blobs"),
    )
    create_index("ix_blobs_run_id", "blobs", ["run_id"])
    create_table(
        "documents",
        _text("app", 64),
        _text("store", 128),
        _text("document_id", 255),
        _text("source_uri", 2048),
        _text("content_hash", 128),
        _text("pipeline_hash", 128),
        _int("chunk_count"),
        _text("state", 64),
        sa.Column("error", sa.Text(), nullable=False),
        _big("size_bytes"),
        _big("modified_time"),
        _big("indexed_time"),
        sa.PrimaryKeyConstraint("app", "store", "document_id", name="pk_documents"),
    )
