"""A server with its runs in PostgreSQL or MariaDB survives kill -9 with its tasks; a second one sees them."""

import asyncio
import http.client
from collections.abc import Callable, Iterator

import pytest
from support.database_server import PASSWORD
from support.databases import SERVERS, DatabaseServer, database_servers
from support.model_server import says
from support.processes import answer_of, message, post
from support.scripted_server import scripted

__all__ = ["database_servers"]

CONFIG = """
storage:
  database: {database}
agents:
  assistant: {{tools: []}}
llms:
  default: {{provider: openai, base_url: "{url}/v1", model: some-model, api_key: sk-key}}
"""


@pytest.fixture(params=SERVERS)
def database_url(
    request: pytest.FixtureRequest, database_servers: Callable[[str], DatabaseServer]
) -> Iterator[str]:
    server = database_servers(request.param)
    with server.new_database() as name:
        yield server.url(name, tcp=True, sslmode="require")


async def test_its_tasks_survive_kill_9_and_a_restart(hector, database_url: str) -> None:
    async with scripted(*[says("a whole answer")] * 100) as model:
        hector.write(CONFIG.format(url=model.url, database=database_url))
        server = await asyncio.to_thread(hector.serve, "--config", "hector.yaml")
        acknowledged: list[dict] = []

        async def client() -> None:
            while True:
                try:
                    answer = await asyncio.to_thread(
                        post, f"{server.url}/agents/assistant", "SendMessage", message("Hello")
                    )
                except (OSError, http.client.HTTPException):
                    return  # killed
                acknowledged.append(answer["result"]["task"])
                if len(acknowledged) == 20:
                    server.process.kill()

        async with asyncio.timeout(60):
            await asyncio.gather(*(client() for _ in range(4)))
        again = await asyncio.to_thread(hector.serve, "--config", "hector.yaml")
        for task in acknowledged:
            kept = await asyncio.to_thread(
                post, f"{again.url}/agents/assistant", "GetTask", {"id": task["id"]}
            )
            assert kept["result"]["status"] == task["status"]
            assert answer_of(kept["result"]) == "a whole answer"
        second = await asyncio.to_thread(hector.serve, "--config", "hector.yaml")
        first = acknowledged[0]
        kept = await asyncio.to_thread(post, f"{second.url}/agents/assistant", "GetTask", {"id": first["id"]})
        assert kept["result"]["status"] == first["status"]
    assert len(acknowledged) >= 20
    assert second.stop() == 0
    shown = hector.run("validate", "hector.yaml", "--print-config")
    assert shown.returncode == 0
    assert "hector:***@127.0.0.1" in shown.stdout
    assert again.stop() == 0
    everything = server.output() + again.output() + second.output() + shown.stdout
    assert f"data   {database_url.partition('://')[0]}://127.0.0.1" in everything
    for secret in (PASSWORD, "s3cret%2Fp%40ss"):
        assert secret not in everything
    assert "Traceback" not in everything


def test_a_database_that_cannot_be_reached_ends_the_start_with_what_to_do(hector) -> None:
    for scheme in ("postgres", "mysql"):
        url = f"{scheme}://ann:{PASSWORD}@127.0.0.1:9/hector?connect_timeout=1"
        refused = hector.run("serve", "--database", url, "--port", "0")
        assert refused.returncode not in (0, None)
        assert "127.0.0.1:9/hector (Connection refused)" in refused.stderr
        assert "storage.database" in refused.stderr
        assert PASSWORD not in refused.stdout + refused.stderr
        assert "Traceback" not in refused.stderr
