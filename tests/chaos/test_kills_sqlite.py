"""kill -9 of replicas on one SQLite file."""

from chaos.kills import Kills


class TestKillsOnSQLite(Kills):
    """See Kills."""

    database = "sqlite"
