"""Looks at a program before it is run: which of the usual things is wrong with it."""

import errno
import hashlib
import os
import platform
import stat
from pathlib import Path
from typing import BinaryIO

from .plan import PluginPlan
from .start_failed import ChecksumMismatch, ExecutableUnusable

_ELF_MACHINES = {
    0x03: "x86",
    0x28: "arm",
    0x3E: "x86_64",
    0xB7: "aarch64",
    0xF3: "riscv64",
    0x15: "ppc64le",
    0x16: "s390x",
}
_SAME = {"amd64": "x86_64", "arm64": "aarch64", "i686": "x86", "i386": "x86"}
_MACH_O = (b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe", b"\xca\xfe\xba\xbe", b"\xfe\xed\xfa\xcf")


def check(plan: PluginPlan) -> None:
    """See that a plan's program is there, is meant, and can be run.

    Raises:
        ExecutableUnusable: It cannot.
        ChecksumMismatch: It is another one than the plan pins.
    """
    program = Path(plan.command[0]) if plan.command else Path()
    if not program.is_absolute():
        why = f'its command is "{program}"' if plan.command else "it has no command"
        raise ExecutableUnusable(plan.name, why, "name the program with its whole path", final=True)
    if not plan.folder.is_dir():
        why = f"its folder {plan.folder} is not there"
        raise ExecutableUnusable(plan.name, why, "make it, or mend `path`", final=True)
    if found := unusable(program):
        raise ExecutableUnusable(plan.name, *found, final=True)
    check_pin(plan)


def check_pin(plan: PluginPlan) -> None:
    """See that what a plan pins, if it does, is what is there.

    Raises:
        ExecutableUnusable: It cannot be read.
        ChecksumMismatch: It is another one.
    """
    if not plan.sha256:
        return
    file = pinned(plan)
    try:
        with file.open("rb") as opened:
            found = hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        why = f"{file}, which sha256 pins, cannot be read: {error.strerror}"
        raise ExecutableUnusable(plan.name, why, f"chmod +r {file}", final=True) from None
    if found != plan.sha256.lower():
        raise mismatch(plan, found)


def mismatch(plan: PluginPlan, found: str) -> ChecksumMismatch:
    """Return what is to be said of a file with another checksum than its plan's."""
    return ChecksumMismatch(
        plan.name,
        f"{pinned(plan)} has the SHA-256 {found}, and the configuration pins {plan.sha256}",
        "find out who changed it; if that was you: hector plugin pin " + plan.name,
        final=True,
    )


def pinned(plan: PluginPlan) -> Path:
    """Return the file whose checksum a plan pins: the program, or the script that an interpreter runs."""
    scripts = [Path(plan.folder, argument) for argument in plan.command[1:] if not argument.startswith("-")]
    program = Path(plan.command[0])
    named = program.name.startswith(("python", "node", "java", "ruby", "deno", "bun", "perl"))
    return next((script for script in scripts if script.is_file()), program) if named else program


def unusable(program: Path) -> tuple[str, str] | None:
    """Return why a program cannot be run, and what to do; None if nothing seems wrong."""
    try:
        status = program.stat()
    except FileNotFoundError:
        if program.is_symlink():
            return f"{program} is a link to {program.readlink()}, which is not there", "mend the link"
        return f"{program} is not there", "build it, or mend `path`"
    except OSError as error:
        return f"{program} cannot be looked at: {error.strerror}", "see to the rights of its folders"
    if stat.S_ISDIR(status.st_mode):
        return f"{program} is a folder", "name the program in it"
    if not os.access(program, os.X_OK):
        return f"{program} may not be executed", f"chmod +x {program}"
    if os.statvfs(program).f_flag & getattr(os, "ST_NOEXEC", 8):
        return (
            f"{program} is on a file system that is mounted noexec",
            "move it, or mount that without noexec",
        )
    try:
        with program.open("rb") as file:
            return _wrong_kind(program, file)
    except OSError:
        return None  # executable and not readable: possible, and nothing can be said of it


def not_run(program: Path, error: OSError) -> tuple[str, str]:
    """Return why the system refused to run a program, and what to do."""
    if found := unusable(program):
        return found
    if error.errno == errno.ENOEXEC:
        return (
            f"{program} is no program that this system can run",
            "begin a script with #! and its interpreter",
        )
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return "no file descriptors are left", "raise the limit (ulimit -n)"
    if error.errno in (errno.EAGAIN, errno.ENOMEM):
        return f"the system has no room for another process: {error.strerror}", "see to memory and ulimit -u"
    return f"{program} could not be run: {error.strerror or error}", "try to run it by hand"


def is_final(error: OSError) -> bool:
    """Say whether the system would refuse a program again however often it is run."""
    return error.errno == errno.ENOEXEC


def _wrong_kind(program: Path, file: BinaryIO) -> tuple[str, str] | None:
    head = file.read(256)
    if head[:2] == b"#!":
        return _wrong_interpreter(program, head)
    here = _SAME.get(platform.machine().lower(), platform.machine().lower())
    if head[:4] == b"\x7fELF" and len(head) >= 20:
        order = "big" if head[5] == 2 else "little"
        machine = _ELF_MACHINES.get(int.from_bytes(head[18:20], order))  # type: ignore[arg-type]  # one of two words
        if platform.system() != "Linux":
            return f"{program} is a program for Linux", f"build it for {platform.system()}"
        if machine and machine != here:
            return f"{program} is built for {machine}, and this machine is {here}", f"build it for {here}"
    elif head[:4] in _MACH_O and platform.system() != "Darwin":
        return f"{program} is a program for macOS", f"build it for {platform.system()} on {here}"
    elif head[:2] == b"MZ" and platform.system() != "Windows":
        return f"{program} is a program for Windows", f"build it for {platform.system()} on {here}"
    elif not head:
        return f"{program} is empty", "build it anew"
    return None


def _wrong_interpreter(program: Path, head: bytes) -> tuple[str, str] | None:
    line = head.split(b"\n", 1)[0][2:].decode(errors="replace")
    words = line.split()
    if line.endswith("\r"):
        return (
            f"{program} has Windows line ends, so its interpreter is not found",
            "save it with line ends of Unix",
        )
    if words and not Path(words[0]).exists():
        return f"the interpreter of {program}, {words[0]}, is not there", "install it, or mend the first line"
    return None
