"""A program that enters a plugin's network and carries bytes between a port there and a socket of the host's.

For plugins that listen on TCP: in an empty network of their own nobody else could connect to them. Run as a
script, with one thread, since only such a process may enter a user namespace.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import sys

_PDEATHSIG, _NEW_USER, _NEW_NET = 1, 0x10000000, 0x40000000
_AT_ONCE = 64 * 1024


def main() -> None:
    """Take the plugin's process id, the port inside and the path of the socket; say when it listens."""
    pid, port, path = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PDEATHSIG, 9, 0, 0, 0)
    wanted = (("user", _NEW_USER), ("net", _NEW_NET))
    places = [(os.open(f"/proc/{pid}/ns/{name}", os.O_RDONLY), kind) for name, kind in wanted]
    for place, kind in places:
        # Root may enter the network without having entered the namespace that owns it.
        if libc.setns(place, kind) != 0 and kind == _NEW_NET:
            raise OSError(ctypes.get_errno(), "the plugin's network cannot be entered")
    asyncio.run(_serve(port, path))


async def _serve(port: int, path: str) -> None:
    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            beyond = await asyncio.open_connection("127.0.0.1", port, limit=_AT_ONCE)
        except OSError:
            writer.close()
            return
        await asyncio.wait(
            [asyncio.create_task(_copy(reader, beyond[1])), asyncio.create_task(_copy(beyond[0], writer))],
            return_when=asyncio.FIRST_COMPLETED,
        )
        writer.close()
        beyond[1].close()

    server = await asyncio.start_unix_server(carry, path)
    sys.stdout.write("listening\n")
    sys.stdout.flush()
    await server.serve_forever()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(_AT_ONCE):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass  # one side is gone


if __name__ == "__main__":
    main()
