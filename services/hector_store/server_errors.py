"""What can go wrong between here and a database server: each error names the server and the next step."""

from grpc import StatusCode

from hector_mesh import HectorError

from .server_url import ServerPlace


class DriverMissing(HectorError):
    """What speaks with this kind of server is not installed."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "DATABASE_DRIVER_MISSING"

    def __init__(self, kind: str, package: str, extra: str) -> None:
        super().__init__(
            f"{kind} needs {package}, which is not installed: pip install 'hector[{extra}]', or set"
            " storage.database to sqlite://.hector/hector.db",
            kind=kind,
            package=package,
        )


class StorageUnreachable(HectorError):
    """No connection to the server, or it broke. Nothing of this write was kept."""

    code = StatusCode.UNAVAILABLE
    reason = "STORAGE_UNREACHABLE"

    def __init__(self, place: ServerPlace, detail: str) -> None:
        super().__init__(
            f"cannot reach the database {place.name} ({detail}); see whether the server runs and can be"
            " reached from here, or correct storage.database",
            database=place.name,
        )


class StorageInDoubt(HectorError):
    """The connection broke while a write was committed, and nobody can be asked what became of it."""

    code = StatusCode.UNKNOWN
    reason = "STORAGE_IN_DOUBT"

    def __init__(self, place: ServerPlace, detail: str) -> None:
        super().__init__(
            f"the database {place.name} was lost while it wrote ({detail}): the write is there or not; read"
            " before you repeat it",
            database=place.name,
        )


class StorageAccessDenied(HectorError):
    """The server does not let this user in."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "STORAGE_ACCESS_DENIED"

    def __init__(self, place: ServerPlace, detail: str) -> None:
        super().__init__(
            f"the server {place.server} refused user {place.user or '(none given)'!r} ({detail}); correct"
            " user and password in storage.database, or allow this user and this host on the server",
            database=place.name,
            user=place.user,
        )


class StorageMissing(HectorError):
    """The server has no such database."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "STORAGE_MISSING"

    def __init__(self, place: ServerPlace) -> None:
        owner = f" OWNER {place.user}" if place.user and place.kind == "postgresql" else ""
        super().__init__(
            f"the server {place.server} has no database {place.database!r}; create it (CREATE DATABASE"
            f" {place.database}{owner}), or correct storage.database",
            database=place.name,
        )


class StorageForbidden(HectorError):
    """The user may not do what the store needs: create its tables, read and write them."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "STORAGE_FORBIDDEN"

    def __init__(self, place: ServerPlace, detail: str) -> None:
        if place.kind == "postgresql":
            grant = f"ALTER DATABASE {place.database} OWNER TO {place.user or 'the user'}"
        else:
            grant = f"GRANT ALL ON {place.database}.* TO '{place.user or 'the user'}'"
        super().__init__(
            f"user {place.user!r} may not use the database {place.name} as Hector needs to ({detail}): it"
            f" creates and changes its own tables; as the server's administrator: {grant}",
            database=place.name,
            user=place.user,
        )


class StorageNeedsTLS(HectorError):
    """One side wants an encrypted connection, and the other one does not."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "STORAGE_NEEDS_TLS"

    def __init__(self, place: ServerPlace, detail: str, advice: str) -> None:
        super().__init__(
            f"no encrypted connection to the database {place.name} ({detail}); {advice}", database=place.name
        )


class StorageCrowded(HectorError):
    """The server takes no more connections, or all of ours are in use."""

    code = StatusCode.RESOURCE_EXHAUSTED
    reason = "STORAGE_CROWDED"
    retry_after_s = 1.0

    def __init__(self, place: ServerPlace, detail: str, advice: str) -> None:
        super().__init__(
            f"no connection to the database {place.name} ({detail}); {advice}", database=place.name
        )


class StorageTooOld(HectorError):
    """The server is of a version that lacks what the store needs."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "STORAGE_TOO_OLD"

    def __init__(self, place: ServerPlace, found: str, needed: str) -> None:
        super().__init__(
            f"the server {place.server} is {found}, and {needed} or newer is needed; upgrade it, or set"
            " storage.database to another one",
            database=place.name,
            found=found,
            needed=needed,
        )


class TextTooLong(HectorError):
    """One write is longer than this server takes at once. Others of its batch were written."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "PAYLOAD_TOO_LARGE"

    def __init__(self, place: ServerPlace, detail: str) -> None:
        super().__init__(
            f"a write is too large for the database {place.name} ({detail}); raise the server's"
            " max_allowed_packet, or keep the content in a file and write its address",
            database=place.name,
        )


class StorageUnsuitable(HectorError):
    """A setting of the server does not let the store keep what it must."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "STORAGE_UNSUITABLE"

    def __init__(self, place: ServerPlace, problem: str, advice: str) -> None:
        super().__init__(
            f"the server {place.server} cannot keep what Hector writes: {problem}; {advice}",
            database=place.name,
        )
