"""What speaks with database servers comes in extras: hector[postgres] and hector[mysql]."""

from importlib import import_module

from .server_errors import DriverMissing
from .server_url import MYSQL, POSTGRESQL, ServerPlace


def need_driver(place: ServerPlace) -> None:
    """Load the driver of a place; to be called before anything that needs it is imported.

    Raises:
        DriverMissing: It is not installed; the message names what to install.
    """
    if place.kind == POSTGRESQL:
        package, kind, extra = "asyncpg", "PostgreSQL", "postgres"
    else:
        package, kind, extra = "aiomysql", "MySQL" if place.kind == MYSQL else "MariaDB", "mysql"
    for module in (package, "greenlet"):
        try:
            import_module(module)
        except ImportError as error:
            raise DriverMissing(kind, module, extra) from error
