"""Options that several commands share. Nothing here reads a file: help must cost next to nothing."""

from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import click

from hector_runtime.flags import Flags

from .documented import flag, later, together

F = TypeVar("F", bound=Callable[..., object])
WITHOUT = "Without a config file"
SERVER = "Which server"
TRANSPORTS = ("jsonrpc", "http+json", "grpc")
HERE = "Running without a server"
ENVIRONMENT: Mapping[str, str] = {
    "HECTOR_PROVIDER": "the provider, where there is no config file (--provider)",
    "HECTOR_MODEL": "the model, likewise (--model)",
    "HECTOR_BASE_URL": "where the provider is, likewise (--base-url)",
    "OPENAI_API_KEY": "OpenAI's key: sent to OpenAI's own address and nowhere else",
    "OLLAMA_HOST": "where Ollama is",
    "HECTOR_DEBUG": "1: show the traceback of an error that Hector did not foresee",
    "NO_COLOR": "anything: no colours",
}
"""Variables that no option names, for the reference."""


def config_option(command: F) -> F:
    """Add --config."""
    return flag(
        "-c",
        "--config",
        "config_file",
        metavar="FILE",
        type=click.Path(path_type=Path, readable=False),  # the loader says more about it
        show_default="hector.yaml, .hector/config.yaml",
        help="The config file.",
    )(command)


def server_options(command: F) -> F:
    """Add the options that say which server is asked, and how it is trusted."""
    return together(
        flag(
            "--url",
            metavar="URL",
            envvar="HECTOR_URL",
            show_envvar=True,
            section=SERVER,
            help="The server to ask; grpc://HOST:PORT and grpcs:// ask over gRPC.",
            show_default="http://127.0.0.1:8080",
        ),
        flag(
            "--transport",
            type=click.Choice(TRANSPORTS),
            envvar="HECTOR_TRANSPORT",
            show_envvar=True,
            section=SERVER,
            help="What to speak. grpc with an http URL: at the address that the agent's card says.",
            show_default="as --url says, or the agent's card",
        ),
        flag(
            "--extension",
            "extensions",
            multiple=True,
            metavar="URI",
            section=SERVER,
            help="Name an extension of A2A, as agents may require it; can be said several times.",
        ),
        flag(
            "--token",
            metavar="TOKEN",
            envvar="HECTOR_TOKEN",
            show_envvar=True,
            section=SERVER,
            help="The admin secret or an API key, where the server wants one.",
        ),
        flag(
            "--ca-certificate",
            metavar="FILE",
            type=click.Path(path_type=Path, readable=False),
            envvar="HECTOR_CA_CERTIFICATE",
            show_envvar=True,
            section=SERVER,
            help="PEM file of authorities to trust besides the system's.",
        ),
    )(command)


def format_option(*forms: str) -> Callable[[F], F]:
    """Add --format with these choices, the first one by default."""
    return flag(
        "-f",
        "--format",
        "form",
        type=click.Choice(forms),
        default=forms[0],
        help="text is for people, json for programs"
        + (", jsonl for programs that read while it streams." if "jsonl" in forms else "."),
    )


