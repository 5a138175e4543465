"""Options that several commands share, and the configuration that they name."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import click
from grpc import StatusCode
from pydantic import ValidationError

from hector_config import Loaded, Section, read_environment
from hector_mesh import HectorError
from hector_runtime.config import Config, completed, load_config
from hector_runtime.zero import Flags, zero_config

F = TypeVar("F", bound=Callable[..., object])
USUAL_FILES = (Path("hector.yaml"), Path(".hector/config.yaml"))
Overrides = dict[str, dict[str, object]]
"""What the command line sets over the file, by section and key, as deep as need be; None is unsaid."""
FLAGS = {
    "server.auth.secret": "--auth-secret",
    "observability.tracing.endpoint": "--tracing-endpoint",
    "observability.metrics.listen": "--metrics-listen",
}
"""Flags that are not named like the last part of their key."""


class FlagRefused(HectorError):
    """A flag, or the environment variable beside it, has a value that its key cannot have."""

    code, reason = StatusCode.INVALID_ARGUMENT, "FLAG_REFUSED"

    def __init__(self, key: str, why: str) -> None:
        flag = FLAGS.get(key) or f"--{key.rpartition('.')[2].replace('_', '-')}"
        super().__init__(f"{flag}: {why}", key=key)


def source_options(command: F) -> F:
    """Add the options that say where the configuration comes from: a file, or flags."""
    options = [
        click.option(
            "-c",
            "--config",
            "config_file",
            metavar="FILE",
            type=click.Path(path_type=Path, readable=False),  # the loader says more about it
            help="Config file. Left out: hector.yaml or .hector/config.yaml if there is one.",
        ),
        click.option("--provider", metavar="NAME", help="Without a file: openai, ollama or local."),
        click.option("--model", metavar="NAME", help="Without a file: the model's name."),
        click.option("--api-key", metavar="KEY", help="Without a file: the provider's key."),
        click.option("--base-url", metavar="URL", help="Without a file: where the provider is."),
        click.option("--instruction", metavar="TEXT", help="Without a file: what the agent is told."),
        click.option("--tools", metavar="NAMES", help='Without a file: tools, with commas; "none" for none.'),
        click.option(
            "--docs-folder",
            metavar="FOLDER",
            type=click.Path(path_type=Path, exists=True, file_okay=False),
            help="Without a file: documents that the agent answers from.",
        ),
        click.option(
            "--database", metavar="URL", help='Where runs are kept, as "sqlite://FILE" or "inmemory".'
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def flags_of(options: dict[str, object]) -> Flags:
    """Take the flags of a configuration without a file out of a command's options."""
    return Flags(**{name: options.pop(name) for name in Flags.__slots__})  # type: ignore[arg-type]


def read_config(config_file: Path | None, flags: Flags) -> Loaded[Config]:
    """Return the configuration that the options name.

    Raises:
        ConfigInvalid: What is wrong with it.
        UsageError: Flags that build a configuration, where there is one.
    """
    file = config_file or next((usual for usual in USUAL_FILES if os.path.lexists(usual)), None)
    if file is None:
        folder = Path.cwd()
        return zero_config(folder, flags, read_environment(folder))
    if flags.given():
        raise click.UsageError(
            f"{flags.given()[0]} is for running without a file; put it into {file} instead"
        )
    return load_config(file)


async def whole_config(loaded: Loaded[Config], overrides: Overrides) -> tuple[Config, list[str]]:
    """Return the configuration with its gaps filled and the command line's own settings on top.

    Raises:
        FlagRefused: One of them cannot be what it is.
    """
    config = overridden(loaded.config, overrides)
    return await completed(config, _environment(loaded))


def _environment(loaded: Loaded[Config]) -> dict[str, str]:
    return read_environment(Path(loaded.file).absolute().parent, loaded.project_dir)


def overridden(config: Config, overrides: Overrides) -> Config:
    """Return the configuration with these settings on top, checked as a file's are.

    Raises:
        FlagRefused: One of them cannot be what it is.
    """
    changes: dict[str, object] = {}
    for section, values in overrides.items():
        before = getattr(config, section)
        try:
            changes[section] = type(before).model_validate(_merged(before, values))
        except ValidationError as error:
            raise _refused(section, values, error) from None
    return config.model_copy(update=changes)


def _merged(before: Section, values: Mapping[str, object]) -> dict[str, object]:
    merged = dict(before)
    for key, value in values.items():
        if isinstance(value, dict):
            merged[key] = _merged(merged[key], value)
        elif value is not None:
            merged[key] = value
    return merged


def _refused(section: str, values: Mapping[str, object], error: ValidationError) -> FlagRefused:
    first = error.errors(include_url=False, include_input=False)[0]
    keys = [str(step) for step in first["loc"]] or list(values)[:1]
    return FlagRefused(".".join([section, *keys]), first["msg"].removeprefix("Value error, "))
