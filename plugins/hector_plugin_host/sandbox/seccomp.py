"""Which system calls a plugin may make: a program for the kernel's filter, which the shim loads.

What is refused is what no plugin needs and kernels have had holes in, what reaches out of the sandbox by
another way than files and the network, and, where nothing but this filter keeps it from the network, that.
"""

import errno
import struct
from collections.abc import Iterable
from dataclasses import dataclass

from .syscalls import Processor

_ALLOW = 0x7FFF0000
_ERRNO = 0x00050000
_NOTIFY = 0x7FC00000
_KILL = 0x80000000

_LOAD = 0x20  # BPF_LD | BPF_W | BPF_ABS
_EQUAL = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_AT_LEAST = 0x35
_ANY_BIT = 0x45  # BPF_JMP | BPF_JSET | BPF_K
_MASK = 0x54  # BPF_ALU | BPF_AND | BPF_K
_RETURN = 0x06

_NUMBER, _ARCH, _ARGS = 0, 4, 16
_X32 = 0x40000000

AF_UNIX, AF_INET, AF_INET6, AF_NETLINK = 1, 2, 10, 16
_STREAM, _SEQUENCED, _TYPE_BITS, _TCP = 1, 5, 0xF, 6
_CLONE_THREAD = 0x00010000
_CLONE_NEW_NAMESPACE = 0x7E020000
"""Mount, cgroup, host name, IPC, user, process and network namespaces."""
_TERMINAL_INPUT, _CONSOLE = 0x5412, 0x541C  # TIOCSTI, TIOCLINUX
_FAST_OPEN_FLAG = 0x20000000
_FAST_OPEN_CONNECT = 30

NEVER = (
    *("acct", "add_key", "adjtimex", "bpf", "chroot", "clock_adjtime", "clock_settime", "delete_module"),
    *("finit_module", "fsconfig", "fsmount", "fsopen", "fspick", "init_module", "io_uring_enter"),
    *("io_uring_register", "io_uring_setup", "ioperm", "iopl", "kcmp", "kexec_file_load", "kexec_load"),
    *("keyctl", "mount", "mount_setattr", "move_mount", "open_by_handle_at", "open_tree", "perf_event_open"),
    *("pivot_root", "process_vm_readv", "process_vm_writev", "ptrace", "quotactl", "reboot", "request_key"),
    *("setdomainname", "sethostname", "setns", "settimeofday", "swapoff", "swapon", "syslog", "umount2"),
    *("unshare", "userfaultfd"),
)
"""Refused to every confined plugin. io_uring is among them since it goes past filters."""

Instruction = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Filter:
    """What a plugin's system calls are held to."""

    confined: bool = True
    """Whether there is a sandbox at all; if not, only what counts processes is filtered."""
    families: tuple[int, ...] = (AF_UNIX, AF_INET, AF_INET6, AF_NETLINK)
    """Kinds of sockets that it may make; never those to the machine that a virtual machine runs on."""
    streams_only: bool = False
    """No sockets but TCP's and streams between processes: where no namespace keeps packets in."""
    unix_streams_only: bool = False
    """No sockets between processes but streams: datagrams reach others without connecting."""
    connects: bool = True
    """Whether it may connect to anything; listening is another matter."""
    asks_connects: bool = False
    """Whether the host connects in its place."""
    counts_processes: bool = False
    """Whether the host is asked before a process is made."""
    pinned: bool = False
    """Whether it stays on the processors that it was given."""


def program(wanted: Filter, processor: Processor) -> bytes:
    """Return the filter's program as an array of struct sock_filter."""
    lines: list[Instruction] = [
        (_LOAD, 0, 0, _ARCH),
        (_EQUAL, 1, 0, processor.audit_arch),
        _ret(_KILL),  # the same numbers mean other calls there
        (_LOAD, 0, 0, _NUMBER),
    ]
    if processor.x32:
        lines += [(_AT_LEAST, 0, 1, _X32), _ret(_ERRNO | errno.ENOSYS)]
    for names, block in _rules(wanted):
        for name in names:
            number = processor.numbers.get(name)
            if number is not None:
                lines += [(_EQUAL, 0, len(block), number), *block]
    lines.append(_ret(_ALLOW))
    return b"".join(struct.pack("<HBBI", *line) for line in lines)


