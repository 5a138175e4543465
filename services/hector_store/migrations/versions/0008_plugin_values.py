"""What plugins keep, and how much of it each has."""

import sqlalchemy as sa

from hector_store.migrations.steps import create_index, create_table

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def _text(name: str, length: int) -> "sa.Column[str]":
    return sa.Column(name, sa.String(length), nullable=False)


def _big(name: str) -> "sa.Column[int]":
    return sa.Column(name, sa.BigInteger(), nullable=False, autoincrement=False)


def upgrade() -> None:
    """Create the tables."""
    key = sa.LargeBinary(256).with_variant(sa.VARBINARY(256), "mysql", "mariadb")
    create_table(
        "plugin_values",
        _text("plugin", 128),
        _text("app", 64),
        sa.Column("name", key, nullable=False),
        sa.Column("part", sa.Integer(), nullable=False, autoincrement=False),
        _big("size_bytes"),
        _big("until"),
        sa.Column("value", sa.LargeBinary(2**32 - 1), nullable=False),
        sa.PrimaryKeyConstraint("plugin", "app", "name", "part", name="pk_plugin_values"),
    )
    create_index("ix_plugin_values_until", "plugin_values", ["plugin", "until"])
    create_table(
        "plugin_usage",
        _text("plugin", 128),
        _big("size_bytes"),
        sa.PrimaryKeyConstraint("plugin", name="pk_plugin_usage"),
    )
