"""What travels with a request: who asks, until when, and what else it has started."""

import time
from collections.abc import Iterator
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from math import inf
from typing import Any, Generic, Protocol, TypeVar

from . import metadata as names
from .metadata import Pairs, decoded, decoded_names, encoded, encoded_names


class Cancellable(Protocol):
    """What can be stopped: a call in flight."""

    def cancel(self) -> bool:
        """Stop it; False if it had already ended."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks. An empty id is nobody: the request was not authenticated."""

    id: str = ""
    roles: frozenset[str] = frozenset()


NOBODY = Principal()


@dataclass
class Call:
    """One request being served. Calls made while serving it are its children, and end with it.

    Everything but `instance` and `children` passes on to the children. Once it has any, nothing else changes;
    it is not frozen because a frozen one takes five times as long to make, and has no slots because these
    would have to be filled with what most calls never need: every request makes several.
    """

    principal: Principal = NOBODY
    app: str = "default"
    """The tenant."""
    deadline: float = inf
    """When it has to be done, in seconds of time.monotonic()."""
    traceparent: str = ""
    """W3C trace context."""
    request_id: str = ""
    """Names the request in every log line it leaves."""
    instance: str = ""
    """The configured entry that this call is for, as "llms.fast"."""
    revision: str = ""
    """The configuration it goes by: a content hash. Empty is the newest."""
    documents: tuple[str, ...] | None = None
    """The document stores that the agent may search for which all this is done; None is every one."""
    _children: set[Cancellable] | None = field(default=None, init=False, compare=False, repr=False)
    _carried: Pairs | None = field(default=None, init=False, compare=False, repr=False)

    @property
    def children(self) -> set[Cancellable]:
        """What ends with it."""
        if self._children is None:
            self._children = set()
        return self._children

    def remaining(self, timeout: float | None = None) -> float | None:
        """Return the seconds a child may take: `timeout`, but never more than this call has left."""
        if self.deadline == inf:
            return timeout
        left = self.deadline - time.monotonic()
        if timeout is not None and timeout < left:
            return timeout
        return left if left > 0.0 else 0.0

    def metadata(self, instance: str = "") -> Pairs:
        """Return what a child for `instance` carries; `read` is its inverse."""
        carried = self._carried
        if carried is None:
            carried = self._carried = tuple(self._pairs())
        return (*carried, (names.INSTANCE, encoded(instance))) if instance else carried

    def _pairs(self) -> Iterator[tuple[str, str | bytes]]:
        if self.principal.id:
            yield names.PRINCIPAL, encoded(self.principal.id)
        if self.principal.roles:
            yield names.ROLES, ",".join(sorted(map(encoded, self.principal.roles)))
        if self.app != "default":
            yield names.APP, encoded(self.app)
        if self.traceparent:
            yield names.TRACEPARENT, self.traceparent
        if self.request_id:
            yield names.REQUEST_ID, encoded(self.request_id)
        if self.revision:
            yield names.REVISION, encoded(self.revision)
        if self.documents is not None:
            yield names.DOCUMENTS, encoded_names(self.documents)

    @classmethod
    def read(cls, metadata: Any, time_remaining: float | None) -> "Call":
        """Return the call that a servicer's invocation metadata describes."""
        deadline = inf if time_remaining is None else time.monotonic() + time_remaining
        if not metadata:
            return cls(deadline=deadline)
        found: dict[str, str | bytes] = dict(metadata)

        def text(name: str) -> str:
            value = found.get(name)
            return decoded(value) if value else ""

        roles, documents = found.get(names.ROLES), found.get(names.DOCUMENTS)
        principal = text(names.PRINCIPAL)
        return cls(
            principal=Principal(principal, decoded_roles(roles or "")) if principal or roles else NOBODY,
            app=text(names.APP) or "default",
            deadline=deadline,
            traceparent=text(names.TRACEPARENT),
            request_id=text(names.REQUEST_ID),
            instance=text(names.INSTANCE),
            revision=text(names.REVISION),
            documents=decoded_names(documents) if documents else None,
        )

    def end(self) -> None:
        """Cancel every child that is still running."""
        if self._children:
            for child in tuple(self._children):
                child.cancel()


def decoded_roles(value: str | bytes) -> frozenset[str]:
    """Return the roles that a comma-separated header names."""
    text = value if isinstance(value, str) else value.decode("utf-8", "replace")
    return frozenset(decoded(role) for role in text.split(",") if role) if text else frozenset()


ROOT = Call()
current_call: ContextVar[Call] = ContextVar("current_call", default=ROOT)


class scope:  # noqa: N801  used as a function; a class costs half of what a generator does
    """Make a call current, and end it on the way out. For the edges: gateway, command line, tests."""

    __slots__ = ("_call", "_token")

    _token: Token[Call]

    def __init__(self, call: Call) -> None:
        self._call = call

    def __enter__(self) -> Call:
        self._token = current_call.set(self._call)
        return self._call

    def __exit__(self, *_: object) -> None:
        try:
            current_call.reset(self._token)
        except ValueError:
            pass  # a generator that nobody read to its end is closed in a context where nothing was set
        finally:
            self._call.end()


Rpc = TypeVar("Rpc", bound=Cancellable)


class streaming(Generic[Rpc]):  # noqa: N801  like `scope`
    """Read a stream, and stop its servicer on the way out; grpc.aio alone lets it run on."""

    __slots__ = ("_rpc",)

    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc

    async def __aenter__(self) -> Rpc:
        return self._rpc

    async def __aexit__(self, *_: object) -> None:
        self._rpc.cancel()
