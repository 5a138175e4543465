"""The tables. Every type and constraint here is one that SQLite, PostgreSQL and MariaDB take alike.

No partial indexes, no NULL where a zero will do; a server default only where a column came later, so that an
older version can still write while replicas are upgraded. VARCHAR lengths keep every key
below InnoDB's 3072 bytes in utf8mb4. Times are BIGINT microseconds UTC from the database's clock.
"""

from sqlalchemy import (
    VARBINARY,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from .values import NEVER

APP, RUN_ID, CONTEXT_ID, OWNER, NAME, WORD, HASH, TARGET, URI = 64, 64, 255, 255, 128, 64, 128, 512, 2048
ERROR, SCOPE = 1024, 8
"""Longest values, in characters."""
KEY_BYTES = 256
"""Longest key of what a plugin keeps."""

INLINE_BYTES = 1024 * 1024
"""A larger payload is kept in `blobs`, in pieces of this size."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _text(name: str, length: int, *, primary_key: bool = False) -> Column[str]:
    return Column(name, String(length), nullable=False, primary_key=primary_key)


def _int(name: str) -> Column[int]:
    return Column(name, Integer, nullable=False)


def _big(name: str, *, primary_key: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=False, primary_key=primary_key, autoincrement=False)


def _bytes(name: str) -> Column[bytes]:
    # The length makes it a LONGBLOB on MySQL, whose plain BLOB ends at 64 KiB.
    return Column(name, LargeBinary(2**32 - 1), nullable=False)


def _run(*, primary_key: bool = False) -> Column[str]:
    owner = ForeignKey("runs.id", ondelete="CASCADE")
    return Column("run_id", String(RUN_ID), owner, nullable=False, primary_key=primary_key)


runs = Table(
    "runs",
    metadata,
    _text("id", RUN_ID, primary_key=True),
    _text("kind", WORD),
    _text("app", APP),
    _text("owner", OWNER),
    _text("agent", NAME),
    _text("context_id", CONTEXT_ID),
    Column("context_position", BigInteger, nullable=True),  # NULL without a context: not unique then
    _text("parent", RUN_ID),
    _text("state", WORD),
    _big("status_time"),
    Column("is_task", Boolean, nullable=False),
    Column("finished", Boolean, nullable=False),  # state is terminal: what an index can tell apart
    _text("revision", HASH),
    _int("priority"),
    _text("worker", NAME),
    _text("worker_target", TARGET),
    _big("epoch"),
    _big("lease_until"),
    _big("wake_at"),
    _big("deadline"),
    _int("attempt"),
    _big("next_seq"),
    Column("idempotency_key", String(CONTEXT_ID), nullable=True),  # NULL without one: not unique then
    _text("idempotency_hash", HASH),
    _big("created_time"),
    _text("strategy_name", NAME),
    _int("strategy_version"),
    _bytes("view"),
    _bytes("strategy_state"),
    Column("due", BigInteger, nullable=False, server_default=text(str(NEVER))),  # not before, for who claims
    Column("folded", BigInteger, nullable=True),  # when its events were made fewer; see `history`
    UniqueConstraint("app", "owner", "context_id", "context_position", name="uq_runs_context_position"),
    UniqueConstraint("app", "owner", "idempotency_key", name="uq_runs_idempotency_key"),
    Index("ix_runs_status_time", "app", "owner", "status_time", "id"),
    Index("ix_runs_claim", "finished", "worker", "app", "agent", "priority", "due"),
)

run_events = Table(
    "run_events",
    metadata,
    _run(primary_key=True),
    _big("seq", primary_key=True),
    _text("app", APP),
    _text("kind", WORD),
    _int("needs"),
    _big("time"),
    Column("blob_id", String(RUN_ID), nullable=True),  # the payload is there, not here
    _bytes("payload"),
)

run_signals = Table(
    "run_signals",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    _text("app", APP),
    _run(),
    _text("kind", WORD),
    _big("time"),
    _big("consumed_time"),  # 0: not yet
    _bytes("payload"),
    Index("ix_run_signals_waiting", "run_id", "consumed_time", "id"),
    sqlite_autoincrement=True,  # an id is never given twice, even after the last signal was deleted
)

effects = Table(
    "effects",
    metadata,
    _run(primary_key=True),
    _text("effect_id", NAME, primary_key=True),
    _text("app", APP),
    _text("call_id", NAME),
    _text("tool", NAME),
    _text("policy", NAME),
    _text("state", WORD),
    _big("started_time"),
    _big("finished_time"),  # 0: in doubt
    _text("result_ref", CONTEXT_ID),
)

revisions = Table(
    "revisions",
    metadata,
    _text("app", APP, primary_key=True),
    _text("id", HASH, primary_key=True),  # hash of the content
    _int("number"),
    _big("time"),
    _text("source", URI),
    Column("text", Text(2**24 - 1).with_variant(Text(), "postgresql"), nullable=False),
    Column("applicable", Boolean, nullable=False),
    UniqueConstraint("app", "number", name="uq_revisions_number"),
)

blobs = Table(
    "blobs",
    metadata,
    _text("id", RUN_ID, primary_key=True),
    Column(
        "part", Integer, primary_key=True, autoincrement=False
    ),  # 0, 1, ...: a packet has a limit on MySQL
    _text("app", APP),
    Column("run_id", String(RUN_ID), ForeignKey("runs.id", ondelete="CASCADE"), nullable=True, index=True),
    _big("size_bytes"),  # of all parts together
    _bytes("data"),
)

documents = Table(
    "documents",
    metadata,
    _text("app", APP, primary_key=True),
    _text("store", NAME, primary_key=True),
    _text("document_id", CONTEXT_ID, primary_key=True),
    _text("source_uri", URI),
    _text("content_hash", HASH),
    _text("pipeline_hash", HASH),
    _int("chunk_count"),
    _text("state", WORD),
    Column("error", Text, nullable=False),
    _big("size_bytes"),
    _big("modified_time"),
    _big("indexed_time"),
)

# Where a run's events are sent to; see `push_configs`.
push_configs = Table(
    "push_configs",
    metadata,
    _run(primary_key=True),
    _text("id", NAME, primary_key=True),
    _text("app", APP),
    _text("owner", OWNER),
    _text("agent", NAME),
    _text("url", URI),
    _bytes("secret"),
    _text("dialect", WORD),
    _text("traceparent", NAME),
    _text("state", WORD),
    _big("start"),  # the event as of which the first notification shows the run
    _big("delivered"),  # the last event that the receiver has confirmed
    _big("pledged"),  # the last event of the notification under way; 0: not settled
    _int("attempts"),  # that failed since the last success
    _big("next_time"),  # not before
    _text("error", ERROR),
    _big("created_time"),
    _big("updated_time"),
    _text("worker", NAME),
    _big("lease_until"),
    _big("epoch"),
    Index("ix_push_configs_state", "state", "next_time"),
    Index("ix_push_configs_created_time", "app", "created_time"),
)

# Runs that nobody tries again; see `dead_letters`.
dead_letters = Table(
    "dead_letters",
    metadata,
    _run(primary_key=True),
    _text("app", APP),
    _text("agent", NAME),
    _text("reason", WORD),
    _text("message", ERROR),
    _int("attempts"),
    _big("time"),
    _text("requeued_as", RUN_ID),
    Index("ix_dead_letters_time", "app", "time"),
)

# Who works on runs, each as long as it has its lease; see `leases`.
workers = Table(
    "workers",
    metadata,
    _text("id", NAME, primary_key=True),
    _text("target", TARGET),
    _text("host", OWNER),
    _int("pid"),
    _text("parent", NAME),
    _text("version", WORD),
    _big("started_time"),
    _big("lease_until"),  # for all of its runs
)

# Who writes to a database on a server; see `commits`.
writers = Table(
    "writers",
    metadata,
    _text("id", RUN_ID, primary_key=True),
    _text("host", OWNER),
    _int("pid"),
    _big("claim"),  # what the version before leases kept here; 0
    _big("batch"),  # the last one that was committed
    _big("time"),
)

# What is never pruned: a run, or all of a session (then `run_id` is "", and else `context_id`).
pins = Table(
    "pins",
    metadata,
    _text("app", APP, primary_key=True),
    _text("owner", OWNER, primary_key=True),
    _text("context_id", CONTEXT_ID, primary_key=True),
    _text("run_id", RUN_ID, primary_key=True),
    _big("time"),
)

# That a user's data was erased, told without any of it; see `history.erasing`.
receipts = Table(
    "receipts",
    metadata,
    _text("id", RUN_ID, primary_key=True),
    _text("app", APP),  # "": of all apps
    _text("subject", HASH),
    _big("begun_time"),
    _big("done_time"),  # 0: not done yet
    Column("counts", Text, nullable=False),
    _text("hash", HASH),
    Index("ix_receipts_begun_time", "begun_time"),
)

# What one replica at a time does for all of them.
chores = Table(
    "chores",
    metadata,
    _text("name", NAME, primary_key=True),
    _text("holder", NAME),
    _big("until"),
    _big("done_time"),
)

# Objects outside the database that nothing refers to any more, until they are deleted; see `doomed`.
doomed_objects = Table(
    "doomed_objects",
    metadata,
    _text("object_key", TARGET, primary_key=True),
    _text("app", APP),
    _big("time"),
)

# What state sessions, users and apps have; see `states`.
states = Table(
    "states",
    metadata,
    _text("app", APP, primary_key=True),
    _text("owner", OWNER, primary_key=True),
    _text("context_id", CONTEXT_ID, primary_key=True),
    _text("scope", SCOPE, primary_key=True),
    _text("name", NAME, primary_key=True),
    _bytes("value"),  # JSON; empty: removed, and by whom is still known
    _text("run_id", RUN_ID),
    _big("seq"),
    _big("time"),
)

# Versions of what was made for users; see `artifacts`.
artifacts = Table(
    "artifacts",
    metadata,
    _text("app", APP, primary_key=True),
    _text("owner", OWNER, primary_key=True),
    _text("context_id", CONTEXT_ID, primary_key=True),
    _text("name", NAME, primary_key=True),
    _big("version", primary_key=True),
    _text("run_id", RUN_ID),
    _text("media_type", CONTEXT_ID),
    _text("description", ERROR),
    _big("size_bytes"),
    _text("hash", HASH),
    Column("place", String(CONTEXT_ID), nullable=False, index=True),
    _big("time"),
    _bytes("data"),
)

# What a database knows of itself; see `marks`.
marks = Table(
    "marks",
    metadata,
    _text("name", WORD, primary_key=True),
    _text("value", CONTEXT_ID),
    _big("time"),
)

# What plugins keep, in parts of INLINE_BYTES; see `plugin_values`.
plugin_values = Table(
    "plugin_values",
    metadata,
    _text("plugin", NAME, primary_key=True),
    _text("app", APP, primary_key=True),
    # Bytes: the same order and the same differences everywhere, whatever a plugin's keys look like. MySQL has
    # keys of bytes of its own kind only.
    Column(
        "name",
        LargeBinary(KEY_BYTES).with_variant(VARBINARY(KEY_BYTES), "mysql", "mariadb"),
        nullable=False,
        primary_key=True,
    ),
    Column("part", Integer, nullable=False, primary_key=True, autoincrement=False),  # 0, 1, ...
    _big("size_bytes"),  # of all parts together, as it counts; 0 beside the first
    _big("until"),
    _bytes("value"),
    Index("ix_plugin_values_until", "plugin", "until"),
)

# How much each plugin keeps, in all apps together: who changes that locks the row first.
plugin_usage = Table(
    "plugin_usage",
    metadata,
    _text("plugin", NAME, primary_key=True),
    _big("size_bytes"),
)
