"""kill -9 of replicas on one SQLite file."""

from chaos.kills import Kills

DATABASE = "sqlite"


class TestKillsOnSQLite(Kills):
    """See Kills."""
