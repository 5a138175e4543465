"""Reads a config file as text, and says why where that cannot be."""

import errno
from pathlib import Path

from hector_config.events import Unreadable
from hector_config.problem import Problem
from hector_config.reading import read_bytes

MAX_BYTES = 4 * 1024 * 1024

_NEXT = {
    errno.ENOENT: "check the path; hector.yaml in the working folder needs no --config",
    errno.EISDIR: "name the file in it",
    errno.EACCES: "let this user read it",
    errno.ELOOP: "name the file itself, not a link that leads back to itself",
    errno.ETIMEDOUT: "it is a pipe into which nobody writes",
}


def read_text(file: Path) -> str:
    """Return the file's text without its byte order mark.

    Raises:
        Unreadable: There is no such file, it is too large, or it is not UTF-8.
    """
    try:
        content = read_bytes(file, MAX_BYTES)
    except OSError as error:
        why, hint = f"cannot be read: {error.strerror or error}", _NEXT.get(error.errno or 0, "")
        raise Unreadable(Problem(str(file), 0, 0, "", why, hint=hint)) from None
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise Unreadable(Problem(str(file), 0, 0, "", "this is UTF-16", allowed="UTF-8"))
    try:
        return checked(content.decode("utf-8-sig"), str(file))
    except UnicodeDecodeError as error:
        before = content[: error.start]
        column = len(before[before.rfind(b"\n") + 1 :].decode(errors="replace")) + 1
        message = f"the byte 0x{content[error.start]:02X} is not UTF-8"
        problem = Problem(str(file), before.count(b"\n") + 1, column, "", message, hint="save it as UTF-8")
        raise Unreadable(problem) from None


def checked(text: str, file: str) -> str:
    """Return a text as it is read: without byte order mark, and not above the limit.

    Raises:
        Unreadable: It is too large.
    """
    if len(text) > MAX_BYTES:
        too_large = f"larger than {MAX_BYTES} bytes"
        raise Unreadable(Problem(file, 0, 0, "", too_large, hint="is this the config?"))
    return text.removeprefix("\ufeff")
