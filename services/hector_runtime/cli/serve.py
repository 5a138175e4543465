"""`hector serve`: the whole mesh, or some of its roles, until it is told to stop."""

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .documented import Documented, flag, later, together
from .exits import USUAL, Exit
from .options import WITHOUT, config_option, flags_of, zero_options
from .running import attempt, run

if TYPE_CHECKING:
    from .serving import Start
    from .settings import Overrides

SERVER, STORAGE, WATCHING, MESH = "Server", "Storage", "Watching it", "Roles of the mesh"
BACKENDS = {
    "sqlite": ("sqlite",),
    "postgres": ("postgres", "postgresql"),
    "mysql": ("mysql", "mariadb"),
    "inmemory": ("inmemory",),
}
"""Values of --storage, with how a database of that kind begins."""
EXAMPLES = (
    ("hector serve", "hector.yaml; in an empty folder an offline assistant answers."),
    ("hector serve --docs-folder docs --provider openai --model gpt-4o", "Without a file."),
    ("hector serve -c hector.yaml --host 0.0.0.0 --auth-secret s3cret --metrics", "Open to others."),
    ("hector serve -c hector.yaml --workers 4", "Four processes behind the same ports."),
    ("hector serve -c hector.yaml --role llm --listen unix:///run/hector/llm.sock", "One role of the mesh."),
)
PORT = click.IntRange(0, 65535)

server_flags = together(
    flag("--host", envvar="HECTOR_HOST", show_envvar=True, section=SERVER, show_default="127.0.0.1",
         metavar="HOST", help="Address of the HTTP and gRPC servers; 0.0.0.0 is every address."),
    flag("--port", type=PORT, section=SERVER, show_default="8080", metavar="PORT",
         help="Port of the HTTP server; 0 takes any free one."),
    flag("--grpc-port", type=PORT, section=SERVER, show_default="50051", metavar="PORT",
         help="Port of the gRPC server; 0 takes any free one."),
    flag("--workers", type=click.IntRange(1, 256), section=SERVER, show_default="1", metavar="N",
         help="Serve with so many processes, about one for every core."),
    flag("--public-url", "--a2a-base-url", section=SERVER, metavar="URL",
         help="How clients outside reach it; agent cards show it."),
    flag("--auth-secret", envvar="HECTOR_AUTH_SECRET", show_envvar=True, section=SERVER, metavar="SECRET",
         help="The admin secret. A server that others can reach makes its own without, and shows it once."),
    flag("--auth-required/--no-auth-required", default=None, section=SERVER,
         show_default="when others reach it", help="Whether callers must show a credential."),
    later("--auth-jwks-url", instead="use server.auth.api_keys"),
    later("--auth-issuer"),
    later("--auth-audience"),
    later("--auth-client-id"),
    later("--studio", is_flag=True),
    later("--studio-roles"),
    flag("--watch", is_flag=True, section=SERVER,
         help="Read the config file again whenever it has changed, as at SIGHUP, and replace plugins whose "
         "program has."),
)  # fmt: skip

storage_flags = together(
    flag("--database", "--storage-db", metavar="URL", section=STORAGE,
         show_default="sqlite://.hector/hector.db",
         help='Where runs are kept: "sqlite://FILE", a server\'s URL, or "inmemory".'),
    flag("--storage", type=click.Choice(list(BACKENDS)), section=STORAGE,
         help="The kind of database; servers need --database too."),
    flag("--ephemeral", is_flag=True, section=STORAGE,
         help="Forget all of it at the end: --database inmemory."),
    flag("--force-reindex", is_flag=True, section=STORAGE, help="Read and embed all documents again."),
)  # fmt: skip

watching_flags = together(
    flag("--metrics", is_flag=True, section=WATCHING, help="Count for Prometheus, and show it at /metrics."),
    flag("--metrics-listen", metavar="HOST:PORT", envvar="HECTOR_METRICS_LISTEN", show_envvar=True,
         section=WATCHING, show_default="the HTTP port",
         help="Show probes and metrics of this process there."),
    flag("--tracing-endpoint", metavar="HOST:PORT", section=WATCHING,
         help="Send spans to this OTLP collector."),
    flag("--observe", is_flag=True, section=WATCHING,
         help="Both: --metrics, and spans, to localhost:4317 if nothing says where."),
    flag("--log-level", type=click.Choice(["debug", "info", "warn", "error"], case_sensitive=False),
         envvar="HECTOR_LOG_LEVEL", show_envvar=True, section=WATCHING, show_default="info",
         help="Write lines of this level and above."),
    flag("--log-format", type=click.Choice(["text", "json", "simple"], case_sensitive=False),
         envvar="HECTOR_LOG_FORMAT", show_envvar=True, section=WATCHING, show_default="text",
         help="For people, or one JSON object a line; simple is text."),
    flag("--log-file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
         envvar="HECTOR_LOG_FILE", show_envvar=True, section=WATCHING, show_default="standard error",
         help="Write log lines there; the file may be rotated."),
)  # fmt: skip

