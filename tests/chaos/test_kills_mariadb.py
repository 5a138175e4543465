"""kill -9 of replicas on one MariaDB database."""

from chaos.kills import Kills

DATABASE = "mariadb"


class TestKillsOnMariaDB(Kills):
    """See Kills."""
