"""`hector serve`: the whole mesh, or some of its roles, until it is told to stop."""

import asyncio
import os
import time
from collections.abc import Mapping
from pathlib import Path

import click

from hector_config import Loaded
from hector_gateway.admin_secret import admin_secret
from hector_gateway.listening import bound
from hector_gateway.open_files import raise_limit
from hector_runtime.config import Config
from hector_runtime.logger_config import chosen as log_options
from hector_runtime.logs import LogFileUnusable, catch_strays, start_logging
from hector_runtime.process import running
from hector_runtime.roles import chosen

from .banner import introduction, say, secret_lines, until_ready
from .options import Overrides, flags_of, read_config, source_options, whole_config
from .running import fail, run
from .stopping import stopped_by_signals


@click.command("serve")
@source_options
@click.option(
    "--host", metavar="HOST", help="Address of the HTTP and gRPC servers (HECTOR_HOST). [127.0.0.1]"
)
@click.option("--port", metavar="PORT", type=click.IntRange(0, 65535), help="Port of the HTTP server. [8080]")
@click.option(
    "--grpc-port", metavar="PORT", type=click.IntRange(0, 65535), help="Port of the gRPC server. [50051]"
)
@click.option("--auth-secret", metavar="SECRET", help="The admin secret (HECTOR_AUTH_SECRET).")
@click.option(
    "--role", "roles", metavar="ROLE", multiple=True, help="Run only this role; may be given several times."
)
@click.option(
    "--listen", metavar="ADDRESS", help='With --role: where other roles reach it, as "unix:///run/llm.sock".'
)
@click.option("--tracing-endpoint", metavar="HOST:PORT", help="Send spans to this OTLP collector.")
@click.option("--metrics", is_flag=True, help="Count for Prometheus, and show it at /metrics.")
@click.option(
    "--metrics-listen",
    metavar="HOST:PORT",
    envvar="HECTOR_METRICS_LISTEN",
    help="Show probes and metrics of this process there (HECTOR_METRICS_LISTEN).",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warn", "error"], case_sensitive=False),
    envvar="HECTOR_LOG_LEVEL",
    help="Write lines of this level and above (HECTOR_LOG_LEVEL). [info]",
)
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"], case_sensitive=False),
    envvar="HECTOR_LOG_FORMAT",
    help="For people, or one JSON object a line (HECTOR_LOG_FORMAT). [text]",
)
@click.option(
    "--log-file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    envvar="HECTOR_LOG_FILE",
    help="Write log lines there (HECTOR_LOG_FILE). [standard error]",
)
def command(
    config_file: Path | None,
    roles: tuple[str, ...],
    listen: str | None,
    log_level: str | None,
    log_format: str | None,
    log_file: Path | None,
    **options: object,
) -> None:
    """Run agents behind the A2A protocol. Without a config file an offline assistant answers.

    Ctrl-C or SIGTERM stops it: answers that are waited for may take server.shutdown_timeout to finish, and
    what is not finished then ends as interrupted. A second Ctrl-C leaves at once.
    """
    if listen and not roles:
        raise click.UsageError("--listen is for roles that others call: add --role ROLE")
    begun = time.monotonic()
    overrides = overrides_of(options, os.environ)
    loaded = _read(config_file, options)
    try:
        start_logging(*log_options(loaded.config.logger, log_level, log_format, log_file))
    except LogFileUnusable as error:
        fail(error)
    run(_serve(loaded, overrides, roles, listen, begun))


def _read(config_file: Path | None, options: dict[str, object]) -> Loaded[Config]:
    async def read() -> Loaded[Config]:
        return read_config(config_file, flags_of(options))

    loaded = run(read())
    for warning in loaded.warnings:
        click.echo(f"warning: {warning}", err=True)
    return loaded


async def _serve(
    loaded: Loaded[Config], overrides: Overrides, roles: tuple[str, ...], listen: str | None, begun: float
) -> None:
    catch_strays(asyncio.get_running_loop())
    raise_limit()
    with stopped_by_signals() as stop:
        await _serve_until(stop, loaded, overrides, roles, listen, begun)


async def _serve_until(
    stop: asyncio.Event,
    loaded: Loaded[Config],
    overrides: Overrides,
    roles: tuple[str, ...],
    listen: str | None,
    begun: float,
) -> None:
    config, notes = await whole_config(loaded, overrides)
    here = chosen(roles, config)
    if not listen and "gateway" not in here:
        raise click.UsageError(
            f"nobody could reach {', '.join(here)} here: add --listen with the address that `mesh:` in the "
            f"config has for it, as --listen unix:///run/{here[0]}.sock"
        )
    if "gateway" in here:
        # A start that fails on its address must not have shown, once and for all, a secret that nobody reads.
        bound(config.server.host, config.server.port).close()
        if (made := admin_secret(config)) is not None:
            for line in secret_lines(made):
                say(line)
    async with running(config, roles, listen) as process:
        for line in introduction(config, loaded, notes, process):
            say(line)
        becoming = asyncio.ensure_future(until_ready(process))
        stopping = asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait((becoming, stopping), return_when=asyncio.FIRST_COMPLETED)
            if not stop.is_set():
                say(f"Ready in {time.monotonic() - begun:.2f} s. Ctrl-C stops.")
            await stopping
        finally:
            becoming.cancel()
            stopping.cancel()
        say("Stopping …")


def overrides_of(flags: Mapping[str, object], environment: Mapping[str, str]) -> Overrides:
    """Return what flags, and the environment where they are silent, set over the file."""
    secret = flags["auth_secret"] or environment.get("HECTOR_AUTH_SECRET") or None
    host = flags["host"] or environment.get("HECTOR_HOST") or None
    server = {"host": host, "port": flags["port"], "grpc_port": flags["grpc_port"]}
    overrides: Overrides = {"server": server, "storage": {"database": flags["database"]}}
    if secret is not None:
        overrides["server"]["auth"] = {"secret": secret}
    observability: dict[str, object] = {}
    if endpoint := flags["tracing_endpoint"]:
        observability["tracing"] = {"enabled": True, "endpoint": endpoint}
    observability["metrics"] = {
        "enabled": True if flags.get("metrics") else None,
        "listen": flags.get("metrics_listen"),
    }
    overrides["observability"] = observability
    return overrides
