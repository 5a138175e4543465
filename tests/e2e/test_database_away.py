"""While the database is away the probes say so, and what is asked meanwhile is answered when it is back."""

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Callable

import pytest
from support.cutting_proxy import CuttingProxy
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


def probe(url: str) -> tuple[int, dict]:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


async def until(url: str, status: int) -> dict:
    """Wait until a probe says so, and return why."""
    async with asyncio.timeout(30):
        while True:
            found, told = await asyncio.to_thread(probe, url)
            if found == status:
                return told
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("kind", SERVERS)
async def test_probes_tell_the_truth_and_nobody_has_to_do_anything(
    hector, database_servers: Callable[[str], DatabaseServer], kind: str
) -> None:
    with database_servers(kind).new_database() as name:
        proxy = CuttingProxy(database_servers(kind).port)
        async with scripted(*[says("a whole answer")] * 10) as model:
            async with proxy.running():
                url = database_servers(kind).url(
                    name, tcp=True, sslmode="disable" if kind == "mariadb" else ""
                )
                url = url.replace(f":{database_servers(kind).port}/", f":{proxy.port}/")
                hector.write(CONFIG.format(url=model.url, database=url.removesuffix("?sslmode=")))
                server = await asyncio.to_thread(hector.serve, "--config", "hector.yaml")
                await until(f"{server.url}/ready", 200)

                async def ask() -> str:
                    """Ask until somebody answers: a server without a database says when to try again."""
                    while True:
                        sent = post, f"{server.url}/agents/assistant", "SendMessage", message("Hello")
                        answer = await asyncio.to_thread(*sent)
                        if "result" in answer:
                            return answer_of(answer["result"]["task"])
                        assert "retryDelay" in json.dumps(answer["error"]), answer
                        await asyncio.sleep(0.2)

                assert await ask() == "a whole answer"
            told = await until(f"{server.url}/ready", 503)
            assert "database" in json.dumps(told)
            assert await asyncio.to_thread(probe, f"{server.url}/live") == (200, {"status": "alive"})
            async with asyncio.timeout(60):
                asking = asyncio.create_task(ask())
                await until(f"{server.url}/ready", 503)
                async with proxy.running():
                    assert await asking == "a whole answer"
                    await until(f"{server.url}/ready", 200)
                    assert await ask() == "a whole answer"
                    assert await asyncio.to_thread(server.stop) == 0
            shown = server.output()
            assert PASSWORD not in shown
            assert "Traceback" not in shown
