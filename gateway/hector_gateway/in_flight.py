"""Calls into the mesh that clients wait for, so that they can be ended when a client or the server leaves."""

import asyncio
from typing import Protocol

from .config import LimitsConfig
from .errors import Busy, CallerBusy, Stopping
from .exchange import ClientLeft, Exchange
from .pulse import Pulse

Shares = dict[str, int]
"""How many of something each caller has."""


class Rpc(Protocol):
    """A call in flight."""

    def cancel(self) -> bool:
        """Stop waiting for it; what it started behind the border goes on."""


class InFlight:
    """Everything that clients of this gateway wait for."""

    def __init__(self, limits: LimitsConfig | None = None) -> None:
        self._limits = limits or LimitsConfig()
        self._calls: set[Rpc] = set()
        self._streams: set[Rpc] = set()
        self._calls_of: Shares = {}
        self._streams_of: Shares = {}
        self.stopping = False
        """The server was told to stop."""
        self.pulse = Pulse()
        """Looks after the streams."""

    @property
    def open_streams(self) -> int:
        """How many there are."""
        return len(self._streams)

    def admit_stream(self, caller: str) -> None:
        """Let another stream of a caller begin; to be asked right before it does.

        Raises:
            Busy: There are enough of them.
            CallerBusy: There are enough of this caller's.
        """
        limits = self._limits
        if len(self._streams) >= limits.max_streams:
            raise Busy("open streams", limits.max_streams, "max_streams")
        if self._streams_of.get(caller, 0) >= limits.max_streams_per_caller:
            raise CallerBusy("open streams", limits.max_streams_per_caller, "max_streams_per_caller")

    def admit_send(self, caller: str) -> None:
        """Let a caller wait for another answer; to be asked right before it does.

        Raises:
            CallerBusy: It waits for enough of them.
        """
        most = self._limits.max_sends_per_caller
        if self._calls_of.get(caller, 0) >= most:
            raise CallerBusy("messages whose answers you wait for", most, "max_sends_per_caller")

    def counted(self, rpc: Rpc, *, streams: bool, caller: str | None = None) -> "_Kept":
        """Keep a call while it lasts: for `with`. It counts as its caller's if that is named."""
        if streams:
            return _Kept(self._streams, rpc, self._streams_of, caller)
        return _Kept(self._calls, rpc, self._calls_of, caller)

    def end_streams(self) -> None:
        """End all streams; the tasks they follow are not theirs to end."""
        self.stopping = True
        for rpc in tuple(self._streams):
            rpc.cancel()

    def end_all(self) -> None:
        """End what is still waited for, streams and answers."""
        self.end_streams()
        for rpc in tuple(self._calls):
            rpc.cancel()

    def ended_by_us(self) -> bool:
        """Say, where a call was cancelled, whether that is because the server stops."""
        return self.stopping and not cancelled_from_outside()

    def watched(self, exchange: Exchange, rpc: Rpc) -> "_Watch":
        """Keep a call of a caller's, and wait as long as there is somebody to answer: for `with`.

        Raises:
            ClientLeft: The client closed the connection.
            Stopping: The server stops.
        """
        return _Watch(self, exchange, rpc, self._calls, self._calls_of)


class _Kept:
    """Keeps a call in a set. A class: every answer goes through here, and generators cost more."""

    __slots__ = ("_caller", "_kept", "_rpc", "_shares")

    def __init__(self, kept: set[Rpc], rpc: Rpc, shares: Shares, caller: str | None) -> None:
        self._kept, self._rpc, self._shares, self._caller = kept, rpc, shares, caller

    def __enter__(self) -> None:
        self._kept.add(self._rpc)
        if self._caller is not None:
            self._shares[self._caller] = self._shares.get(self._caller, 0) + 1

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        self._kept.discard(self._rpc)
        if self._caller is not None:
            left = self._shares[self._caller] - 1
            if left:
                self._shares[self._caller] = left
            else:
                del self._shares[self._caller]


class _Watch(_Kept):
    """Looks after the client of a call, too."""

    __slots__ = ("_exchange", "_in_flight", "_left")

    def __init__(
        self, in_flight: InFlight, exchange: Exchange, rpc: Rpc, kept: set[Rpc], shares: Shares
    ) -> None:
        self._in_flight, self._exchange, self._rpc = in_flight, exchange, rpc
        self._kept, self._shares, self._caller = kept, shares, exchange.caller
        self._left = False

    def __enter__(self) -> None:
        _Kept.__enter__(self)
        self._exchange.tell_of_leaving(self._leave)

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        _Kept.__exit__(self, _, error, __)
        self._exchange.tell_no_more(self._leave)
        if error is None or not isinstance(error, asyncio.CancelledError) or cancelled_from_outside():
            return
        if self._left:
            raise ClientLeft from None
        if self._in_flight.stopping:
            raise Stopping from None

    def _leave(self) -> None:
        self._left = True
        self._rpc.cancel()


def cancelled_from_outside() -> bool:
    """Say whether somebody wants this task to end, and not only the call that it waits for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
