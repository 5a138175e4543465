"""Who is calling: a bearer credential becomes a principal, the same over HTTP and gRPC."""

import hmac
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

from hector_mesh import Principal

from .addresses import is_loopback
from .admin_secret import digest, must_authenticate, stored_hash
from .config import ServerConfig
from .errors import StrangePage, Unauthenticated

log = logging.getLogger(__name__)

NOBODY = Principal()
LOCAL = Principal("local", frozenset({"user", "operator"}))
"""Callers on this machine of a server that asks nobody for credentials."""
ADMIN = Principal("admin", frozenset({"admin"}))


@dataclass(frozen=True, slots=True)
class Credential:
    """Who shows something with this hash is that principal."""

    hash: bytes
    principal: Principal


class Access:
    """Lets callers in, or does not."""

    def __init__(self, credentials: Sequence[Credential], *, required: bool, local_only: bool) -> None:
        """Set up the door.

        Args:
            credentials: What may be shown. Empty and not required: nothing is looked at.
            required: Who shows none is nobody, wherever it comes from.
            local_only: Only this machine can reach the server.
        """
        self._credentials = tuple(credentials)
        self.required = required
        self._local_only = local_only

    def caller(self, authorization: str | None, *, from_here: bool) -> Principal:
        """Return who is calling; NOBODY if it showed no credential and is not trusted without.

        Args:
            authorization: The Authorization header, or the metadata of that name.
            from_here: The connection comes from this machine.

        Raises:
            Unauthenticated: What it shows is wrong. A wrong credential is never taken for none.
        """
        if authorization is None or not (self.required or self._credentials):
            return LOCAL if from_here and not self.required else NOBODY
        scheme, _, token = authorization.strip().partition(" ")
        if scheme.lower() != "bearer":
            raise Unauthenticated("send the credential as `Authorization: Bearer <credential>`", invalid=True)
        shown, found = digest(token.strip()), NOBODY
        for known in self._credentials:  # all of them: the time it takes must say nothing
            if hmac.compare_digest(known.hash, shown):
                found = known.principal
        if found is NOBODY:
            log.info("unknown credential refused", extra={"from_here": from_here})
            raise Unauthenticated("this credential is not known here", invalid=True)
        return found

    def admit(self, principal: Principal) -> None:
        """Let a caller pass where something is at stake.

        Raises:
            Unauthenticated: It must show a credential first.
        """
        if self.required and principal is NOBODY:
            raise Unauthenticated("this needs a credential: send `Authorization: Bearer <credential>`")

    def check_origin(self, host: str | None, origin: str | None) -> None:
        """Keep web pages of other origins away from a server that trusts its whole machine.

        A page can post to 127.0.0.1, and a name that its owner controls can point there.

        Raises:
            StrangePage: One of the two names somebody else.
        """
        if self.required or not self._local_only:
            return
        if host is not None and not _names_this_machine(f"//{host}"):
            raise StrangePage("Host", host[:100])
        if origin is not None and not _names_this_machine(origin):
            raise StrangePage("Origin", origin[:100])


def access_for(server: ServerConfig) -> Access:
    """Return the door that a configuration asks for.

    Raises:
        SecretUnreadable: The admin secret's hash cannot be read.
    """
    auth = server.auth
    required = must_authenticate(server)
    if auth.enabled is False:
        return Access((), required=False, local_only=server.is_local)
    credentials = [
        Credential(digest(entry.key.reveal()), _owner(entry.name, entry.key.reveal(), entry.roles))
        for entry in auth.callers()
    ]
    admin = digest(auth.secret.reveal()) if auth.secret else stored_hash(auth.secret_file)
    if admin is not None:
        credentials.append(Credential(admin, ADMIN))
    return Access(credentials, required=required, local_only=server.is_local)


def _owner(name: str, key: str, roles: Sequence[str]) -> Principal:
    return Principal(name or f"key-{digest(key).hex()[:12]}", frozenset(roles))


@lru_cache(maxsize=256)
def _names_this_machine(url: str) -> bool:
    try:
        return is_loopback(urlsplit(url).hostname or "")
    except ValueError:
        return False
