"""What Hector tells a plugin that it starts, and the one line by which the plugin answers.

This is hashicorp/go-plugin's handshake, version 1, so that Go plugins need nothing of ours.
"""

import os
import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

COOKIE = ("HECTOR_PLUGIN", "hector_plugin_v1")
"""A variable and its value: no secret, but how a plugin knows that it was not started by hand."""
CORE_VERSION = 1
APP_VERSION = 1
EXIT_PROTOCOL_MISMATCH = 78
"""The exit code that tells the host not to try again."""


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
    drain_s: float = 5.0
    """How long calls in flight may take once the plugin is to end."""
    watch_stdin: bool = False
    """Whether the end of standard input means that the host is gone."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Launch":
        """Read what the host said.

        Raises:
            NotStartedByHector: The cookie is missing, or the host speaks no version that we do.
        """
        if environment.get(COOKIE[0]) != COOKIE[1]:
            raise NotStartedByHector("this is a plugin: name it under `plugins:` in hector.yaml", 1)
        versions = environment.get("PLUGIN_PROTOCOL_VERSIONS", str(APP_VERSION)).split(",")
        if str(APP_VERSION) not in versions:
            offered = ", ".join(versions)
            sentence = f"this plugin speaks version {APP_VERSION} of the protocol; the host offers {offered}"
            raise NotStartedByHector(sentence, EXIT_PROTOCOL_MISMATCH)
        folder = environment.get("PLUGIN_UNIX_SOCKET_DIR") or tempfile.gettempdir()
        return cls(
            listen=f"unix:{Path(folder, f'plugin-{secrets.token_hex(4)}.sock')}",
            drain_s=float(environment.get("HECTOR_DRAIN_S", "5")),
            watch_stdin=environment.get("HECTOR_STDIN_WATCH") == "1",
        )


def line_for(address: str) -> str:
    """Return what the host waits for on standard output, given the socket that is listened on."""
    return f"{CORE_VERSION}|{APP_VERSION}|unix|{address.removeprefix('unix:')}|grpc|\n"
