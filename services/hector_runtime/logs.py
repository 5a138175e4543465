"""Log lines for people or for machines, on standard error or in a file: facts, never what was said."""

import asyncio
import json
import logging
import re
import string
import sys
import threading
import time
from collections.abc import Callable, Mapping
from itertools import islice
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import Any

from grpc import StatusCode

from hector_mesh import HectorError, current_call
from hector_mesh.lines import always, taken_by

from .log_flood import Flood
from .log_lines import Form, Gathered
from .log_traceback import traced

LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
OURS = (
    *("hector_runtime", "hector_gateway", "hector_agent", "hector_reasoning", "hector_llm", "hector_tool"),
    *("hector_document", "hector_embedder", "hector_vector", "hector_plugin", "hector_plugin_host"),
    *("hector_store", "hector_http", "hector_a2a", "hector_config", "hector_mesh"),
)
"""Loggers that the level is for. Others only warn: at lower levels they quote what they are given."""

ALWAYS = tuple(vars(logging.makeLogRecord({})))
"""What every record has, in this order and before what is given as `extra`."""
STANDARD = {*ALWAYS, "message", "asctime", "taskName"}

_plain = re.compile(r"[\w.:/+@%#~*;<>?!&$|{}\[\]^'-]+").fullmatch
"""Matches what stands for itself beside a name."""
_PLAIN = (string.ascii_letters + string.digits + "_.:/+@%#~*;<>?!&$|{}[]^'-").encode()
"""The same in bytes, without letters that ASCII does not have."""

_MOST_FORMS = 256

log = logging.getLogger(__name__)


class LogFileUnusable(HectorError):
    """Log lines cannot be written where they should be."""

    code, reason = StatusCode.FAILED_PRECONDITION, "LOG_FILE_UNUSABLE"

    def __init__(self, file: Path, why: str) -> None:
        super().__init__(
            f"cannot write log lines to {file}: {why}; make its folder, let the user who runs Hector write "
            "there, or name another file with --log-file or `logger.file:` in the config",
            file=str(file),
        )


def start_logging(level: str, form: str, file: Path | None = None) -> None:
    """Send log lines of this level and above to a file or to standard error, as "text" or "json".

    A file may be moved away at any time, as logrotate does: the next line makes a new one.

    Raises:
        LogFileUnusable: The file cannot be written.
    """
    lines = JsonLines() if form == "json" else TextLines()
    handler = _handler(file, lines)
    handler.setFormatter(lines)
    handler.addFilter(circumstances)
    handler.addFilter(Flood())
    root = logging.getLogger()
    for before in root.handlers[:]:
        root.removeHandler(before)
        before.close()
    root.addHandler(handler)
    taken_by(handler)
    root.setLevel(max(LEVELS[level], logging.WARNING))
    for name in OURS:
        logging.getLogger(name).setLevel(LEVELS[level])
    # Nothing looks at these, and each of them costs time in every line.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    setattr(logging, "_srcfile", None)  # noqa: B010  # "Optimization" in Python's Logging HOWTO
    logging.raiseExceptions = False  # a full disk must not fill the screen with tracebacks


