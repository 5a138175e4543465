"""kill -9 of replicas on one PostgreSQL database."""

from chaos.kills import Kills


class TestKillsOnPostgreSQL(Kills):
    """See Kills."""

    database = "postgresql"
