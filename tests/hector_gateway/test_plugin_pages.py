"""Issue 7, commands: what the border shows of plugins, and to whom."""

from typing import Any

ADMIN = {"Authorization": "Bearer admins-key"}
VIEWER = {"Authorization": "Bearer viewers-key"}
USER = {"Authorization": "Bearer users-key"}
KEYS = {
    "api_keys": [
        {"name": "root", "key": "admins-key", "roles": ["admin"]},
        {"name": "vera", "key": "viewers-key", "roles": ["viewer"]},
        {"name": "uwe", "key": "users-key", "roles": ["user"]},
    ]
}


class FakePlugins:
    """One plugin, `up`, which is not well."""

    def __init__(self) -> None:
        self.done: list[str] = []

    async def plugins(self):
        return [{"name": "up", "state": "failed"}]

    def passed_over(self):
        return ["there is no folder nopl"]

    def unwell(self):
        return {"up": "failed"}

    async def lines(self, name, most):
        return [{"text": "last words"}][:most] if name == "up" else None

    async def reload(self, name):
        return await self._did("reload", name)

    async def restart(self, name):
        return await self._did("restart", name)

    async def _did(self, what, name):
        self.done.append(f"{what} {name}")
        return {"name": name, "state": "ready"} if name == "up" else None


async def asked(gateway: Any, verb: str, path: str, headers: dict[str, str]) -> tuple[int, Any]:
    async with gateway.http.request(verb, gateway.url + path, headers=headers) as answer:
        return answer.status, await answer.json()


async def test_the_admin_sees_plugins_and_what_they_print(start_gateway: Any) -> None:
    gateway = await start_gateway(auth=KEYS, plugins=FakePlugins())
    listed = {"plugins": [{"name": "up", "state": "failed"}], "passed_over": ["there is no folder nopl"]}
    assert await asked(gateway, "GET", "/admin/plugins", ADMIN) == (200, listed)
    assert await asked(gateway, "GET", "/admin/plugins/up", ADMIN) == (200, listed["plugins"][0])
    lines = {"lines": [{"text": "last words"}]}
    assert await asked(gateway, "GET", "/admin/plugins/up/logs?lines=5", ADMIN) == (200, lines)


async def test_viewers_see_how_plugins_are_and_nothing_else(start_gateway: Any) -> None:
    gateway = await start_gateway(auth=KEYS, plugins=FakePlugins())
    assert (await asked(gateway, "GET", "/api/plugins", VIEWER))[0] == 200
    for path in ("/admin/plugins", "/admin/plugins/up", "/admin/plugins/up/logs"):
        assert (await asked(gateway, "GET", path, VIEWER))[0] == 403, path


async def test_the_admin_has_a_plugin_replaced_or_started_again(start_gateway: Any) -> None:
    plugins = FakePlugins()
    gateway = await start_gateway(auth=KEYS, plugins=plugins)
    for what in ("reload", "restart"):
        assert (await asked(gateway, "POST", f"/admin/plugins/up/{what}", ADMIN))[0] == 200
    assert plugins.done == ["reload up", "restart up"]


async def test_everybody_else_and_everything_else_is_refused(start_gateway: Any) -> None:
    plugins = FakePlugins()
    gateway = await start_gateway(auth=KEYS, plugins=plugins)
    for verb, path, headers, status in (
        ("GET", "/api/plugins", USER, 403),
        ("GET", "/api/plugins", {}, 401),
        ("POST", "/admin/plugins/up/reload", VIEWER, 403),
        ("POST", "/admin/plugins/up/reload", {}, 401),
        ("GET", "/admin/plugins/up/reload", ADMIN, 405),
        ("POST", "/admin/plugins", ADMIN, 405),
        ("GET", "/admin/plugins/nobody", ADMIN, 404),
        ("POST", "/admin/plugins/nobody/restart", ADMIN, 404),
        ("GET", "/admin/plugins/up/other", ADMIN, 404),
        ("GET", "/admin/plugins/up/logs?lines=many", ADMIN, 400),
    ):
        assert (verb, path, (await asked(gateway, verb, path, headers))[0]) == (verb, path, status)
    assert plugins.done == ["restart nobody"]


async def test_health_names_plugins_that_are_not_well_and_no_reason(start_gateway: Any) -> None:
    gateway = await start_gateway(auth=KEYS, plugins=FakePlugins())
    status, health = await asked(gateway, "GET", "/health", {})
    assert (status, health["status"]) == (200, "degraded")
    assert "plugin up: failed" in health["reasons"]


async def test_without_plugins_there_are_no_such_pages(start_gateway: Any) -> None:
    gateway = await start_gateway(auth=KEYS)
    assert (await asked(gateway, "GET", "/admin/plugins", ADMIN))[0] == 404
