"""Where a database server is, and how it is spoken to: `postgres://` and `mysql://` URLs."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlencode

from .errors import InvalidDatabaseURL

POSTGRESQL, MYSQL, MARIADB = "postgresql", "mysql", "mariadb"
SCHEMES = {"postgres": POSTGRESQL, "postgresql": POSTGRESQL, "mysql": MYSQL, "mariadb": MARIADB}
"""What URLs begin with, and the kind of server they mean."""

EXAMPLES = ("postgres://user:password@host:5432/database", "mysql://user:password@host:3306/database")
PORTS = {POSTGRESQL: 5432, MYSQL: 3306, MARIADB: 3306}
SSL_MODES = ("disable", "prefer", "require", "verify-ca", "verify-full")
POOL_SIZE, MOST_CONNECTIONS = 4, 100
CONNECT_S, LONGEST_CONNECT_S = 10.0, 300.0

_Wrong = Callable[[str], InvalidDatabaseURL]
"""Makes the error that says what is wrong with a URL."""


@dataclass(frozen=True, slots=True)
class Tls:
    """Whether the connection is encrypted, and who the server must prove to be."""

    mode: str = "prefer"
    """One of SSL_MODES, which mean what libpq means by them."""
    root: str = ""
    """File with the certificates to trust; "" is the system's."""
    certificate: str = ""
    """File with the certificate that this side shows."""
    key: str = ""

    @property
    def verified(self) -> bool:
        """Whether the server has to prove who it is."""
        return self.mode.startswith("verify")


@dataclass(frozen=True, slots=True)
class ServerPlace:
    """A database on a server."""

    kind: str
    """POSTGRESQL, MYSQL or MARIADB; the last two speak alike."""
    database: str
    host: str = "localhost"
    port: int = 0
    socket: str = ""
    """PostgreSQL: the folder of the server's unix socket; MySQL: the socket itself. Then no host is asked."""
    user: str = ""
    """"": what the driver takes by itself, for example PGUSER."""
    password: str = field(default="", repr=False)
    pool_size: int = POOL_SIZE
    """Connections that read; one more writes, and on PostgreSQL one more hears of other processes."""
    connect_s: float = CONNECT_S
    """How long a connection may take."""
    tls: Tls = Tls()
    is_pooled: bool = False
    """PgBouncer hands each transaction to another session, perhaps: nothing of a session may be relied on."""
    listen: str = ""
    """Then, where the server itself hears `LISTEN`: host and port. "": nowhere."""

    file = None
    """It is in no file of this machine."""
    in_memory = False

    @property
    def name(self) -> str:
        """What messages call it."""
        where = f"{self._authority}/{self.database}"
        return f"{self.kind}://{where}" + (f" ({self.socket})" if self.socket else "")

    @property
    def server(self) -> str:
        """What messages call the server."""
        return self.socket or self._authority

    @property
    def url(self) -> str:
        """The URL that means this place, with its password."""
        user = quote(self.user, safe="") + (f":{quote(self.password, safe='')}" if self.password else "")
        options = {
            "host": self.socket,
            "pool_size": "" if self.pool_size == POOL_SIZE else str(self.pool_size),
            "connect_timeout": "" if self.connect_s == CONNECT_S else f"{self.connect_s:g}",
            "sslmode": "" if self.tls.mode == "prefer" else self.tls.mode,
            "sslrootcert": self.tls.root,
            "sslcert": self.tls.certificate,
            "sslkey": self.tls.key,
            "pgbouncer": "true" if self.is_pooled else "",
            "listen": self.listen,
        }
        query = urlencode({name: value for name, value in options.items() if value})
        return (
            f"{self.kind}://{user}{'@' if user else ''}{self._authority}/{quote(self.database, safe='')}"
            + (f"?{query}" if query else "")
        )

    @property
    def _authority(self) -> str:
        if self.socket:
            return f":{self.port}" if self.port else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_server(scheme: str, rest: str, folder: Path | None) -> ServerPlace:
    """Return the place that a URL means.

    Args:
        scheme: One of SCHEMES.
        rest: What follows `scheme://`. User and password end at the last `@`: a password may hold anything.
        folder: What the paths of certificates belong to.

    Raises:
        InvalidDatabaseURL: It is wrong; the message does not show what may be a password.
    """
    kind = SCHEMES[scheme]
    # The password first: it may hold what ends other parts, and no part of it may get into a message.
    userinfo, at, rest = rest.rpartition("@")
    user, _, password = userinfo.partition(":")
    shown = f"{scheme}://{'...@' if at else ''}{rest.partition('?')[0]}"

    def wrong(problem: str) -> InvalidDatabaseURL:
        return InvalidDatabaseURL(shown, problem, EXAMPLES[:1] if kind == POSTGRESQL else EXAMPLES[1:])

    where, _, query = rest.partition("?")
    authority, _, path = where.partition("/")
    database = unquote(path)
    if not database:
        raise wrong("the name of the database is missing behind the host")
    if "/" in path or "\0" in database:
        raise wrong("the name of a database holds no slash")
    host, port = _host_and_port(authority, wrong)
    options = dict(parse_qsl(query, keep_blank_values=True))
    socket = options.pop("host", "") or options.pop("unix_socket", "")
    if socket and not socket.startswith("/"):
        raise wrong("the option host is for the path of a unix socket; other hosts stand before the name")
    pool_size = _number(options, "pool_size", POOL_SIZE, 1, MOST_CONNECTIONS, wrong)
    connect_s = _number(options, "connect_timeout", CONNECT_S, 1, LONGEST_CONNECT_S, wrong)
    tls = _tls(options, folder, wrong)
    is_pooled, listen = _pooling(options, wrong) if kind == POSTGRESQL else (False, "")
    if options:
        known = "pool_size, connect_timeout, sslmode, sslrootcert, sslcert, sslkey, host"
        known += ", pgbouncer, listen" if kind == POSTGRESQL else ""
        raise wrong(f"there is no option {next(iter(options))!r}, only {known}")
    return ServerPlace(
        kind=kind,
        database=database,
        host="" if socket else host or "localhost",
        port=0 if socket and not port else port or PORTS[kind],
        socket=socket,
        user=unquote(user),
        password=unquote(password),
        pool_size=int(pool_size),
        connect_s=connect_s,
        tls=tls,
        is_pooled=is_pooled,
        listen=listen,
    )


