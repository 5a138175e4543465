"""Log lines for people or for machines, on standard error."""

import json
import logging
import sys
from datetime import UTC, datetime

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}
STANDARD = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def start_logging(level: str, form: str) -> None:
    """Send log lines of this level and above to standard error, as "text" or "json"."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if form == "json" else TextLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(LEVELS[level])
    for noisy in ("aiohttp", "asyncio", "grpc", "alembic", "watchfiles", "uvicorn"):
        logging.getLogger(noisy).setLevel(max(LEVELS[level], logging.WARNING))


class TextLines(logging.Formatter):
    """`12:30:01 WARNING hector_agent.runs: run failed (run=…, reason=…)`."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).astimezone().strftime("%H:%M:%S")
        facts = ", ".join(f"{name}={value}" for name, value in facts_of(record).items())
        line = f"{time} {record.levelname} {record.name}: {record.getMessage()}" + (
            f" ({facts})" if facts else ""
        )
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and the facts beside them."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **facts_of(record),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


def facts_of(record: logging.LogRecord) -> dict[str, object]:
    """Return what was given as `extra`."""
    return {name: value for name, value in vars(record).items() if name not in STANDARD}
