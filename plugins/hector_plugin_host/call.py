"""A call of a plugin, whatever its shape: admitted, sent to a process, perhaps once more, its end explained.

Where a process has room at once, as it mostly has, nothing here waits and no task is made.
"""

from asyncio import Future, Task, get_running_loop
from collections.abc import Callable, Coroutine
from typing import Any, ClassVar, TypeVar

from google.protobuf.message import DecodeError
from grpc import StatusCode
from grpc.aio import AioRpcError, Metadata

from hector_mesh import HectorError
from hector_mesh.error_table import REPEATED, TRIPS
from hector_mesh.local_call import wake

from .call_errors import PluginAnsweredNonsense, PluginCircuitOpen, PluginDrained, as_rpc_error
from .explaining import Circumstances, explained, is_lost
from .generation import Generation
from .idempotent import EXECUTE_TOOL
from .way import Way

Request = TypeVar("Request")
Response = TypeVar("Response")

_NO_SIGN = frozenset({StatusCode.UNAVAILABLE, StatusCode.DEADLINE_EXCEEDED, StatusCode.CANCELLED})
"""Ends that a process need not have had a part in."""
_LEAST_S = 0.001
LOST = AioRpcError(StatusCode.UNAVAILABLE, Metadata(), Metadata(), "the connection was closed")


