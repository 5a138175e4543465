"""Reads the one line by which a plugin says where it listens: go-plugin's handshake, version 1.

`1|1|unix|/tmp/hp-x/plugin.sock|grpc|` or `1|1|tcp|127.0.0.1:4711|grpc|`: version of the handshake, version of
what is spoken, network, address, protocol. What may follow, a certificate and a word on multiplexing, is for
hosts that asked for it.
"""

import ipaddress
import os
from typing import Literal, NamedTuple

from .start_failed import quoted

CORE_VERSION = "1"
APP_VERSION = "1"
LINE_BYTES = 64 * 1024
"""A first line that is longer is none of a handshake; certificates make the longest that are."""
UNIX_PATH_BYTES = 107
PORT_DIGITS = 5


class Handshake(NamedTuple):
    """Where a plugin listens."""

    network: Literal["unix", "tcp"]
    address: str

    @property
    def target(self) -> str:
        """Return it as gRPC takes it."""
        return f"unix:{self.address}" if self.network == "unix" else self.address


class NoHandshake(ValueError):
    """A line is not the one that a plugin has to begin with."""

    def __init__(self, why: str, fix: str, *, stray: bool = False, final: bool = False) -> None:
        super().__init__(f"{why}; {fix}")
        self.why = why
        self.fix = fix
        self.stray = stray
        """Whether it is something else altogether: a print, say, and not an attempt at a handshake."""
        self.final = final
        """Whether it will never be another one."""


def read(line: bytes) -> Handshake:
    """Return where a plugin listens.

    Raises:
        NoHandshake: It does not say.
    """
    text = line.decode(errors="replace").strip(" \t\r\n")
    fields = [field.strip() for field in text.split("|")]
    if len(fields) < 4 or not fields[0].isdecimal():
        raise NoHandshake(
            f"the first line on its standard output is {quoted(text)}, which is no handshake line"
            if text
            else "the first line on its standard output is empty",
            f"print nothing there before the line {CORE_VERSION}|{APP_VERSION}|unix|/path/of/socket|grpc| "
            "(what is meant for people belongs on standard error)",
            stray=True,
        )
    core, app, network, address = fields[:4]
    protocol = fields[4] if len(fields) > 4 else ""
    if core != CORE_VERSION:
        raise NoHandshake(
            f"it speaks version {quoted(core)} of the handshake, and Hector {CORE_VERSION}, in its line "
            f"{quoted(text)}",
            "build it with a go-plugin of version 1",
            final=True,
        )
    if app != APP_VERSION:
        raise NoHandshake(
            f"it speaks version {quoted(app)} of Hector's protocol, and this Hector version {APP_VERSION}",
            "install the release of the plugin that is made for this version of Hector",
            final=True,
        )
    if protocol != "grpc":
        raise NoHandshake(
            f"it speaks {quoted(protocol) if protocol else 'net/rpc'} and not grpc: {quoted(text)}",
            "serve it over gRPC (in Go: GRPCServer: plugin.DefaultGRPCServer)",
            final=True,
        )
    if network == "unix":
        return Handshake("unix", _path(address, text))
    if network == "tcp":
        return Handshake("tcp", _loopback(address, text))
    raise NoHandshake(
        f"it listens on the network {quoted(network)}, in its line {quoted(text)}", "allowed are unix and tcp"
    )


def _path(address: str, text: str) -> str:
    if not address.startswith("/") or "\x00" in address:
        raise NoHandshake(
            f"it listens at {quoted(address)}, in its line {quoted(text)}", "say the socket's absolute path"
        )
    length = len(os.fsencode(address))
    if length > UNIX_PATH_BYTES:
        raise NoHandshake(
            f"its socket's path has {length} bytes, and a unix socket's at most {UNIX_PATH_BYTES}: "
            f"{quoted(address)}",
            "listen in the folder that PLUGIN_UNIX_SOCKET_DIR names, which is short",
        )
    return address


def _loopback(address: str, text: str) -> str:
    host, colon, port = address.rpartition(":")
    is_number = port.isascii() and port.isdecimal() and len(port) <= PORT_DIGITS
    if not colon or not is_number or not 0 < int(port) < 65536:
        raise NoHandshake(
            f"it listens at {quoted(address)}, in its line {quoted(text)}",
            "say host and port, as 127.0.0.1:4711, and the port that it was given where it asked for port 0",
        )
    name = host.removeprefix("[").removesuffix("]")
    if name != "localhost":
        try:
            local = ipaddress.ip_address(name).is_loopback
        except ValueError:
            local = False
        if not local:
            raise NoHandshake(
                f"it listens at {quoted(address)}, where others than this machine could reach it",
                "listen on 127.0.0.1:0, or on a unix socket in the folder that PLUGIN_UNIX_SOCKET_DIR names",
            )
    return f"[{name}]:{int(port)}" if ":" in name else f"{name}:{int(port)}"
