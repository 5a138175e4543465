"""Decides for the kernel whether a plugin may make one more process or connection, before it does.

A limit of the kernel's own counts all processes and threads of a user, whoever runs them, and does not bind
root at all. So the filter asks here, and what it is told is what a process over its limit is told: try again.
"""

import asyncio
import errno
import fcntl
import os
import select
import struct
from collections.abc import Callable
from contextlib import suppress

from .census import Census
from .lending import Lender
from .mediating import Mediator
from .syscalls import processor

_RECEIVE, _SEND = 0xC0502100, 0xC0182101
_REQUEST = struct.Struct("=QIIiIQ6Q")
_ANSWER = struct.Struct("=QqiI")
_CONTINUE = 1
_BELIEVED_S = 0.1
"""How long nobody is counted anew once the limit was found to be reached, and nobody has ended."""
_PATIENCE, _PENALTY_S = 20, 0.05
"""Refusals in a row after which each takes a while, so that who tries without end keeps only itself busy."""


class Asking:
    """Answers for one plugin, from the loop that it is made in, until its processes are gone."""

    def __init__(
        self,
        descriptor: int,
        most: int,
        census: Census,
        refused: Callable[[int], None],
        mediator: Mediator | None = None,
        lender: Lender | None = None,
    ) -> None:
        """Begin to answer.

        Args:
            descriptor: Where the kernel asks; it is closed here.
            most: Processes at once; 0: any number.
            census: Who there is.
            refused: Called with the number of processes when one more was refused.
            mediator: Who connects in the plugin's place.
            lender: Who does so where the plugin may connect almost anywhere.
        """
        self._descriptor, self._most, self._census, self._refused = descriptor, most, census, refused
        self._loop = asyncio.get_running_loop()
        self._at_most = 1
        """An upper bound of the processes there are: counting takes longer than answering."""
        self._believed_until, self._in_a_row = 0.0, 0
        self._session_call, self._connect_call = _number_of("setsid"), _number_of("connect")
        self._mediator, self._lender = mediator, lender
        self.made_some = False
        """Whether any were made since somebody set this to false."""
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLIN)
        self._loop.add_reader(descriptor, self._asked)

    def close(self) -> None:
        """Answer no more: from now on no process can be made."""
        if self._descriptor >= 0:
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1
        if self._lender is not None:
            self._lender.close()

    def _asked(self) -> None:
        events = dict(self._poll.poll(0)).get(self._descriptor, 0)
        if not events & select.POLLIN:  # to receive would be to wait for ever
            if events:
                self.close()  # nobody is left who could ask
            return
        buffer = bytearray(_REQUEST.size)
        try:
            fcntl.ioctl(self._descriptor, _RECEIVE, buffer)
        except OSError:
            return  # who asked is gone
        token, pid, _, call, _, _, *arguments = _REQUEST.unpack(buffer)
        refused = 0
        if call == self._connect_call:
            self._connect(token, pid, tuple(arguments))
            return
        if call == self._session_call:
            self._census.joined(pid)
        elif not self._may_make_one():
            refused = -errno.EAGAIN
        answer = _ANSWER.pack(token, 0, refused, 0 if refused else _CONTINUE)
        if not refused:
            self._in_a_row = 0
            self._answer(answer)
            return
        self._in_a_row += 1
        if self._in_a_row <= _PATIENCE:
            self._answer(answer)
        else:
            self._loop.call_later(_PENALTY_S, self._answer, answer)
        self._refused(self._at_most)

    def _connect(self, token: int, thread: int, arguments: tuple[int, ...]) -> None:
        def tell(result: int) -> None:
            self._answer(_ANSWER.pack(token, 0, result, 0))

        result: int | None = -errno.EACCES
        if self._mediator is not None:
            result = self._mediator.answer(self._descriptor, token, thread, arguments)
        elif self._lender is not None:
            result = self._lender.answer(self._descriptor, token, thread, arguments, tell)
        if result is not None:
            tell(result)

    def _answer(self, answer: bytes) -> None:
        if self._descriptor >= 0:
            with suppress(OSError):  # who asked is gone
                fcntl.ioctl(self._descriptor, _SEND, bytearray(answer))

    def _may_make_one(self) -> bool:
        self.made_some = True
        if self._most and self._at_most >= self._most:
            now = self._loop.time()
            if now < self._believed_until and self._census.still_there() >= self._most:
                return False
            self._at_most = len(self._census.members())
            if self._at_most >= self._most:
                self._believed_until = now + _BELIEVED_S
                return False
        self._at_most += 1
        return True


def _number_of(name: str) -> int:
    here = processor()
    assert here is not None, "a filter was written for this processor"
    return here.numbers[name]
