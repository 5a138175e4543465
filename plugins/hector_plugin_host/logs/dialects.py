"""Reads a log line in the dialects that programs have: level, text, and the facts beside it.

JSON of hclog, and of everything that says level and message under usual names (zap, zerolog, slog, pino,
bunyan, logrus, structlog, python-json-logger); logfmt (slog's and logrus's text); "[LEVEL] text" with or
without a time before it; Python's "LEVEL:logger:text"; and glog's, which gRPC's own C core writes.
"""

import json
import logging
import re
from collections.abc import Mapping
from typing import Any, NamedTuple


class Said(NamedTuple):
    """One line, understood."""

    level: int
    text: str
    fields: Mapping[str, Any]


LEVELS = {
    "trace": logging.DEBUG,
    "debug": logging.DEBUG,
    "dbg": logging.DEBUG,
    "info": logging.INFO,
    "information": logging.INFO,
    "inf": logging.INFO,
    "notice": logging.INFO,
    "warn": logging.WARNING,
    "warning": logging.WARNING,
    "wrn": logging.WARNING,
    "error": logging.ERROR,
    "err": logging.ERROR,
    "severe": logging.ERROR,
    "critical": logging.ERROR,
    "crit": logging.ERROR,
    "alert": logging.ERROR,
    "emergency": logging.ERROR,
    "emerg": logging.ERROR,
    "fatal": logging.ERROR,
    "panic": logging.ERROR,
    "dpanic": logging.ERROR,
}

_LEVEL_KEYS = ("@level", "level", "lvl", "severity", "levelname", "log.level", "loglevel")
_TEXT_KEYS = ("@message", "msg", "message", "event", "text")
_TIME_KEYS = ("@timestamp", "time", "ts", "timestamp", "asctime", "eventTime")
_RENAMED = {"@module": "module", "@caller": "caller"}

_TIME = r"(?:\d{4}[-/]\d\d[-/]\d\d[T ])?\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?"
_BRACKETED = re.compile(rf"^(?:{_TIME}\s+)?\[\s*([A-Za-z]+)\s*\]:?\s*(.*)$", re.DOTALL)
_AFTER_TIME = re.compile(rf"^{_TIME}\s*(?:[-|:]\s*)?([A-Z]{{3,11}})\b\s*(?:[-|:]\s*)?(.*)$", re.DOTALL)
_PYTHON = re.compile(r"^([A-Z]{4,8}):([\w.\-]+):(.*)$", re.DOTALL)
_GLOG = re.compile(r"^([IWEF])(?:\d{4}|\d{8}) [\d:.]+\s+\d+ ([\w./\-]+:\d+)\]\s?(.*)$", re.DOTALL)
_GLOG_LEVELS = {"I": logging.INFO, "W": logging.WARNING, "E": logging.ERROR, "F": logging.ERROR}
_LOGFMT = re.compile(r'([\w.@\-/]+)=("(?:[^"\\]|\\.)*"|\S*)')
_SLOG = re.compile(r"^([a-z]+)[+-]\d+$")


def read(line: str) -> Said | None:
    """Return what a line says; None if it is in no dialect, and just text."""
    stripped = line.strip()
    if stripped[:1] == "{" and stripped[-1:] == "}":
        return _json(stripped)
    return _logfmt(stripped) or _prefixed(stripped)


def level_of(value: object) -> int | None:
    """Return a level as `logging` has it; None if this is no name or number of any."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):  # pino's and bunyan's: 10 is trace, 60 fatal
        if not 0 < value <= 100:
            return None
        return next(
            (
                level
                for bound, level in ((30, logging.DEBUG), (40, logging.INFO), (50, logging.WARNING))
                if value < bound
            ),
            logging.ERROR,
        )
    if not isinstance(value, str):
        return None
    name = value.strip().lower()
    if found := _SLOG.match(name):
        name = found[1]
    return LEVELS.get(name)


def _json(line: str) -> Said | None:
    try:
        told: object = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(told, dict):
        return None
    key = next((key for key in _TEXT_KEYS if isinstance(told.get(key), str)), None)
    if key is None:
        return None
    level, level_key = logging.INFO, ""
    for candidate in _LEVEL_KEYS:
        known = level_of(told.get(candidate))
        if known is not None:
            level, level_key = known, candidate
            break
    left_out = {key, level_key, *_TIME_KEYS}
    fields: dict[str, Any] = {
        _RENAMED.get(str(name), str(name)): value for name, value in told.items() if name not in left_out
    }
    return Said(level, told[key], fields)


def _logfmt(line: str) -> Said | None:
    if "level=" not in line or "msg=" not in line:
        return None
    fields = {name: _unquoted(value) for name, value in _LOGFMT.findall(line)}
    level, text = level_of(fields.get("level")), fields.get("msg")
    if level is None or text is None:
        return None
    left_out = {"level", "msg", *_TIME_KEYS}
    return Said(level, text, {name: value for name, value in fields.items() if name not in left_out})


def _unquoted(value: str) -> str:
    if value[:1] != '"':
        return value
    try:
        return str(json.loads(value))
    except ValueError:
        return value[1:-1]


def _prefixed(line: str) -> Said | None:
    if found := _GLOG.match(line):
        return Said(_GLOG_LEVELS[found[1]], found[3], {"caller": found[2]})
    if (found := _PYTHON.match(line)) and (level := level_of(found[1])) is not None:
        return Said(level, found[3], {"module": found[2]})
    for pattern in (_BRACKETED, _AFTER_TIME):
        if (found := pattern.match(line)) and (level := level_of(found[1])) is not None:
            return Said(level, found[2], {})
    return None