def zero_options(command: F) -> F:
    """Add the flags that describe an agent in place of a config file."""
    return together(
        flag("--provider", metavar="NAME", section=WITHOUT, help="openai, ollama or local (offline)."),
        flag("--model", metavar="NAME", section=WITHOUT, help="The provider's name of the model."),
        flag("--api-key", metavar="KEY", section=WITHOUT, help="The provider's key."),
        flag("--base-url", metavar="URL", section=WITHOUT, help="Where the provider is."),
        flag(
            "--temperature",
            type=float,
            metavar="0..2",
            section=WITHOUT,
            show_default="0.7",
            help="How freely the model chooses words.",
        ),
        flag(
            "--max-tokens",
            type=int,
            metavar="N",
            section=WITHOUT,
            show_default="4096",
            help="Most tokens of an answer.",
        ),
        flag("--thinking/--no-thinking", default=None, section=WITHOUT, help="Let the model think first."),
        flag(
            "--thinking-budget",
            type=int,
            metavar="N",
            section=WITHOUT,
            show_default="1024",
            help="Most tokens to think.",
        ),
        flag("--instruction", metavar="TEXT", section=WITHOUT, help="What the agent is told."),
        flag("--tools", metavar="NAMES", section=WITHOUT, help='Its tools, with commas; "none" for none.'),
        flag(
            "--docs-folder",
            metavar="FOLDER",
            type=click.Path(path_type=Path, exists=True, file_okay=False),
            section=WITHOUT,
            help="Documents that it answers from.",
        ),
        flag(
            "--rag-watch/--no-rag-watch",
            "docs_watch",
            default=None,
            section=WITHOUT,
            show_default="rag-watch",
            help="Take in changed documents as they change.",
        ),
        flag("--embedder-provider", metavar="NAME", section=WITHOUT, help="Who makes vectors of documents."),
        flag("--embedder-model", metavar="NAME", section=WITHOUT, help="That provider's model."),
        flag("--embedder-url", metavar="URL", section=WITHOUT, help="Where that provider is."),
        flag("--vector-type", metavar="NAME", section=WITHOUT, help="Where vectors are kept."),
        later("--mcp-url"),
        later("--mcp-parser-tool"),
        later("--vector-host"),
        later("--vectordb"),
        later("--vector-api-key"),
        later("--approve-tools"),
        later("--no-approve-tools"),
        later("--include-context", is_flag=True, instead="agents find documents with the tool search"),
        later("--show-thinking/--no-show-thinking", default=None),
        later("--config-type", instead="the config is a file: --config FILE"),
        later("--config-endpoints", instead="the config is a file: --config FILE"),
        later("--config-watch", is_flag=True, instead="hector serve --watch"),
    )(command)


def here_options(command: F) -> F:
    """Add the options with which a command runs the agents itself, in this process."""
    return together(
        flag(
            "-c",
            "--config",
            "config_file",
            metavar="FILE",
            type=click.Path(path_type=Path, readable=False),
            section=HERE,
            help="Run the agents of this config file in this process, and ask no server.",
        ),
        flag(
            "--database",
            metavar="URL",
            section=HERE,
            show_default="nothing is kept",
            help='Keep what is said, as "sqlite://FILE".',
        ),
        zero_options,
    )(command)


@dataclass(frozen=True, slots=True)
class Source:
    """Who answers, as the options say: a server, or agents in this process."""

    url: str | None
    token: str | None
    ca_certificate: Path | None
    config_file: Path | None
    database: str | None
    flags: Flags
    extensions: tuple[str, ...]
    """URIs of extensions of A2A to name."""
    transport: Any
    """A `hector_a2a.client_endpoint.Transport`; None: as the URL says."""
    url_is_said: bool
    """--url was used, and not only HECTOR_URL."""

    @property
    def here(self) -> list[str]:
        """The options that mean: in this process."""
        config = ["--config"] if self.config_file else []
        return [*config, *self.flags.given(), *(["--database"] if self.database else [])]


def source_of(options: MutableMapping[str, Any]) -> Source:
    """Take what `server_options`, and perhaps `here_options`, add out of a command's options."""
    return Source(
        url=options.pop("url"),
        token=_credential(options.pop("token")),
        ca_certificate=options.pop("ca_certificate"),
        config_file=options.pop("config_file", None),
        database=options.pop("database", None),
        flags=flags_of(options),
        extensions=tuple(map(_uri, options.pop("extensions"))),
        transport=options.pop("transport"),
        url_is_said=is_said("url"),
    )


def _credential(token: str | None) -> str | None:
    """Return a credential as a header can carry it; read from a file, it may end in a line break."""
    token = (token or "").strip()
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise click.UsageError("--token: a credential has visible ASCII characters, and no spaces")
    return token or None


def _uri(text: str) -> str:
    """Return the name of an extension as a list in a header can carry it."""
    if not (text.isascii() and text.isprintable()) or not text or set(text) & {" ", ","}:
        raise click.UsageError(f"--extension: {text!r} is no URI; say several as --extension A --extension B")
    return text


def flags_of(options: MutableMapping[str, Any]) -> Flags:
    """Take the flags of a configuration without a file out of a command's options."""
    return Flags(**{field.name: options.pop(field.name, None) for field in fields(Flags)})


def is_said(name: str) -> bool:
    """Tell whether an option of the running command was written down, and not taken from elsewhere."""
    source = click.get_current_context().get_parameter_source(name)
    return source is click.core.ParameterSource.COMMANDLINE
