"""Where a database is, from `storage.database`."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote

from .errors import InvalidDatabaseURL
from .server_url import EXAMPLES, SCHEMES, ServerPlace, parse_server

DEFAULT = "sqlite://.hector/hector.db"
IN_MEMORY = "inmemory"
ALLOWED = (DEFAULT, "sqlite:///absolute/path.db", *EXAMPLES, IN_MEMORY)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the tables are, when they are not on a server."""

    file: Path | None
    """None: in memory, gone with the process."""
    synchronous: str = "FULL"
    """FULL survives a power cut. NORMAL may lose the last transactions then, but none in a mere crash."""

    @property
    def name(self) -> str:
        """What messages call it."""
        return str(self.file or "in memory")

    @property
    def in_memory(self) -> bool:
        """Whether it is forgotten at the end."""
        return self.file is None


def parse(url: str, folder: Path | None = None) -> Place | ServerPlace:
    """Return the place that a URL means.

    Args:
        url: `sqlite://` and a path (`sqlite:///x` is absolute, `sqlite://x` belongs to `folder`), with
            `?synchronous=normal` if wanted; `sqlite://:memory:` or `inmemory`; or one of `server_url`.
        folder: What a relative path belongs to; None leaves it relative.

    Raises:
        InvalidDatabaseURL: It is none of these. What may be a password is not in the message.
    """
    if url in (IN_MEMORY, "sqlite://:memory:"):
        return Place(None)
    scheme, mark, rest = url.partition("://")
    kind = scheme.partition("+")[0].lower()
    if mark and kind in SCHEMES:
        return parse_server(kind, rest, folder)
    if not mark or kind not in ("sqlite", "sqlite3"):
        raise InvalidDatabaseURL(_without_password(url), "no database of that kind is known", ALLOWED)
    path, _, query = rest.partition("?")
    path = unquote(path)
    if not path or "\0" in path or path.endswith("/"):
        raise InvalidDatabaseURL(url, "the path of the database file is missing", ALLOWED)
    if path.startswith("//"):  # as SQLAlchemy's users write what is absolute
        path = f"/{path.lstrip('/')}"
    options = dict(parse_qsl(query, keep_blank_values=True))
    synchronous = options.pop("synchronous", "full").upper()
    if synchronous not in ("FULL", "NORMAL"):
        raise InvalidDatabaseURL(url, "synchronous must be full or normal", ALLOWED)
    if options:
        raise InvalidDatabaseURL(url, f"there is no option {next(iter(options))!r}", ALLOWED)
    file = Path(path)
    if file.parts[0] == "~":
        file = Path.home().joinpath(*file.parts[1:])
    return Place(folder / file if folder is not None else file, synchronous)


def placed(url: str, folder: Path | None) -> str:
    """Return the URL with its path resolved against `folder`.

    Raises:
        HectorError: As `parse`.
    """
    place = parse(url, folder)
    if isinstance(place, ServerPlace):
        return place.url  # with its password quoted: whoever looks for passwords in addresses finds it
    if place.file is None or folder is None:
        return url
    option = "" if place.synchronous == "FULL" else f"?synchronous={place.synchronous.lower()}"
    return f"sqlite://{quote(str(place.file.absolute()))}{option}"


def _without_password(url: str) -> str:
    scheme, mark, rest = url.partition("://") if "://" in url else ("", "", url)
    _, at, rest = rest.rpartition("@")
    return f"{scheme}{mark}{'...@' if at else ''}{rest}"
