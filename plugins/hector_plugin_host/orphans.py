"""Sees that no plugin outlives its host, whatever ends that.

Two nets: a guard, which is a process of its own and acts the moment the host is gone, and a note for each
plugin in the state folder, by which the next host finds what even the guard did not live to end.
"""

import asyncio
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from . import guard

log = logging.getLogger(__name__)

BOOT = Path("/proc/sys/kernel/random/boot_id")
LOOKS, LOOK_S = 4, 0.05
"""How often, and how far apart, is looked for what is only just being ended."""
FOLDER = "running"
"""Below the state folder: where the notes are."""


@contextmanager
def watched(pid: int, name: str, folder: Path, state_dir: Path | None) -> Iterator[None]:
    """Have a plugin's process ended, with all it started, if this process is gone before this is left.

    Raises:
        OSError: The guard cannot be started.
    """
    start = guard.start_time(pid)
    note = _write_note(pid, start, name, folder, state_dir) if state_dir else None
    try:
        _guarded(f"+\t{pid}\t{start}\t{folder}\t{note or ''}\n", pid)
        yield
    finally:
        _guarded(f"-\t{pid}\n", pid)
        if note:
            note.unlink(missing_ok=True)


async def end_escaped(folder: Path) -> None:
    """End what a plugin that is gone had started and put out of its group; returns when it is gone too."""
    for _ in range(LOOKS):  # what was killed with it may take a moment to be gone
        if not await asyncio.to_thread(guard.marked, {str(folder)}):
            return
        await asyncio.sleep(LOOK_S)
    for pid in await asyncio.to_thread(guard.end_marked, {str(folder)}):
        log.warning("process of a plugin that had ended was killed", extra={"pid": pid})
    for _ in range(10 * LOOKS):
        if not await asyncio.to_thread(guard.marked, {str(folder)}):
            return
        await asyncio.sleep(LOOK_S)


def reap(state_dir: Path) -> int:
    """End what hosts that are gone left behind, and return how many plugins that were."""
    count = 0
    for note in sorted(state_dir.joinpath(FOLDER).glob("*.json")):
        try:
            told = json.loads(note.read_text(encoding="utf-8"))
            boot, host, host_start = told["boot"], told["host"], told["host_start"]
            pid, start, folder = told["pid"], told["start"], told["folder"]
        except (OSError, ValueError, KeyError, TypeError):
            note.unlink(missing_ok=True)  # half written when its host died
            continue
        same_boot = boot == _boot()
        if same_boot and host_start and guard.start_time(host) == host_start:
            continue  # another server, at work
        if same_boot and (guard.end_group(pid, start) or guard.end_marked({folder})):
            log.warning(
                "plugin left by a host that is gone was ended", extra={"pid": pid, "plugin": told["name"]}
            )
            count += 1
        guard.end_marked({folder} if same_boot else set())
        guard.remove(folder)
        note.unlink(missing_ok=True)
    return count


def _write_note(pid: int, start: str, name: str, folder: Path, state_dir: Path) -> Path | None:
    facts = {"pid": pid, "start": start, "name": name, "folder": str(folder), "boot": _boot()}
    facts |= {"host": os.getpid(), "host_start": guard.start_time(os.getpid())}
    note = state_dir / FOLDER / f"{pid}.json"
    try:
        note.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        note.write_text(json.dumps(facts) + "\n", encoding="utf-8")
    except OSError as error:
        log.warning("note of a plugin was not written", extra={"plugin": name, "why": str(error)})
        return None
    return note


def _boot() -> str:
    with suppress(OSError):
        return BOOT.read_text(encoding="ascii").strip()
    return ""


class _Guard:
    """The guard of this process: there as long as any plugin is."""

    def __init__(self) -> None:
        self.host = 0
        self.lines: dict[int, str] = {}
        self.popen: subprocess.Popen[bytes] | None = None

    def tell(self, line: str, pid: int) -> None:
        """Tell it of a plugin, or of the end of one."""
        if self.host != os.getpid():  # a fork of one who had plugins has none
            self.host, self.lines, self.popen = os.getpid(), {}, None
        if line.startswith("+"):
            self.lines[pid] = line
        else:
            self.lines.pop(pid, None)
        if not self.lines:
            self._dismiss()
        elif self.popen is None or not self._write(line):
            try:
                self._begin()
            except OSError as error:
                if line.startswith("+"):
                    raise
                log.error("guard of plugins could not be started again", extra={"why": str(error)})

    def _begin(self) -> None:
        self._dismiss()
        command = [sys.executable, "-I", "-S", guard.__file__]
        self.popen = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
            env={name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ},
        )
        for line in self.lines.values():
            self._write(line)

    def _write(self, line: str) -> bool:
        assert self.popen is not None
        assert self.popen.stdin is not None
        try:
            self.popen.stdin.write(line.encode())
            self.popen.stdin.flush()
        except OSError:
            return False
        return True

    def _dismiss(self) -> None:
        popen, self.popen = self.popen, None
        if popen is None:
            return
        assert popen.stdin is not None
        with suppress(OSError):
            popen.stdin.close()
        popen.kill()  # it has nothing to do any more, and need not finish starting for that
        popen.wait()


_guard = _Guard()
_guarded = _guard.tell
