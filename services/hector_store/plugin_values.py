"""What plugins keep, by app and key: together no more than each may, whichever replicas write it.

Every change first locks the row that says how much its plugin keeps. So changes of one plugin are made one
after another, whoever makes them, and what that row says is true at any moment.
"""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, delete, func, insert, literal, or_, select, update

from .clock import database_time, now
from .compiled import ByIds, ManyRows, Rows
from .database import Database
from .errors import InvalidValue
from .fitting import fit
from .schema import APP, INLINE_BYTES, KEY_BYTES, NAME, plugin_usage, plugin_values
from .upserting import Upsert
from .values import NEVER

ENTRY_BYTES = 64
"""What a value costs beside its key and itself, so that empty ones are not free."""
EXPIRED_AT_ONCE = 500

_SECOND_US = 1_000_000
_V, _U = plugin_values.c, plugin_usage.c
_KEY = ("plugin", "app", "name")
_THIS = (_V.plugin == bindparam("of_plugin"), _V.app == bindparam("of_app"), _V.name == bindparam("of_name"))
_IS_FIRST = _V.part == literal(0)

# The time is asked of the first part alone: PostgreSQL looks at its clock for every row.
_PARTS = Rows(
    select(_V.part, _V.value).where(*_THIS, or_(~_IS_FIRST, _V.until > database_time())).order_by(_V.part),
    ("of_plugin", "of_app", "of_name"),
)
_PAGE = Rows(
    select(_V.name)
    .where(_V.plugin == bindparam("of_plugin"), _V.app == bindparam("of_app"))
    .where(_V.name > bindparam("after"), _V.name >= bindparam("first"), _V.name < bindparam("end"))
    .where(_IS_FIRST, _V.until > database_time())
    .order_by(_V.name)
    .limit(bindparam("most")),
    ("of_plugin", "of_app", "after", "first", "end", "most"),
)
_SIZE = Rows(select(_V.size_bytes).where(*_THIS, _IS_FIRST), ("of_plugin", "of_app", "of_name"))
_INSERT = ManyRows(insert(plugin_values), (*_KEY, "part", "size_bytes", "until", "value"))
_DELETE = delete(plugin_values).where(*_THIS)
# Ordered, so that two writers never wait for each other. SQLite has no FOR UPDATE and needs none.
_LOCK = ByIds(select(_U.plugin, _U.size_bytes).order_by(_U.plugin).with_for_update(), _U.plugin)
_BEGIN = Upsert(plugin_usage, leaves=("size_bytes",))
_USE = ManyRows(
    update(plugin_usage).where(_U.plugin == bindparam("of_plugin")).values(size_bytes=bindparam("size")),
    ("size", "of_plugin"),
)


class Change(NamedTuple):
    """A value to be kept, or to be forgotten."""

    plugin: str
    app: str
    name: bytes
    value: bytes | None
    """None: there is to be none."""
    ttl_s: int = 0
    limit_bytes: int = 0

    @property
    def size_bytes(self) -> int:
        """What it counts."""
        return 0 if self.value is None else ENTRY_BYTES + len(self.name) + len(self.value)


