"""The keys of `tools:`: which tools there are, and how far each may go."""

import re
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from hector_config import ByteSize, Duration, Misfit, OneOf, ProjectPath, Section, Settings
from hector_config.plugin_word import plugin_word
from hector_tool.after_crash import AfterCrash

COMMON = {"type", "handler", "enabled", "description", "require_approval", "timeout", "max_output_size",
          "after_crash"}  # fmt: skip
OF_PLUGINS = {"config"}
FILES = {"working_directory", "max_file_size", "allowed_extensions", "denied_extensions"}
OWN: dict[str, set[str]] = {
    "search": {"max_limit"},
    "read_file": FILES,
    "grep_search": FILES | {"max_results"},
    "todo_write": set(),
}
"""The tools of this version, each with the keys that it reads beyond COMMON."""

LATER = (
    "agent_call", "apply_patch", "ask_user", "bash", "command", "delete_file", "evaluate_rag",
    "execute_command", "mcp", "plugin", "search_replace", "text_editor", "web_fetch", "web_request",
    "web_search", "write_file", "agenttool", "approvaltool", "commandtool", "controltool", "filetool",
    "functiontool", "memorytool", "todotool", "webtool",
)  # fmt: skip
"""Tools and groups of tools that later versions have."""
MCP = {"url", "command", "transport", "args"}
"""Keys that only entries of type "mcp" have, which is what they are when they do not say."""
Kind = Annotated[str, OneOf("function", *OWN, "plugin:*", later=LATER, decides=True)]
Handler = Annotated[str, OneOf("", *OWN, later=[*LATER, "plugin:*"], decides=True)]
_OF_COMMANDS = "it belongs to tools that run commands"
_OF_MCP = "it belongs to tools of type mcp"
_OF_WRITERS = "it belongs to tools that write files"
_OF_WEB = "it belongs to tools that fetch from the web"
RESERVED = re.compile(r"exit_loop|escalate|transfer_to_.*")


def _usable(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name):
        raise Misfit('models read the names of tools: letters, digits, "_" and "-", at most 64')
    if RESERVED.fullmatch(name):
        raise Misfit(f'"{name}" is the name of a control tool that agents have already')
    return name


