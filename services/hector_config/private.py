"""What must not be shown of a config: secrets, wherever they are written out."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from hector_config.secret import MASK
from hector_config.shape import Shape
from hector_config.tree import Map, Node, Scalar, scalars_of

SHORTEST = 6
"""Characters; hiding shorter values wherever they appear would only garble what is shown."""
_NAMES = r"password|passwd|secret|token|api[_-]?key|authorization|credentials?"
_PRIVATE_KEY = re.compile(rf"(?i)(?:^|[._-])(?:{_NAMES})$")
_IN_URL = re.compile(
    rf"(?i)(?:(?<=://)[^/@\s:]*:([^/@\s]+)@)|(?:[?&](?:[a-z]+[_-])?(?:{_NAMES})=([^&\s\"'#]+))"
)


def is_private(key: str) -> bool:
    """Say whether what stands under a key of this name is likely to be a secret."""
    return _PRIVATE_KEY.search(key) is not None


def without_passwords(text: str) -> str:
    """Return a text with `***` for the passwords in its addresses."""
    return _IN_URL.sub(lambda found: _around(found, MASK), text)


@dataclass(frozen=True, slots=True)
class Literal:
    """A secret that stands in the text itself, not just the name of the variable that holds it."""

    start: int
    end: int
    whole: bool
    """It is a whole value, with its quotes; else a password within one."""
    text: str = field(repr=False)
    """What else in the file would give it away; empty: nothing that can be told apart."""


def literals_of(text: str, root: Map, free: Iterable[Node], shape: Shape) -> tuple[Literal, ...]:
    """Return every literal secret of a document, by position; `free` are parts that no model knows."""
    found: dict[int, Literal] = {}
    secrets = list(shape.secrets_in(root))
    for part in (root, *free):
        for path, scalar in scalars_of(part):
            if path and isinstance(path[-1], str) and is_private(path[-1]) and isinstance(scalar.value, str):
                secrets.append(scalar)
            for literal in _passwords(scalar, text):
                found.setdefault(literal.start, literal)
    for scalar in secrets:
        if scalar.end and scalar.text and not scalar.only_variables:
            end = scalar.start + len(text[scalar.start : scalar.end].rstrip())  # a block ends after its line
            plain = "" if scalar.variables else scalar.text
            found[scalar.start] = Literal(scalar.start, end, whole=True, text=plain)
    return tuple(_apart(sorted(found.values(), key=lambda one: one.start)))


def hidden(text: str, literals: Sequence[Literal], instead: Callable[[str], str]) -> str:
    """Return the text with something else in the place of every literal secret, and of its other traces."""
    shown, position = [], 0
    for literal in literals:
        word = instead(text[literal.start : literal.end])
        shown += [text[position : literal.start], f'"{word}"' if literal.whole else word]
        position = literal.end
    shown.append(text[position:])
    traces = {one.text for one in literals if len(one.text) >= SHORTEST}
    for trace in sorted(traces, key=len, reverse=True):
        shown[0::2] = [part.replace(trace, instead(trace)) for part in shown[0::2]]
    return "".join(shown)


def _passwords(scalar: Scalar, text: str) -> Iterator[Literal]:
    for address in _IN_URL.finditer(text, scalar.start, scalar.end):
        group = 1 if address[1] else 2
        password = address[group]
        if not password.startswith("${") or not password.endswith("}"):
            yield Literal(address.start(group), address.end(group), whole=False, text=password)


def _apart(literals: Iterable[Literal]) -> Iterator[Literal]:
    """Leave out what lies within one before."""
    end = 0
    for literal in literals:
        if literal.start >= end:
            yield literal
            end = literal.end


def _around(found: re.Match[str], word: str) -> str:
    group = 1 if found[1] else 2
    start, end = found.start(group) - found.start(), found.end(group) - found.start()
    return found[0][:start] + word + found[0][end:]
