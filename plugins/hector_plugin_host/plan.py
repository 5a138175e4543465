"""What a plugin is to its host before it runs: which process, how confined, how often started again.

The configuration becomes plans elsewhere; nothing here knows of YAML. A plan is a value: two that are equal
mean the same process, so one that did not change when the configuration did is left alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from hector.plugin.v1 import Instance, PluginKind

Mode = Literal["spawn", "listen", "attach", "watch"]
"""How a plugin is reached: a process of ours that says where it is, one at a port that it chose itself, one
that somebody else runs, or whatever socket appears in a folder."""

Sandbox = Literal["off", "required", "bubblewrap", "landlock", "best-effort"]
"""What has to confine a process: nothing, whatever is best here, exactly this, or what is to be had."""

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Security:
    """What a plugin may do to the machine, and how long its calls may take."""

    sandbox: Sandbox = "off"
    timeout_s: float = 0
    """Deadline of a call; 0: that of the caller or of the rpc."""
    max_memory_bytes: int = 0
    """Of the process and all it starts; 0: no limit."""
    max_cpu: float = 0
    """Cores that it may keep busy; 0: no limit."""
    max_processes: int = 0
    """Processes at once, its own included; threads are not counted. 0: no limit."""
    allowed_networks: tuple[str, ...] | None = None
    """Where it may connect: host, host:port, *.domain, CIDR, localhost[:port], or "*" for anywhere. None, as
    nobody said, is nowhere when there is a sandbox, and anywhere when not."""
    allowed_paths: tuple[str, ...] = ()
    """What it may read, and with ":rw" behind it write; relative to the plugin's folder."""
    proxy_only: bool = False
    """Whether `allowed_networks` may be kept by a proxy alone, where the machine has nothing better."""


@dataclass(frozen=True, slots=True)
class Restart:
    """What follows a crash: a wait that doubles, and after too many of them a longer pause."""

    backoff_s: float = 0.5
    """Before the first new start; twice as long before each next one, all of it drawn at random."""
    cap_s: float = 60
    """The longest of these waits; also how long it must run well for all to be forgotten."""
    window_s: float = 300
    most: int = 5
    """Crashes within the window that end the attempts."""
    probe_s: float = 300
    """How long after that one more attempt is made."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much at once, how large, and how long."""

    max_concurrency: int = 0
    """Calls at once; 0: as many as the plugin says itself."""
    queue: int = 0
    """Calls that may wait for a place; 0: four times as many as may be made."""
    max_message_bytes: int = 64 * MEBIBYTE
    start_timeout_s: float = 30
    """From its start until it is ready."""
    drain_s: float = 30
    """How long calls in flight may take once it is to end."""
    replicas: int = 1
    """Processes that share the calls."""


@dataclass(frozen=True, slots=True)
class Tls:
    """How a plugin that somebody else runs is known, and how it knows us."""

    ca: Path | None = None
    """Who vouches for it; None: the authorities that this machine trusts."""
    cert: Path | None = None
    key: Path | None = None
    server_name: str = ""
    """The name in its certificate, where that is not the host of the address."""


@dataclass(frozen=True, slots=True)
class Grants:
    """What a plugin may ask of its host; nothing, unless said."""

    llms: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    embedders: tuple[str, ...] = ()
    state_bytes: int = 0
    log: bool = False

    @property
    def nothing(self) -> bool:
        """Whether no host services are granted at all."""
        return self == Grants()


@dataclass(frozen=True, slots=True)
class PluginPlan:
    """One plugin, as the configuration wants it."""

    name: str
    kinds: tuple["PluginKind.ValueType", ...] = ()
    """Empty: what it is, it says itself."""
    mode: Mode = "spawn"
    command: tuple[str, ...] = ()
    """Its argv; the first is an absolute path. For the modes that start a process."""
    folder: Path = Path("/")
    """The working directory of the process."""
    address: str = ""
    """attach: unix:/path, host:port or dns:///name:port. listen: host:port where it will be, or empty if that
    is to be found out. watch: the folder in which its socket appears."""
    tls: Tls | None = None
    """attach: speak TLS."""
    bearer: str = field(default="", repr=False)
    """attach: sent as "authorization: Bearer …"."""
    token: str = field(default="", repr=False)
    """attach: sent as "hector-token", for a plugin that was started with one."""
    insecure: bool = False
    """attach: plain text beyond this machine is meant."""
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What the process gets beside Hector's own variables and a few of the system's; no secrets."""
    config_json: str = field(default="{}", repr=False)
    """The plugin's own settings, secrets among them: they travel in Configure and nowhere else."""
    instances: tuple[Instance, ...] = field(default=(), repr=False)
    """Everything in the configuration that refers to it."""
    secrets: frozenset[str] = field(default=frozenset(), repr=False)
    """Values that are taken out of whatever it prints."""
    security: Security = Security()
    restart: Restart = Restart()
    limits: Limits = Limits()
    sha256: str = ""
    """What the executable must be, in hexadecimal; empty: whatever it is."""
    grants: Grants = Grants()
    hidden: tuple[Path, ...] = ()
    """What lies in its folder and is not the plugin's: the configuration, say. A sandbox hides it."""
    data_dir: Path | None = None
    """A folder of its own that it may write to, made before it is started and kept between its lives. None:
    it has none, as what somebody else runs may not even be on this machine."""
    origin: str = ""
    """Where the configuration names it, for people: file and line, or the manifest's path."""

    @property
    def starts_a_process(self) -> bool:
        """Whether it runs because we run it."""
        return self.mode in ("spawn", "listen")