class PluginValues:
    """What plugins keep in one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, plugin: str, app: str, key: str) -> bytes | None:
        """Return what is kept under a key; None: nothing is.

        Raises:
            InvalidValue: It is no key, plugin or app.
        """
        place = _place(plugin, app, key)
        parts = await self._database.read(lambda connection: _PARTS.all(connection, *place), short=True)
        is_there = bool(parts) and parts[0][0] == 0
        return b"".join(bytes(value) for _, value in parts) if is_there else None

    async def put(
        self, plugin: str, app: str, key: str, value: bytes, *, limit_bytes: int, ttl_s: int = 0
    ) -> bool:
        """Keep a value; False where there is no room for it: then what was there before is still there.

        Args:
            plugin: Who keeps it.
            app: Whose it is.
            key: What it is found by, of 1 to 256 bytes.
            value: What to keep.
            limit_bytes: The most that all values of the plugin may take together.
            ttl_s: How long; 0: for ever.

        Raises:
            InvalidValue: It is no key, plugin or app.
        """
        change = Change(*_place(plugin, app, key), value, ttl_s, limit_bytes)
        if change.size_bytes > limit_bytes:
            return False
        return await self._database.write_together(change_all, change, rows=2, size_bytes=len(value))

    async def remove(self, plugin: str, app: str, key: str) -> None:
        """Forget a value, if there is one.

        Raises:
            InvalidValue: It is no key, plugin or app.
        """
        await self._database.write_together(change_all, Change(*_place(plugin, app, key), None))

    async def keys(
        self, plugin: str, app: str, *, prefix: str = "", after: str = "", most: int
    ) -> Sequence[str]:
        """Return so many keys that begin with a prefix, behind one, in order of their bytes."""
        fit("app", app, APP)
        first = prefix.encode()
        values = (plugin, app, after.encode(), first, first + b"\xff", most)  # no text has that byte
        rows = await self._database.read(lambda connection: _PAGE.all(connection, *values))
        return [bytes(name).decode() for (name,) in rows]


def change_all(connection: Connection, changes: Sequence[Change]) -> list[bool | Exception]:
    """Make changes in order, and say of each whether there was room for it."""
    time_us = now(connection)
    held = _hold(connection, sorted({change.plugin for change in changes}))
    used = dict(held)
    outcomes: list[bool | Exception] = []
    for change in changes:
        place = (change.plugin, change.app, change.name)
        total = _total(connection, change, used[change.plugin])
        while change.value is not None and total > change.limit_bytes:
            _, freed = _expire(connection, change.plugin, time_us)
            if not freed:
                break
            used[change.plugin] -= freed
            total = _total(connection, change, used[change.plugin])
        is_room = change.value is None or total <= change.limit_bytes
        if is_room:
            connection.execute(_DELETE, dict(zip(("of_plugin", "of_app", "of_name"), place, strict=True)))
            _insert(connection, change, time_us)
            used[change.plugin] = total
        outcomes.append(is_room)
    if changed := [(size, plugin) for plugin, size in used.items() if size != held[plugin]]:
        _USE.execute(connection, changed)
    return outcomes


def with_expired(connection: Connection) -> Sequence[str]:
    """Return the plugins that have values whose time is over."""
    of_plugin = select(literal(1)).where(_V.plugin == _U.plugin, _V.until <= now(connection))
    return connection.execute(select(_U.plugin).where(of_plugin.exists())).scalars().all()


def count_expired(connection: Connection) -> int:
    """Return how many values there are whose time is over."""
    over = select(func.count()).where(_IS_FIRST, _V.until <= now(connection))
    return int(connection.execute(over).scalar_one())


def forget_expired(connection: Connection, plugin: str) -> int:
    """Forget some of a plugin's values whose time is over, and return how many; 0: there are none."""
    held = _hold(connection, [plugin])
    keys, freed = _expire(connection, plugin, now(connection))
    if freed:
        _USE.execute(connection, [(held[plugin] - freed, plugin)])
    return keys


def recount(connection: Connection, plugin: str) -> None:
    """Count anew how much a plugin keeps."""
    _hold(connection, [plugin])
    there = select(func.coalesce(func.sum(_V.size_bytes), 0)).where(_V.plugin == plugin)
    _USE.execute(connection, [(int(connection.execute(there).scalar_one()), plugin)])


def _hold(connection: Connection, plugins: Sequence[str]) -> dict[str, int]:
    """Let nobody else change what plugins keep until the transaction ends; return how much that is."""
    held = _locked(connection, plugins)
    if new := [plugin for plugin in plugins if plugin not in held]:
        _BEGIN.execute(connection, [(plugin, 0) for plugin in new])
        held |= _locked(connection, new)  # another process may have begun it, and kept something
    return held


def _locked(connection: Connection, plugins: Sequence[str]) -> dict[str, int]:
    return {str(plugin): int(size) for plugin, size in _LOCK.rows(connection, plugins)}


def _total(connection: Connection, change: Change, used: int) -> int:
    """Return how much a plugin will keep after a change."""
    (before,) = _SIZE.one(connection, change.plugin, change.app, change.name) or (0,)
    return used - int(before) + change.size_bytes


def _insert(connection: Connection, change: Change, time_us: int) -> None:
    value = change.value
    if value is None:
        return
    until = time_us + change.ttl_s * _SECOND_US if change.ttl_s else NEVER
    rows = [
        (change.plugin, change.app, change.name, part, 0 if part else change.size_bytes, until, some)
        for part, start in enumerate(range(0, len(value) or 1, INLINE_BYTES))
        for some in [value[start : start + INLINE_BYTES]]
    ]
    _INSERT.execute(connection, rows)


def _expire(connection: Connection, plugin: str, time_us: int) -> tuple[int, int]:
    """Forget values whose time was over first; return how many, and how much they took."""
    mine = _V.plugin == plugin
    times = select(_V.until).where(mine, _V.until <= time_us).order_by(_V.until)
    last = connection.execute(times.offset(EXPIRED_AT_ONCE - 1).limit(1)).scalar()
    over = (mine, _V.until <= (time_us if last is None else last))
    sums = select(func.count(), func.coalesce(func.sum(_V.size_bytes), 0)).where(*over, _IS_FIRST)
    keys, freed = connection.execute(sums).one()
    if keys:
        connection.execute(delete(plugin_values).where(*over))
    return int(keys), int(freed)


def _place(plugin: str, app: str, key: str) -> tuple[str, str, bytes]:
    fit("plugin", plugin, NAME, empty=False)
    fit("app", app, APP)
    name = key.encode()
    if not 0 < len(name) <= KEY_BYTES:
        raise InvalidValue("key", f"{len(name)} bytes long", f"1 to {KEY_BYTES}")
    return plugin, app, name
