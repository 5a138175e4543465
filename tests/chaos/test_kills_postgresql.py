"""kill -9 of replicas on one PostgreSQL database."""

from chaos.kills import Kills

DATABASE = "postgresql"


class TestKillsOnPostgreSQL(Kills):
    """See Kills."""
