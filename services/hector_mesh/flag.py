"""What asyncio.Event does, in a tenth of its memory: a stream has several, and nobody waits for most."""

import asyncio


class Flag:
    """An event that has happened, or not yet."""

    __slots__ = ("_is_set", "_waiters")

    def __init__(self) -> None:
        self._is_set = False
        self._waiters: tuple[asyncio.Future[None], ...] = ()

    def is_set(self) -> bool:
        """It has happened."""
        return self._is_set

    def set(self) -> None:
        """Let everybody go on who waits, and who comes."""
        self._is_set = True
        if self._waiters:
            waiters, self._waiters = self._waiters, ()
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)

    def clear(self) -> None:
        """Let wait who comes from now on."""
        self._is_set = False

    async def happens_within(self, seconds: float) -> bool:
        """Return when it has happened, or after so long, and say whether it has."""
        if self._is_set:
            return True
        loop = asyncio.get_running_loop()
        waiter = loop.create_future()
        timer = loop.call_later(seconds, _give_up, waiter)
        self._waiters = (*self._waiters, waiter)
        try:
            await waiter
        finally:
            timer.cancel()
            if waiter in self._waiters:
                self._waiters = tuple(other for other in self._waiters if other is not waiter)
        return self._is_set

    async def wait(self) -> bool:
        """Return when it has happened."""
        if self._is_set:
            return True
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters = (*self._waiters, waiter)
        try:
            await waiter
        finally:
            if waiter in self._waiters:
                self._waiters = tuple(other for other in self._waiters if other is not waiter)
        return True


def _give_up(waiter: "asyncio.Future[None]") -> None:
    if not waiter.done():
        waiter.set_result(None)
