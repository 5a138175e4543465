"""`/admin/plugins`: how plugins are, what they print, and another go for one."""

import orjson

from hector_mesh import Principal

from .access import Access
from .errors import NoSuchPlugin, NotForYou, NothingHere, QueryRefused
from .exchange import Exchange
from .page_verbs import PRIVATE, check_verb
from .plugin_source import PluginSource

PATH, STATUS = "/admin/plugins", "/api/plugins"
ADMINS = frozenset({"admin"})
WATCHERS = frozenset({"admin", "operator", "viewer"})
LINES, MOST_LINES = 100, 1000


class PluginPages:
    """For the admin; `GET /api/plugins`, how plugins are, also for viewers and operators.

    `GET /admin/plugins`, `GET /admin/plugins/NAME`, `GET /admin/plugins/NAME/logs?lines=`, and
    `POST /admin/plugins/NAME/reload` and `/restart`, which answer when it is done. With several workers they
    are about those of all.
    """

    def __init__(self, access: Access, source: PluginSource | None) -> None:
        self._access, self._source = access, source

    def has(self, path: str) -> bool:
        """Say whether a path is one of these."""
        return self._source is not None and (path in (PATH, STATUS) or path.startswith(f"{PATH}/"))

    async def serve(self, exchange: Exchange, principal: Principal) -> None:
        """Answer one request.

        Raises:
            Unauthenticated: Somebody must show a credential first.
            NotForYou: Plugins are for the admin.
            NothingHere: It is no such path.
            NoSuchPlugin: No plugin of that name runs here.
            WrongVerb: The path takes another one.
            HectorError: The plugin is no good as it is now; what ran before runs on.
        """
        assert self._source is not None
        self._access.admit(principal)
        roles = WATCHERS if exchange.path == STATUS else ADMINS
        if not principal.roles & roles and (self._access.required or not exchange.from_here):
            raise NotForYou("looking at plugins", sorted(roles)[0])
        source, name = self._source, ""
        match exchange.steps[2:]:
            case []:
                check_verb(exchange, "GET", "HEAD")
                whole: dict[str, object] = {"plugins": await source.plugins()}
                if exchange.path == PATH:
                    whole["passed_over"] = source.passed_over()
                found: object = whole
            case [name]:
                check_verb(exchange, "GET", "HEAD")
                found = next((one for one in await source.plugins() if one["name"] == name), None)
            case [name, "logs"]:
                check_verb(exchange, "GET", "HEAD")
                lines = await source.lines(name, _count(exchange))
                found = None if lines is None else {"lines": lines}
            case [name, "reload"]:
                check_verb(exchange, "POST")
                found = await source.reload(name)
            case [name, "restart"]:
                check_verb(exchange, "POST")
                found = await source.restart(name)
            case _:
                raise NothingHere(exchange.path)
        if found is None:
            raise NoSuchPlugin(name, [str(one["name"]) for one in await source.plugins()])
        await exchange.reply(200, orjson.dumps(found), headers=PRIVATE)


def _count(exchange: Exchange) -> int:
    text = exchange.query("lines")
    if text is None:
        return LINES
    if not text.isdecimal() or not 0 < int(text[:9]) <= MOST_LINES:
        raise QueryRefused("lines", text, f"a number from 1 to {MOST_LINES}")
    return int(text)
