"""What one life of a plugin prints: read, understood, freed of secrets, and written to the log."""

import asyncio
import logging
import re
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from . import dialects
from .cutting import Lines, shown
from .joining import Block, Joining
from .journal import Journal
from .secrets import Secrets

log = logging.getLogger("hector_plugin_host.plugin")

TAIL_LINES = 50
TAIL_CHARACTERS = 500
"""Of one line of the tail, which stands in errors."""
QUIET_S = 0.1
"""How long a line waits for others that belong to it."""
BURST = 1_000
PER_S = 200.0
"""Lines that may come at once, and lines a second after that; more are counted and left out."""
_UNPRINTABLE = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b[@-_]|[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")


class Printed:
    """Takes what a process writes, in pieces, and makes log records of it."""

    def __init__(
        self,
        facts: Mapping[str, object],
        secrets: Iterable[str],
        journal: Journal | None = None,
        *,
        generation: int = 1,
        now: Callable[[], float] = time.monotonic,
        later: Callable[[float, Callable[[], None]], asyncio.TimerHandle] | None = None,
    ) -> None:
        """Begin.

        Args:
            facts: Which plugin it is; they stand in every record.
            secrets: What must stand in none.
            journal: Where lines are kept beside the log.
            generation: Which life this is.
            now: Tells the time, for the limit.
            later: Calls a function after so many seconds; the running loop's `call_later` if None.
        """
        self.pid = 0
        """To be set once it is known."""
        self.crash_report = ""
        self._facts = dict(facts)
        self._secrets = Secrets(secrets)
        self._journal = journal
        self._generation = generation
        self._now = now
        self._later = later or asyncio.get_running_loop().call_later
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        margin = self._secrets.longest_bytes
        self._cut = {"stderr": Lines(margin), "stdout": Lines(margin)}
        self._joining = Joining()
        self._timer: asyncio.TimerHandle | None = None
        self._left, self._at, self._left_out = float(BURST), now(), 0

    def stderr(self, data: bytes) -> None:
        """Take what came on standard error; nothing is its end."""
        for line in self._lines("stderr", data):
            self._take(line)
        if not data:
            self._say_held()
        elif self._joining.holds and self._timer is None:
            self._timer = self._later(QUIET_S, self._say_held)

    def stdout(self, data: bytes) -> None:
        """Take what came on standard output after the handshake; nothing is its end."""
        for line in self._lines("stdout", data):
            self._tail.append(line[:TAIL_CHARACTERS])
            said = dialects.read(line)
            if said is None:
                self._say(logging.DEBUG, line, {"stream": "stdout"})
            else:
                self._say(said.level, said.text, {**said.fields, "stream": "stdout"})

    def tail(self) -> tuple[str, ...]:
        """Return the last lines."""
        return tuple(self._tail)

    def hidden(self, text: str) -> str:
        """Return a text of the plugin's without its secrets."""
        return self._secrets.hidden(_UNPRINTABLE.sub("", text))

    def close(self) -> None:
        """Let go of what is held back; nothing comes any more."""
        self.stderr(b"")
        if self._timer is not None:
            self._timer.cancel()
        self._tell_left_out()

    def _lines(self, stream: str, data: bytes) -> list[str]:
        lines = self._cut[stream].feed(data) if data else self._cut[stream].end()
        return [shown(self.hidden(line.decode(errors="replace"))) for line in lines]

    def _take(self, line: str) -> None:
        if line.strip():
            self._tail.append(line[:TAIL_CHARACTERS])
        said = dialects.read(line)
        if said is None:
            for block in self._joining.feed(line):
                self._say_block(block)
            return
        self._say_held()
        self._say(said.level, said.text, said.fields)

    def _say_held(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for block in self._joining.quiet():
            self._say_block(block)

    def _say_block(self, block: Block) -> None:
        if block.crash:
            self.crash_report = block.text
            self._say(logging.ERROR, block.headline, {"report": block.text})
        elif block.text.strip():
            self._say(logging.DEBUG, block.text, {})

    def _say(self, level: int, text: str, fields: Mapping[str, Any]) -> None:
        if not self._admitted():
            self._left_out += 1
            return
        self._tell_left_out()
        self._write(level, text, self._secrets.hidden_in(fields))

    def _write(self, level: int, text: str, fields: Mapping[str, Any]) -> None:
        text = self.hidden(text).strip()
        if self._journal is not None:
            self._journal.add(time.time(), level, text, fields, self._generation, self.pid)
        if not log.isEnabledFor(level):
            return
        # Its own text is the message: whoever reads a log looks for what was said, and beside it by whom.
        extra: dict[str, object] = {**self._facts, "pid": self.pid, "generation": self._generation}
        first, _, more = text.partition("\n")
        if more:
            fields = {**fields, "report": text}
        if trace := fields.get("trace_id"):
            extra["trace_id"] = trace
        if fields:
            extra["fields"] = dict(fields)
        log.log(level, first, extra=extra)

    def _admitted(self) -> bool:
        now = self._now()
        self._left = min(BURST, self._left + (now - self._at) * PER_S)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True

    def _tell_left_out(self) -> None:
        if self._left_out:
            count, self._left_out = self._left_out, 0
            facts = {**self._facts, "pid": self.pid, "generation": self._generation, "count": count}
            log.warning("plugin printed more than is kept", extra=facts)
