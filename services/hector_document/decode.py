"""Bytes to text, honest about what is a guess."""

import codecs
import re
from dataclasses import dataclass

from hector_document.errors import DocumentUnreadable

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CONTROLS = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_LONE_RETURN = re.compile(r"\r(?!\n)")


@dataclass(frozen=True, slots=True)
class Decoded:
    """A text, and how it was found among the bytes."""

    text: str
    """Lines end with a line feed, or a carriage return and a line feed."""
    encoding: str
    warning: str = ""


def decode(content: bytes) -> Decoded:
    """Return the text of a file.

    A byte order mark decides; else it is UTF-8; else, if nothing in it speaks against text, Windows-1252,
    which is a guess and comes with a warning.

    Raises:
        DocumentUnreadable: It is not text, as far as one can tell.
    """
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            try:
                return Decoded(_lines(content[len(mark) :].decode(encoding)), encoding)
            except UnicodeDecodeError as error:
                message = f"it says that it is {encoding.upper()}, and is not from byte {error.start} on"
                raise DocumentUnreadable(message, encoding=encoding) from None
    if b"\0" in content:
        raise DocumentUnreadable("it is binary (it has zero bytes), not text")
    try:
        return Decoded(_lines(content.decode("utf-8")), "utf-8")
    except UnicodeDecodeError as error:
        if _CONTROLS.search(content):
            message = "it is binary (neither UTF-8 nor free of control characters), not text"
            raise DocumentUnreadable(message) from None
        where = error.start
    try:
        text, encoding = content.decode("cp1252"), "cp1252"
    except UnicodeDecodeError:
        text, encoding = content.decode("latin-1"), "latin-1"
    warning = f"it is not UTF-8 (from byte {where} on) and was read as {encoding}; some letters may be wrong"
    return Decoded(_lines(text), encoding, warning)


def _lines(text: str) -> str:
    # One character for one, so that nothing moves.
    return _LONE_RETURN.sub("\n", text)
