"""Numbers of the system calls that a filter looks at, on the processors that it is written for."""

import platform
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Processor:
    """One kind of processor, as the kernel tells filters about it."""

    audit_arch: int
    numbers: Mapping[str, int]
    """Calls that it does not have are left out."""
    x32: bool = False
    """Whether there is a second set of numbers, with bit 30 set."""


_COMMON_SINCE_5_1 = {
    "io_uring_setup": 425,
    "io_uring_enter": 426,
    "io_uring_register": 427,
    "open_tree": 428,
    "move_mount": 429,
    "fsopen": 430,
    "fsconfig": 431,
    "fsmount": 432,
    "fspick": 433,
    "clone3": 435,
    "mount_setattr": 442,
    "landlock_create_ruleset": 444,
    "landlock_add_rule": 445,
    "landlock_restrict_self": 446,
}
_X86_64 = Processor(
    0xC000003E,
    {
        "ioctl": 16,
        "socket": 41,
        "connect": 42,
        "sendto": 44,
        "sendmsg": 46,
        "socketpair": 53,
        "setsockopt": 54,
        "clone": 56,
        "fork": 57,
        "vfork": 58,
        "ptrace": 101,
        "syslog": 103,
        "setsid": 112,
        "pivot_root": 155,
        "adjtimex": 159,
        "chroot": 161,
        "acct": 163,
        "settimeofday": 164,
        "mount": 165,
        "umount2": 166,
        "swapon": 167,
        "swapoff": 168,
        "reboot": 169,
        "sethostname": 170,
        "setdomainname": 171,
        "iopl": 172,
        "ioperm": 173,
        "init_module": 175,
        "delete_module": 176,
        "quotactl": 179,
        "sched_setaffinity": 203,
        "clock_settime": 227,
        "kexec_load": 246,
        "add_key": 248,
        "request_key": 249,
        "keyctl": 250,
        "unshare": 272,
        "perf_event_open": 298,
        "open_by_handle_at": 304,
        "clock_adjtime": 305,
        "sendmmsg": 307,
        "setns": 308,
        "process_vm_readv": 310,
        "process_vm_writev": 311,
        "kcmp": 312,
        "finit_module": 313,
        "seccomp": 317,
        "kexec_file_load": 320,
        "bpf": 321,
        "userfaultfd": 323,
        **_COMMON_SINCE_5_1,
    },
    x32=True,
)
_AARCH64 = Processor(
    0xC00000B7,
    {
        "ioctl": 29,
        "umount2": 39,
        "mount": 40,
        "pivot_root": 41,
        "chroot": 51,
        "quotactl": 60,
        "acct": 89,
        "unshare": 97,
        "kexec_load": 104,
        "init_module": 105,
        "delete_module": 106,
        "clock_settime": 112,
        "syslog": 116,
        "ptrace": 117,
        "sched_setaffinity": 122,
        "reboot": 142,
        "setsid": 157,
        "sethostname": 161,
        "setdomainname": 162,
        "settimeofday": 170,
        "adjtimex": 171,
        "socket": 198,
        "socketpair": 199,
        "connect": 203,
        "sendto": 206,
        "setsockopt": 208,
        "sendmsg": 211,
        "add_key": 217,
        "request_key": 218,
        "keyctl": 219,
        "clone": 220,
        "swapon": 224,
        "swapoff": 225,
        "perf_event_open": 241,
        "open_by_handle_at": 265,
        "clock_adjtime": 266,
        "setns": 268,
        "sendmmsg": 269,
        "process_vm_readv": 270,
        "process_vm_writev": 271,
        "kcmp": 272,
        "finit_module": 273,
        "seccomp": 277,
        "bpf": 280,
        "userfaultfd": 282,
        "kexec_file_load": 294,
        **_COMMON_SINCE_5_1,
    },
)
_PROCESSORS = {"x86_64": _X86_64, "aarch64": _AARCH64}


def processor(machine: str = "") -> Processor | None:
    """Return the processor of this machine, or of one that `uname -m` calls so; None: one not known here."""
    return _PROCESSORS.get(machine or platform.machine())
