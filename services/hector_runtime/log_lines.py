"""Writes log lines: those of one turn of the event loop at once, because a write costs more than a line."""

import asyncio
import logging
from collections.abc import Mapping
from logging.handlers import WatchedFileHandler
from typing import Any, Protocol

MOST_LINES = 1_000
"""How many are gathered at most."""


class Form(Protocol):
    """How lines look."""

    def spelled(
        self, created: float, level: int, logger: str, message: str, facts: Mapping[str, object]
    ) -> str:
        """Return a line without its end; `created` is in seconds since 1970."""


_Untold = tuple[float, int, str, str, Mapping[str, object]]
"""A line that nobody has put into words yet: time, level, logger, message and facts."""


class Gathered(logging.Handler):
    """Gives what it gathers to a handler of a stream or a file.

    A warning is written at once, with what came before it, and so is every line from outside the loop. What
    is left at the end is written when Python shuts its logging down. Where nothing can be written any more,
    on a full disk or a closed pipe, lines are lost and nothing else.
    """

    def __init__(self, target: "logging.StreamHandler[Any]", form: Form | None = None) -> None:
        """Prepare to gather.

        Args:
            target: Where lines are written to.
            form: How those look that `take` gets.
        """
        super().__init__()
        self._target, self._form = target, form
        self._lines: list[str | _Untold] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Take a line."""
        try:
            self._lines.append(f"{self.format(record)}\n")
        except Exception:  # the border of what is logged: what cannot be shown must not stop the work
            self.handleError(record)
            return
        if record.levelno >= logging.WARNING:
            self.flush()
        else:
            self._flush_soon()

    def take(
        self, created: float, level: int, logger: str, message: str, facts: Mapping[str, object]
    ) -> None:
        """Take a line that is put into words when it is written."""
        lines = self._lines
        lines.append((created, level, logger, message, facts))
        if not 1 < len(lines) < MOST_LINES:
            self._flush_soon()

    def flush(self) -> None:
        """Write what was gathered."""
        self.acquire()
        try:
            lines, self._lines = self._lines, []
            if lines:
                self._write(self._text(lines))
        finally:
            self.release()

    def _text(self, lines: "list[str | _Untold]") -> str:
        form: Any = self._form  # without one there are none to be put into words
        try:
            return "".join([line if type(line) is str else f"{form.spelled(*line)}\n" for line in lines])
        except Exception:  # as in `emit`: what cannot be shown is lost, and nothing else
            return "".join([line if isinstance(line, str) else self._told(line) for line in lines])

    def _flush_soon(self) -> None:
        if len(self._lines) >= MOST_LINES:
            self.flush()
        elif len(self._lines) == 1:
            try:
                asyncio.get_running_loop().call_soon(self.flush)
            except RuntimeError:  # no loop is running here, so none has a next turn
                self.flush()

    def _told(self, line: _Untold) -> str:
        try:
            assert self._form is not None
            return f"{self._form.spelled(*line)}\n"
        except Exception:  # this is the one
            return ""

    def close(self) -> None:
        """Write what was gathered, and close what it is written to."""
        self.flush()
        self._target.close()
        super().close()

    def _write(self, text: str) -> None:
        target = self._target
        try:
            if isinstance(target, WatchedFileHandler):
                target.reopenIfNeeded()
                if target.stream is None:  # it could not be made again the last time
                    target.stream = target._open()
            target.stream.write(text)
            target.stream.flush()
        except (OSError, ValueError):  # the latter of a stream that was closed
            pass
