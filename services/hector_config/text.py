"""Reads a config file as text, and says why where that cannot be."""

from pathlib import Path

from hector_config.events import Unreadable
from hector_config.problem import Problem

MAX_BYTES = 4 * 1024 * 1024


def read_text(file: Path) -> str:
    """Return the file's text without its byte order mark.

    Raises:
        Unreadable: There is no such file, it is too large, or it is not UTF-8.
    """
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise Unreadable(Problem(str(file), 0, 0, "", f"cannot be read: {error.strerror or error}")) from None
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
        raise Unreadable(Problem(file, 0, 0, "", f"larger than {MAX_BYTES} bytes"))
    return text.removeprefix("\ufeff")
