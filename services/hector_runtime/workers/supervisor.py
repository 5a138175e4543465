"""Starts workers, starts them again when they die, and stops them: a process that does nothing else.

It has one thread and opens no connection, so that it can fork at any time: a worker shares with it what was
imported once.
"""

import logging
import os
import selectors
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn, Protocol

from .line import Line, Told
from .member import FIRST, Member, Standing
from .slot import LATELY_S, Child, Slot, ending
from .taking import Taking

log = logging.getLogger(__name__)

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
TICK_S = 1.0
"""How often what has no signal is looked at: files that are watched."""


class Work(Protocol):
    """What the supervisor is told by whoever knows what the workers do."""

    def begin(self, member: Member, line: socket.socket, lifeline: int) -> NoReturn:
        """Be a worker, in a process that was just forked. `lifeline` ends when the supervisor does."""

    def reread(self) -> object | None:
        """Return another config for all, as it is sent to them; None if there is none, as the log says."""

    def taken(self, proposal: object) -> None:
        """Begin workers with this config from now on."""

    def looked(self) -> bool:
        """Say whether what is watched has changed since the last time."""

    def all_up(self) -> None:
        """Every worker was ready for the first time."""

    def stopping(self) -> None:
        """It was told to stop."""


class Supervisor:
    """Owns the processes of a server."""

    def __init__(self, work: Work, count: int, name: str, folder: Path, *, limit_s: float) -> None:
        """Take what is to be done; `limit_s` is what workers may take to stop before they are killed."""
        self._work, self._name, self._folder, self._limit_s = work, name, folder, limit_s
        self._slots = [Slot(number) for number in range(FIRST, FIRST + count)]
        self._selector = selectors.DefaultSelector()
        self._lifeline = os.pipe()
        self._taking = Taking(work, self._children)
        self._dead: list[tuple[float, str]] = []
        self._is_stopping = self._was_ready = False
        self._killing_at = float("inf")
        self._code = 0

    def run(self) -> int:
        """Run the server until it is told to stop, or cannot start; return the exit code."""
        with self._woken_by_signals():
            self._slots[0].due = 0.0
            while any(slot.child for slot in self._slots) or not self._is_stopping:
                for key, _ in self._selector.select(self._pause_s()):
                    key.data()
                self._bury()
                self._be_on_time()
        return self._code

    # What happens

    def _signalled(self, told: int) -> None:
        if told in (signal.SIGTERM, signal.SIGINT):
            if self._is_stopping:
                self._code = 128 + told
                self._kill()
            else:
                self._stop()
        elif told == signal.SIGHUP and not self._is_stopping:
            self._taking.begin()

    def _heard(self, slot: Slot, child: Child) -> None:
        for told in child.line.heard():
            self._hear(slot, child, told)

    def _hear(self, slot: Slot, child: Child, told: Told) -> None:
        match told:
            case ("up",):
                child.is_up = slot.was_up = True
                self._tell_all("standings", self._standings())
                if not self._is_stopping:
                    for other in self._slots:  # the first has migrated the database, and made its sockets
                        if other.child is None and other.due is None:
                            other.due = 0.0
            case ("ready",):
                child.is_ready = True
                if not self._was_ready and all(one.child and one.child.is_ready for one in self._slots):
                    self._was_ready = True
                    self._work.all_up()
            case ("prepared" | "refused", *_):
                self._taking.heard(slot.number, told)

    def _bury(self) -> None:
        for slot in self._slots:
            child = slot.child
            code = child.status() if child is not None else None
            if child is not None and code is not None:
                self._heard(slot, child)
                slot.child = None
                self._selector.unregister(child.line)
                child.line.close()
                self._died(slot, child, code)

    def _died(self, slot: Slot, child: Child, code: int) -> None:
        self._dead.append((time.monotonic(), child.name))
        self._tell_all("died", child.name)
        self._tell_all("standings", self._standings())
        self._taking.lost(slot.number)
        if self._is_stopping:
            self._let_the_first_go()
        elif slot.was_up:
            pause_s = slot.died()
            facts = {
                "worker_number": slot.number,
                "pid": child.pid,
                "how": ending(code),
                "again_in_s": pause_s,
            }
            log.warning("a worker died, it is started again", extra=facts)
        else:  # it has said why
            self._code = code if code > 0 else 1
            self._stop()

    # What is done

    def _be_on_time(self) -> None:
        now = time.monotonic()
        for slot in self._slots:
            if slot.due is not None and slot.due <= now and not self._taking.is_under_way:
                slot.due = None
                self._start(slot)
        self._taking.be_on_time()
        if now >= self._killing_at:
            log.warning("workers did not stop in time, and were killed", extra={"limit_s": self._limit_s})
            self._killing_at = float("inf")
            self._kill()
        for child in self._children().values():
            if child.line.wants_to_write:
                child.line.flush()
        if not self._is_stopping and self._work.looked():
            self._taking.begin()

    def _start(self, slot: Slot) -> None:
        slot.starts += 1
        lately = time.monotonic() - LATELY_S
        self._dead = [one for one in self._dead if one[0] > lately]
        member = Member(
            slot.number,
            len(self._slots),
            f"{self._name}/{slot.number}.{slot.starts}",
            self._folder,
            slot.starts,
            tuple(name for _, name in self._dead),
            self._standings(),
        )
        ours, theirs = socket.socketpair()
        # A signal between the fork and the worker's own handlers would be told to us.
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        pid = os.fork()
        if pid == 0:
            self._forget_everything(ours)
            self._work.begin(member, theirs, self._lifeline[0])
        theirs.close()
        slot.child = Child(member.name, pid, Line(ours))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        child = slot.child
        self._selector.register(ours, selectors.EVENT_READ, lambda: self._heard(slot, child))

    def _forget_everything(self, ours: socket.socket) -> None:
        """Be no supervisor any more: what was left of it here would keep its lines and its life open."""
        signal.set_wakeup_fd(-1)
        for number in SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        # Ctrl-C is for the supervisor, which tells everybody; so is what ends a terminal.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        ours.close()
        os.close(self._lifeline[1])
        for slot in self._slots:
            if slot.child is not None:
                slot.child.line.close()
        self._selector.close()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)

    def _stop(self) -> None:
        self._is_stopping = True
        self._killing_at = time.monotonic() + self._limit_s
        self._work.stopping()
        for slot in self._slots:
            slot.due = None
        self._tell_all("stop")
        self._let_the_first_go()

    def _let_the_first_go(self) -> None:
        """The first has what others may still want, and leaves when it is the last."""
        left = self._children()
        if set(left) == {FIRST}:
            left[FIRST].line.say("alone")

    def _kill(self) -> None:
        for child in self._children().values():
            child.send(signal.SIGKILL)

    def _tell_all(self, *told: object) -> None:
        for child in self._children().values():
            child.line.say(*told)

    def _children(self) -> dict[int, Child]:
        return {slot.number: slot.child for slot in self._slots if slot.child is not None}

    def _standings(self) -> tuple[Standing, ...]:
        return tuple(slot.standing for slot in self._slots)

    # Waiting

    def _pause_s(self) -> float:
        dues = [slot.due for slot in self._slots if slot.due is not None]
        until = min([*dues, self._killing_at, self._taking.until])
        return max(0.0, min(until - time.monotonic(), TICK_S))

    @contextmanager
    def _woken_by_signals(self) -> Iterator[None]:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.setblocking(False)

        def woken() -> None:
            with suppress(BlockingIOError):
                for told in ours.recv(256):
                    self._signalled(told)

        before = {number: signal.signal(number, lambda *_: None) for number in SIGNALS}
        signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
        self._selector.register(ours, selectors.EVENT_READ, woken)
        try:
            yield
        finally:
            signal.set_wakeup_fd(-1)
            for number, handler in before.items():
                signal.signal(number, handler)
            self._selector.close()
            ours.close()
            theirs.close()
