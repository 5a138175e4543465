"""Hector's commands, called in this process and far from whatever this machine has set."""

from click.testing import CliRunner, Result

from hector_runtime.cli import hector
from hector_runtime.cli import server as cli_server

UNSET = ("HECTOR_URL", "HECTOR_TOKEN", "HECTOR_HOST", "HECTOR_AUTH_SECRET", "HECTOR_DEBUG", "OPENAI_API_KEY")


def nowhere(folder, monkeypatch):
    """Go into a folder, with no settings of the environment and with nobody at the default address."""
    monkeypatch.chdir(folder)
    for name in UNSET:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OLLAMA_HOST", "http://127.0.0.1:9")
    monkeypatch.setenv("HOME", str(folder / "nowhere"))
    monkeypatch.setattr(cli_server, "DEFAULT_URL", "http://127.0.0.1:9")
    return folder


def hector_does(*arguments: str, text: str | None = None) -> Result:
    """Call `hector` with these words, and `text` as its standard input."""
    return CliRunner().invoke(hector, list(arguments), input=text)
