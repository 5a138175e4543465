"""The configuration that a command's options name: a file or flags, with the command line's own on top."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import click
from grpc import StatusCode
from pydantic import ValidationError

from hector_config import Loaded, Problem, Section, read_environment
from hector_mesh import HectorError
from hector_runtime.config import Config, completed, load_config
from hector_runtime.flags import Flags
from hector_runtime.zero import zero_config

USUAL_FILES = (Path("hector.yaml"), Path(".hector/config.yaml"))
Overrides = dict[str, dict[str, object]]
"""What the command line sets over the file, by section and key, as deep as need be; None is unsaid."""
FLAGS = {
    "server.auth.secret": "--auth-secret",
    "server.public_url": "--public-url",
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


def usual_file() -> Path | None:
    """Return the config file that is meant where none is named."""
    return next((usual for usual in USUAL_FILES if os.path.lexists(usual)), None)


def read_config(config_file: Path | None, flags: Flags) -> Loaded[Config]:
    """Return the configuration that the options name.

    Raises:
        ConfigInvalid: What is wrong with it.
        UsageError: Flags that build a configuration, where there is one.
    """
    file = config_file or usual_file()
    if file is None:
        folder, warnings = _working_folder(), list[Problem]()
        loaded = zero_config(folder, flags, read_environment(folder, warnings=warnings))
        return replace(loaded, warnings=(*loaded.warnings, *warnings))
    if flags.given():
        what = flags.given()[0]
        if config_file is not None:
            raise click.UsageError(f"--config {file} and {what} exclude each other: put it into the file")
        raise click.UsageError(
            f"{what} is for running without a file, and there is one: put it into {file} instead"
        )
    return load_config(file)


def _working_folder() -> Path:
    try:
        return Path.cwd()
    except OSError as error:
        why = "the working folder is gone, or may not be entered: cd into one that can"
        raise click.UsageError(why) from error


async def whole_config(loaded: Loaded[Config], overrides: Overrides) -> tuple[Config, list[str]]:
    """Return the configuration with its gaps filled and the command line's own settings on top.

    Raises:
        FlagRefused: One of them cannot be what it is.
    """
    config = overridden(loaded.config, overrides)
    return await completed(config, environment_of(loaded))


def environment_of(loaded: Loaded[Config]) -> dict[str, str]:
    """Return the process's environment, completed from the `.env` files of a config."""
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


def indexed_anew(config: Config) -> Config:
    """Return the configuration with every document store read and embedded again."""
    stores = {
        name: store.model_copy(update={"incremental_indexing": False})
        for name, store in config.document_stores.items()
    }
    return config.model_copy(update={"document_stores": stores})
