"""The program that becomes the plugin: takes its orders, gives up what the plugin must not have, executes it.

It stands between the host and the plugin, inside of bubblewrap where there is one. It is run as a script,
without site packages, and imports only what costs no time. Where it fails, it tells the host, and the plugin
never runs.
"""

from __future__ import annotations

import ctypes
import marshal
import os
import resource
import sys
from _socket import AF_INET, AF_INET6, AF_UNIX, SCM_RIGHTS, SO_REUSEADDR, SOCK_DGRAM, SOCK_STREAM, SOL_SOCKET
from _socket import socket as Socket  # noqa: N812 - the class; the module around it costs time

MYPY = False
if MYPY:
    from collections.abc import Sequence
    from typing import Any

_PDEATHSIG, _SET_NO_NEW_PRIVS, _CAPBSET_DROP, _CAP_AMBIENT = 1, 38, 24, 47
_CLEAR_ALL = 4
_CAPABILITIES = 0x20080522
_SECCOMP_FILTER, _NEW_LISTENER = 1, 8
_PATH_BENEATH = 1
_SIOCSIFADDR, _SIOCSIFNETMASK = 0x8916, 0x891C
_FAILED = 127
_AT_ONCE = 1 << 20


def main() -> None:
    """Do as the host says, at the socket that is named first; what follows is the plugin's command."""
    control = Socket(AF_UNIX, SOCK_STREAM)
    try:
        control.connect(sys.argv[1])
        shim = _Shim(control, marshal.loads(_read(control)), sys.argv[2:])
    except (OSError, EOFError, ValueError):
        os._exit(_FAILED)  # the host is gone, or not ours
    try:
        shim.run()
    except OSError as error:
        _write(
            control, {"failed": (error.errno or 0, error.strerror or str(error), error.filename, shim.step)}
        )
    os._exit(_FAILED)


