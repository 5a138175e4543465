"""Ends what a host that is gone left behind: processes, folders, notes.

It is also a program, run without the rest of Hector: `python -I -S guard.py`. On standard input it is told
of each plugin, "+<TAB>pid<TAB>start time<TAB>folder<TAB>note", and when one is gone, "-<TAB>pid". The end
of that input is the end of the host, however it came about: a kernel closes the pipes of whatever it kills.
As it runs as long as its host does, it loads nothing that it can do without.
"""
# ruff: noqa: PTH101, PTH104, PTH106, PTH110, PTH108, PTH123, PTH208, SIM105  # pathlib and contextlib would double its memory

import os
import signal
import sys

MARK = b"PLUGIN_UNIX_SOCKET_DIR"
"""All that a plugin starts has this in its environment, also what left its group, as daemons do."""
HAS_PROC = os.path.exists("/proc/self/stat")
"""macOS has none: there the group is all that can be found of a plugin."""
REMOVED = ".hector-removed-"
"""What folders are called on the way out."""
ROUNDS = 5
"""Looks at all processes until none is found."""


def start_time(pid: int) -> str:
    """Return when a process began, which makes its pid unique; empty if there is none."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            stat = file.read()
    except OSError:
        return ""
    fields = stat[stat.rindex(b")") + 2 :].split()
    return "" if fields[0] in (b"Z", b"X") else fields[19].decode()


def end_group(pid: int, start: str) -> bool:
    """Kill a process's group, if the process with this number is still the one that is meant."""
    if not start or start_time(pid) != start:
        return False
    return kill_group(pid)


def kill_group(pid: int) -> bool:
    """Kill a process's group, and say whether there was one."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except OSError:
        return False
    return True


def end_marked(folders: set[str]) -> list[int]:
    """Kill every process whose environment names one of these private folders, and return which they were."""
    ended: list[int] = []
    for _ in range(ROUNDS):
        found = [pid for pid in marked(folders) if pid not in ended]
        if not found:
            break
        for pid in found:
            ended.append(pid)
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                continue
    return ended


def marked(folders: set[str]) -> list[int]:
    """Return every process whose environment names one of these private folders."""
    wanted = {folder.encode() for folder in folders if folder}
    return [pid for pid in _others() if start_time(pid) and _folder_of(pid) in wanted] if wanted else []


def remove(folder: str) -> None:
    """Remove a folder and all that is in it, whatever a plugin did to modes, and however deep it went."""
    try:
        os.chmod(folder, 0o700)
        number = 0
        while folders := _emptied(folder):
            for inner in folders:
                os.chmod(inner, 0o700)
                for deeper in _emptied(inner):  # up: a path has a longest length, and a stack too
                    os.chmod(deeper, 0o700)
                    number += 1
                    os.rename(deeper, f"{folder}/{REMOVED}{number}")
                os.rmdir(inner)
        os.rmdir(folder)
    except OSError:
        pass  # gone, or somebody else's: the folder above is private all the same


def _emptied(folder: str) -> list[str]:
    """Remove the files of a folder, and return the folders in it."""
    folders = []
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            folders.append(entry.path)
        else:
            os.unlink(entry.path)
    return folders


def _others() -> list[int]:
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdecimal() and int(name) != os.getpid()]
    except OSError:
        return []


def _folder_of(pid: int) -> bytes:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            variables = file.read().split(b"\0")
    except OSError:
        return b""
    for variable in variables:
        name, _, value = variable.partition(b"=")
        if name == MARK:
            return value
    return b""


def main() -> None:
    """Listen to the host until it is gone; then end what it left."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # these are for the host, and the guard goes after it
    watched: dict[int, tuple[str, str, str]] = {}
    for line in sys.stdin:
        sign, pid, *rest = line.rstrip("\n").split("\t")
        if sign == "+":
            start, folder, note = rest
            watched[int(pid)] = (start, folder, note)
        else:
            watched.pop(int(pid), None)
    for pid, (start, _, _) in watched.items():
        if HAS_PROC:
            end_group(pid, start)
        else:  # nobody says since when it runs; but its host would have told of its end
            kill_group(pid)
    end_marked({folder for _, folder, _ in watched.values()})
    for _, folder, note in watched.values():
        remove(folder)
        if note:
            try:
                os.unlink(note)
            except OSError:
                pass


if __name__ == "__main__":
    main()
