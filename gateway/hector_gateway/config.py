"""The keys of `server:`: where Hector listens, and whom it lets in."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from hector_config import ByteSize, Duration, Misfit, ProjectPath, Secret, Section

from .a2a_config import A2AConfig
from .addresses import is_loopback
from .cors_config import CorsConfig
from .tls_config import TLSConfig

RoleName = Literal["viewer", "user", "operator", "admin"]
Port = Annotated[int, Field(ge=0, le=65535)]


def _absolute(url: str) -> str:
    if url and not url.startswith(("http://", "https://")):
        raise Misfit('a URL is needed, as "https://agents.example.com"')
    return url.rstrip("/")


PublicUrl = Annotated[str, AfterValidator(_absolute)]


def _host_and_port(address: str) -> str:
    host, _, port = address.rpartition(":")
    if address and (not host or not port.isdecimal() or any(sign in host for sign in "/ ")):
        raise Misfit('an address with its port is needed, as "agents.example.com:443"')
    return address


PublicAddress = Annotated[str, AfterValidator(_host_and_port)]

_TOKENS = "tokens of an identity provider: use server.auth.api_keys or the admin secret"


def _credential(secret: Secret, at: tuple[int, ...] = ()) -> Secret:
    text = secret.reveal()
    if not text:
        raise Misfit("an empty credential would let everybody in", at=at)
    if not text.isascii() or not text.isprintable() or " " in text:
        raise Misfit("a bearer credential has visible ASCII characters only, and no spaces", at=at)
    return secret


class ApiKeyConfig(Section):
    """One entry of `server.auth.api_keys`, written out."""

    name: str = ""
    """Whose key it is: the principal's id in logs and as the owner of tasks. Left out: taken from the key's
    hash, so that a new key is a new owner."""
    key: Secret
    """The bearer credential: visible ASCII characters without spaces."""
    roles: list[RoleName] = ["user"]
    """What its owner may do."""

    @field_validator("name")
    @classmethod
    def _ownable(cls, name: str) -> str:
        if name in ("admin", "local"):
            raise Misfit(f'"{name}" is the name of a caller that Hector knows already')
        return name

    @field_validator("key")
    @classmethod
    def _bearer(cls, key: Secret) -> Secret:
        return _credential(key)


class AuthConfig(Section):
    """Who may call. Without any of these keys, a server that others can reach asks for the admin secret."""

    enabled: bool | None = None
    """true: everybody must show a credential. false: nobody, whoever can reach the server. Left out: as soon
    as there is a credential to show, or the server listens beyond this machine."""
    secret: Secret | None = None
    """The admin secret (--auth-secret, HECTOR_AUTH_SECRET). Left out: made at the first start that needs it,
    shown once, and kept as a hash only."""
    secret_file: ProjectPath = Path(".hector/admin_secret.sha256")
    """Where the hash of a made admin secret is kept. Delete the file to get a new secret."""
    api_keys: list[Secret | ApiKeyConfig] = []
    """More bearer credentials: keys, or entries with name, key and roles."""

    later = {
        **dict.fromkeys(("jwks_url", "issuer", "audience", "client_id"), _TOKENS),
        **dict.fromkeys(("refresh_interval", "leeway"), _TOKENS),
        "require_auth": "see server.auth.enabled",
        "excluded_paths": "/health, /ready, /live and public cards are open in any case",
    }

    @field_validator("secret")
    @classmethod
    def _bearer(cls, secret: Secret | None) -> Secret | None:
        return None if secret is None else _credential(secret)

    @field_validator("api_keys")
    @classmethod
    def _bearers(cls, entries: list[Secret | ApiKeyConfig]) -> list[Secret | ApiKeyConfig]:
        for index, entry in enumerate(entries):
            if isinstance(entry, Secret):
                _credential(entry, at=(index,))
        return entries

    @model_validator(mode="after")
    def _tell_keys_apart(self) -> Self:
        seen: dict[str, int] = {}
        names: dict[str, int] = {}
        for index, entry in enumerate(self.callers()):
            text = entry.key.reveal()
            at = ("api_keys", index)
            if text in seen:
                raise Misfit(f"the same key as in entry {seen[text]}", at=at)
            if entry.name and entry.name in names:
                raise Misfit(f"the same name as entry {names[entry.name]}", at=(*at, "name"))
            if self.secret and text == self.secret.reveal():
                raise Misfit("the same as the admin secret; give every caller its own", at=at)
            seen[text] = names[entry.name] = index
        return self

    def callers(self) -> list[ApiKeyConfig]:
        """Return `api_keys`, all written out."""
        return [
            entry if isinstance(entry, ApiKeyConfig) else ApiKeyConfig(key=entry) for entry in self.api_keys
        ]


class LimitsConfig(Section):
    """What clients may take, and how slow they may be."""

    max_body_size: ByteSize = 10_000_000
    """The largest request body."""
    max_header_size: Annotated[ByteSize, Field(ge=1024)] = 65_536
    """The largest request line with all headers, and over gRPC all metadata of a call."""
    max_headers: Annotated[int, Field(ge=10)] = 100
    """Most headers of a request."""
    max_connections: Annotated[int, Field(ge=1)] = 10_000
    """Most HTTP connections at a time, as far as the process may open so many files; others get a 503."""
    max_streams: Annotated[int, Field(ge=1)] = 5_000
    """Most answers that are being streamed at a time, over HTTP and gRPC; others get a 503."""
    max_streams_per_caller: Annotated[int, Field(ge=1)] = 2_000
    """Most of them for one caller, who gets a 429 for more. Without a credential, an address is a caller."""
    max_sends_per_caller: Annotated[int, Field(ge=1)] = 1_000
    """Most answers that one caller may wait for at a time, having sent messages; others get a 429."""
    max_parts: Annotated[int, Field(ge=1)] = 1_000
    """Most parts of a message."""
    max_values: Annotated[int, Field(ge=1_000)] = 100_000
    """Most values (numbers, texts, objects, lists) that data and metadata of a request may hold together."""
    max_metadata_size: Annotated[ByteSize, Field(ge=1024)] = 262_144
    """The most that a request may hold beside the contents of its parts: metadata, ids, names."""
    header_timeout: Annotated[Duration, Field(ge=0.05)] = 15.0
    """How long a request's headers may take to arrive, and TLS's handshake before them."""
    receive_timeout: Annotated[Duration, Field(ge=0.05)] = 60.0
    """How long a request's body may take to arrive."""
    send_timeout: Annotated[Duration, Field(ge=0.05)] = 60.0
    """How long a client may read nothing of its answer before it is given up."""
    heartbeat: Annotated[Duration, Field(ge=0.05)] = 15.0
    """How long a stream may be silent before a comment shows that it lives."""


