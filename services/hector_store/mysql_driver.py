"""What aiomysql lacks: refuse to go on in the clear, know how long a text may be, send many rows at once."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy.util import await_only

_CLIENT_SSL = 0x800
_TEXT_LENGTH = 512 * 1024


@cache
def driver() -> Any:
    """Return the driver's class of connections, made careful."""
    import aiomysql
    from aiomysql.connection import Connection as Driver

    class Careful(Driver):  # type: ignore[misc]
        needs_tls = False
        longest = 0

        async def prepare(self, settings: Sequence[str]) -> None:
            """Set what is to be set, and ask how long a text may be: for a longer one the server hangs up."""
            cursor = await self.cursor()
            for setting in settings:
                await cursor.execute(setting)
            await cursor.execute("SELECT @@max_allowed_packet")
            (self.longest,) = await cursor.fetchone()
            await cursor.close()
            await self.commit()

        async def _execute_command(self, command: int, sql: str | bytes) -> None:
            size_bytes = len(sql)
            if self.longest and size_bytes >= self.longest:
                raise aiomysql.DataError(
                    1153, f"a statement of {size_bytes} bytes, and max_allowed_packet is {self.longest}"
                )
            await super()._execute_command(command, sql)

        async def _request_authentication(self) -> None:
            # The driver would go on in the clear.
            if self.needs_tls and not self.server_capabilities & _CLIENT_SSL:
                raise aiomysql.OperationalError(2026, "the server does not encrypt")
            await super()._request_authentication()

        async def _process_auth(self, plugin_name: bytes, auth_packet: Any) -> None:
            if plugin_name == b"mysql_clear_password" and not self._secure:
                raise aiomysql.OperationalError(2026, "the server wants the password in the clear")
            await super()._process_auth(plugin_name, auth_packet)

    return Careful


def execute_at_once(cursor: Any, statement: str, rows: Sequence[Any], context: Any) -> bool:
    """Execute a statement for each row, as few texts of several statements; True: that was all."""
    if statement.startswith("INSERT"):
        return False  # of these the driver makes one statement
    await_only(_execute_texts(cursor._cursor, statement, rows))
    return True


async def _execute_texts(cursor: Any, statement: str, rows: Sequence[Any]) -> None:
    texts: list[str] = []
    size = 0
    for row in rows:
        text = cursor.mogrify(statement, row)
        if texts and size + len(text) > _TEXT_LENGTH:
            await _execute_text(cursor, texts)
            texts, size = [], 0
        texts.append(text)
        size += len(text)
    await _execute_text(cursor, texts)


async def _execute_text(cursor: Any, texts: list[str]) -> None:
    await cursor.execute(";".join(texts))
    while await cursor.nextset():
        pass  # an error in one of them is raised here