class _Shim:
    def __init__(self, control: Socket, orders: dict[str, Any], command: list[str]) -> None:
        self.control, self.orders, self.command = control, orders, command
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.step = "prepare"

    def run(self) -> None:
        orders = self.orders
        self.prctl("die with its parent", _PDEATHSIG, 9)
        self.listen()
        self.step = "limit"
        for name, soft, hard in orders["limits"]:
            resource.setrlimit(name, (soft, hard))
        if orders["processors"]:
            os.sched_setaffinity(0, orders["processors"])
        _write(self.control, {"ready": True})
        if not _read(self.control):
            os._exit(_FAILED)
        if orders["confine"]:
            self.drop_capabilities()
        if orders["confine"] or orders["filter"]:
            self.prctl("take no new privileges", _SET_NO_NEW_PRIVS, 1)
        if orders["ruleset"]:
            self.restrict_files()
        listener = self.filter_calls() if orders["filter"] else -1
        _write(self.control, {"confined": True}, [listener] if listener >= 0 else [])
        program = self.checked(*orders["checksum"]) if orders["checksum"] else self.command[0]
        self.step = "execute"
        os.execve(program, self.command, orders["environment"])

    def checked(self, pinned: str, wanted: str) -> int | str:
        """Hold a file to its checksum, and return what to run: the same open file, whatever has its name now.

        What an interpreter runs it opens by its name itself: the host looks once more after the start.
        """
        from hashlib import sha256  # most plugins have no checksum

        self.step = "checksum"
        file = os.open(pinned, os.O_RDONLY | os.O_CLOEXEC)
        summed, head = sha256(), b""
        while data := os.read(file, _AT_ONCE):
            head = head or data[:2]
            summed.update(data)
        if summed.hexdigest() != wanted:
            raise OSError(0, summed.hexdigest())
        return self.command[0] if pinned != self.command[0] or head == b"#!" else file

    def listen(self) -> None:
        """Listen inside the plugin's network, on behalf of the host: a socket stays where it was made."""
        self.step = "listen"
        for number, address in enumerate(self.orders["addresses"]):
            self.add_address(number, address)
        listeners = []
        for host, port in self.orders["listeners"]:
            listener = Socket(AF_INET6 if ":" in host else AF_INET, SOCK_STREAM)
            listener.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
            listener.bind((host, port))
            listener.listen(128)
            listeners.append(listener)
        for at in range(0, len(listeners), 200):  # the kernel passes 253 at once
            _write(self.control, {"listening": at}, [one.fileno() for one in listeners[at : at + 200]])
        for listener in listeners:
            listener.close()

    def add_address(self, number: int, address: str) -> None:
        """Give the loopback device one more IPv4 address."""
        import fcntl  # rarely wanted

        name = b"lo:%d" % number
        device = Socket(AF_INET, SOCK_DGRAM)
        for request, value in ((_SIOCSIFADDR, address), (_SIOCSIFNETMASK, "255.255.255.255")):
            packed = bytes(int(part) for part in value.split("."))
            fcntl.ioctl(device, request, name.ljust(16, b"\0") + b"\2\0\0\0" + packed + bytes(16))
        device.close()

    def drop_capabilities(self) -> None:
        self.step = "drop capabilities"
        for capability in range(64):
            if self.libc.prctl(_CAPBSET_DROP, capability, 0, 0, 0) != 0:
                break  # there are no more of them, or none to drop
        self.libc.prctl(_CAP_AMBIENT, _CLEAR_ALL, 0, 0, 0)
        header = (ctypes.c_uint32 * 2)(_CAPABILITIES, 0)
        self.check(self.libc.capset(header, (ctypes.c_uint32 * 6)()))

    def restrict_files(self) -> None:
        self.step = "restrict files"
        create, add, restrict = self.orders["landlock_calls"]
        attributes = self.orders["ruleset"]
        ruleset = self.check(self.libc.syscall(create, attributes, len(attributes), 0))
        for path, rights in self.orders["rules"]:
            try:
                place = os.open(path, os.O_PATH | os.O_CLOEXEC)
            except OSError:
                continue  # it has just gone
            self.allow(add, ruleset, place, rights)
            os.close(place)
        for path, rights in self.orders["own_rules"]:
            # Of /proc only what is its own. The descriptor stays open: without it the kernel may
            # forget the folder, and the rule with it.
            place = os.open(path, os.O_PATH)
            os.set_inheritable(place, True)
            self.allow(add, ruleset, place, rights)
        self.check(self.libc.syscall(restrict, ruleset, 0))
        os.close(ruleset)
        if not self.orders["rules"]:
            return  # nothing of files is refused
        self.step = "verify"
        try:
            os.scandir("/").close()
        except PermissionError:
            return
        raise OSError(0, "the rules for files do not hold")

    def allow(self, add: int, ruleset: int, place: int, rights: int) -> None:
        beneath = rights.to_bytes(8, sys.byteorder) + place.to_bytes(4, sys.byteorder)
        self.check(self.libc.syscall(add, ruleset, _PATH_BENEATH, beneath, 0))

    def filter_calls(self) -> int:
        self.step = "filter system calls"
        lines = self.orders["filter"]
        kept = ctypes.create_string_buffer(lines, len(lines))

        class Program(ctypes.Structure):
            _fields_ = (("length", ctypes.c_ushort), ("lines", ctypes.c_void_p))

        program = Program(len(lines) // 8, ctypes.addressof(kept))
        asks = self.orders["asks"]
        flags = _NEW_LISTENER if asks else 0
        call = self.orders["seccomp_call"]
        listener = self.check(self.libc.syscall(call, _SECCOMP_FILTER, flags, ctypes.byref(program)))
        return listener if asks else -1

    def prctl(self, step: str, option: int, value: int) -> None:
        self.step = step
        self.check(self.libc.prctl(option, value, 0, 0, 0))

    def check(self, result: int) -> int:
        if result < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return result


def _read(control: Socket) -> bytes:
    """Return the next message; nothing at the end."""
    length = int.from_bytes(_exactly(control, 4), "big")
    return _exactly(control, length)


def _exactly(control: Socket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        piece = control.recv(length - len(data))
        if not piece:
            return b""
        data += piece
    return data


def _write(control: Socket, message: dict[str, object], descriptors: Sequence[int] = ()) -> None:
    data = marshal.dumps(message)
    passed = [(SOL_SOCKET, SCM_RIGHTS, b"".join(one.to_bytes(4, sys.byteorder) for one in descriptors))]
    control.sendmsg([len(data).to_bytes(4, "big") + data], passed if descriptors else [])


if __name__ == "__main__":
    main()
