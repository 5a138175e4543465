"""What a client says beside its request: A2A's service parameters, and those that Hector adds.

At the border they are HTTP headers or gRPC metadata; inside the mesh they are metadata under these names. Who
sends none of them, as most do, costs nothing.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

EXTENSIONS = "a2a-extensions"
"""URIs of extensions that the client wants, with commas between them."""
OLD_EXTENSIONS = "x-a2a-extensions"
"""How A2A 0.3 calls them."""
IDEMPOTENCY_KEY = "idempotency-key"
"""Names a message for the client: sent again with the same key, it is not taken twice."""
LAST_EVENT_ID = "last-event-id"
"""Where in a task's log the client's last stream broke off: `seq`, or `seq.offset` inside a text."""

VERSION = "a2a-version"
"""The version that a client speaks, where that is not all the same: in what it is sent later."""

NAMES = (EXTENSIONS, OLD_EXTENSIONS, IDEMPOTENCY_KEY, LAST_EVENT_ID)

_READ = frozenset({*NAMES, VERSION})

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Parameters:
    """What one client said; empty for what it did not."""

    extensions: tuple[str, ...] = ()
    idempotency_key: str = ""
    last_event_id: str = ""
    version: str = ""

    @classmethod
    def of(cls, context: Any) -> "Parameters":
        """Return what the caller of a servicer said; within one process, saying nothing costs nothing."""
        return NONE if getattr(context, "bare", False) else cls.read(context.invocation_metadata())

    @classmethod
    def read(cls, metadata: Iterable[Any] | None) -> "Parameters":
        """Return what stands in metadata, as servicers of the mesh get it."""
        found = {name: value for name, value in metadata or () if name in _READ}
        if not found:
            return NONE
        return cls(
            tuple(extensions_in(_text(found, EXTENSIONS), _text(found, OLD_EXTENSIONS))),
            _text(found, IDEMPOTENCY_KEY),
            _text(found, LAST_EVENT_ID),
            _text(found, VERSION),
        )


NONE = Parameters()


def extensions_in(*lists: str) -> Iterator[str]:
    """Yield the URIs in comma-separated lists, each once, in order."""
    uris = [uri.strip() for text in lists for uri in text.split(",")]
    yield from dict.fromkeys(uri for uri in uris if uri)


def _text(found: Mapping[str, str | bytes], name: str) -> str:
    value = found.get(name, "")
    return value if isinstance(value, str) else value.decode("utf-8", "replace")
