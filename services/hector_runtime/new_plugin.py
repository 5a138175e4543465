"""Makes a new plugin: an example of its kind in its language, its SDK where none is published, a config."""

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grpc import StatusCode

from hector_mesh import HectorError
from hector_plugin import protos

LANGUAGES = ("python", "go", "typescript", "rust", "java")
KINDS: Mapping[str, str] = {
    "tool": "tool_provider",
    "llm": "llm_provider",
    "reasoning": "reasoning_strategy",
    "embedder": "embedder_provider",
    "database": "database_provider",
    "parser": "document_parser",
    "agent": "agent",
    "guardrail": "guardrail",
}
"""Kinds that there are examples of, and what manifests call them."""
SDK = "hector-sdk"
"""The folder of a new project that holds the SDK, in languages in which it is installed from nowhere else."""
LEFT_OUT = frozenset(
    {
        *("__pycache__", "node_modules", "target", "build", "dist", "commands.json"),
        *("Cargo.lock", "package-lock.json"),
    }
)
"""Files and folders that are made again, or are not for authors."""
TESTS = frozenset({"test", "tests"})
"""Folders of an SDK that are nothing to who uses it."""
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


class PluginNotMade(HectorError):
    """The new plugin cannot be made there, or so."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "PLUGIN_NOT_MADE"


@dataclass(frozen=True, slots=True)
class Made:
    """A plugin that was made."""

    folder: Path
    files: tuple[Path, ...]
    """Relative to the folder; the SDK's are not among them."""
    steps: tuple[str, ...]
    """What builds it, and runs its own tests if it has some."""
    question: str
    """What makes the agent of its config use it."""


def kits() -> Path:
    """Return the folder of examples and SDKs: in the wheel, or in the clone.

    Raises:
        PluginNotMade: This installation came without them.
    """
    here = Path(__file__).resolve().parent
    for place in (here / "kits", here.parents[1] / "plugins"):
        if (place / "examples").is_dir():
            return place
    raise PluginNotMade("this installation has no examples to begin with: install hector anew")


def kinds_in(language: str) -> tuple[str, ...]:
    """Return the kinds that there are examples of in a language."""
    return tuple(kind for kind in KINDS if (kits() / "examples" / language / kind).is_dir())


def make(name: str, language: str, kind: str, folder: Path) -> Made:
    """Write a plugin into a folder that is not there yet, or is empty.

    Raises:
        PluginNotMade: The name is none, something is in the way, or there is no such example.
    """
    if not _NAME.fullmatch(name):
        message = f"{name!r} is no name for a plugin (allowed: lower case letters, digits and single dashes)"
        raise PluginNotMade(message, name=name)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise PluginNotMade(f"{folder} is not empty: name another place with --into", folder=folder)
    examples, sdk = kits() / "examples" / language, kits() / "sdk" / language
    if kind not in (there := kinds_in(language)):
        message = f"there is no example of the kind {kind} in {language} (there are: {', '.join(there)})"
        raise PluginNotMade(message, kind=kind, language=language)
    written: dict[Path, None] = {}
    for source in (examples / kind, sdk / "project", sdk / f"project-{kind}"):
        for file in _files(source):
            place = Path(_renamed(str(file.relative_to(source)).removesuffix(".in"), name))
            _write(file, folder / place, name)
            written[place] = None
    commands = _commands(sdk / "project", name)
    if commands.get("sdk", language != "python"):
        _copy_sdk(sdk, folder / SDK)
    if contracts := commands.get("contracts"):
        protos.write_to(folder / contracts)
    for file_name, text in (
        ("plugin.yaml", _manifest(name, kind, commands)),
        ("hector.yaml", _config(name, kind)),
        (".gitignore", _ignored(name, commands)),
        *([(NOTES, _NOTE)] if NOTES.partition("/")[0] in _CONFIGS[kind] else []),
    ):
        (folder / file_name).parent.mkdir(exist_ok=True)
        (folder / file_name).write_text(text, encoding="utf-8")
        written[Path(file_name)] = None
    has_test = any("test" in file.name.lower() for file in written)
    steps = (*commands.get("build", ()), *([commands["test"]] if has_test else []))
    return Made(folder, tuple(sorted(written)), steps, _question(kind))


def _files(source: Path) -> Iterator[Path]:
    if not source.is_dir():
        return
    for path in sorted(source.iterdir()):
        if path.name in LEFT_OUT or path.name.startswith("."):
            continue
        if path.is_dir():
            yield from _files(path)
        else:
            yield path