def catch_strays(loop: asyncio.AbstractEventLoop) -> None:
    """Log what fails where nobody waits for it; Python itself would print it, words and all."""

    def in_loop(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        log.error(
            "something failed that nobody waited for",
            exc_info=context.get("exception"),
            extra={"what": context.get("message", "")},
        )

    def in_thread(failure: threading.ExceptHookArgs) -> None:
        name = failure.thread.name if failure.thread else ""
        log.error("thread died", exc_info=failure.exc_value, extra={"thread_name": name})

    loop.set_exception_handler(in_loop)
    threading.excepthook = in_thread


def circumstances(record: logging.LogRecord) -> bool:
    """Add which process and which request a line is of, if that is known; a filter that keeps every line."""
    call = current_call.get()
    facts = vars(record)
    if always:
        facts.update(always)
    if call.request_id and "request_id" not in facts:
        facts["request_id"] = call.request_id
    if call.traceparent and "trace_id" not in facts:
        facts["trace_id"] = call.traceparent[3:35]
    return True


class TextLines(logging.Formatter):
    """`2026-01-31 12:30:01.123 WARNING hector_agent.runs: run ended (run=…, reason=…)`, in local time."""

    def __init__(self) -> None:
        super().__init__()
        self._second, self._shown = 0, ""
        self._forms: dict[tuple[object, ...], tuple[str, bytes]] = {}
        """How lines of a kind look, and what is left of them when nothing in them needs care: there are a few
        dozen kinds, and each is written often."""

    def format(self, record: logging.LogRecord) -> str:
        facts = facts_of(record)
        line = self.spelled(record.created, record.levelno, record.name, record.getMessage(), facts)
        return f"{line}\n{traced(record.exc_info)}" if record.exc_info else line

    def spelled(
        self, created: float, level: int, logger: str, message: str, facts: Mapping[str, object]
    ) -> str:
        """Return a line."""
        second = int(created)
        if second != self._second:
            self._shown, self._second = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(second)), second
        kind = (level, logger, message, *facts)
        form, left = self._forms.get(kind) or self._form_of(kind)
        line = form % (self._shown, (created - second) * 1000, *facts.values())
        # Mostly there is nothing to be careful with, as one look shows: no fact can be taken for two.
        found = line.encode("ascii", "backslashreplace").translate(None, _PLAIN)
        if found == left and "=," not in line and "=)" not in line:
            return line
        careful = [_quoted(str(value)) for value in facts.values()]
        return form % (self._shown, (created - second) * 1000, *careful)

    def _form_of(self, kind: tuple[Any, ...]) -> tuple[str, bytes]:
        level, logger, message, *names = kind
        head = f"{logging.getLevelName(level)} {logger}: {message}".replace("%", "%%")
        told = ", ".join([name.replace("%", "%%") + "=%s" for name in names])
        form = f"%s.%03d {head} ({told})" if names else f"%s.%03d {head}"
        line = form % (time.strftime("%Y-%m-%d %H:%M:%S"), 0, *[""] * len(names))
        if len(self._forms) >= _MOST_FORMS:
            self._forms.clear()
        self._forms[kind] = form, line.encode("ascii", "backslashreplace").translate(None, _PLAIN)
        return self._forms[kind]


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and the facts beside them."""

    def __init__(self) -> None:
        super().__init__()
        import orjson

        self._dumps: Callable[..., bytes] = orjson.dumps
        self._second, self._shown = 0, ""

    def format(self, record: logging.LogRecord) -> str:
        facts = facts_of(record)
        if record.exc_info:
            facts["traceback"] = traced(record.exc_info)
        return self.spelled(record.created, record.levelno, record.name, record.getMessage(), facts)

    def spelled(
        self, created: float, level: int, logger: str, message: str, facts: Mapping[str, object]
    ) -> str:
        """Return a line."""
        second = int(created)
        if second != self._second:
            self._shown, self._second = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second)), second
        line: dict[str, object] = {
            "time": f"{self._shown}.{int((created - second) * 1000):03d}Z",
            "level": logging.getLevelName(level).lower(),
            "logger": logger,
            "message": message,
            **facts,
        }
        try:
            return self._dumps(line, default=str).decode()
        except TypeError:  # halves of characters, or numbers beyond 64 bits
            return json.dumps(line, default=str)


def facts_of(record: logging.LogRecord) -> dict[str, object]:
    """Return what was given as `extra`."""
    added = islice(vars(record).items(), len(ALWAYS), None)
    return {name: value for name, value in added if name not in STANDARD}


def _quoted(text: str) -> str:
    return text if _plain(text) else json.dumps(text, ensure_ascii=False)


def _handler(file: Path | None, form: Form) -> Gathered:
    if file is None:
        return Gathered(logging.StreamHandler(sys.stderr), form)
    try:
        return Gathered(WatchedFileHandler(file, encoding="utf-8", errors="backslashreplace"), form)
    except OSError as error:
        raise LogFileUnusable(file, (error.strerror or str(error)).lower()) from error
