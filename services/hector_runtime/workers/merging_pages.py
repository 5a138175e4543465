"""Makes one page of metrics of several, in Prometheus's text format."""

from collections.abc import Mapping
from dataclasses import dataclass, field

KIND = b"text/plain; version=0.0.4; charset=utf-8"

LABEL = "worker"
"""Says in every line whose value it is."""


@dataclass(slots=True)
class _Family:
    """Everything of one name."""

    about: list[bytes] = field(default_factory=list)
    """What is said of it: the first who tells does so for all."""
    values: list[bytes] = field(default_factory=list)


def merged(pages: Mapping[str, bytes]) -> bytes:
    """Return the values of all pages, each with whose it is; names that several have are told of once.

    Nothing is added up: what can be, as counters, Prometheus adds up itself, as `sum without (worker) (…)`;
    what cannot, as a queue that all of them see, it need not.

    Args:
        pages: By whose they are, as prometheus_client writes them.
    """
    families: dict[bytes, _Family] = {}
    for whose, page in pages.items():
        current = _Family()
        told = set(families)
        label = f'{LABEL}="{whose}"'.encode()
        for line in page.splitlines():
            if line.startswith((b"# HELP ", b"# TYPE ")):
                name = line.split(b" ", 3)[2]
                current = families.setdefault(name, _Family())
                if name not in told:
                    current.about.append(line)
            elif line and not line.startswith(b"#"):
                current.values.append(_labelled(line, label))
    return b"".join(line + b"\n" for family in families.values() for line in (*family.about, *family.values))


def _labelled(line: bytes, label: bytes) -> bytes:
    name, brace, rest = line.partition(b"{")
    if brace and b" " not in name:
        return name + b"{" + label + b"," + rest
    name, _, value = line.partition(b" ")
    return name + b"{" + label + b"} " + value