class PluginCall:
    """What both shapes have in common."""

    shape: ClassVar[str]

    _channel = None
    """grpc.aio's channels look for their own calls in every task there is, and stumble over calls without."""

    # As it is at first, in most calls also at last.
    _rpc: Any = None
    _worker: Generation | None = None
    _over = False
    _cancelled = False
    _seen = False
    """Whether a message has come."""
    _again = False
    """Whether it is being made once more, or was."""
    _lost = False
    """Whether the connection was closed under it, which looks as if we had cancelled it."""
    _error: AioRpcError | None = None
    _task: Task[None] | None = None
    _waiters: tuple[Future[None], ...] = ()
    _callbacks: tuple[Callable[[Any], None], ...] = ()
    _visit = ""
    _ticket: int | None = None

    def __init__(
        self, way: Way, request: Any, *, timeout: float | None = None, metadata: Any = None, **_: Any
    ) -> None:
        self._way = way
        now = way.now()
        self._limit_s = way.limit_s(timeout)
        self._deadline = now + self._limit_s
        self._metadata = metadata
        self._begun = now
        self._wire: bytes = way.encode(request) if way.encode is not None else request
        self._ticket = way.breaker.admit(now)
        if self._ticket is None:
            self._fail(PluginCircuitOpen(way.plugin, way.rpc, way.breaker.retry_after_s(now)))
        else:
            self._enter()

    # As grpc.aio.Call

    def cancel(self) -> bool:
        if self._over or self._cancelled:
            return False
        self._cancelled = True
        if self._rpc is not None:
            self._rpc.cancel()
        elif self._task is not None:
            self._task.cancel()
        return True

    def cancelled(self) -> bool:
        return self._over and self._cancelled

    def done(self) -> bool:
        return self._over

    def time_remaining(self) -> float | None:
        return max(0.0, self._deadline - self._way.now())

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        if self._over:
            callback(self)
        else:
            self._callbacks = (*self._callbacks, callback)

    async def initial_metadata(self) -> Metadata:
        while not self._over and self._rpc is None:
            await self._news()
        if self._rpc is None:
            return Metadata()
        metadata: Metadata = await self._rpc.initial_metadata()
        return metadata

    async def trailing_metadata(self) -> Metadata:
        return (await self._ending()).trailing_metadata() or Metadata()

    async def code(self) -> StatusCode:
        return (await self._ending()).code()

    async def details(self) -> str:
        return (await self._ending()).details() or ""

    async def debug_error_string(self) -> str:
        return (await self._ending()).debug_error_string() or ""

    async def wait_for_connection(self) -> None:
        while not self._over and self._rpc is None:
            await self._news()
        if self._error is not None:
            raise self._error

    # For the process that has it

    def abort(self, drain_s: float) -> None:
        """Break it off, since its process has been replaced and it takes too long."""
        if not self._over:
            self._error = as_rpc_error(PluginDrained(self._way.plugin, self._way.rpc, drain_s))
            self._rpc.cancel()

    # Inside

    def _enter(self) -> None:
        worker = self._way.admission.take()
        if worker is None:
            self._spawn(self._wait())
        else:
            self._begin(worker)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Wait for something before the call can be made."""
        self._rpc = None
        self._task = task = get_running_loop().create_task(work)
        task.add_done_callback(self._spawned)

    def _spawned(self, task: Task[None]) -> None:
        if self._task is task:
            self._task = None
        if task.cancelled():
            self._cancelled = True
            self._finish()
        elif error := task.exception():
            if not isinstance(error, HectorError):
                raise error
            self._fail(error)

    async def _wait(self) -> None:
        self._begin(await self._way.admission.wait(self._deadline))

    async def _repeat(self, failed: Any, lost: Generation) -> None:
        """Make the call once more, if it is one that may be."""
        way = self._way
        error = LOST if self._lost else await _end_of(failed)
        self._lost = False
        if is_lost(error):
            await lost.is_gone()
            if not lost.is_alive:
                way.admission.leave(lost)
        try:
            worker = await way.admission.wait(self._deadline)
        except HectorError:  # it says that nothing was begun, and that is not so
            worker = None
        if worker is not None:
            may = True
            if way.method == EXECUTE_TOOL:
                try:
                    may = await worker.tool_may_repeat(self._wire)
                except BaseException:
                    way.admission.release(worker)
                    raise
            if may:
                self._begin(worker)
                return
            way.admission.release(worker)
        await self._told(error)
        way.count(error.code(), None)
        self._finish()

    def _begin(self, worker: Generation) -> None:
        way = self._way
        if worker.is_closing:  # it ended at the moment at which it was handed over: nothing was asked of it
            way.admission.leave(worker)
            way.admission.release(worker)
            self._enter()
            return
        self._worker, self._begun = worker, way.now()
        metadata = (*self._metadata, *worker.metadata) if self._metadata else worker.metadata
        if way.visits.wanted:
            self._visit = self._visit or way.visits.enter(self._deadline)
            metadata = (*metadata, (way.visits.HEADER, self._visit))
        worker.calls.add(self)
        left_s = self._deadline - self._begun
        if left_s < _LEAST_S:
            left_s = _LEAST_S
        self._rpc = rpc = worker.start(self.shape, way.method)(self._wire, timeout=left_s, metadata=metadata)
        if self._cancelled:
            rpc.cancel()
        rpc.add_done_callback(self._ended)
        if self._waiters:
            self._wake()

    def _ended(self, rpc: Any) -> None:
        way, worker = self._way, self._worker
        assert worker is not None
        now = way.now()
        code = _code_of(rpc)
        if code is StatusCode.OK:  # the usual end has a short way
            worker.calls.discard(self)
            way.admission.release(worker, now - self._begun)
            if worker.is_retiring:
                worker.left()
            worker.answers += 1
            way.breaker.ended(self._ticket, now, False)  # type: ignore[arg-type]  # there is one
            self._ticket = None
            way.count(code, now - self._begun)
            self._finish()
            return
        if code is StatusCode.CANCELLED and worker.is_closing and not self._cancelled and self._error is None:
            code, self._lost = StatusCode.UNAVAILABLE, True
        took_s = now - self._begun
        way.admission.release(worker)
        worker.calls.discard(self)
        worker.left()
        if code not in _NO_SIGN:
            worker.answers += 1
        if code in REPEATED and self._may_repeat() and now < self._deadline:
            self._again = True
            self._spawn(self._repeat(rpc, worker))
            return
        if self._ticket is not None:
            way.breaker.ended(self._ticket, now, None if code is StatusCode.CANCELLED else code in TRIPS)
            self._ticket = None
        way.count(code, took_s)
        self._finish()

    def _may_repeat(self) -> bool:
        if self._again or self._seen or self._cancelled or self._error is not None:
            return False
        return self._way.may_repeat

    def _fail(self, error: HectorError) -> None:
        self._error = as_rpc_error(error)
        self._way.count(error.code, None)
        self._finish()

    def _finish(self) -> None:
        if self._over:
            return
        self._over = True
        way = self._way
        if self._ticket is not None:
            way.breaker.ended(self._ticket, way.now(), None)
            self._ticket = None
        if self._visit:
            way.visits.leave(self._visit)
        if self._waiters:
            self._wake()
        callbacks, self._callbacks = self._callbacks, ()
        for callback in callbacks:
            callback(self)

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, ()
        wake(waiters)

    async def _news(self) -> None:
        """Wait until it has begun, or is over."""
        waiter: Future[None] = get_running_loop().create_future()
        self._waiters = (*self._waiters, waiter)
        await waiter

    async def _ending(self) -> AioRpcError:
        """Return its end, which may well be OK."""
        while not self._over:
            await self._news()
        if self._error is not None:
            return self._error
        rpc = self._rpc
        if rpc is None:
            return AioRpcError(StatusCode.CANCELLED, Metadata(), Metadata(), "cancelled by its caller")
        found = LOST if self._lost else await _end_of(rpc)
        return found if found.code() is StatusCode.OK or self._cancelled else await self._told(found)

    async def _told(self, error: AioRpcError) -> AioRpcError:
        """Return a failure in words that name the plugin."""
        if self._error is None:
            worker = self._worker
            assert worker is not None
            if is_lost(error):
                await worker.is_gone()
            about = Circumstances(
                self._way.plugin,
                self._way.rpc,
                self._limit_s,
                by_security=self._limit_s == worker.plan.security.timeout_s,
                exit_=worker.exit_sentence(),
                secrets=worker.plan.secrets,
                is_attached=not worker.plan.starts_a_process,
            )
            self._error = explained(error, about)
        return self._error

    def _decoded(self, wire: bytes) -> Any:
        decode = self._way.decode
        if decode is None:
            return wire
        try:
            answer = decode(wire)
        except DecodeError:
            way = self._way
            nonsense = PluginAnsweredNonsense(way.plugin, way.rpc, len(wire))
            way.nonsense()
            self._error = as_rpc_error(nonsense)
            if self._rpc is not None:
                self._rpc.cancel()
            raise self._error from None
        complaints = self._way.complaints
        if complaints is not None:
            assert self._worker is not None
            secrets = self._worker.plan.secrets
            if secrets and complaints.heard(answer):
                complaints.hide(answer, secrets)
        return answer


async def _end_of(rpc: Any) -> AioRpcError:
    """Return how one of grpc's calls ended, which may well be OK."""
    return AioRpcError(
        await rpc.code(),
        await rpc.initial_metadata(),
        await rpc.trailing_metadata(),
        await rpc.details(),
        await rpc.debug_error_string(),
    )


def _code_of(rpc: Any) -> StatusCode:
    """Return the code of a call that has ended, for which there is nothing to wait any more."""
    asking = rpc.code()
    try:
        asking.send(None)
    except StopIteration as answer:
        code: StatusCode = answer.value
        return code
    asking.close()
    return StatusCode.UNKNOWN