def _write(file: Path, place: Path, name: str) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        place.write_text(_renamed(file.read_text(encoding="utf-8"), name), encoding="utf-8")
    except UnicodeDecodeError:
        shutil.copyfile(file, place)
    place.chmod(file.stat().st_mode & 0o777)


def _renamed(text: str, name: str) -> str:
    """Put the new name wherever an example's own stands."""
    text = re.sub(rf"\bexample-(?:{'|'.join(KINDS)})\b", name, text)
    snake, pascal = name.replace("-", "_"), "".join(word.capitalize() for word in name.split("-"))
    return (
        text.replace("hector-example", name).replace("hector_example", snake).replace("HectorExample", pascal)
    )


def _copy_sdk(sdk: Path, place: Path) -> None:
    for file in _files(sdk):
        inside = file.relative_to(sdk)
        if not inside.parts[0].startswith("project") and TESTS.isdisjoint(inside.parts):
            target = place / inside
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
            target.chmod(file.stat().st_mode & 0o777)


def _commands(project: Path, name: str) -> dict[str, Any]:
    file = project / "commands.json"
    if not file.is_file():
        raise PluginNotMade(f"the SDK of {project.parent.name} has no template of a project yet")
    found: dict[str, Any] = json.loads(_renamed(file.read_text(encoding="utf-8"), name))
    return found


def _manifest(name: str, kind: str, commands: Mapping[str, Any]) -> str:
    lines = [
        "# What a host has to know before it starts the plugin.",
        "plugin:",
        f"  name: {name}",
        "  version: 1.0.0",
        f"  type: {KINDS[kind]}",
        f"  command: {json.dumps(commands['command'])}",
    ]
    if build := commands.get("build"):
        lines.append(f"  build: {json.dumps(build)} # what `hector plugin dev` does before it starts it")
    lines.append(f"  files: {json.dumps(commands['files'])} # what is packed beside the program")
    return "\n".join(lines) + "\n"


def _ignored(name: str, commands: Mapping[str, Any]) -> str:
    lines = [*commands["ignored"], ".hector/", "*.db", "*.db-*", f"{name}-*.tar.gz"]
    return "\n".join(lines) + "\n"


NOTES = "notes/planets.md"
_NOTE = "# Planets\n\nJupiter is the largest of the planets, and Mercury the smallest.\n"
_QUESTIONS: Mapping[str, str] = {
    "tool": "upper: hello",
    **dict.fromkeys(("embedder", "database", "parser"), "search: largest planet"),
}


def _question(kind: str) -> str:
    """Return what makes an agent whose model is the offline one use the plugin."""
    return _QUESTIONS.get(kind, "hello")


_CONFIGS: Mapping[str, str] = {
    "tool": """\
tools:
  upper:
    type: plugin:NAME
    config: {tool_name: upper}
agents:
  assistant:
    tools: [upper]
""",
    "llm": """\
llms:
  default:
    provider: plugin:NAME
    model: echo
agents:
  assistant:
    llm: default
""",
    "reasoning": """\
agents:
  assistant:
    reasoning:
      strategy: plugin:NAME
""",
    "embedder": """\
embedders:
  default:
    provider: plugin:NAME
document_stores:
  notes:
    source: {type: directory, path: ./notes}
    embedder: default
agents:
  assistant:
    document_stores: [notes]
""",
    "database": """\
vector_stores:
  default:
    type: plugin:NAME
document_stores:
  notes:
    source: {type: directory, path: ./notes}
    vector_store: default
agents:
  assistant:
    document_stores: [notes]
""",
    "parser": """\
document_stores:
  notes:
    source: {type: directory, path: ./notes, parser: plugin:NAME}
agents:
  assistant:
    document_stores: [notes]
""",
    "agent": """\
agents:
  greeter:
    type: plugin:NAME
""",
    "guardrail": """\
# Nothing asks guardrails yet: the plugin can be tested (hector plugin test) and called (hector plugin call).
agents:
  assistant: {}
""",
}
_SECTIONS: Mapping[str, str] = {
    "tool": "tool_providers",
    "llm": "llm_providers",
    "reasoning": "reasoning_strategies",
    "embedder": "embedder_providers",
    "database": "database_providers",
    "parser": "document_parsers",
    "agent": "agents",
    "guardrail": "guardrails",
}


def _config(name: str, kind: str) -> str:
    about = (
        "# An agent that uses the plugin: hector serve -c hector.yaml, or\n"
        f'# hector call -c hector.yaml "{_question(kind)}"\n'
    )
    plugin = f"plugins:\n  {_SECTIONS[kind]}:\n    {name}:\n      path: .\n"
    return about + plugin + _CONFIGS[kind].replace("NAME", name)