role_flags = together(
    flag("--role", "roles", metavar="ROLE", multiple=True, section=MESH, show_default="all",
         help="Run only this role: agent, document, embedder, gateway, llm, reasoning, tool or vector. May "
         "be given several times."),
    flag("--listen", metavar="ADDRESS", section=MESH,
         help='Where other roles and replicas reach this process, as "unix:///run/llm.sock" or '
         '"10.0.0.5:7010".'),
)  # fmt: skip


@click.command("serve", cls=Documented, examples=EXAMPLES, exits={
    **USUAL,
    Exit.DONE: "it was told to stop, and did",
    Exit.FAILED: "it could not start or go on, and the message says why",
    Exit.INTERRUPTED: "a second Ctrl-C (143: SIGTERM) stopped it at once",
})  # fmt: skip
@config_option
@server_flags
@storage_flags
@watching_flags
@role_flags
@zero_options
@flag("--stream/--no-stream", "streaming", default=None, section=WITHOUT, show_default="stream",
      help="Ask the model for a streamed answer.")  # fmt: skip
def command(
    config_file: Path | None,
    roles: tuple[str, ...],
    listen: str | None,
    log_level: str | None,
    log_format: str | None,
    log_file: Path | None,
    force_reindex: bool,
    watch: bool,
    **options: Any,
) -> None:
    """Run agents behind the A2A protocol. Without a config file an offline assistant answers.

    Flags win over the environment, and that over the file. Ctrl-C or SIGTERM stops the server: answers that
    are waited for may take server.shutdown_timeout to finish, and what is not finished then goes on at
    another replica, or at the next start. A second Ctrl-C leaves at once. SIGHUP reads the config file again:
    agents, models and tools take effect at once, and the log names what waits for a restart.
    """
    begun = time.monotonic()
    flags, overrides = flags_of(options), overrides_of(options)

    def read() -> "Start":
        from hector_runtime.logger_config import chosen
        from hector_runtime.logs import start_logging

        from .serving import Start
        from .settings import read_config

        if watch:
            overrides.setdefault("plugins", {})["watch"] = True
        loaded = read_config(config_file, flags)
        for warning in loaded.warnings:
            click.echo(f"warning: {warning}", err=True)
        form = "text" if log_format == "simple" else log_format
        start_logging(*chosen(loaded.config.logger, log_level, form, log_file))
        return Start(loaded, overrides, roles, listen, begun, force_reindex, watch)

    start = attempt(read)
    if (options["workers"] or start.loaded.config.server.workers) > 1:
        from .supervising import supervise

        sys.exit(attempt(lambda: supervise(start)))
    run(_serve(start))


async def _serve(start: "Start") -> None:
    import asyncio

    from hector_gateway.open_files import raise_limit
    from hector_runtime.logs import catch_strays

    from .serving import serve
    from .stopping import stopped_by_signals

    catch_strays(asyncio.get_running_loop())
    raise_limit()
    with stopped_by_signals() as stop:
        await serve(stop, start)


def overrides_of(flags: Mapping[str, Any]) -> "Overrides":
    """Return what flags, and the environment where they are silent, set over the file.

    Raises:
        UsageError: Two of them contradict each other.
    """
    names = ("host", "port", "grpc_port", "public_url", "workers")
    server: dict[str, object] = {name: flags[name] for name in names}
    auth = {"secret": flags["auth_secret"], "enabled": flags["auth_required"]}
    if any(value is not None for value in auth.values()):
        server["auth"] = auth
    overrides: Overrides = {"server": server, "storage": {"database": _database(flags)}}
    count = True if flags["metrics"] or flags["observe"] else None
    watched: dict[str, object] = {"metrics": {"enabled": count, "listen": flags["metrics_listen"]}}
    if flags["tracing_endpoint"] or flags["observe"]:
        watched["tracing"] = {"enabled": True, "endpoint": flags["tracing_endpoint"]}
    overrides["observability"] = watched
    return overrides


def _database(flags: Mapping[str, Any]) -> str | None:
    url, kind = flags["database"], flags["storage"]
    if flags["ephemeral"] or kind == "inmemory":
        if url not in (None, "inmemory"):
            flag = "--ephemeral" if flags["ephemeral"] else "--storage inmemory"
            raise click.UsageError(f"{flag} keeps nothing, and --database {url.partition('://')[0]}:… does")
        return "inmemory"
    if kind is None:
        return url  # type: ignore[no-any-return]
    if url is None:
        if kind == "sqlite":
            return None
        raise click.UsageError(f"--storage {kind} needs its address too: --database URL")
    if not url.startswith(BACKENDS[kind]):
        raise click.UsageError(
            f"--storage {kind} and --database {url.partition('://')[0]}:… contradict each other"
        )
    return str(url)