def _host_and_port(authority: str, wrong: _Wrong) -> tuple[str, int]:
    host, _, port = authority.rpartition(":") if not authority.endswith("]") else (authority, "", "")
    if not host and not authority.startswith(":"):
        host, port = authority, ""
    if port and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise wrong("the port is no number from 1 to 65535")
    return unquote(host.removeprefix("[").removesuffix("]")), int(port or 0)


def _number(
    options: dict[str, str],
    name: str,
    default: float,
    least: int,
    most: float,
    wrong: _Wrong,
) -> float:
    text = options.pop(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
        raise wrong(f"{name} must be a number from {least} to {most:g}")
    return float(text)


def _pooling(options: dict[str, str], wrong: _Wrong) -> tuple[bool, str]:
    pooled = options.pop("pgbouncer", "") or "false"
    if pooled not in ("true", "false"):
        raise wrong("pgbouncer must be true or false")
    listen = options.pop("listen", "")
    if listen and pooled == "false":
        raise wrong("listen says where the server is behind PgBouncer: add pgbouncer=true")
    if listen and not all(_host_and_port(listen, wrong)):
        raise wrong("listen must be a host and a port, as db.example.com:5432")
    return pooled == "true", listen


def _tls(options: dict[str, str], folder: Path | None, wrong: _Wrong) -> Tls:
    mode = options.pop("sslmode", "") or "prefer"
    if mode not in SSL_MODES:
        raise wrong(f"sslmode must be one of {', '.join(SSL_MODES)}")
    files = [_path(options.pop(name, ""), folder) for name in ("sslrootcert", "sslcert", "sslkey")]
    return Tls(mode, *files)


def _path(text: str, folder: Path | None) -> str:
    if not text:
        return ""
    path = Path(text).expanduser()
    return str(path if folder is None else folder / path)
