"""Ours: what is not used is not imported, which decides how fast a server is ready and what it holds."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from support.processes import environment

from hector_config.version import VERSION

CONFIG = """
agents:
  one: {tools: [], instruction: Answer.}
llms:
  default: {provider: openai, base_url: "http://127.0.0.1:9/v1", model: m, api_key: none}
"""

UNUSED = {
    "tables are as they should be": ("alembic", "mako", "pygments"),
    "the database is SQLite": (
        *("sqlalchemy.dialects.mysql", "sqlalchemy.dialects.postgresql", "asyncpg", "aiomysql", "pymysql"),
        *("sqlalchemy.orm", "sqlalchemy.ext.asyncio", "greenlet"),
    ),
    "there are no documents": (
        *("numpy", "watchfiles", "hector_document.room", "hector_embedder.room", "hector_vector.room"),
    ),
    "nothing was asked yet": ("aiohttp", "http.client", "urllib.request"),
    "the model is OpenAI's": ("hector_llm.local",),
    "nobody watches": ("prometheus_client", "opentelemetry"),
    "nobody develops uvicorn": ("uvicorn.main", "uvicorn.supervisors", "multiprocessing"),
    "pydantic has no plugins": ("importlib.metadata._meta", "zipfile"),
    "nobody asks for another framework": ("starlette.applications", "fastapi", "httpx", "h11", "openai"),
}

SERVE_UNTIL_READY = """
import json, os, sys
from hector_runtime import cli, quick_start
quick_start.begin()
from hector_runtime.cli import banner

def say(line, *_):
    if line.startswith("Ready"):
        print(json.dumps(sorted(sys.modules)), flush=True)
        os._exit(0)

banner.say = say
sys.argv = ["hector", "serve", "--port", "0", "--grpc-port", "0"]
cli.main()
"""

HELP = """
import json, sys
from hector_runtime import cli
sys.argv = ["hector", "--help"]
try:
    cli.main()
except SystemExit:
    print(json.dumps(sorted(sys.modules)), flush=True)
"""

USE_IT_FROM_MANY_THREADS = """
import threading
from hector_runtime import quick_start
quick_start.begin()
import importlib.metadata, logging.config
together, found = threading.Barrier(16), []

def use():
    together.wait(30)
    found.append((importlib.metadata.version("click"), logging.config.dictConfig.__name__))

threads = [threading.Thread(target=use) for _ in range(16)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join(30)
assert len(found) == 16 and len(set(found)) == 1, found
print("all of it")
"""

USE_WHAT_WAS_PUT_OFF = """
import sys
from hector_runtime import quick_start
quick_start.begin()
import importlib.metadata, logging.config, uvicorn
from importlib.metadata import entry_points
from uvicorn import Config
assert not {"uvicorn.main", "email"} & set(sys.modules)
assert Config is sys.modules["uvicorn.config"].Config
assert entry_points(group="console_scripts")
assert importlib.metadata.version("click")
logging.config.dictConfig({"version": 1})
assert uvicorn.run is sys.modules["uvicorn.main"].run and uvicorn.__version__
assert type(uvicorn) is type(sys)
try:
    uvicorn.no_such_name
except AttributeError:
    print("as usual")
"""


def run(code: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def modules(printed: str) -> set[str]:
    return set(json.loads(printed.splitlines()[-1]))


@pytest.fixture(scope="module")
def idle(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The modules of a server with one agent and one model, whose database is migrated."""
    folder = tmp_path_factory.mktemp("start")
    (folder / "hector.yaml").write_text(CONFIG)
    run(SERVE_UNTIL_READY, folder)
    return modules(run(SERVE_UNTIL_READY, folder))


@pytest.mark.parametrize("because", UNUSED)
def test_an_idle_server_has_not_imported_what_it_does_not_use(idle: set[str], because: str) -> None:
    found = {name for name in idle for unused in UNUSED[because] if f"{name}.".startswith(f"{unused}.")}
    assert found == set(), because


def test_help_needs_nothing_but_the_command_line(tmp_path: Path) -> None:
    found = modules(run(HELP, tmp_path))
    heavy = {"asyncio", "grpc", "google.protobuf", "pydantic", "sqlalchemy", "yaml", "uvicorn.config"}
    assert heavy & found == set()


def test_what_was_put_off_is_there_when_it_is_asked_for(tmp_path: Path) -> None:
    assert run(USE_WHAT_WAS_PUT_OFF, tmp_path) == "as usual\n"


def test_threads_that_ask_for_it_at_once_all_get_the_whole(tmp_path: Path) -> None:
    assert run(USE_IT_FROM_MANY_THREADS, tmp_path) == "all of it\n"


def test_the_version_is_the_packages() -> None:
    root = Path(__file__).resolve().parents[2]
    assert tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"] == VERSION
