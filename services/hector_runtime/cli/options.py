"""Options that several commands share, and the configuration that they name."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from hector_config import Loaded, read_environment
from hector_runtime.config import Config, completed, load_config
from hector_runtime.zero import Flags, zero_config

F = TypeVar("F", bound=Callable[..., object])
USUAL_FILES = (Path("hector.yaml"), Path(".hector/config.yaml"))


def source_options(command: F) -> F:
    """Add the options that say where the configuration comes from: a file, or flags."""
    options = [
        click.option(
            "-c",
            "--config",
            "config_file",
            metavar="FILE",
            type=click.Path(path_type=Path),
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
    """
    file = config_file or next(
        (usual for usual in USUAL_FILES if not flags.given() and usual.is_file()), None
    )
    if file is None:
        folder = Path.cwd()
        return zero_config(folder, flags, read_environment(folder, folder))
    if flags.given():
        raise click.UsageError(
            f"{flags.given()[0]} is for running without a file; put it into {file} instead"
        )
    return load_config(file)


async def whole_config(
    loaded: Loaded[Config], overrides: dict[str, dict[str, object]]
) -> tuple[Config, list[str]]:
    """Return the configuration with its gaps filled and the command line's own settings on top."""
    config, notes = await completed(loaded.config, os.environ)
    changes: dict[str, object] = {}
    for section, values in overrides.items():
        said = {name: value for name, value in values.items() if value is not None}
        if said:
            before = getattr(config, section)
            changes[section] = type(before).model_validate({**dict(before), **said})
    return config.model_copy(update=changes), notes
