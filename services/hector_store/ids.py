"""Ids that sort by the time they were made, so that new rows land next to each other."""

import os
import time

_VARIANT = {f"{digit:x}": f"{0b1000 | digit & 0b11:x}" for digit in range(16)}
"""A digit of noise, with the two bits that say by which rule the id is made."""


def new_id() -> str:
    """Return a new UUID of version 7 (RFC 9562): 36 characters, unique everywhere."""
    milliseconds, rest_ns = divmod(time.time_ns(), 1_000_000)
    fraction = rest_ns * 4096 // 1_000_000  # of a millisecond: ids of one process follow each other
    head, noise = f"{milliseconds:012x}", os.urandom(8).hex()
    return f"{head[:8]}-{head[8:]}-7{fraction:03x}-{_VARIANT[noise[0]]}{noise[1:4]}-{noise[4:]}"
