"""Parts of a plugin's entry: what it may do, how it is kept running, what it may ask."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from hector_config import ByteSize, Duration, Misfit, ProjectPath, RefersTo, Secret, Section, project_dir_of

Sandbox = Literal["off", "required", "bubblewrap", "landlock", "best-effort"]


MODES = (":ro", ":rw")


def _placed(path: str, info: ValidationInfo) -> str:
    """Return a path whose folder is known, with its mode still behind it."""
    mode = path[-3:] if path.endswith(MODES) else ""
    plain = Path(path.removesuffix(mode)).expanduser()
    return f"{(project_dir_of(info) or Path()) / plain}{mode}"


AllowedPath = Annotated[str, Field(min_length=1), AfterValidator(_placed)]


def _network(text: str) -> str:
    from hector_plugin_host.sandbox.networks import NotANetwork, policy  # only where there is one

    try:
        policy((text,))
    except NotANetwork as error:
        raise Misfit(str(error)) from None
    return text


AllowedNetwork = Annotated[str, AfterValidator(_network)]


class SecurityConfig(Section):
    """What a plugin may do to the machine. What is said here holds, or the plugin does not start."""

    sandbox: bool | Sandbox | None = None
    """true: it runs confined, by the best means that this machine has, or not at all. `bubblewrap`,
    `landlock`: exactly so. `best-effort`: confined if that can be. Left out: true if networks or paths are
    allowed here, else false."""
    timeout: Duration = 0.0
    """Longest time for one of its calls. 0: as the caller says."""
    max_memory: ByteSize = 0
    """Memory of the process and all it starts. 0: no limit."""
    max_cpu: Annotated[float, Field(ge=0, le=1024)] = 0.0
    """Cores that it may keep busy. 0: no limit."""
    max_processes: Annotated[int, Field(ge=0)] = 0
    """Processes that it may have at once, its own included; threads are not counted. 0: no limit."""
    allowed_networks: list[AllowedNetwork] | None = None
    """Where it may connect to: host, host:port, *.domain, a CIDR, localhost[:port] (this machine), or "*". []
    and left out in a sandbox: nowhere."""
    allowed_paths: list[AllowedPath] | None = None
    """What of the disk it may read beside its own program; "./out:rw" may be written, too."""
    proxy_only: bool = False
    """Where only a proxy can hold it to `allowed_networks` (landlock), that is enough: the plugin has to use
    HTTPS_PROXY and the like."""

    @property
    def confines(self) -> Sandbox:
        """What has to confine it."""
        if self.sandbox is None:
            return "off" if self.allowed_networks is None and self.allowed_paths is None else "required"
        if isinstance(self.sandbox, bool):
            return "required" if self.sandbox else "off"
        return self.sandbox

    def of_a_process(self) -> tuple[str, ...]:
        """Return the keys said here that only whoever starts the process can enforce."""
        keys = ("max_memory", "max_cpu", "max_processes", "proxy_only")
        lists = ("allowed_networks", "allowed_paths")
        return (
            *(("sandbox",) if self.sandbox not in (None, False, "off") else ()),
            *(key for key in keys if getattr(self, key)),
            *(key for key in lists if getattr(self, key) is not None),
        )

    def paths(self) -> tuple[tuple[Path, bool], ...]:
        """Return what it may use of the disk, each with whether it may write there."""
        return tuple(
            (Path(path.removesuffix(":rw").removesuffix(":ro")), path.endswith(":rw"))
            for path in self.allowed_paths or ()
        )

    @model_validator(mode="after")
    def _holds(self) -> Self:
        if self.confines == "off":
            for key in ("allowed_networks", "allowed_paths"):
                if getattr(self, key) is not None:
                    raise Misfit("only a sandbox can hold it to that", at=(key,), hint="write sandbox: true")
        return self


class RestartConfig(Section):
    """What follows a crash."""

    backoff: Annotated[Duration, Field(gt=0)] = 0.5
    """Wait before it is started again; twice as long each time, and drawn at random up to that."""
    max_backoff: Annotated[Duration, Field(gt=0)] = 60.0
    """Longest such wait; a plugin that has run well for so long begins anew."""
    max_crashes: Annotated[int, Field(ge=1, le=1000)] = 5
    """Crashes within `window` that end the attempts."""
    window: Annotated[Duration, Field(gt=0)] = 300.0
    """How long a crash counts."""
    probe: Annotated[Duration, Field(gt=0)] = 300.0
    """How often it is tried once more after that."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.backoff > self.max_backoff:
            raise Misfit(
                "the first wait is longer than the longest one", at=("backoff",), hint="see max_backoff"
            )
        return self


class LimitsConfig(Section):
    """How much a plugin is given at once."""

    max_concurrency: Annotated[int, Field(ge=0)] = 0
    """Calls at once. 0: as many as it says itself."""
    queue: Annotated[int, Field(ge=0)] = 0
    """Calls that may wait for their turn. 0: four times `max_concurrency`."""
    max_message_size: Annotated[ByteSize, Field(ge=1 << 20, le=1 << 30)] = 64 << 20
    """Largest message, either way."""
    start_timeout: Annotated[Duration, Field(gt=0)] = 30.0
    """From its start until it is ready."""
    drain_timeout: Duration = 30.0
    """How long its calls may take once it is to end."""


class TLSConfig(Section):
    """How a plugin on another machine is known, and how it knows Hector."""

    ca: ProjectPath | None = None
    """PEM file of the authorities that vouch for it. Left out: the system's."""
    cert: ProjectPath | None = None
    """PEM file with Hector's own certificate, for plugins that ask for one."""
    key: ProjectPath | None = None
    """PEM file with its private key."""
    server_name: str = ""
    """The name in the plugin's certificate, where that is not the address's host."""

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        for key, other in (("cert", "key"), ("key", "cert")):
            if getattr(self, key) is None and getattr(self, other) is not None:
                raise Misfit(f"it needs {key}, too", at=(other,))
        return self


class AuthConfig(Section):
    """What Hector shows to a plugin that runs already."""

    bearer: Secret | None = None
    """Sent as `authorization: Bearer`."""
    token: Secret | None = None
    """Sent as `hector-token`: the one that the plugin was started with (HECTOR_PLUGIN_TOKEN)."""


class GrantsConfig(Section):
    """What a plugin may ask of Hector. Nothing, unless it stands here."""

    llms: list[Annotated[str, RefersTo("llms")]] = []
    """Models it may ask."""
    tools: list[Annotated[str, RefersTo("tools")]] = []
    """Tools it may call."""
    embedders: list[Annotated[str, RefersTo("embedders", also=["default"])]] = []
    """Embedders it may use."""
    state: ByteSize = 0
    """How much it may keep in `storage.database`. 0: nothing."""
    log: bool = False
    """It may write lines of its own into Hector's log, besides what it prints."""