CardView = Literal["dual", "1.0", "0.3"]


class ListenerConfig(Section):
    """One more HTTP port, with the same agents as the first."""

    port: Port
    """Where it listens, at `server.host`. 0 takes any free one."""
    card: CardView
    """Whose members its cards have, in the place of `server.a2a.card`."""
    public_url: PublicUrl = ""
    """How clients outside reach it; its cards show it. Left out: host and port."""


class ServerConfig(Section):
    """The listening ports, and what holds for all of them."""

    host: str = "127.0.0.1"
    """Address to listen on (--host, HECTOR_HOST). "0.0.0.0" is every address of the machine."""
    port: Port = 8080
    """HTTP (--port). 0 takes any free one."""
    grpc_port: Port | None = 50051
    """Public gRPC (--grpc-port). 0 takes any free one, null closes it."""
    public_url: PublicUrl = ""
    """How clients outside reach the HTTP port, as "https://agents.example.com"; cards show it. Left out: host
    and port."""
    public_grpc: PublicAddress = ""
    """How clients outside reach the gRPC port, as "agents.example.com:443". Left out: host and grpc_port, but
    nothing where public_url is set."""
    listeners: list[ListenerConfig] = []
    """More HTTP ports, for clients that want another form of card."""
    workers: Annotated[int, Field(ge=1, le=256)] = 1
    """How many processes serve all ports together (--workers): about one for every core. Limits hold for each
    of them by itself."""
    auth: AuthConfig = AuthConfig()
    """Who may call."""
    request_timeout: Annotated[Duration, Field(gt=0)] = 600.0
    """Longest wait for a whole answer. The task goes on; a client can fetch it later."""
    shutdown_timeout: Duration = 10.0
    """How long answers in flight may take when the server is told to stop."""
    shutdown_delay: Annotated[Duration, Field(ge=0, le=600)] = 0.0
    """How long the server goes on as before when it is told to stop, but says at /ready that it is leaving:
    about as long as the load balancer in front takes to notice."""
    tls: TLSConfig = TLSConfig()
    """Encrypt both ports."""
    cors: CorsConfig = CorsConfig()
    """Which web pages may call, from browsers."""
    limits: LimitsConfig = LimitsConfig()
    """What clients may take, and how slow they may be."""
    a2a: A2AConfig = A2AConfig()
    """What agents offer A2A clients, and how their cards look."""

    later = {
        "studio": "",
        "approval": "",
        "rate_limiting": "let a proxy in front limit requests",
    }

    @field_validator("host")
    @classmethod
    def _somewhere(cls, host: str) -> str:
        if not host or any(sign in host for sign in "/ []"):
            raise Misfit('an address or a name is needed, as "127.0.0.1", "0.0.0.0" or "::"')
        return host

    @model_validator(mode="after")
    def _tell_ports_apart(self) -> Self:
        ports: dict[int | None, str] = {None: "", 0: ""}
        listeners = [(("listeners", index, "port"), one.port) for index, one in enumerate(self.listeners)]
        for at, port in ((("port",), self.port), (("grpc_port",), self.grpc_port), *listeners):
            if ports.get(port):
                raise Misfit(f"{port} is {ports[port]} already", at=at)
            ports.setdefault(port, f"server.{at[0]}" if len(at) == 1 else f"server.listeners[{at[1]}].port")
        return self

    @property
    def is_local(self) -> bool:
        """Only this machine can reach it."""
        return is_loopback(self.host)


class GatewaySection(Section):
    """What this room reads of the configuration."""

    server: ServerConfig = ServerConfig()
    """Where Hector listens, and whom it lets in."""
