"""Turns the bytes of a file into text, or says that they are none."""

import codecs

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_LOOKED_AT = 8192


def is_binary(data: bytes) -> bool:
    """Tell whether bytes are no text: a NUL near the beginning, as git sees it; UTF-16 says so itself."""
    return b"\0" in data[:_LOOKED_AT] and not data.startswith(_UTF16)


def decoded(data: bytes) -> tuple[str, str]:
    r"""Return the text and its encoding: UTF-8, UTF-16 by its mark, else Windows-1252, which reads anything.

    Line breaks come out as "\n"; nothing else ends a line, so line numbers are those of editors and of grep.
    """
    if data.startswith(_UTF16):
        text, encoding = data.decode("utf-16", "replace"), "UTF-16"
    else:
        try:
            text, encoding = data.decode("utf-8-sig"), "UTF-8"
        except UnicodeDecodeError:
            text, encoding = data.decode("cp1252", "replace"), "Windows-1252"
    return text.replace("\r\n", "\n").replace("\r", "\n"), encoding


def printable(name: str) -> str:
    """Return the name of a file as text; what is no UTF-8 in it shows as such."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def lines_of(text: str) -> list[str]:
    """Return the lines; a line break at the end does not begin another."""
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    return lines