def _rules(wanted: Filter) -> Iterable[tuple[tuple[str, ...], list[Instruction]]]:
    """Yield calls, and what decides about them: each block ends by returning."""
    if wanted.confined:
        yield NEVER, [_refuse(errno.EPERM)]
        yield ("ioctl",), [*_load(1), (_EQUAL, 1, 0, _TERMINAL_INPUT), (_EQUAL, 0, 1, _CONSOLE), *_either()]
        yield ("socket",), _socket(wanted)
        if wanted.streams_only or wanted.unix_streams_only:
            yield ("socketpair",), _pair()
        if wanted.streams_only:
            # These connect while they send, and are not seen as connecting.
            for name, place in (("sendto", 3), ("sendmsg", 2), ("sendmmsg", 3)):
                yield (name,), [*_load(place), (_ANY_BIT, 0, 1, _FAST_OPEN_FLAG), *_either()]
            yield (
                ("setsockopt",),
                [*_load(1), (_EQUAL, 0, 3, _TCP), *_load(2), (_EQUAL, 0, 1, _FAST_OPEN_CONNECT), *_either()],
            )
        if wanted.asks_connects:
            yield ("connect",), [_ret(_NOTIFY)]
        elif not wanted.connects:
            yield ("connect",), [_refuse(errno.EACCES)]
    if wanted.pinned:
        yield ("sched_setaffinity",), [_refuse(errno.EPERM)]
    if wanted.confined or wanted.counts_processes:
        # What it is to do stands in memory there, which a filter cannot see; libraries fall back to clone.
        yield ("clone3",), [_refuse(errno.ENOSYS)]
        yield ("clone",), _clone(wanted)
    if wanted.counts_processes:
        yield ("fork", "vfork", "setsid"), [_ret(_NOTIFY)]


def _socket(wanted: Filter) -> list[Instruction]:
    is_stream = [*_load(1), (_MASK, 0, 0, _TYPE_BITS), (_EQUAL, 0, 1, _STREAM), _ret(_ALLOW)]
    unix_stream = [(_EQUAL, 0, len(is_stream) + 1, AF_UNIX), *is_stream, _refuse(errno.EACCES)]
    if not wanted.streams_only:
        families = [(_EQUAL, len(wanted.families) - at, 0, one) for at, one in enumerate(wanted.families)]
        unix = unix_stream if wanted.unix_streams_only else []
        return [*_load(0), *unix, *families, _refuse(errno.EACCES), _ret(_ALLOW)]
    lines: list[Instruction] = [*_load(0), *unix_stream]
    internet = [one for one in wanted.families if one in (AF_INET, AF_INET6)]
    if internet:
        # Protocol 0 or TCP: rules on TCP's ports know nothing of MPTCP and its kin.
        protocol = [*_load(2), (_EQUAL, 2, 0, 0), (_EQUAL, 1, 0, _TCP), _refuse(errno.EACCES)]
        tcp = [*protocol, *is_stream]
        lines += [(_EQUAL, len(internet) - at, 0, one) for at, one in enumerate(internet)]
        lines += [_refuse(errno.EACCES), *tcp]
    return [*lines, _refuse(errno.EACCES)]


def _pair() -> list[Instruction]:
    # Half of a pair of datagrams sends to whatever socket has a name; so does a raw one, which is the same.
    kinds: list[Instruction] = [(_EQUAL, 1, 0, _STREAM), (_EQUAL, 0, 1, _SEQUENCED), _ret(_ALLOW)]
    kinds = [*_load(1), (_MASK, 0, 0, _TYPE_BITS), *kinds]
    return [*_load(0), (_EQUAL, 0, len(kinds), AF_UNIX), *kinds, _refuse(errno.EACCES)]


def _clone(wanted: Filter) -> list[Instruction]:
    lines: list[Instruction] = [*_load(0)]
    if wanted.confined:
        lines += [(_ANY_BIT, 0, 1, _CLONE_NEW_NAMESPACE), _refuse(errno.EPERM)]
    if wanted.counts_processes:
        lines += [(_ANY_BIT, 1, 0, _CLONE_THREAD), _ret(_NOTIFY)]
    return [*lines, _ret(_ALLOW)]


def _load(argument: int) -> list[Instruction]:
    """Load the lower half of an argument; all that is looked at here are ints."""
    return [(_LOAD, 0, 0, _ARGS + 8 * argument)]


def _either() -> list[Instruction]:
    return [_refuse(errno.EPERM), _ret(_ALLOW)]


def _refuse(number: int) -> Instruction:
    return _ret(_ERRNO | number)


def _ret(value: int) -> Instruction:
    return (_RETURN, 0, 0, value)
