"""What the border itself refuses. Everything else comes from behind it."""

from collections.abc import Collection, Iterable
from typing import ClassVar

from grpc import StatusCode

from hector_mesh import HectorError

Headers = tuple[tuple[bytes, bytes], ...]


class Refusal(HectorError):
    """Base of what is answered with an HTTP status before any protocol is spoken."""

    status: ClassVar[int] = 400
    headers: Headers = ()


class Unauthenticated(Refusal):
    """The caller must show a credential, or showed a wrong one."""

    code = StatusCode.UNAUTHENTICATED
    reason = "UNAUTHENTICATED"
    status = 401

    def __init__(self, message: str, *, invalid: bool = False) -> None:
        super().__init__(message)
        challenge = b'Bearer realm="hector"' + (b', error="invalid_token"' if invalid else b"")
        self.headers = ((b"www-authenticate", challenge),)


class StrangePage(Refusal):
    """A web page of another origin reaches for a server that trusts its own machine."""

    code = StatusCode.PERMISSION_DENIED
    reason = "STRANGE_ORIGIN"
    status = 403

    def __init__(self, header: str, found: str) -> None:
        super().__init__(
            f"{header} {found!r} does not name this machine, and this server trusts nothing else; "
            "configure server.auth to be called under other names",
            found=found,
        )


class NothingHere(Refusal):
    """There is no such path."""

    code = StatusCode.NOT_FOUND
    reason = "NO_SUCH_PATH"
    status = 404

    def __init__(self, path: str) -> None:
        known = "/health, /ready, /live, /agents, /agents/{name}, /.well-known/agent-card.json"
        more = "/agents/{name}/message:send and A2A's other paths, /schema, /api/config, /api/sessions"
        tasks = "/api/tasks/{id}, and with a POST /api/tasks/{id}:cancel, :pause, :resume, :retry, :signal"
        admin = "for the roles operator or admin alone: /admin/queue/stats, /admin/queue/dlq, /admin/erase"
        super().__init__(f"nothing is at {path[:200]!r} (there is: {known}, {more}, {tasks}; {admin})")


