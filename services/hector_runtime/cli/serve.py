"""`hector serve`: the whole mesh, or some of its roles, until it is told to stop."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .documented import Documented, flag, later, together
from .exits import USUAL, Exit
from .options import WITHOUT, config_option, flags_of, zero_options
from .running import run

if TYPE_CHECKING:
    import asyncio

    from hector_config import Loaded
    from hector_runtime.config import Config

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
         help="Read the config file again whenever it has changed, as at SIGHUP."),
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
         help='With --role: where other roles reach it, as "unix:///run/llm.sock" or "127.0.0.1:7010".'),
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
    are waited for may take server.shutdown_timeout to finish, and what is not finished then ends as
    interrupted. A second Ctrl-C leaves at once. SIGHUP reads the config file again: agents, models and
    tools take effect at once, and the log names what waits for a restart.
    """
    if listen and not roles:
        raise click.UsageError("--listen is for roles that others call: add --role ROLE")
    begun = time.monotonic()
    flags, overrides = flags_of(options), overrides_of(options)

    async def work() -> None:
        import asyncio

        from hector_gateway.open_files import raise_limit
        from hector_runtime.logger_config import chosen
        from hector_runtime.logs import catch_strays, start_logging

        from .settings import read_config
        from .stopping import stopped_by_signals

        loaded = read_config(config_file, flags)
        for warning in loaded.warnings:
            click.echo(f"warning: {warning}", err=True)
        form = "text" if log_format == "simple" else log_format
        start_logging(*chosen(loaded.config.logger, log_level, form, log_file))
        catch_strays(asyncio.get_running_loop())
        raise_limit()
        with stopped_by_signals() as stop:
            await _serve_until(
                stop, loaded, overrides, roles, listen, begun, reindex=force_reindex, watch=watch
            )

    run(work())


async def _serve_until(
    stop: "asyncio.Event",
    loaded: "Loaded[Config]",
    overrides: "Overrides",
    roles: tuple[str, ...],
    listen: str | None,
    begun: float,
    *,
    reindex: bool,
    watch: bool,
) -> None:
    import asyncio

    from hector_gateway.admin_secret import admin_secret
    from hector_gateway.listening import places
    from hector_runtime.collector import settle
    from hector_runtime.handlers import check_handlers
    from hector_runtime.pages import Pages
    from hector_runtime.process import running
    from hector_runtime.revision import sealed_config
    from hector_runtime.roles import chosen

    from .banner import KEEPERS, introduction, say, secret_lines
    from .progress import until_ready
    from .rereading import Rereading, Running
    from .settings import indexed_anew, whole_config

    config, notes = await whole_config(loaded, overrides)
    config = indexed_anew(config) if reindex else config
    here = chosen(roles, config)
    if not listen and "gateway" not in here:
        raise click.UsageError(
            f"nobody could reach {', '.join(here)} here: add --listen with the address that `mesh:` in the "
            f"config has for it, as --listen unix:///run/{here[0]}.sock"
        )
    if "agent" in here:
        check_handlers(loaded)
    if "gateway" in here:
        # A start that fails on its address or its certificate must not have shown, once and for all, a
        # secret that nobody reads.
        with places(config.server):
            pass
        if config.server.tls.wanted:
            from hector_gateway.tls import TLS

            TLS(config.server.tls)
        if (made := admin_secret(config)) is not None:
            for line in secret_lines(made):
                say(line)
    keeps = bool(KEEPERS & set(here))
    pages = Pages(config, loaded, sealed_config(loaded), keeps=keeps)
    rereading = Rereading(Running(loaded, config, overrides, pages, watch))
    async with (
        rereading.on_hangup(),
        running(config, roles, listen, source=pages.source()) as process,
    ):
        if keeps:
            await pages.record()
        rereading.started(process)
        for line in introduction(config, loaded, notes, process, pages):
            say(line)
        becoming = asyncio.ensure_future(until_ready(process))
        stopping = asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait((becoming, stopping), return_when=asyncio.FIRST_COMPLETED)
            settle()
            if not stop.is_set():
                say(f"Ready in {time.monotonic() - begun:.2f} s. Ctrl-C stops.")
            await stopping
        finally:
            becoming.cancel()
            stopping.cancel()
        say("Stopping …")


def overrides_of(flags: Mapping[str, Any]) -> "Overrides":
    """Return what flags, and the environment where they are silent, set over the file.

    Raises:
        UsageError: Two of them contradict each other.
    """
    server: dict[str, object] = {name: flags[name] for name in ("host", "port", "grpc_port", "public_url")}
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
