"""kill -9 of replicas on one MariaDB database."""

from chaos.kills import Kills


class TestKillsOnMariaDB(Kills):
    """See Kills."""

    database = "mariadb"
