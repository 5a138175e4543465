"""Which revision of its config a mesh runs on, and the key that hides the secrets written out in it."""

import logging
import os
import secrets
from contextlib import suppress
from pathlib import Path

from grpc import StatusCode

from hector_config import Loaded, Sealed, sealed
from hector_mesh import HectorError

from .config import Config

log = logging.getLogger(__name__)

KEY_FILE = Path(".hector/revision.key")
"""In the project folder. Whoever has it and a stored revision can try secrets: it is the owner's alone."""
KEY_BYTES = 32


class RevisionKeyUnreadable(HectorError):
    """The key that hides secrets in stored configs cannot be used."""

    code, reason = StatusCode.FAILED_PRECONDITION, "REVISION_KEY_UNREADABLE"

    def __init__(self, file: Path, why: str) -> None:
        super().__init__(
            f"{file}: {why}; it hides the secrets that are written out in the config: delete it to get a new "
            "one, or write ${NAME} in their place, and none is needed",
            file=str(file),
        )


def sealed_config(loaded: Loaded[Config]) -> Sealed:
    """Return the config as it is stored. A key is made if there is none, and one is needed.

    Raises:
        RevisionKeyUnreadable: There is something else in the key's place.
    """
    return sealed(loaded, lambda: _key(loaded.project_dir / KEY_FILE))


def revision_id(loaded: Loaded[Config]) -> str:
    """Return the id of the config's revision; empty where only a server that has run could know it.

    Raises:
        RevisionKeyUnreadable: There is something else in the key's place.
    """
    if loaded.literals and not (loaded.project_dir / KEY_FILE).exists():
        return ""
    return sealed_config(loaded).id


def _key(file: Path) -> bytes:
    return _read(file) or _made(file)


def _read(file: Path) -> bytes | None:
    try:
        found = bytes.fromhex(file.read_text("ascii").strip())
    except (FileNotFoundError, NotADirectoryError):  # the latter is for the database to complain about
        return None
    except OSError as error:
        raise RevisionKeyUnreadable(file, error.strerror or "it cannot be read") from error
    except ValueError:
        raise RevisionKeyUnreadable(file, "it holds no key") from None
    if len(found) != KEY_BYTES:
        raise RevisionKeyUnreadable(file, "it holds no key")
    return found


def _made(file: Path) -> bytes:
    """Make the key, as a whole or not at all; another process may be faster, and then it is that one's."""
    made = secrets.token_bytes(KEY_BYTES)
    draft = file.with_name(f"{file.name}.{secrets.token_hex(4)}")
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
            handle.write(made.hex() + "\n")
            handle.flush()
            os.fsync(handle.fileno())
        os.link(draft, file)
    except OSError as error:
        if isinstance(error, FileExistsError) and (found := _read(file)):
            return found
        # Nothing is lost but that the same file is another revision after a restart.
        log.warning(
            "revision key could not be kept", extra={"file": str(file), "error": error.strerror or str(error)}
        )
        return made
    finally:
        with suppress(OSError):  # where nothing can be written nothing can be deleted: there is no draft
            draft.unlink(missing_ok=True)
    return made
