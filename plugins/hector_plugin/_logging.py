"""A plugin's log: hclog's JSON lines on standard error, which the host takes apart."""

import json
import logging
import sys
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime

from hector_mesh import current_call

LEVELS: Mapping[str, int] = {
    "trace": logging.DEBUG,
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
_WORDS = {logging.DEBUG: "debug", logging.INFO: "info", logging.WARNING: "warn", logging.ERROR: "error"}
_USUAL = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class HclogLines(logging.Formatter):
    """Writes a record as one JSON object; what stands in `extra` becomes its facts."""

    def __init__(self, plugin: str) -> None:
        super().__init__()
        self._plugin = plugin

    def format(self, record: logging.LogRecord) -> str:
        level = min(max(record.levelno // 10 * 10, logging.DEBUG), logging.ERROR)
        line = {
            "@level": _WORDS[level],
            "@message": record.getMessage(),
            "@module": self._plugin
            if record.name in ("root", __package__)
            else f"{self._plugin}.{record.name}",
            "@timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds"),
        }
        if request_id := current_call.get().request_id:
            line["request_id"] = request_id
        line |= {name: fact for name, fact in vars(record).items() if name not in _USUAL}
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__
            line["stacktrace"] = "".join(traceback.format_exception(*record.exc_info))
        return json.dumps(line, ensure_ascii=False, default=str)


def log_to_host(plugin: str, level: str, form: str) -> None:
    """Send what is logged to standard error, unless the plugin's own code has arranged something else."""
    root = logging.getLogger()
    if root.handlers:
        return
    handler = logging.StreamHandler(sys.stderr)
    if form == "hclog":
        handler.setFormatter(HclogLines(plugin))
    else:
        handler.setFormatter(logging.Formatter("[%(levelname)s] %(name)s: %(message)s"))
    root.addHandler(handler)
    root.setLevel(LEVELS.get(level.lower(), logging.INFO))
    for talkative in ("grpc", "asyncio"):  # a line for every call
        logging.getLogger(talkative).setLevel(max(root.level, logging.INFO))
