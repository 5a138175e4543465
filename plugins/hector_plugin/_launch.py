"""What Hector tells a plugin that it starts, and the one line by which the plugin answers.

This is hashicorp/go-plugin's handshake, version 1, so that Go plugins need nothing of ours.
"""

import math
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

COOKIE = ("HECTOR_PLUGIN", "hector_plugin_v1")
"""A variable and its value: no secret, but how a plugin knows that it was not started by hand."""
CORE_VERSION = 1
APP_VERSION = 1
EXIT_PROTOCOL_MISMATCH = 78
"""The exit code that tells the host not to try again."""
EXIT_USAGE = 64


class NotStartedByHector(SystemExit):
    """The environment is not the one that Hector starts plugins with. Leaves with a sentence on stderr."""

    def __init__(self, sentence: str, code: int) -> None:
        super().__init__(code)
        self.sentence = sentence


@dataclass(frozen=True, slots=True)
class Launch:
    """What one start of a plugin was told."""

    listen: str
    """A unix socket, as `hector_mesh.wire_server` takes it: only the user who runs the host gets in."""
    token: str | None = None
    """What callers have to show, as metadata "hector-token"."""
    drain_s: float = 5.0
    """How long calls in flight may take once the plugin is to end."""
    watch_stdin: bool = False
    """Whether the end of standard input means that the host is gone."""
    handshake: bool = True
    """Whether somebody waits for the line on standard output; not when a person started the plugin."""
    log_level: str = "info"
    """What to log: "debug", "info", "warn", "error"."""
    log_format: str = "hclog"
    """How to log: "hclog", or plain."""

    @classmethod
    def read(
        cls, environment: Mapping[str, str] = os.environ, arguments: Sequence[str] | None = None
    ) -> "Launch":
        """Read what the host, or a person who tries the plugin, said.

        Raises:
            NotStartedByHector: The cookie is missing, or the host speaks no version that we do.
        """
        arguments = sys.argv[1:] if arguments is None else arguments
        drain_s = _seconds(environment.get("HECTOR_DRAIN_S", "5"))
        token = environment.get("HECTOR_PLUGIN_TOKEN") or None
        if arguments[:1] == ["--standalone"]:
            if len(arguments) != 2:
                sentence = (
                    "--standalone needs an address to listen on, as unix:/tmp/plugin.sock or 127.0.0.1:0"
                )
                raise NotStartedByHector(sentence, EXIT_USAGE)
            level = environment.get("HECTOR_LOG_LEVEL", "info")
            form = environment.get("HECTOR_LOG_FORMAT", "plain")
            return cls(arguments[1], token, drain_s, handshake=False, log_level=level, log_format=form)
        if environment.get(COOKIE[0]) != COOKIE[1]:
            sentence = (
                "this is a plugin: name it under `plugins:` in hector.yaml, "
                "or try it by itself with --standalone unix:/tmp/plugin.sock"
            )
            raise NotStartedByHector(sentence, 1)
        versions = environment.get("PLUGIN_PROTOCOL_VERSIONS", str(APP_VERSION)).split(",")
        if str(APP_VERSION) not in versions:
            offered = ", ".join(versions)
            sentence = f"this plugin speaks version {APP_VERSION} of the protocol; the host offers {offered}"
            raise NotStartedByHector(sentence, EXIT_PROTOCOL_MISMATCH)
        folder = environment.get("PLUGIN_UNIX_SOCKET_DIR") or _shared_folder()
        return cls(
            f"unix:{Path(folder, f'plugin-{os.urandom(4).hex()}.sock')}",
            token,
            drain_s,
            watch_stdin=environment.get("HECTOR_STDIN_WATCH") == "1",
            log_level=environment.get("HECTOR_LOG_LEVEL", "info"),
            log_format=environment.get("HECTOR_LOG_FORMAT", "hclog"),
        )


def _shared_folder() -> str:
    import tempfile  # whoever is given a folder of its own starts without it

    return tempfile.gettempdir()


def _seconds(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = -1
    if not 0 <= found < math.inf:
        raise NotStartedByHector(f"HECTOR_DRAIN_S: found {text!r}, allowed: a number of seconds", EXIT_USAGE)
    return found


def line_for(address: str) -> str:
    """Return what the host waits for on standard output, given the socket that is listened on."""
    return f"{CORE_VERSION}|{APP_VERSION}|unix|{address.removeprefix('unix:')}|grpc|\n"
