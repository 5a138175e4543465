"""`hector serve`: the whole mesh, or some of its roles, until it is told to stop."""

import asyncio
import os
import signal
import time
from pathlib import Path

import click

from hector_config import Loaded
from hector_runtime.config import Config
from hector_runtime.logs import start_logging
from hector_runtime.process import Process, running

from .options import flags_of, read_config, source_options, whole_config
from .running import run
from .version import installed_version


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
@click.option(
    "--log-level", type=click.Choice(["debug", "info", "warn", "error"]), default="info", show_default=True
)
@click.option("--log-format", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(
    config_file: Path | None,
    database: str | None,
    host: str | None,
    port: int | None,
    grpc_port: int | None,
    auth_secret: str | None,
    roles: tuple[str, ...],
    listen: str | None,
    log_level: str,
    log_format: str,
    **options: object,
) -> None:
    """Run agents behind the A2A protocol. Without a config file an offline assistant answers.

    Ctrl-C or SIGTERM stops it: what is being answered is finished or ended as interrupted.
    """
    if listen and not roles:
        raise click.UsageError("--listen is for roles that others call: add --role ROLE")
    start_logging(log_level, log_format)
    begun = time.monotonic()
    loaded = _read(config_file, options)
    overrides: dict[str, dict[str, object]] = {
        "server": {"host": host or os.environ.get("HECTOR_HOST"), "port": port, "grpc_port": grpc_port},
        "storage": {"database": database},
    }
    run(_serve(loaded, overrides, auth_secret or os.environ.get("HECTOR_AUTH_SECRET"), roles, listen, begun))


def _read(config_file: Path | None, options: dict[str, object]) -> Loaded[Config]:
    async def read() -> Loaded[Config]:
        return read_config(config_file, flags_of(options))

    loaded = run(read())
    for warning in loaded.warnings:
        click.echo(f"warning: {warning}", err=True)
    return loaded


async def _serve(
    loaded: Loaded[Config],
    overrides: dict[str, dict[str, object]],
    secret: str | None,
    roles: tuple[str, ...],
    listen: str | None,
    begun: float,
) -> None:
    config, notes = await whole_config(loaded, overrides)
    config = with_secret(config, secret)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, _stop, stop)
    async with running(config, roles, listen) as process:
        _tell(config, loaded, notes, process)
        ready = asyncio.ensure_future(process.ready.wait())
        stopping = asyncio.ensure_future(stop.wait())
        await asyncio.wait((ready, stopping), return_when=asyncio.FIRST_COMPLETED)
        if not stop.is_set():
            click.echo(f"Ready in {time.monotonic() - begun:.2f} s. Ctrl-C stops.")
        ready.cancel()
        await stopping
        click.echo("Stopping …")


def with_secret(config: Config, secret: str | None) -> Config:
    """Return the configuration with the admin secret of the command line or the environment."""
    if secret is None:
        return config
    auth = type(config.server.auth).model_validate({**dict(config.server.auth), "secret": secret})
    return config.model_copy(update={"server": config.server.model_copy(update={"auth": auth})})


def _stop(stop: asyncio.Event) -> None:
    if stop.is_set():  # asked twice: whoever asks does not want to wait
        os._exit(130)
    stop.set()


def _tell(config: Config, loaded: Loaded[Config], notes: list[str], process: Process) -> None:
    click.echo(f"hector {installed_version()} · {loaded.file} · revision {loaded.revision[:12]}")
    for note in notes:
        click.echo(f"  {note}")
    if "gateway" in process.roles:
        base = f"http://{config.server.host}:{config.server.port}"
        for name in config.agents:
            click.echo(f"  agent {name}: {base}/agents/{name}")
    if process.address:
        click.echo(f"  {', '.join(process.roles)} listening on {process.address}")
