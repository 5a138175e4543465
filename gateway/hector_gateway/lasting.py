"""Streams of tasks that outlast the agent replica that shows them: another one goes on where it broke off.

Only where the agent role is in other processes. What a client is shown has no gap and nothing twice: each
event says where it stands, and `SubscribeToTask` goes on from there.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any, Self

import grpc.aio
from grpc import StatusCode

import hector_a2a as a2a
from hector_a2a.parameters import IDEMPOTENCY_KEY, LAST_EVENT_ID
from hector_mesh import LocalChannel, info_of
from hector_mesh.flag import Flag

logger = logging.getLogger(__name__)

PLACE = "hector.seq"
AGAIN_S, AGAIN_MOST_S = 0.05, 1.0
"""When to ask again where nobody answers; each time later."""
LARGE_BYTES = 4096
GIVES_UP_S = 10.0
"""How long nobody may answer before the client is told."""

Start = Callable[..., Any]


class Lasting:
    """Starts the streams of one method, as the method itself does."""

    def __init__(self, start: Start, resume: Start, mesh: grpc.aio.Channel, *, is_send: bool) -> None:
        """Go on with what broke off.

        Args:
            start: Begins a stream of the method.
            resume: Begins a stream of SubscribeToTask.
            mesh: Where the agents are.
            is_send: It ends where the task waits for its sender, which a subscription does not.
        """
        self._start, self._resume, self._mesh, self._is_send = start, resume, mesh, is_send

    def __call__(self, request: Any, *, metadata: Any = None) -> Any:
        rpc = self._start(request, metadata=metadata)
        channel = getattr(self._mesh, "channel", None)
        if channel is None or isinstance(channel(a2a.SERVICE), LocalChannel):
            return rpc
        kept = [pair for pair in metadata or () if pair[0] not in (LAST_EVENT_ID, IDEMPOTENCY_KEY)]

        def resume(task: str, place: str) -> Any:
            wanted = a2a.SubscribeToTaskRequest(id=task)
            return self._resume(wanted, metadata=(*kept, (LAST_EVENT_ID, place)))

        return LastingStream(rpc, resume, is_send=self._is_send)


class LastingStream:
    """One stream, as its reader sees a call of grpc.aio's: messages as they travel."""

    def __init__(self, rpc: Any, resume: Callable[[str, str], Any], *, is_send: bool) -> None:
        self._rpc, self._resume, self._is_send = rpc, resume, is_send
        self._left = Flag()
        self._messages = self._read()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._messages

    async def __anext__(self) -> bytes:
        return await anext(self._messages)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.cancel()

    def cancel(self) -> bool:
        """Read no more; whoever reads is cancelled."""
        self._left.set()
        cancelled: bool = self._rpc.cancel()
        return cancelled

    def done(self) -> bool:
        """Say whether nothing more comes, as far as that is known."""
        done: bool = self._rpc.done()
        return done

    async def _read(self) -> AsyncGenerator[bytes, None]:
        last, task, place = b"", "", ""
        try:
            async for message in self._rpc:
                last = message
                if len(message) > LARGE_BYTES:  # a stream that waits would keep it
                    (task, place), last = _place(message), b""
                yield message
        except grpc.aio.AioRpcError as error:
            if last:
                task, place = _place(last)
            if error.code() is not StatusCode.UNAVAILABLE or not place:
                raise
        else:
            return
        async for message in self._go_on(task, place):
            yield message

    async def _go_on(self, task: str, place: str) -> AsyncGenerator[bytes, None]:
        time = asyncio.get_running_loop().time
        gives_up, pause_s = time() + GIVES_UP_S, AGAIN_S
        while True:
            if self._left.is_set():
                raise asyncio.CancelledError
            self._rpc = self._resume(task, place)
            try:
                async for message in self._rpc:
                    event = a2a.StreamResponse.FromString(message)
                    gives_up, pause_s = time() + GIVES_UP_S, AGAIN_S
                    _, found = _place_in(event)
                    if event.HasField("task") and found == place:
                        continue  # the client has that
                    place = found or place
                    yield message
                    if self._is_send and event.status_update.status.state == a2a.TASK_STATE_INPUT_REQUIRED:
                        self._rpc.cancel()
                        return
            except grpc.aio.AioRpcError as error:
                if error.code() is not StatusCode.UNAVAILABLE or time() + pause_s > gives_up:
                    raise
                facts = {"run": task, "reason": info_of(error).reason}
                logger.info("stream broke off and is gone on with", extra=facts)
            else:
                return
            await self._left.happens_within(pause_s)
            pause_s = min(2 * pause_s, AGAIN_MOST_S)


def _place(message: bytes) -> tuple[str, str]:
    """Return the task of an event, and where it stands in its log; nothing of what has no place."""
    return _place_in(a2a.StreamResponse.FromString(message))


def _place_in(event: "a2a.StreamResponse") -> tuple[str, str]:
    kind = event.WhichOneof("payload")
    if kind is None or kind == "message":
        return "", ""
    payload = getattr(event, kind)
    place = payload.metadata[PLACE] if PLACE in payload.metadata.fields else ""
    return (payload.id if kind == "task" else payload.task_id), place
