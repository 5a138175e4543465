"""The keys of `logger:`."""

from pathlib import Path
from typing import Literal

from hector_config import ProjectPath, Section


class LoggerConfig(Section):
    """Where log lines go, and which."""

    level: Literal["debug", "info", "warn", "warning", "error"] = "info"
    """The least important lines that are written (--log-level, HECTOR_LOG_LEVEL)."""
    format: Literal["text", "json"] = "text"
    """For people, or one JSON object a line (--log-format, HECTOR_LOG_FORMAT)."""
    file: ProjectPath | None = None
    """A file, which may be rotated from outside (--log-file, HECTOR_LOG_FILE). Left out: standard error."""


class LoggerSection(Section):
    """What the runtime reads of a configuration to write its log."""

    logger: LoggerConfig = LoggerConfig()
    """Where log lines go, and which."""


def chosen(
    config: LoggerConfig, level: str | None, form: str | None, file: Path | None
) -> tuple[str, str, Path | None]:
    """Return level, format and file: what the command line says, else the configuration."""
    return level or config.level, form or config.format, file or config.file
