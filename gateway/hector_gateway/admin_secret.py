"""The admin secret: made once, shown once, kept as a hash."""

import hashlib
import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from .config import AuthConfig, GatewaySection, ServerConfig
from .errors import SecretUnreadable


@dataclass(frozen=True, slots=True)
class AdminSecret:
    """A secret that was just made. Nobody can show it again."""

    text: str
    file: Path
    """Where its hash is."""


def admin_secret(config: GatewaySection) -> AdminSecret | None:
    """Make the admin secret if this server needs one and has none; None means that there is nothing to show.

    The command line calls this before it starts the gateway, and prints what it gets.

    Raises:
        SecretUnreadable: The hash cannot be written, or what is in its place is none.
    """
    server = config.server
    if not needs_secret(server) or stored_hash(server.auth.secret_file) is not None:
        return None
    text = f"hector_{secrets.token_urlsafe(24)}"
    if _keep(server.auth.secret_file, digest(text).hex()):
        return AdminSecret(text, server.auth.secret_file)
    return None  # another process was faster, and shows its own


def needs_secret(server: ServerConfig) -> bool:
    """Say whether the server asks for a credential and none is configured."""
    return must_authenticate(server) and not configured(server.auth)


def must_authenticate(server: ServerConfig) -> bool:
    """Say whether callers must show a credential."""
    if server.auth.enabled is not None:
        return server.auth.enabled
    return configured(server.auth) or not server.is_local


def configured(auth: AuthConfig) -> bool:
    return bool(auth.secret or auth.api_keys)


def digest(credential: str) -> bytes:
    """Return what is kept of a credential, and compared."""
    return hashlib.sha256(credential.encode("utf-8", "surrogatepass")).digest()


def stored_hash(file: Path) -> bytes | None:
    """Return the hash that was kept; None if there is none.

    Raises:
        SecretUnreadable: The file cannot be read, or holds something else.
    """
    try:
        text = file.read_text("ascii").strip()
        found = bytes.fromhex(text)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it holds no hash"
        raise SecretUnreadable(_unusable(file, why)) from error
    if len(found) != 32:
        raise SecretUnreadable(_unusable(file, "it holds no hash"))
    return found


def _keep(file: Path, text: str) -> bool:
    """Write the file as a whole or not at all; False if it is there already."""
    draft = file.with_name(f"{file.name}.{secrets.token_hex(4)}")
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:  # FileExistsError too: it is no folder
        raise SecretUnreadable(_unkept(file, error)) from error
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
            handle.write(text + "\n")
            handle.flush()
            os.fsync(handle.fileno())
        os.link(draft, file)
    except FileExistsError:
        return False
    except OSError as error:
        raise SecretUnreadable(_unkept(file, error)) from error
    finally:
        with suppress(OSError):
            draft.unlink()
    return True


def _unkept(file: Path, error: OSError) -> str:
    why = (
        f"{file.parent} is no folder" if isinstance(error, FileExistsError) else error.strerror or str(error)
    )
    return (
        f"the admin secret's hash cannot be kept in {file}: {why}; let this user write there, or set "
        "server.auth.secret (HECTOR_AUTH_SECRET)"
    )


def _unusable(file: Path, why: str) -> str:
    return (
        f"the admin secret's hash in {file} cannot be used: {why}; delete the file to get a new secret, "
        "or set server.auth.secret (HECTOR_AUTH_SECRET)"
    )
