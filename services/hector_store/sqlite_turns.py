"""Whose turn it is to write to a SQLite file: processes take turns, and none is kept out by a busier one.

SQLite lets in whoever asks in the right moment, and lets others sleep up to a tenth of a second between their
questions: beside a process that writes all the time, another one would hardly ever write. So a process writes
as often as it likes for a moment, and then needs a lock that whoever waits to begin holds.
"""

import fcntl
import os
import sqlite3
import time
from pathlib import Path
from typing import Any

TURN_S = 0.025
"""For how long a process begins one transaction after the other while others wait."""

SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 0.0002, 0.002


class Turnstile:
    """One process's way to the write lock of a database file."""

    def __init__(self, file: Path, busy_s: float) -> None:
        self._path, self._busy_s = file.with_name(f"{file.name}-turn"), busy_s
        self._lock: int | None = None
        self._turn_ends = 0.0

    def begin(self, driver: Any) -> None:
        """Begin a transaction that writes, after those that have waited for longer.

        Raises:
            sqlite3.OperationalError: SQLITE_BUSY: somebody has held the database for too long.
        """
        begun = time.monotonic()
        if begun < self._turn_ends and self._has_begun(driver):
            return
        gives_up, pause_s = begun + self._busy_s, SHORTEST_PAUSE_S
        is_next = False
        try:
            while True:
                is_next = is_next or self._is_next()
                if is_next and self._has_begun(driver):
                    self._turn_ends = time.monotonic() + TURN_S
                    return
                if time.monotonic() >= gives_up:
                    driver.execute("BEGIN IMMEDIATE")  # says what is in the way
                    return
                time.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        finally:
            if self._lock is not None:
                fcntl.flock(self._lock, fcntl.LOCK_UN)

    def _has_begun(self, driver: Any) -> bool:
        try:
            driver.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            return False
        return True

    def close(self) -> None:
        """Take no more turns."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _is_next(self) -> bool:
        if self._lock is None:
            self._lock = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