class NoSuchAgent(Refusal):
    """There is no such agent, or the caller may not know of it: nobody can tell which."""

    code = StatusCode.NOT_FOUND
    reason = "AGENT_NOT_FOUND"
    status = 404

    def __init__(self, name: str, visible: Iterable[str]) -> None:
        from difflib import get_close_matches  # only where somebody has mistyped

        known, name = list(visible), name[:200]
        wanted = f"agent {name!r}" if name else "default agent"
        near = get_close_matches(name, known[:200], n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        super().__init__(f"there is no {wanted} (agents: {', '.join(known) or 'none'}){hint}", agent=name)


class AgentGone(NoSuchAgent):
    """The agent is configured no more; only who has tasks of it is told this."""

    def __init__(self, name: str) -> None:
        Refusal.__init__(
            self,
            f"there is no agent {name!r} any more: its tasks can still be read, followed and cancelled; "
            "GET /agents lists the agents that there are",
            agent=name,
        )


class WrongVerb(Refusal):
    """The path exists, the method does not."""

    code = StatusCode.UNIMPLEMENTED
    reason = "METHOD_NOT_ALLOWED"
    status = 405

    def __init__(self, verb: str, allowed: tuple[str, ...]) -> None:
        super().__init__(f"{verb[:20]} does nothing here (allowed: {', '.join(allowed)})")
        self.headers = ((b"allow", ", ".join(allowed).encode()),)


class BodyTooLarge(Refusal):
    """The request is larger than `server.limits.max_body_size`."""

    code = StatusCode.OUT_OF_RANGE
    reason = "BODY_TOO_LARGE"
    status = 413
    headers = ((b"connection", b"close"),)  # the rest of the body is not worth reading

    def __init__(self, limit: int) -> None:
        message = (
            f"the request has more than {limit} bytes; an operator can raise server.limits.max_body_size"
        )
        super().__init__(message, limit=limit)


class BodyTooSlow(Refusal):
    """The request did not arrive within `server.limits.receive_timeout`."""

    code = StatusCode.DEADLINE_EXCEEDED
    reason = "BODY_TOO_SLOW"
    status = 408
    headers = ((b"connection", b"close"),)

    def __init__(self, limit_s: float) -> None:
        super().__init__(f"the request did not arrive within {limit_s:g} s", limit_s=limit_s)


class HeadersTooLarge(Refusal):
    """The request's headers are more than `server.limits` allows."""

    code = StatusCode.OUT_OF_RANGE
    reason = "HEADERS_TOO_LARGE"
    status = 431

    def __init__(self, limit: str, key: str) -> None:
        super().__init__(
            f"the request's headers have more than {limit}; an operator can raise server.limits.{key}"
        )


class HeadersTooSlow(Refusal):
    """The request's headers did not arrive within `server.limits.header_timeout`."""

    code = StatusCode.DEADLINE_EXCEEDED
    reason = "HEADERS_TOO_SLOW"
    status = 408

    def __init__(self, limit_s: float) -> None:
        super().__init__(f"the request's headers did not arrive within {limit_s:g} s", limit_s=limit_s)


class NotHttp(Refusal):
    """What arrived cannot be read as a request."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "NOT_HTTP"
    status = 400

    def __init__(self) -> None:
        super().__init__(
            "this is no HTTP/1.1 request that can be read: its first line, a header, its length or a chunk "
            "is wrong, or it is another protocol, as TLS on a port without"
        )


class NoHost(Refusal):
    """A request of HTTP/1.1 that does not say whom it is for."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "NO_HOST"
    status = 400

    def __init__(self) -> None:
        super().__init__("a request of HTTP/1.1 needs the header Host")


class Busy(Refusal):
    """There are as many connections or streams as the server takes."""

    code = StatusCode.RESOURCE_EXHAUSTED
    reason = "SERVER_BUSY"
    status = 503
    retry_after_s = 5.0

    def __init__(self, what: str, most: int, key: str) -> None:
        super().__init__(
            f"there are {most} {what} already, and this server takes no more; try again in some seconds "
            f"(an operator can raise server.limits.{key})",
            most=most,
            limit=f"server.limits.{key}",
        )


class CallerBusy(Refusal):
    """The caller has as much under way as one caller may."""

    code = StatusCode.RESOURCE_EXHAUSTED
    reason = "CALLER_BUSY"
    status = 429
    retry_after_s = 2.0

    def __init__(self, what: str, most: int, key: str) -> None:
        super().__init__(
            f"you have {most} {what} already, and one caller may have no more; try again when one is over "
            f"(an operator can raise server.limits.{key})",
            most=most,
            limit=f"server.limits.{key}",
        )


class OriginNotAllowed(Refusal):
    """A browser asks for a page that may not call, or not like this."""

    code = StatusCode.PERMISSION_DENIED
    reason = "ORIGIN_NOT_ALLOWED"
    status = 403

    def __init__(self, what: str, found: str, key: str) -> None:
        super().__init__(f"{what} {found[:100]!r} is not in server.cors.{key}", found=found[:100])


class NotForYou(Refusal):
    """The caller is known, and may not see this."""

    code = StatusCode.PERMISSION_DENIED
    reason = "PERMISSION_DENIED"
    status = 403

    def __init__(self, what: str, role: str) -> None:
        super().__init__(f"{what} needs the role {role}; send a credential that has it", role=role)


class NoSuchPlugin(Refusal):
    """No plugin of that name runs in this process."""

    code = StatusCode.NOT_FOUND
    reason = "PLUGIN_NOT_FOUND"
    status = 404

    def __init__(self, name: str, known: Collection[str]) -> None:
        names = ", ".join(sorted(known)) or "none"
        super().__init__(f"no plugin {name!r} runs here (running: {names})", plugin=name)


class NoSuchRevision(Refusal):
    """There is no revision of that number or id."""

    code = StatusCode.NOT_FOUND
    reason = "REVISION_NOT_FOUND"
    status = 404

    def __init__(self, which: str) -> None:
        super().__init__(f"there is no revision {which[:80]!r}; GET /api/config/revisions lists them")


class QueryRefused(Refusal):
    """A query parameter has a value that means nothing."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "QUERY_REFUSED"
    status = 400

    def __init__(self, name: str, found: str, allowed: str) -> None:
        super().__init__(f"{name}={found[:80]!r} in the query; allowed is {allowed}")


class NotJson(Refusal):
    """The request's content type is not JSON."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "CONTENT_TYPE_NOT_SUPPORTED"
    status = 415

    def __init__(self, found: str) -> None:
        shown = f"Content-Type {found[:100]!r} is" if found else "without a Content-Type the request is"
        super().__init__(f"{shown} not JSON; send it as application/json", found=found[:100])


class Unreadable(HectorError):
    """The bytes of a gRPC request are no message of its method."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "UNREADABLE_REQUEST"

    def __init__(self, kind: str) -> None:
        super().__init__(
            f"the request is no {kind}: it is broken, nested too deep, or has text that is not UTF-8",
            expected=kind,
        )


class NoSuchMethod(HectorError):
    """Nothing is served under that name on the gRPC port."""

    code = StatusCode.UNIMPLEMENTED
    reason = "METHOD_NOT_FOUND"

    def __init__(self, path: str) -> None:
        super().__init__(f"there is no method {path[:200]!r} here; reflection lists what there is")


class CannotServe(HectorError):
    """A public port cannot be opened."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "CANNOT_SERVE"

    def __init__(self, address: str, why: str, key: str, flag: str, occupant: str = "") -> None:
        by = f" by {occupant}" if occupant else ""
        where = f"{flag} or `{key}:` in the config" if flag else f"`{key}:` in the config"
        super().__init__(
            f"cannot listen on {address}: {why}{by}; choose another with {where}",
            address=address,
        )


class SecretUnreadable(HectorError):
    """The file with the admin secret's hash cannot be used."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "ADMIN_SECRET_UNREADABLE"


class Stopping(HectorError):
    """The server was told to stop before the answer was there."""

    code = StatusCode.UNAVAILABLE
    reason = "STOPPING"
    retry_after_s = 5.0

    def __init__(self, task: str = "") -> None:
        which, facts = (f"task {task!r}", {"taskId": task}) if task else ("the task", {})
        super().__init__(f"the server is stopping; {which} may go on: ask for it later", **facts)
