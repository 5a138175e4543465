"""The plugin that a command is about: one of the config, at an address, or started by the command line."""

import os
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from .documented import Documented, flag, together
from .plugin_address import Address

if TYPE_CHECKING:
    from hector_plugin_host.host import PluginHost
    from hector_plugin_host.logs.journal import Line
    from hector_plugin_host.plan import PluginPlan
    from hector_plugin_host.status import PluginStatus

F = TypeVar("F", bound=Callable[..., object])
BEHIND = "behind"
AGAIN_S = 3600.0
"""After a failed start none is to follow: the first one's reason is what a person wants to see."""
THERE_S = 5.0
"""How long one that runs already may take to say that it does."""
WHICH = "Which plugin"
NO_SETTINGS = "{}"


class AboutPlugin(Documented):
    """A command whose words behind -- start the plugin that it is about."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[BEHIND] = ()
        if "--" in args:
            at = args.index("--")
            ctx.meta[BEHIND] = tuple(args[at + 1 :])
            args = args[:at]
            if not ctx.meta[BEHIND]:
                raise click.UsageError("name what starts the plugin behind --", ctx)
        return super().parse_args(ctx, args)


def subject_options(command: F) -> F:
    """Add the options that say which plugin is meant."""
    return together(
        flag(
            "-c",
            "--config",
            "config_file",
            metavar="FILE",
            type=click.Path(path_type=Path, readable=False),
            section=WHICH,
            show_default="hector.yaml, .hector/config.yaml",
            help="The config file that names the plugin.",
        ),
        flag(
            "--endpoint",
            metavar="ADDRESS",
            type=Address(),
            section=WHICH,
            help="One that runs already, as unix:/tmp/plugin.sock.",
        ),
        flag("--token", metavar="TOKEN", section=WHICH, help="What one that runs already wants to be shown."),
        flag(
            "--settings",
            metavar="JSON",
            section=WHICH,
            default=NO_SETTINGS,
            help="Its configuration, where no config file has it.",
        ),
    )(command)


@dataclass(frozen=True, slots=True)
class Subject:
    """Which plugin is meant."""

    name: str
    """Of the config; empty where it is not there."""
    command: tuple[str, ...]
    config_file: Path | None
    endpoint: str | None
    token: str | None
    settings: str

    @property
    def is_named(self) -> bool:
        """Whether it stands in the config."""
        return not self.command and not self.endpoint


def plan_of(subject: Subject) -> "PluginPlan":
    """Return how to start the plugin, or reach it.

    Raises:
        UsageError: It is said in two ways, or in none.
        HectorError: The config has no such plugin, or cannot be used.
    """
    import json

    if subject.command and subject.endpoint:
        raise click.UsageError("a plugin runs already, at --endpoint, or is started by what is behind --")
    if subject.token and not subject.endpoint:
        raise click.UsageError("--token is for --endpoint: what Hector starts itself is given another one")
    if subject.is_named:
        if subject.settings != NO_SETTINGS:
            raise click.UsageError("--settings is for what no config has: these stand in the config")
        return _of_config(subject)
    if subject.name:
        where = "--endpoint" if subject.endpoint else "what is behind --"
        raise click.UsageError(f"{subject.name!r} would be of the config, and {where} names another: say one")
    if subject.config_file:
        raise click.UsageError("--config is for a plugin that it names: name it, or leave --config out")
    from hector_plugin_host.executable import pinned
    from hector_plugin_host.plan import Limits, PluginPlan

    try:
        settings = json.loads(subject.settings)
    except ValueError as error:
        raise click.UsageError(f"--settings is no JSON: {error}") from None
    if not isinstance(settings, dict):
        raise click.UsageError('--settings is no JSON object, as {"level": 3}')
    here: dict[str, Any] = {"config_json": subject.settings, "folder": Path.cwd()}
    if subject.endpoint:
        token = subject.token or ""
        limits, name = Limits(start_timeout_s=THERE_S), subject.endpoint
        return PluginPlan(name, mode="attach", address=name, token=token, limits=limits, **here)
    plan = PluginPlan("plugin", command=_found(subject.command), **here)
    return replace(plan, name=pinned(plan).name)


@asynccontextmanager
async def at_work(plan: "PluginPlan") -> AsyncIterator[tuple["PluginHost", "PluginStatus"]]:
    """Start the plugin, configure it, and end it afterwards; where that fails, show what it printed.

    Raises:
        ClickException: It does not get ready.
    """
    from grpc import RpcError

    from hector_config.version import VERSION
    from hector_mesh import HectorError
    from hector_plugin_host.host import PluginHost
    from hector_plugin_host.premises import ATTACH, Premises, attachments

    patient = replace(plan.restart, backoff_s=AGAIN_S, cap_s=AGAIN_S)
    once = replace(plan, restart=patient, limits=replace(plan.limits, replicas=1))
    premises = Premises(log_level="debug", attach=attachments(os.environ.get(ATTACH, "")))
    host = PluginHost([once], premises, host_version=VERSION)
    journal, heard = host.journal(plan.name), 0
    try:
        async with host.running():
            await host.settled(plan.name)
            (status,) = host.status()
            if status.state not in ("ready", "degraded"):
                raise click.ClickException(status.reason or f"the plugin is {status.state}")
            heard = max((line.number for line in journal.last(1)), default=0)
            yield host, status
    except (HectorError, RpcError):  # nobody else keeps what it said of it
        _show([line for line in journal.last() if line.number > heard])
        raise


def _show(lines: "Iterable[Line]") -> None:
    from hector_runtime.plugins.showing import shown_line

    from .plugin_logs import spelled

    for line in lines:
        click.echo(spelled(shown_line(line)), err=True)


def _of_config(subject: Subject) -> "PluginPlan":
    """Return the plan of a plugin that the config names."""
    from hector_config.words import did_you_mean, nearest
    from hector_runtime.flags import Flags
    from hector_runtime.plugins.plans import PluginUnusable, names_of, planned

    from .settings import read_config

    if not subject.name:
        raise click.UsageError("name a plugin of the config, or what starts one behind --, or --endpoint")
    config = read_config(subject.config_file, Flags()).config
    names = names_of(config)
    if subject.name not in names:
        near = did_you_mean(nearest(subject.name, names)) or f"there are: {', '.join(names) or 'none'}"
        raise click.UsageError(f"the config declares no plugin {subject.name!r}, nor was one found; {near}")
    plans, troubles = planned(config, (), named=[subject.name])
    if troubles:
        raise PluginUnusable(troubles)
    return plans[0]


def _found(command: tuple[str, ...]) -> tuple[str, ...]:
    import shutil

    if (program := shutil.which(command[0])) is not None:
        return (str(Path(program).absolute()), *command[1:])
    if Path(command[0]).is_file():
        from .plugin_here import started_by

        return (*started_by(Path(command[0])), *command[1:])
    raise click.UsageError(f"there is no program {command[0]!r} here, nor on the PATH")