class ToolConfig(Section):
    """One entry of `tools:`. Its key is the tool's name: to agents, and to their models."""

    type: Kind = "function"
    """A built-in tool by its name, "function" with `handler`, or `plugin:NAME` or `plugin:NAME:TOOL` (see
    `plugins`). Left out: the entry's own name."""
    handler: Handler = ""
    """For type "function": the built-in tool that does the work."""
    enabled: bool = True
    """false: as if the entry were not there."""
    description: str = ""
    """What models are told about it, in place of the built-in description, or a plugin's."""
    config: Settings = Settings()
    """For a plugin: `tool_name`, or the TOOL of `type`, is the plugin's tool that this entry is, under the
    entry's name; left out, all of its tools are there under their own. The plugin gets the rest as this
    entry's settings."""
    require_approval: bool | None = None
    """true: a person must allow each call. Left out: as the tool needs it; those of this version do not."""
    timeout: Duration = 30.0
    """Longest time for one call."""
    max_output_size: Annotated[ByteSize, Field(ge=1024)] = 64 << 10
    """Most text that one call may give to a model; the rest is cut, and the text says so."""
    after_crash: AfterCrash | None = None
    """What becomes of a call when the process dies in the middle of it, and nobody knows whether it took
    effect: `replay` (it is made again, with the same effect id), `ask` (the task waits until its user has
    said), `fail` (the task fails), or `{verify_with: tool}`: that tool is asked, with the effect id and the
    arguments. Left out: replay for tools that only read or may be called twice, as all of this version may;
    else ask."""
    working_directory: ProjectPath = Path()
    """read_file, grep_search: the folder they stay in. Left out: the project folder."""
    max_file_size: Annotated[ByteSize, Field(ge=1, le=1 << 30)] = 10 << 20
    """read_file, grep_search: larger files are refused or skipped."""
    allowed_extensions: list[str] = []
    """read_file, grep_search: only files that end so, as [".md", ".py"]. Empty: all."""
    denied_extensions: list[str] = []
    """read_file, grep_search: no files that end so."""
    max_results: Annotated[int, Field(ge=1, le=1000)] = 1000
    """grep_search: most matching lines that a model may ask for."""
    max_limit: Annotated[int, Field(ge=1, le=1000)] = 50
    """search: most passages that a model may ask for."""

    later = {
        "approval_prompt": "",
        "internal": "name the tools that an agent has in agents.<name>.tools",
        "parameters": "",
        **dict.fromkeys(("url", "transport", "command", "args", "env", "filter", "mcp_tools"), _OF_MCP),
        **dict.fromkeys(("auth", "insecure_skip_verify", "ca_certificate"), _OF_MCP),
        **dict.fromkeys(("allowed_commands", "denied_commands", "deny_by_default"), _OF_COMMANDS),
        "enable_sandboxing": "tools stay in their folder in any case, and commands come later",
        **dict.fromkeys(("max_replacements", "context_lines", "backup", "create_directories"), _OF_WRITERS),
        **dict.fromkeys(("allowed_paths", "denied_paths"), "see working_directory"),
        **dict.fromkeys(("max_retries", "max_request_size", "max_response_size"), _OF_WEB),
        **dict.fromkeys(("allowed_domains", "denied_domains", "allowed_methods"), _OF_WEB),
        **dict.fromkeys(("allow_redirects", "max_redirects", "user_agent"), _OF_WEB),
        **dict.fromkeys(("follow_meta_refresh", "javascript_rendered"), _OF_WEB),
    }

    @property
    def is_plugin(self) -> bool:
        """A plugin does the work."""
        return self.type.startswith("plugin:")

    @property
    def tool(self) -> str:
        """The built-in tool's own name."""
        return self.handler if self.type == "function" else self.type

    @field_validator("allowed_extensions", "denied_extensions")
    @classmethod
    def _with_dot(cls, extensions: list[str]) -> list[str]:
        return ["." + extension.lower().lstrip(".") for extension in extensions]

    @model_validator(mode="after")
    def _keys_have_an_effect(self) -> Self:
        if not self.tool:
            raise Misfit(f"required with type function, allowed: {', '.join(OWN)}", at=("handler",))
        if self.type != "function" and self.handler not in ("", self.type):
            raise Misfit(f'type "{self.type}" is a tool by itself: remove handler', at=("handler",))
        if self.is_plugin and not _is_name(self.config.get("tool_name", "x")):
            raise Misfit(
                "the name of one of the plugin's tools", at=("config", "tool_name"), hint="in quotes"
            )
        word = plugin_word(self.type)
        if (
            word is not None
            and word.component
            and self.config.get("tool_name", word.component) != word.component
        ):
            raise Misfit(
                f'type "{self.type}" names the tool already: remove config.tool_name',
                at=("config", "tool_name"),
            )
        known = COMMON | (OF_PLUGINS if self.is_plugin else OWN[self.tool])
        hint = f"its keys: {', '.join(sorted(known))}"
        idle = [
            Misfit(f"has no effect on {self.tool}", at=(key,), hint=hint)
            for key in sorted(self.model_fields_set - known)
        ]
        if idle:
            raise Misfit(idle[0].message, at=idle[0].at, hint=hint, also=idle[1:])
        return self


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _named_schema(schema: dict[str, Any]) -> None:
    """Say in the JSON Schema that an entry named like a tool needs nothing, and another one a type."""
    for arm in schema.get("anyOf", ()):
        if entry := arm.get("additionalProperties"):
            typed = [{"required": ["type"]}, {"required": ["handler"]}]
            arm["properties"] = {name: {"anyOf": [dict(entry), {"type": "null"}]} for name in OWN}
            arm["additionalProperties"] = {"allOf": [dict(entry), {"anyOf": typed}]}


ToolName = Annotated[str, AfterValidator(_usable)]


class ToolSection(Section):
    """What this room reads of the configuration."""

    tools: Annotated[dict[ToolName, ToolConfig] | None, Field(json_schema_extra=_named_schema)] = None
    """Tools by name. Left out: `todo_write`, and `search` if there are document stores. {}: none."""

    @field_validator("tools", mode="before")
    @classmethod
    def _named_by_their_entries(cls, tools: Any) -> Any:
        """Let `read_file: {}`, or nothing after the colon, be the tool of that name."""
        if not isinstance(tools, dict):
            return tools
        return {name: _named(name, entry) for name, entry in tools.items()}

    @model_validator(mode="after")
    def _verified_by_tools(self) -> Self:
        tools = self.tools or {}
        for name, tool in tools.items():
            word, colon, other = (tool.after_crash or "").partition(":")
            if colon and (other not in tools or not tools[other].enabled):
                known = ", ".join(each for each in tools if each != name) or "none"
                at = ("tools", name, "after_crash")
                raise Misfit(f'{word} names "{other}", which is no tool here', at=at, hint=f"tools: {known}")
        return self


def default_tools(*, has_documents: bool) -> dict[str, ToolConfig]:
    """Return the tools of a configuration without `tools:`; they show nothing that it does not offer.

    File tools are not among them: they open a folder, and that is for the operator to decide.
    """
    names = ["search", "todo_write"] if has_documents else ["todo_write"]
    return {name: ToolConfig(type=name) for name in names}


def _named(name: Any, entry: Any) -> Any:
    entry = {} if entry is None else entry
    if not isinstance(entry, dict) or entry.get("handler"):
        return entry
    if entry.get("type") == "function" and name not in OWN and name not in LATER:
        return entry  # what it lacks is the handler
    if entry.get("type", "function") == "function":
        return {**entry, "type": "mcp" if "type" not in entry and MCP & entry.keys() else name}
    return entry
